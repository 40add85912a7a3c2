"""Decides Kaminsky's attack: forged referrals for names that nobody asked before, in a race with the true server.

The attacker asks the resolver for one sibling after the other, so that no cached answer ends the game, and sends
forged referrals to a name server of its own. Two rows:

* `kaminsky`: the whole space of ports and IDs, as many questions as a busy resolver sees. The weakened build has four
  ports and 256 IDs, asks in one case, and goes on listening after a wrong guess.
* `narrow`: every target has four ports, names without letters (no 0x20 to help), and 65,536 IDs that fit into a window
  of a few hundred milliseconds. What is left is what a resolver does when guesses come in.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import Any

from stage.attack import Attack, Result, Scene
from stage.authority import FORGER, Authority
from stage.ground import server_address
from stage.targets import Berthd, Kresd, Unbound, tool

FEW = (50000, 50003)
WIDE = {"shipped": (49152, 65535), "weakened": FEW, "Unbound": (1024, 65535), "Knot Resolver": (32768, 60999)}
LABEL, ZONES = "victim", 200
DELAY_MS, LAG_MS = 30, 6
NARROW_DELAY_MS, NARROW_LAG_MS = 250, 5
ROUND, ROUNDS, GUESSES = 24, 8, 20_000


def prepare(servers: Authority) -> None:
    servers.plan(LABEL, ZONES, 300, DELAY_MS, 240)


def prepare_narrow(servers: Authority) -> None:
    servers.plan("", 1, 300, NARROW_DELAY_MS, 120)


@dataclass(frozen=True)
class Pace:
    """How one race is run."""

    ports: tuple[int, int]
    ids: int
    questions: int
    per_second: int
    forgeries: int
    lag_ms: int


def race(scene: Scene, pace: Pace, first: int = 0) -> dict[str, Any]:
    servers, ground = scene.servers, scene.ground
    seconds = pace.questions // pace.per_second + 20
    process = ground.A.start(tool("race"), ground.R.address, server_address(0), FORGER, *servers.arguments[:2],
                             *pace.ports, pace.ids, pace.questions, pace.per_second, pace.forgeries, pace.lag_ms, seconds,
                             first, stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=seconds + 10)
    return json.loads(out)


def finish(scene: Scene, numbers: dict[str, Any]) -> dict[str, Any]:
    """What the servers and the target counted, beside what the attacker did."""
    counters = scene.target.counters()
    own = {key: counters["upstream." + key] for key in ("mismatched", "timeouts", "errors") if counters}
    return {**numbers, **own, **scene.servers.stop()}


def tell(numbers: dict[str, Any]) -> str:
    text = "%(hijacked)d names hijacked in %(asked)d questions (%(udp)d over UDP, %(tcp)d over TCP), %(forged)d forged " \
           "packets" % numbers
    if numbers.get("mismatched"):
        text += ", %(mismatched)d of them met a lent port" % numbers
    return text + ("; %(servfail)d SERVFAIL" % numbers if numbers["servfail"] else "")


def run(scene: Scene) -> Result:
    """10^5 windows over UDP in full, for the peers a quarter; the weakened build, four ports wide, needs fewer."""
    ports = WIDE[scene.target.column]
    if scene.target.column == "weakened":
        pace = Pace(ports, 256, scene.size(2000, 400), 100, 60, LAG_MS)
    else:
        full = 103_000 if scene.target.column == "shipped" else 25_000
        pace = Pace(ports, 65536, scene.size(full, 4000), 2500, 20, LAG_MS)
    numbers = finish(scene, race(scene, pace))
    return Result(numbers["hijacked"] > 0, tell(numbers), numbers)


def run_narrow(scene: Scene) -> Result:
    """Question after question, some ten thousand guesses in each window; who listens on is asked until it happens."""
    pace = Pace(FEW, 65536, ROUND, 3, GUESSES, NARROW_LAG_MS)
    total = Counter()
    for number in range(1 if scene.target.column == "shipped" else ROUNDS):
        total.update(race(scene, pace, number * ROUND))
        if total["hijacked"]:
            break
    numbers = finish(scene, dict(total))
    return Result(numbers["hijacked"] > 0, tell(numbers), numbers)


FEW_TEXT = "%d-%d" % FEW
FOUR_PORTS = ["outgoing-port-avoid: 0-65535", "outgoing-port-permit: " + FEW_TEXT]

ATTACKS = [
    Attack(
        name="kaminsky",
        title="forged referrals for random siblings",
        reference="Kaminsky 2008; CVE-2008-1447; RFC 5452",
        defence="port, ID and case drawn for each question; the first wrong guess moves it to TCP",
        weakness="4 ports, 256 IDs, one case, wrong guesses are ignored",
        prepare=prepare,
        run=run,
        servers=Authority,
        shipped=Berthd,
        weakened=lambda: Berthd("guessable", ports={"range": FEW_TEXT}),
        peers=[Unbound, Kresd],
        false_alarm="2,060,000 forged packets, each right with 2^-30 for port and ID and 2^-12 for the case of twelve "
                    "letters: below 1e-6. The weakened build is hijacked in more than one of twenty windows: "
                    "that none of 400 is has a chance of 1e-9",
    ),
    Attack(
        name="narrow",
        title="the same where only four ports are left and the name has no letters",
        reference="Herzberg and Shulman 2012 (Security of Patched DNS: ports derandomised on the way)",
        defence="the first wrong guess moves the question to TCP, the third within a minute the server",
        weakness="wrong guesses are ignored",
        prepare=prepare_narrow,
        run=run_narrow,
        servers=Authority,
        shipped=lambda: Berthd(ports={"range": FEW_TEXT}),
        weakened=lambda: Berthd("patient", ports={"range": FEW_TEXT}),
        peers=[lambda: Unbound(*FOUR_PORTS), lambda: Kresd("%d %d" % FEW)],
        false_alarm="as shipped three guesses a minute count, each right with 2^-16: below 1e-4. A patient resolver is "
                    "hijacked in more than one of twenty windows: that none of 192 is has a chance of 6e-5",
    ),
]
