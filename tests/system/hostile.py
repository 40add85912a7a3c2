"""Name servers that lie, for berthd to ask: each case is a zone NAME.test with one server of its own.

A root server at ROOT tells the truth: it refers to the cases and answers for the zones of HONEST. What a case's server
says is decided by a function in CASES; what may come of it stands beside it. Everything listens on loopback, which
needs `query-loopback: true`.
"""

from __future__ import annotations

import random
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Callable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

ROOT = "127.5.0.1"
STRANGER = "127.5.0.9"  # whom nobody asked
TRUTH, FORGED = "198.18.7.7", "198.18.66.66"
HONEST = {"victim%d.test." % n: "198.18.1.%d" % n for n in range(20)}
HINTS = ". 3600000 NS root.hostile.\nroot.hostile. 3600000 A %s\n" % ROOT

ANSWER, FAILURE, EITHER = "the truth", "SERVFAIL", "the truth or SERVFAIL"


@dataclass
class Asked:
    """A question as a server got it, and the way back."""

    wire: bytes
    name: str
    rrtype: str
    tcp: bool
    edns: bool
    case: str
    udp: socket.socket | None
    peer: tuple[str, int] | socket.socket
    stranger: socket.socket

    def reply(self, address: str = TRUTH, ttl: int = 300) -> dns.message.Message:
        """The truth: an address for every name."""
        reply = self.bare()
        if self.rrtype == "A":
            reply.answer.append(dns.rrset.from_text(self.name, ttl, "IN", "A", address))
        else:
            reply.authority.append(soa("%s.test." % self.case))
        return reply

    def bare(self) -> dns.message.Message:
        reply = dns.message.make_response(dns.message.from_wire(self.wire), our_payload=1232)
        reply.flags |= dns.flags.AA
        return reply

    def truth(self) -> bytes:
        return self.reply().to_wire()

    def truncated(self) -> bytes:
        reply = self.bare()
        reply.flags |= dns.flags.TC
        return reply.to_wire()

    def send(self, data: bytes) -> None:
        if self.tcp:
            self.send_raw(struct.pack("!H", len(data)) + data)
        else:
            self.udp.sendto(data, self.peer)

    def send_raw(self, data: bytes) -> None:
        try:
            self.peer.sendall(data)
        except OSError:
            pass  # berthd has seen enough


def soa(zone: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(zone, 300, "IN", "SOA", "ns. host. 1 7200 3600 1209600 60")


def rrset(name: str, rrtype: str, *rdata: str, ttl: int = 300) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, ttl, "IN", rrtype, *rdata)


# What a server says: bytes, or None when it has sent what it wanted or says nothing.
Speech = Callable[[Asked], "bytes | None"]


@dataclass
class Case:
    speech: Speech
    outcome: str
    question: str = "www"  # below the zone
    has_tcp: bool = True
    over_tcp: bool = False  # berthd must have come over TCP
    address: str = ""


CASES: dict[str, Case] = {}


def case(outcome: str, **more: object) -> Callable[[Speech], Speech]:
    def add(speech: Speech) -> Speech:
        CASES[speech.__name__.replace("_", "-")] = Case(speech, outcome, **more)
        return speech

    return add


# --- datagrams that are not the reply: TCP, and the truth there ---


def liar_over_udp(lie: Callable[[Asked], bytes]) -> Speech:
    return lambda asked: asked.truth() if asked.tcp else lie(asked)


def forged(asked: Asked) -> bytes:
    return asked.reply(FORGED).to_wire()


def patched(data: bytes, at: int, *values: int) -> bytes:
    return data[:at] + bytes(values) + data[at + len(values):]


def _other_question(asked: Asked, name: str, rrtype: str = "A", rdclass: str = "IN") -> bytes:
    query = dns.message.make_query(name, rrtype, rdclass)
    query.id = int.from_bytes(asked.wire[:2], "big")
    reply = dns.message.make_response(query)
    reply.answer.append(rrset(asked.name, "A", FORGED))
    return reply.to_wire()


def _flood(asked: Asked) -> bytes | None:
    right = int.from_bytes(asked.wire[:2], "big")
    for n in range(300):
        asked.send(patched(forged(asked), 0, *divmod((right + 1 + n) & 0xFFFF, 256)))
    return None


