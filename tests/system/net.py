"""A small Internet of name servers in this process, each with a function that says what it replies, in a network
namespace of its own: a test may change addresses, routes and sysctls there and leaves nothing behind."""

from __future__ import annotations

import ctypes
import os
import selectors
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

from support import favour_this_thread

CLONE_NEWNET = 0x40000000
TRUTH, FORGED = "198.18.7.7", "198.18.66.66"
COOKIE = 10  # the EDNS option


def sh(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def own_namespace() -> Iterator[None]:
    """This thread, and what it starts, in a new network namespace with nothing but lo."""
    libc = ctypes.CDLL(None, use_errno=True)
    old = os.open("/proc/self/task/%d/ns/net" % threading.get_native_id(), os.O_RDONLY)
    _checked(libc.unshare(CLONE_NEWNET))
    try:
        sh("ip link set lo up")
        yield
    finally:
        _checked(libc.setns(old, CLONE_NEWNET))
        os.close(old)


@dataclass
class Heard:
    """A question as a server got it, and the way back."""

    wire: bytes
    address: str
    name: str
    raw: str  # with the case it came in
    rrtype: str
    tcp: bool
    port: int
    at: float
    udp: socket.socket | None
    peer: Any
    done: float = 0.0
    query: dns.message.Message = field(default=None, repr=False)

    @property
    def edns(self) -> bool:
        return self.query.edns >= 0

    @property
    def cookie(self) -> bytes:
        return next((option.to_wire() for option in self.query.options if option.otype == COOKIE), b"")

    def bare(self, rcode: int = 0, aa: bool = True) -> dns.message.Message:
        reply = dns.message.make_response(self.query, our_payload=1232)
        reply.flags |= dns.flags.AA if aa else 0
        reply.set_rcode(rcode)
        return reply

    def answer(self, *rdata: str, ttl: int = 300, rrtype: str | None = None) -> dns.message.Message:
        reply = self.bare()
        reply.answer.append(dns.rrset.from_text(self.raw, ttl, "IN", rrtype or self.rrtype, *rdata))
        return reply

    def denial(self, zone: str, rcode: int = 0) -> dns.message.Message:
        reply = self.bare(rcode)
        reply.authority.append(dns.rrset.from_text(zone, 300, "IN", "SOA", "ns. host. 1 7200 3600 1209600 60"))
        return reply

    def referral(self, zone: str, servers: dict[str, str | None]) -> dns.message.Message:
        reply = self.bare(aa=False)
        reply.authority.append(dns.rrset.from_text(zone, 300, "IN", "NS", *servers))
        reply.additional += [glue(name, address) for name, address in servers.items() if address]
        return reply

    def truth(self, zone: str) -> dns.message.Message:
        return self.answer(TRUTH) if self.rrtype == "A" else self.denial(zone)


def glue(name: str, address: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, 3600, "IN", "AAAA" if ":" in address else "A", address)


def within(name: str, zone: str) -> bool:
    return zone == "." or name == zone or name.endswith("." + zone)


# What a server says: a message, bytes, a delay in seconds before either, or None for silence.
Speech = Callable[[Heard], Any]


class Net:
    """`zones` are referred to by the root: {zone: {server: glue}}. `roots` are the root's own addresses;
    at those of `also`, which it claims to have, too, is nobody."""

    def __init__(self, zones: dict[str, dict[str, str | None]] | None = None, roots: tuple[str, ...] = ("127.5.0.1",),
                 also: tuple[str, ...] = (), delay_s: float = 0.0):
        self.zones, self.roots, self.also, self.delay_s = zones or {}, roots, also, delay_s
        self.heard: list[Heard] = []
        self.mistakes: list[str] = []
        self.selector = selectors.DefaultSelector()
        self.stopping = False
        self.sockets: dict[str, socket.socket] = {}

    def root_servers(self) -> dict[str, str]:
        return {"r%d.hostile." % n: address for n, address in enumerate((*self.roots, *self.also))}

    def hints(self) -> str:
        servers = self.root_servers().items()
        return "".join(". 3600 NS %s\n%s\n" % (name, glue(name, address)) for name, address in servers)

    def serve(self, address: str, speech: Speech) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if not address.startswith("127."):
            sh("ip addr add %s dev lo" % (address + ("/128 nodad" if ":" in address else "/32")))
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            sock = socket.socket(family, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, 53))
            if kind == socket.SOCK_STREAM:
                sock.listen(128)
            else:
                self.sockets[address] = sock
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.selector.register(sock, selectors.EVENT_READ, (address, speech, kind == socket.SOCK_STREAM))

    def start(self) -> "Net":
        for address in self.roots:
            if address not in self.sockets:
                self.serve(address, self.root)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def close(self) -> None:
        self.stopping = True
        self.thread.join(5)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()

    def root(self, heard: Heard) -> Any:
        """Refers to the zones, and knows no other name."""
        zone = next((zone for zone in self.zones if within(heard.name, zone)), None)
        if zone is not None:
            reply = heard.referral(zone, self.zones[zone])
        elif heard.name == "." and heard.rrtype == "NS":
            reply = heard.answer(*self.root_servers(), ttl=3600)
            reply.additional += [glue(name, address) for name, address in self.root_servers().items()]
        else:
            above = any(within(zone, heard.name) for zone in self.zones)
            reply = heard.denial(".", 0 if above else 3)
        return (self.delay_s, reply) if self.delay_s else reply

    def count(self, address: str | None = None, tcp: bool | None = None) -> int:
        return sum((address is None or one.address == address) and (tcp is None or one.tcp == tcp)
                   for one in list(self.heard))

    def at(self, address: str) -> list[Heard]:
        return [one for one in list(self.heard) if one.address == address]

    def names(self, address: str) -> Counter[tuple[str, str]]:
        return Counter((one.name, one.rrtype) for one in self.at(address))

    def forget(self) -> None:
        self.heard.clear()

    def _run(self) -> None:
        favour_this_thread()
        while not self.stopping:
            for key, _ in self.selector.select(0.05):
                address, speech, tcp = key.data
                if tcp:
                    connection = key.fileobj.accept()[0]
                    threading.Thread(target=self._talk, args=(connection, address, speech), daemon=True).start()
                else:
                    wire, peer = key.fileobj.recvfrom(65535)
                    self._hear(wire, address, speech, key.fileobj, peer)

    def _talk(self, connection: socket.socket, address: str, speech: Speech) -> None:
        with connection:
            connection.settimeout(10)
            try:
                head = connection.recv(2, socket.MSG_WAITALL)
                if len(head) == 2:
                    wire = connection.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                    self._hear(wire, address, speech, None, connection)
            except OSError:
                pass

    def _hear(self, wire: bytes, address: str, speech: Speech, udp: socket.socket | None, peer: Any) -> None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        raw = question.name.to_text()
        port = (peer.getpeername() if udp is None else peer)[1]
        heard = Heard(wire, address, raw.lower(), raw, dns.rdatatype.to_text(question.rdtype), udp is None, port,
                      time.monotonic(), udp, peer, query=query)
        self.heard.append(heard)
        try:
            said = speech(heard)
        except Exception as error:  # a mistake in a speech must not silence the other servers
            self.mistakes.append("%s: %r" % (raw, error))
            return
        if isinstance(said, tuple) and not heard.tcp:
            threading.Timer(said[0], self._say, (heard, said[1])).start()
        else:
            self._say(heard, said[1] if isinstance(said, tuple) else said)

    def _say(self, heard: Heard, said: Any) -> None:
        heard.done = time.monotonic()
        if isinstance(said, dns.message.Message):
            said = said.to_wire(max_size=65535)
            if not heard.tcp and len(said) > 1232:
                cut = heard.bare()
                cut.flags |= dns.flags.TC
                said = cut.to_wire()
        if said is None or self.stopping:
            return
        try:
            if heard.tcp:
                heard.peer.sendall(struct.pack("!H", len(said)) + said)
            else:
                heard.udp.sendto(said, heard.peer)
        except OSError:
            pass  # berthd has seen enough


# Datagrams that the sockets of a server would not send.


def _udp(data: bytes, source_port: int, port: int) -> bytes:
    return struct.pack("!4H", source_port, port, 8 + len(data), 0) + data


def send_in_fragments(data: bytes, source: str, target: str, port: int) -> None:
    """One datagram from port 53 as two IPv4 fragments."""
    whole = _udp(data, 53, port)
    cut = len(whole) // 2 & ~7
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for part, offset, more in ((whole[:cut], 0, 0x2000), (whole[cut:], cut >> 3, 0)):
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), port, more | offset, 64, 17, 0)
            raw.sendto(head + socket.inet_aton(source) + socket.inet_aton(target) + part, (target, 0))


def send_from(data: bytes, source: str, source_port: int, target: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, source_port))
        sock.sendto(data, (target, port))
