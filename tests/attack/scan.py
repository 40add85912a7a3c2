"""Decides the port scan: from outside, which ports of the resolver are open?

Every port is sent a datagram. A closed port answers with an ICMP error, an open one that is connected to somebody else
does the same, one that is bound and not connected says nothing: so it is found, and an attacker need not guess it. The
scan runs twice, in both families: while the resolver is idle, and while 200 questions to a deaf server are out. The
kernel's limits on ICMP errors are lifted on the resolver, so the scan is exact. Two rows:

* `scan`: ports that are lent afresh. The weakened build does not connect its sockets.
* `scan-reserved`: 500 ports that are held from the start. The weakened build leaves the idle ones unconnected, as
  Windows does, and the scan finds exactly these.
"""

from __future__ import annotations

import time

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.probes import Prober, open_ports, speak_freely
from stage.slow import slow_then_deaf, teach_slow
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import Servers

QUESTIONS = 200
NAME = "q%d.deaf-%d."
FAMILIES = (4, 6)
SETTLE_S = 0.3  # after the questions of the start
ALL, DYNAMIC = range(1024, 65536), range(49152, 65536)
RESERVED = {"lend": "reserved", "pool": 500}


def prepare(servers: Servers) -> None:
    for family in FAMILIES:
        servers.add("deaf-%d." % family, speech=slow_then_deaf(servers), families=(family,))


class Scan:
    """One scan of one family; which ports were open when it began, and which of those found were open then or in the end."""

    def __init__(self, scene: Scene, family: int, ports: range):
        ground = scene.ground
        prober = Prober(ground.A, ground.R.address if family == 4 else ground.R.address6)
        self.open = open_ports(ground.R)[family] & set(ports)
        self.found = prober.silent(ports)
        self.right = self.found & (self.open | open_ports(ground.R)[family])
        self.answers = len(prober.answers)
        prober.close()

    def numbers(self) -> dict[str, int]:
        return {"open": len(self.open), "found": len(self.found), "right": len(self.right), "answers": self.answers}


def keep_asking(scene: Scene, family: int) -> None:
    with scene.ground.C.socket() as sock:
        for number in range(QUESTIONS):
            sock.sendto(wire.query(NAME % (number, family), ident=number), (scene.ground.R.address, 53))
    time.sleep(0.15)


def run(scene: Scene) -> Result:
    speak_freely(scene.ground.R)
    time.sleep(SETTLE_S)
    ports = ALL if scene.full else DYNAMIC
    numbers = {family: {"idle": Scan(scene, family, ports).numbers()} for family in FAMILIES}
    if scene.target.weak == "unconnected":  # a probe ends what lingers: these have to be out for the whole scan
        teach_slow(scene.target, *("deaf-%d." % family for family in FAMILIES))
    for family in FAMILIES:
        keep_asking(scene, family)
        ports = DYNAMIC if scene.target.program == "berthd" else ALL
        numbers[family]["asking"] = Scan(scene, family, ports).numbers()
    scans = [scan for of_family in numbers.values() for scan in of_family.values()]
    text = "; ".join("IPv%d: %s" % (family, ", ".join("%d of %d open ports found while %s" % (scan["right"], scan["open"], when)
                                                   for when, scan in of_family.items()))
                     for family, of_family in numbers.items())
    wrong = sum(scan["found"] - scan["right"] for scan in scans)
    text += "; %d other silent ports, %d answers" % (wrong, sum(scan["answers"] for scan in scans))
    return Result(any(scan["found"] or scan["answers"] for scan in scans), text, numbers)


COMMON = {
    "reference": "RFC 5452 section 9.2; Man et al. 2020 section 4 (public-facing ports)",
    "prepare": prepare,
    "run": run,
    "ipv6": True,
    "false_alarm": "a probe or its ICMP error has to be lost three times, in a network without losses",
}

ATTACKS = [
    Attack(
        name="scan",
        title="a scan of all ports from outside",
        defence="an idle resolver holds no port, a lent one is connected to its server",
        weakness="sockets are bound and not connected",
        shipped=Berthd,
        weakened=lambda: Berthd("unconnected"),
        peers=[Unbound, Kresd],
        is_short=False,
        **COMMON,
    ),
    Attack(
        name="scan-reserved",
        title="the same where 500 ports are held from the start",
        defence="idle ports are connected to a place that never answers",
        weakness="idle ports are not connected",
        shipped=lambda: Berthd(ports=RESERVED),
        weakened=lambda: Berthd("lit", ports=RESERVED),
        no_peers="they hold no ports",
        **COMMON,
    ),
]