for _name, _lie in {
    "wrong-id": lambda a: patched(forged(a), 1, forged(a)[1] ^ 1),
    "wrong-name": lambda a: _other_question(a, "other." + a.name),
    "wrong-type": lambda a: _other_question(a, a.name, "AAAA"),
    "wrong-class": lambda a: _other_question(a, a.name, "A", "CH"),
    "wrong-opcode": lambda a: patched(forged(a), 2, forged(a)[2] | 0x20),
    "query-again": lambda a: a.wire,
    "no-question": lambda a: patched(forged(a), 4, 0, 0),
    "two-questions": lambda a: patched(forged(a), 4, 0, 2),
    "empty-datagram": lambda a: b"",
    "one-byte": lambda a: a.wire[:1],
    "header-only": lambda a: patched(a.wire[:12], 2, 0x84),
    "cut-in-question": lambda a: a.truth()[:16],
    "oversized": lambda a: forged(a) + bytes(5000),
    "flood": _flood,
}.items():
    CASES[_name] = Case(liar_over_udp(_lie), ANSWER, over_tcp=True)


@case(ANSWER)
def other_address(asked: Asked) -> bytes | None:
    """A forger who knows port and ID but not the address: the kernel keeps it from a connected socket."""
    if not asked.tcp:
        asked.stranger.sendto(forged(asked), asked.peer)
        time.sleep(0.02)
    return asked.truth()


# --- replies that match and are broken ---


def _question_end(wire: bytes) -> int:
    at = 12
    while wire[at]:
        at += 1 + wire[at]
    return at + 5


def _with_answer(asked: Asked, record: bytes, count: int = 1) -> bytes:
    """A reply with hand-made bytes as its answer section."""
    end = _question_end(asked.wire)
    return asked.wire[:2] + b"\x84\0" + struct.pack("!4H", 1, count, 0, 0) + asked.wire[12:end] + record


def _record(owner: bytes = b"\xc0\x0c", rrtype: int = 1, rdata: bytes = bytes(4), length: int | None = None) -> bytes:
    return owner + struct.pack("!HHIH", rrtype, 1, 300, len(rdata) if length is None else length) + rdata


_BROKEN: dict[str, Callable[[Asked], bytes]] = {
    "pointer-to-itself": lambda a: _with_answer(a, _record(struct.pack("!H", 0xC000 | _question_end(a.wire)))),
    "pointers-to-each-other": lambda a: _with_answer(a, _record(
        b"\1a" + struct.pack("!H", 0xC000 | _question_end(a.wire) + 4) + b"\1b"
        + struct.pack("!H", 0xC000 | _question_end(a.wire)))),
    "pointer-forward": lambda a: _with_answer(a, _record(b"\xff\xff")),
    "label-of-64": lambda a: _with_answer(a, _record(b"\x40" + bytes(64) + b"\0")),
    "name-too-long": lambda a: _with_answer(a, _record((b"\x3f" + b"x" * 63) * 4 + b"\0")),
    "counts-lie": lambda a: patched(a.truth(), 6, 0xFF, 0xFF),
    "rdata-too-short": lambda a: _with_answer(a, _record(rdata=bytes(3))),
    "rdata-too-long": lambda a: _with_answer(a, _record(rdata=bytes(5))),
    "rdata-past-the-end": lambda a: _with_answer(a, _record(length=4000)),
    "cname-loops-in-rdata": lambda a: _with_answer(a, _record(rrtype=5, rdata=struct.pack(
        "!H", 0xC000 | _question_end(a.wire) + 12))),
    "cut-in-answer": lambda a: a.truth()[:_question_end(a.wire) + 7],
    "garbage-after-question": lambda a: _with_answer(a, random.Random(7).randbytes(300), 3),
    "two-opts": lambda a: patched(a.wire[:_question_end(a.wire)], 2, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 2)
    + b"\0\0\x29\x04\xd0\0\0\0\0\0\0" * 2,
}
for _name, _lie in _BROKEN.items():
    CASES[_name] = Case(_lie, FAILURE)


# The ID is part of that name: with some it is one, such as the root's.
CASES["pointer-into-header"] = Case(lambda a: _with_answer(a, _record(b"\xc0\0")), EITHER)


@case(EITHER)
def trailing_garbage(asked: Asked) -> bytes:
    return asked.truth() + b"garbage"


# --- TCP ---


def _only_tcp(then: Callable[[Asked], None]) -> Speech:
    def speech(asked: Asked) -> bytes | None:
        if asked.tcp:
            then(asked)
            return None
        return asked.truncated()

    return speech


