"""Decides how DNS messages are read and written by servers and attackers: by hand, because they are to be odd at times.

Records are tuples (owner in wire form, type, ttl, rdata)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

A, NS, CNAME, SOA, TXT, AAAA, DNAME, OPT, ANY = 1, 2, 5, 6, 16, 28, 39, 41, 255
QR, AA, TC, RD = 0x8000, 0x0400, 0x0200, 0x0100
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, REFUSED, BADVERS, BADCOOKIE = 0, 1, 2, 3, 5, 16, 23
COOKIE = 10

Record = tuple[bytes, int, int, bytes]


def name(text: str) -> bytes:
    """The wire form of a name: "www.lab." and "www.lab" are the same."""
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def text(wire: bytes) -> str:
    labels, at = [], 0
    while wire[at]:
        labels.append(wire[at + 1:at + 1 + wire[at]].decode("latin-1"))
        at += 1 + wire[at]
    return ".".join(labels) + "."


def address(text_form: str) -> bytes:
    return ip_address(text_form).packed


def a(owner: bytes, to: str, ttl: int = 300) -> Record:
    packed = address(to)
    return owner, A if len(packed) == 4 else AAAA, ttl, packed


def ns(owner: bytes, server: bytes, ttl: int = 300) -> Record:
    return owner, NS, ttl, server


def cname(owner: bytes, target: bytes, ttl: int = 300) -> Record:
    return owner, CNAME, ttl, target


def dname(owner: bytes, target: bytes, ttl: int = 300) -> Record:
    return owner, DNAME, ttl, target


def soa(owner: bytes, ttl: int = 300) -> Record:
    return owner, SOA, ttl, owner + owner + struct.pack("!5I", 1, 7200, 3600, 1209600, 60)


def txt(owner: bytes, words: str, ttl: int = 0) -> Record:
    return owner, TXT, ttl, bytes([len(words)]) + words.encode()


@dataclass(frozen=True)
class Question:
    """What stood in a query."""

    id: int
    raw: bytes  # the name as it was sent
    qtype: int
    question: bytes  # the whole question section
    edns: bool
    cookie: bytes  # client's, or client's and server's

    @property
    def name(self) -> bytes:
        return self.raw.lower()

    @property
    def text(self) -> str:
        return text(self.name)


def read_question(wire: bytes) -> Question | None:
    """None when it is no query with one question."""
    if len(wire) < 17 or wire[2] & 0x80 or wire[4:6] != b"\0\1":
        return None
    at = 12
    while at < len(wire) and wire[at]:
        if wire[at] > 63:
            return None
        at += 1 + wire[at]
    end = at + 5
    if end > len(wire):
        return None
    edns, cookie = _read_opt(wire, end)
    return Question(int.from_bytes(wire[:2], "big"), wire[12:at + 1], int.from_bytes(wire[at + 1:at + 3], "big"),
                    wire[12:end], edns, cookie)


def _read_opt(wire: bytes, at: int) -> tuple[bool, bytes]:
    if wire[10:12] != b"\0\1" or len(wire) < at + 11 or wire[at:at + 3] != b"\0\0\x29":
        return False, b""
    at += 11
    while at + 4 <= len(wire):
        code, length = struct.unpack_from("!2H", wire, at)
        if code == COOKIE:
            return True, wire[at + 4:at + 4 + length]
        at += 4 + length
    return True, b""


def record(one: Record) -> bytes:
    owner, rrtype, ttl, rdata = one
    return owner + struct.pack("!2HIH", rrtype, 1, ttl, len(rdata)) + rdata


def opt(extended_rcode: int = 0, cookie: bytes = b"") -> bytes:
    option = struct.pack("!2H", COOKIE, len(cookie)) + cookie if cookie else b""
    return b"\0" + struct.pack("!2H", OPT, 1232) + struct.pack("!BBH", extended_rcode, 0, 0) + struct.pack(
        "!H", len(option)) + option


def query(qname: str, qtype: int = A, ident: int = 0, flags: int = RD, edns: bool = True, do: bool = False) -> bytes:
    extra = b"\0" + struct.pack("!2H", OPT, 1232) + (b"\0\0\x80\0" if do else b"\0\0\0\0") + b"\0\0" if edns else b""
    return struct.pack("!6H", ident, flags, 1, 0, 0, 1 if edns else 0) + name(qname) + struct.pack("!2H", qtype, 1) + extra


def response(q: Question, answer: list[Record] = [], authority: list[Record] = [], additional: list[Record] = [],  # noqa: B006
             flags: int = AA, rcode: int = 0, ident: int | None = None, cookie: bytes = b"") -> bytes:
    """A reply to the question, with OPT when it had one."""
    head = struct.pack("!6H", q.id if ident is None else ident, QR | flags | rcode & 15, 1, len(answer), len(authority),
                       len(additional) + q.edns)
    body = b"".join(map(record, [*answer, *authority, *additional]))
    return head + q.question + body + (opt(rcode >> 4, cookie) if q.edns else b"")


def rcode(reply: bytes) -> int:
    return reply[3] & 15


def addresses(reply: bytes) -> list[str]:
    """The addresses in the answer section of a reply, which may use compression."""
    counts = struct.unpack_from("!4H", reply, 4)
    at = 12
    for _ in range(counts[0]):
        at = _skip_name(reply, at) + 4
    found = []
    for _ in range(counts[1]):
        at = _skip_name(reply, at)
        rrtype, _, _, length = struct.unpack_from("!2HIH", reply, at)
        at += 10
        if rrtype in (A, AAAA):
            found.append(str(ip_address(reply[at:at + length])))
        at += length
    return found


def _skip_name(wire: bytes, at: int) -> int:
    while wire[at]:
        if wire[at] >= 192:
            return at + 2
        at += 1 + wire[at]
    return at + 1
