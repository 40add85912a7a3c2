"""Decides what a question costs that is made to cost: time of a core, signatures checked, and what another client sees of
it (in the full form). The time is from the kernel's account of the resolver's threads.

    return judge(scene, {"A": names}, checks=20)

Each kind of question is asked one after the other, and then, while another client has its own, 50 a second of all kinds.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

from . import neighbour, wire
from .attack import Result, Scene
from .bill import limit
from .neighbour import Neighbour
from .signed import DNSKEY
from .targets import Berthd, Kresd, Target, Unbound

ALLOWED_MS = 20.0  # of a core for one question: some ten times what berthd takes
RATE, SECONDS = 50, 10.0  # of hostile questions while another client asks; no more than 500
CALM = "calm."  # the zone of what others ask
ENOUGH_MS, ENOUGH_SHORT_MS = 4000, 500  # spent by the target: more need not be known
PATIENCE_S = 6.0
ENOUGH_S = 20.0  # of waiting for answers of one kind
NICE = -15
WANTED_CHECKS = limit("LIMIT_SIGNATURES_BAD")

Names = Iterator[tuple[str, int]]  # never the same name twice


def cpu_ms(pid: int) -> float:
    """What all threads have spent so far."""
    files = Path("/proc/%d/task" % pid).glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e6


def bill(scene: Scene, names: Names, count: int) -> dict[str, Any]:
    """Finding the zone and its keys is not counted."""
    target, enough_ms = scene.target, scene.size(ENOUGH_MS, ENOUGH_SHORT_MS)
    first = next(names)[0]
    target.ask(first.split(".")[-2] + ".", DNSKEY, patience_s=PATIENCE_S)
    checks, before, asked = target.counters(), cpu_ms(target.pid), 0
    rcodes: Counter[str] = Counter()
    deadline = time.monotonic() + ENOUGH_S
    while asked < count and cpu_ms(target.pid) - before < enough_ms and time.monotonic() < deadline:
        reply = target.ask(*next(names), patience_s=PATIENCE_S)
        rcodes[str(wire.rcode(reply)) if reply else "none"] += 1
        asked += 1
    spent = (cpu_ms(target.pid) - before) / asked
    numbers = {"questions": asked, "ms": spent, "rcodes": dict(rcodes)}
    for key, value in target.counters().items():
        if key == "signatures":
            numbers["checks"] = (value - checks[key]) / asked
    return numbers


def attack(scene: Scene, names: list[Names]) -> None:
    """50 questions a second and no answer waited for."""
    with scene.ground.A.socket() as sock:
        sock.connect((scene.ground.R.address, 53))
        sock.setblocking(False)
        begin = time.monotonic()
        for number in range(int(RATE * SECONDS)):
            time.sleep(max(0.0, begin + number / RATE - time.monotonic()))
            name, qtype = next(names[number % len(names)])
            try:
                sock.send(wire.query(name, qtype, int.from_bytes(os.urandom(2), "big")))
                while True:
                    sock.recv(4096)
            except OSError:
                pass  # nothing to read, or a queue that is full


@contextmanager
def favoured(pid: int) -> Iterator[None]:
    """The target, the servers and the other client run before other programs of this machine: it is not about those."""
    threads = [int(task.name) for number in (pid, os.getpid()) for task in Path("/proc/%d/task" % number).iterdir()]
    for thread in threads:
        os.setpriority(os.PRIO_PROCESS, thread, NICE)
    yield
    for thread in threads:
        os.setpriority(os.PRIO_PROCESS, thread, 0)


def beside(scene: Scene, names: list[Names]) -> dict[str, Any]:
    """What another client sees without the attack, and with it."""
    scene.target.ask("known." + CALM)
    with favoured(scene.target.pid):
        alone = Neighbour(scene, CALM, SECONDS).end()
        other = Neighbour(scene, CALM, SECONDS)
        attack(scene, names)
        return {"alone": alone, "attacked": other.end()}


def _bill_text(kind: str, numbers: dict[str, Any]) -> str:
    checks = "%.0f checks, " % numbers["checks"] if "checks" in numbers else ""
    return "%s%s%.1f ms" % (kind + ": " if kind else "", checks, numbers["ms"])


def judge(scene: Scene, kinds: dict[str, Names], checks: int) -> Result:
    """Succeeded: a question costs more signatures, or more time, than is allowed."""
    bills = {kind: bill(scene, names, scene.size(20, 4)) for kind, names in kinds.items()}
    text = "a question costs " + "; ".join(_bill_text(*one) for one in bills.items())
    text += "; allowed: %d checks, %.0f ms" % (checks, ALLOWED_MS)
    numbers: dict[str, Any] = {"bills": bills}
    if scene.full:
        numbers.update(beside(scene, list(kinds.values())))
        text += "; another client waits (p50/p99) %s; with %d such questions a second %s" % (
            neighbour.text(numbers["alone"]), RATE, neighbour.text(numbers["attacked"]))
    dear = any(one["ms"] > ALLOWED_MS or one.get("checks", 0) > checks for one in bills.values())
    return Result(dear, text, numbers)


# Targets that validate, from an anchor which is a zone of the attacker's: nothing else is signed here.


def validating(anchors: Callable[[], list[str]]) -> tuple[Callable[[str], Target], list[Callable[[], Target]]]:
    """Makes berthd, weakened or not, and its peers."""

    def unbound() -> Target:
        lines = ['module-config: "validator iterator"', *('trust-anchor: "%s"' % anchor for anchor in anchors())]
        return Unbound(*lines)

    def kresd() -> Target:
        return Kresd(lines=["trust_anchors.add('%s')" % anchor for anchor in anchors()])

    return lambda weak="": Validating(anchors, weak), [unbound, kresd]


class Validating(Berthd):
    def __init__(self, anchors: Callable[[], list[str]], weak: str = ""):
        super().__init__(weak)
        self.anchors = anchors

    def prepare(self, ground: Any, hints: Path) -> list[str]:
        file = ground.place / "anchors"
        file.write_text("".join(anchor + "\n" for anchor in self.anchors()))
        self.config["dnssec"] = {"validate": True, "builtin": False, "rollover": False, "anchors": [str(file)]}
        return super().prepare(ground, hints)


# What servers say.


def say(asked: Any, answer: bytes = b"", answers: int = 0, authority: bytes = b"", authorities: int = 0,
        additional: list[wire.Record] = [], flags: int = wire.AA, rcode: int = 0) -> None:  # noqa: B006
    """Records as bytes, with how many they are. What does not fit a datagram goes over TCP."""
    q = asked.q
    counts = (1, answers, authorities, len(additional) + q.edns)
    head = q.id.to_bytes(2, "big") + (wire.QR | flags | rcode).to_bytes(2, "big") + b"".join(n.to_bytes(2, "big") for n in counts)
    whole = head + q.question + answer + authority + b"".join(map(wire.record, additional)) + (wire.opt() if q.edns else b"")
    if not asked.tcp and len(whole) > limit("LIMIT_UDP_PAYLOAD"):
        asked.send(wire.response(q, flags=wire.AA | wire.TC))
        return
    if asked.tcp:
        asked.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    asked.send(whole)