def _big(asked: Asked, count: int) -> bytes:
    reply = asked.bare()
    reply.answer.append(rrset(asked.name, "A", *("198.18.%d.%d" % (n >> 8, n & 255) for n in range(count))))
    return reply.to_wire(max_size=65535)


for _name, _then, _outcome in (
    ("tcp-closes-mid-message", lambda a: a.send_raw(b"\1\0" + a.truth()), FAILURE),
    ("tcp-closes-after-length", lambda a: a.send_raw(b"\1"), FAILURE),
    ("tcp-closes-at-once", lambda a: None, FAILURE),
    ("tcp-length-zero", lambda a: a.send_raw(b"\0\0"), FAILURE),
    ("tcp-silent", lambda a: time.sleep(8), FAILURE),
    ("tcp-trickles", lambda a: [(a.send_raw(bytes([b])), time.sleep(0.2)) for b in b"\0\x40" + a.truth()[:30]], FAILURE),
    ("tcp-wrong-id", lambda a: a.send(patched(forged(a), 1, forged(a)[1] ^ 1)), FAILURE),
    ("tcp-wrong-question", lambda a: a.send(_other_question(a, "other." + a.name)), FAILURE),
    ("tcp-truncated-too", lambda a: a.send(a.truncated()), FAILURE),
    ("tcp-64-kib", lambda a: a.send_raw(b"\xff\xff" + a.truth().ljust(65535, b"x")), EITHER),
    ("tcp-4000-records", lambda a: a.send(_big(a, 4000)), EITHER),
    ("tcp-byte-by-byte", lambda a: [(a.send_raw(bytes([b])), time.sleep(0.002))
                                    for b in struct.pack("!H", len(a.truth())) + a.truth()], ANSWER),
):
    CASES[_name] = Case(_only_tcp(_then), _outcome, over_tcp=True)
CASES["tcp-refused"] = Case(lambda a: a.truncated(), FAILURE, has_tcp=False)
CASES["wrong-id-and-tcp-refused"] = Case(lambda a: patched(forged(a), 1, forged(a)[1] ^ 1), FAILURE, has_tcp=False)


# --- well-formed and hostile ---


@case(ANSWER)
def out_of_bailiwick(asked: Asked) -> bytes:
    """The truth, and what is none of this server's business. Every HONEST name that is forged is asked for afterwards."""
    reply = asked.reply()
    reply.answer.append(rrset("victim0.test.", "A", FORGED))
    reply.authority.append(rrset("test.", "NS", "ns.%s.test." % asked.case))
    reply.authority.append(rrset("victim1.test.", "NS", "ns.%s.test." % asked.case))
    reply.authority.append(rrset(".", "NS", "ns.%s.test." % asked.case))
    reply.additional.append(rrset("victim2.test.", "A", FORGED))
    reply.additional.append(rrset("root.hostile.", "A", STRANGER))
    return reply.to_wire()


@case(ANSWER)
def foreign_alias(asked: Asked) -> bytes:
    """An alias to another zone, with a lie about its target."""
    reply = asked.bare()
    reply.answer += [rrset(asked.name, "CNAME", "victim3.test."), rrset("victim3.test.", "A", FORGED)]
    return reply.to_wire()


@case(FAILURE)
def foreign_glue(asked: Asked) -> bytes:
    """A referral below, whose server has a name outside and an address from here."""
    reply = asked.bare()
    reply.flags &= ~dns.flags.AA
    reply.authority.append(rrset(asked.name, "NS", "victim4.test."))
    reply.additional.append(rrset("victim4.test.", "A", CASES[asked.case].address))
    return reply.to_wire()


def _refer(asked: Asked, zone: str, *servers: str, glue: str | None = None) -> bytes:
    reply = asked.bare()
    reply.flags &= ~dns.flags.AA
    reply.authority.append(rrset(zone, "NS", *servers))
    if glue:
        reply.additional += [rrset(server, "A", glue) for server in servers]
    return reply.to_wire(max_size=65535)


@case(FAILURE)
def upward_referral(asked: Asked) -> bytes:
    return _refer(asked, ".", "root.hostile.", glue=ROOT)


@case(FAILURE)
def sideways_referral(asked: Asked) -> bytes:
    return _refer(asked, "victim5.test.", "ns.%s.test." % asked.case, glue=CASES[asked.case].address)


