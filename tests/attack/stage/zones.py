"""Decides what the servers of an attack say: a root and any number of zones, each with a server address of its own.

    servers = Servers(ground)
    zone = servers.add("victim.", delay_s=0.25)      at an address of S; the root refers to it
    servers.start()
    zone.asked                                       every question it got, in order

A zone tells the truth (an address for every name) unless it has a `speech` of its own: a function that sends what it
likes. One thread serves all; the speeches run in it.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Callable

from . import wire
from .ground import ROOT, ROOT6, Ground, server_address, server_address6

TRUTH, TRUTH6, FORGED = "198.19.7.7", "2001:db8:7::7", "198.19.66.66"
ROOT_NAME = wire.name("a.root.")
HINTS = ". 3600000 NS a.root.\na.root. 3600000 A %s\n" % ROOT
HINTS6 = HINTS + "a.root. 3600000 AAAA %s\n" % ROOT6


@dataclass
class Asked:
    """A question as a server got it, and the way back."""

    at: float
    q: wire.Question
    tcp: bool
    peer: tuple[str, int]
    zone: "Zone"
    server: str
    sock: socket.socket

    def send(self, reply: bytes) -> None:
        try:
            if self.tcp:
                self.sock.sendall(struct.pack("!H", len(reply)) + reply)
            else:
                self.sock.sendto(reply, self.peer)
        except OSError:
            pass  # it has seen enough

    def truth(self, **more: object) -> bytes:
        q, owner = self.q, self.zone.owner
        if q.name == self.zone.server_name and q.qtype in (wire.A, wire.AAAA):
            own = [record for record in self.zone.glue(self.zone.ttl) if record[1] == q.qtype]
            return wire.response(q, own, [] if own else [wire.soa(owner)], **more)
        if q.qtype == wire.A:
            return wire.response(q, [wire.a(q.raw, TRUTH, self.zone.ttl)], **more)
        if q.qtype == wire.NS and q.name == owner:
            return wire.response(q, [wire.ns(owner, self.zone.server_name)], **more)
        return wire.response(q, authority=[wire.soa(owner)], **more)


Speech = Callable[[Asked], None]


@dataclass
class Zone:
    owner: bytes
    address: str
    address6: str
    delay_s: float = 0.0
    ttl: int = 300
    speech: Speech | None = None
    families: tuple[int, ...] = (4,)  # of its server's addresses
    asked: list[Asked] = field(default_factory=list)

    @property
    def server_name(self) -> bytes:
        return b"\2ns" + self.owner

    def glue(self, ttl: int = 3600) -> list[wire.Record]:
        addresses = [address for number, address in ((4, self.address), (6, self.address6)) if number in self.families]
        return [wire.a(self.server_name, address, ttl) for address in addresses]

    def questions(self, qname: str, tcp: bool | None = None) -> list[Asked]:
        wanted = wire.name(qname).lower()
        return [asked for asked in self.asked if asked.q.name == wanted and tcp in (None, asked.tcp)]


class Servers:
    """The root and the zones of one ground."""

    def __init__(self, ground: Ground, ipv6: bool = False):
        self.ground, self.ipv6 = ground, ipv6
        self.root = Zone(b"\0", ROOT, ROOT6, speech=self._refer, families=(4, 6) if ipv6 else (4,))
        self.zones: list[Zone] = []
        self.hints = ground.place / "root.hints"
        self.hints.write_text(HINTS6 if ipv6 else HINTS)
        self._selector = selectors.DefaultSelector()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def add(self, owner: str, **more: object) -> Zone:
        number = len(self.zones)
        more.setdefault("families", (4, 6) if self.ipv6 else (4,))
        zone = Zone(wire.name(owner), server_address(number), server_address6(number), **more)
        self.zones.append(zone)
        return zone

    def start(self) -> "Servers":
        for zone in [self.root, *self.zones]:
            if 4 in zone.families:
                self._listen(zone, zone.address, socket.AF_INET)
            if 6 in zone.families:
                self._listen(zone, zone.address6, socket.AF_INET6)
        self.ground.on_close(self.stop)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """For speeches: calls in the server's thread after a while."""
        heapq.heappush(self._later, (time.monotonic() + delay_s, next(self._order), call))

    def _listen(self, zone: Zone, address: str, family: int) -> None:
        udp, tcp = self.ground.S.socket(family), self.ground.S.socket(family, socket.SOCK_STREAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for sock in (udp, tcp):
            sock.bind((address, 53))
            sock.setblocking(False)
        tcp.listen(128)
        self._selector.register(udp, selectors.EVENT_READ, lambda: self._on_udp(zone, address, udp))
        self._selector.register(tcp, selectors.EVENT_READ, lambda: self._on_tcp(zone, address, tcp))

    def _serve(self) -> None:
        while not self._stop.is_set():
            wait_s = 0.05
            if self._later:
                wait_s = max(0.0, min(wait_s, self._later[0][0] - time.monotonic()))
            for key, _ in self._selector.select(wait_s):
                key.data()
            while self._later and self._later[0][0] <= time.monotonic():
                heapq.heappop(self._later)[2]()

    def _on_udp(self, zone: Zone, address: str, sock: socket.socket) -> None:
        while True:
            try:
                data, peer = sock.recvfrom(4096)
            except OSError:
                return  # nothing more, or an ICMP error for what was sent before
            self._take(zone, address, data, peer, sock, False)

    def _on_tcp(self, zone: Zone, address: str, listener: socket.socket) -> None:
        sock, peer = listener.accept()
        sock.setblocking(False)

        def on_data() -> None:
            try:
                data = sock.recv(4096)
            except OSError:
                data = b""
            if len(data) < 14:
                self._selector.unregister(sock)
                sock.close()
                return
            self._take(zone, address, data[2:], peer, sock, True)  # berthd and its peers send each in one segment

        self._selector.register(sock, selectors.EVENT_READ, on_data)

    def _take(self, zone: Zone, address: str, data: bytes, peer: tuple[str, int], sock: socket.socket, tcp: bool) -> None:
        q = wire.read_question(data)
        if q is None:
            return
        asked = Asked(time.monotonic(), q, tcp, peer, zone, address, sock)
        zone.asked.append(asked)
        if zone.speech is not None:
            zone.speech(asked)
        elif zone.delay_s and not tcp:
            self.later(zone.delay_s, lambda: asked.send(asked.truth()))
        else:
            asked.send(asked.truth())

    # The root's speech.

    def _zone_of(self, qname: bytes) -> Zone | None:
        fits = [zone for zone in self.zones if qname == zone.owner or qname.endswith(zone.owner)]
        return max(fits, key=lambda zone: len(zone.owner), default=None)

    def _refer(self, asked: Asked) -> None:
        asked.send(self._referral(asked.q))

    def _referral(self, q: wire.Question) -> bytes:
        zone = self._zone_of(q.name)
        if q.name == b"\0" and q.qtype == wire.NS:
            return wire.response(q, [wire.ns(b"\0", ROOT_NAME)], additional=self._root_glue())
        if q.name == ROOT_NAME and q.qtype == wire.A:
            return wire.response(q, [wire.a(q.raw, ROOT)])
        if zone is None:
            is_known = q.name in (b"\0", ROOT_NAME[2:], ROOT_NAME)
            return wire.response(q, authority=[wire.soa(b"\0")], rcode=wire.NOERROR if is_known else wire.NXDOMAIN)
        return wire.response(q, authority=[wire.ns(zone.owner, zone.server_name)], additional=zone.glue(), flags=0)

    def _root_glue(self) -> list[wire.Record]:
        return [wire.a(ROOT_NAME, address, 3600) for address in ([ROOT, ROOT6] if self.ipv6 else [ROOT])]