@case(FAILURE)
def referral_to_itself(asked: Asked) -> bytes:
    return _refer(asked, "%s.test." % asked.case, "ns.%s.test." % asked.case, glue=CASES[asked.case].address)


@case(FAILURE, question=".".join(["x"] * 110))
def endless_referrals(asked: Asked) -> bytes:
    """Each question is referred one label down, to the same server."""
    labels = asked.name.split(".")
    depth = _depth_of(asked)
    zone = ".".join(labels[-min(len(labels), depth):])
    return _refer(asked, zone, "ns." + zone, glue=CASES[asked.case].address)


_depths: Counter[str] = Counter()


def _depth_of(asked: Asked) -> int:
    _depths[asked.case] += 1
    return 3 + _depths[asked.case]


@case(FAILURE)
def referral_to_many_names(asked: Asked) -> bytes:
    """NXNSAttack: as many names of servers as a message holds (3,900), none with an address."""
    if not asked.tcp:
        return asked.truncated()
    # Short names, so that they fit: "aa." to "zz.", with digits in between.
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-_"
    names = [(a + b + c + ".") for a in letters for b in letters for c in letters][:3200]
    return _refer(asked, asked.name, *names)


@case(FAILURE)
def referral_to_names_of_a_victim(asked: Asked) -> bytes:
    return _refer(asked, asked.name, *("n%d.victim6.test." % n for n in range(15)))


@case(FAILURE)
def referral_to_servers_within(asked: Asked) -> bytes:
    """Servers inside the zone they serve, without addresses."""
    return _refer(asked, asked.name, *("ns%d.%s" % (n, asked.name) for n in range(10)))


@case(FAILURE)
def endless_alias(asked: Asked) -> bytes:
    number = "".join(c for c in asked.name.split(".")[0] if c.isdigit())
    reply = asked.bare()
    reply.answer.append(rrset(asked.name, "CNAME", "w%d.%s.test." % (int(number or 0) + 1, asked.case)))
    return reply.to_wire()


@case(FAILURE)
def alias_chain_in_one_reply(asked: Asked) -> bytes:
    if not asked.tcp:
        return asked.truncated()
    reply = asked.bare()
    names = [asked.name] + ["a%d.%s.test." % (n, asked.case) for n in range(400)]
    reply.answer += [rrset(a, "CNAME", b) for a, b in zip(names, names[1:])] + [rrset(names[-1], "A", TRUTH)]
    return reply.to_wire(max_size=65535)


@case(FAILURE)
def alias_of_itself(asked: Asked) -> bytes:
    reply = asked.bare()
    reply.answer.append(rrset(asked.name, "CNAME", asked.name))
    return reply.to_wire()


@case(EITHER)
def two_aliases(asked: Asked) -> bytes:
    reply = asked.bare()
    reply.answer.append(dns.rrset.from_text_list(asked.name, 300, "IN", "CNAME", ["victim7.test.", "victim8.test."]))
    return reply.to_wire()


@case(ANSWER)
def ttl_zero(asked: Asked) -> bytes:
    return asked.reply(ttl=0).to_wire()


@case(ANSWER)
def ttl_huge(asked: Asked) -> bytes:
    return asked.reply(ttl=2**31 - 1).to_wire()


@case(ANSWER)
def ttl_negative(asked: Asked) -> bytes:
    """2^31: the highest bit is set, which means 0 (RFC 2181 8)."""
    reply = asked.truth()
    at = reply.index(b"\0\0\1\x2c")
    return patched(reply, at, 0x80, 0, 0, 0)


@case(ANSWER)
def formerr_to_edns(asked: Asked) -> bytes:
    return asked.truth() if not asked.edns else _rcode(asked, dns.rcode.FORMERR)


@case(ANSWER)
def notimp_to_edns(asked: Asked) -> bytes:
    return asked.truth() if not asked.edns else _rcode(asked, dns.rcode.NOTIMP)


@case(ANSWER)
def badvers_to_edns(asked: Asked) -> bytes:
    if not asked.edns:
        return asked.truth()
    reply = asked.bare()
    reply.set_rcode(dns.rcode.BADVERS)
    return reply.to_wire()


@case(EITHER)
def silent_to_edns(asked: Asked) -> bytes | None:
    return None if asked.edns else asked.truth()


def _rcode(asked: Asked, rcode: dns.rcode.Rcode) -> bytes:
    query = dns.message.from_wire(asked.wire)
    query.use_edns(False)
    reply = dns.message.make_response(query)
    reply.set_rcode(rcode)
    return reply.to_wire()


for _rcode_name in ("FORMERR", "SERVFAIL", "NOTIMP", "REFUSED", "YXDOMAIN", "NOTAUTH"):
    CASES["always-" + _rcode_name.lower()] = Case(
        lambda a, r=dns.rcode.from_text(_rcode_name): _rcode(a, r), FAILURE)
CASES["silent"] = Case(lambda a: None, FAILURE)


# --- the servers ---


class World:
    """All servers in threads of this process. `asked` counts the questions by case, at whatever server they came."""

    def __init__(self, cases: dict[str, Case]):
        self.cases = cases
        self.asked: Counter[str] = Counter()
        self.asked_tcp: Counter[str] = Counter()
        self.victims: Counter[str] = Counter()
        self.mistakes: list[str] = []
        self.selector = selectors.DefaultSelector()
        self.stranger = self._bind(STRANGER, socket.SOCK_DGRAM)
        self._serve(ROOT, self._root, True)
        for n, (name, entry) in enumerate(cases.items()):
            entry.address = "127.6.%d.%d" % (n // 250, n % 250 + 1)
            self._serve(entry.address, entry.speech, entry.has_tcp)
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.stopping = True
        self.thread.join(5)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.stranger.close()

    def _bind(self, address: str, kind: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, 53))
        if kind == socket.SOCK_STREAM:
            sock.listen(64)
        return sock

    def _serve(self, address: str, speech: Speech, has_tcp: bool) -> None:
        self.selector.register(self._bind(address, socket.SOCK_DGRAM), selectors.EVENT_READ, (speech, False))
        if has_tcp:
            self.selector.register(self._bind(address, socket.SOCK_STREAM), selectors.EVENT_READ, (speech, True))

    def _run(self) -> None:
        while not self.stopping:
            for key, _ in self.selector.select(0.1):
                speech, tcp = key.data
                if tcp:
                    connection = key.fileobj.accept()[0]
                    threading.Thread(target=self._talk, args=(connection, speech), daemon=True).start()
                else:
                    wire, peer = key.fileobj.recvfrom(65535)
                    self._hear(wire, speech, key.fileobj, peer)

    def _talk(self, connection: socket.socket, speech: Speech) -> None:
        with connection:
            connection.settimeout(10)
            try:
                head = connection.recv(2, socket.MSG_WAITALL)
                if len(head) == 2:
                    self._hear(connection.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL), speech, None, connection)
            except OSError:
                pass

    def _hear(self, wire: bytes, speech: Speech, udp: socket.socket | None, peer: object) -> None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text().lower()
        labels = name.split(".")
        case_name = labels[-3] if len(labels) >= 3 else ""
        self.asked[case_name] += 1
        self.asked_tcp[case_name] += udp is None
        said = None
        try:
            said = speech(Asked(wire, name, dns.rdatatype.to_text(query.question[0].rdtype), udp is None,
                                query.edns >= 0, case_name, udp, peer, self.stranger))
        except Exception as error:  # a mistake in a speech must not silence the other servers
            self.mistakes.append("%s: %r" % (name, error))
        if said is not None:
            Asked(wire, name, "", udp is None, False, "", udp, peer, self.stranger).send(said)

    def _root(self, asked: Asked) -> bytes:
        """The truth about ".", in which "test." is no zone of its own."""
        reply = asked.bare()
        labels = asked.name.split(".")
        zone = ".".join(labels[-3:])
        if asked.name == "." and asked.rrtype == "NS":
            reply.answer.append(rrset(".", "NS", "root.hostile."))
            reply.additional.append(rrset("root.hostile.", "A", ROOT))
        elif zone in HONEST:
            self.victims[zone] += 1
            known = asked.rrtype == "A" and asked.name == zone
            (reply.answer if known else reply.authority).append(
                rrset(asked.name, "A", HONEST[zone]) if known else soa("."))
        elif zone.removesuffix(".test.") in self.cases:
            reply.flags &= ~dns.flags.AA
            reply.authority.append(rrset(zone, "NS", "ns." + zone))
            reply.additional.append(rrset("ns." + zone, "A", self.cases[zone.removesuffix(".test.")].address))
        else:
            reply.authority.append(soa("."))
            if asked.name not in (".", "test."):
                reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()
