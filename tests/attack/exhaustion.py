"""Decides the attack on what a resolver has to give: every server is deaf, and 20,000 questions a second want a port.

64 zones with a server each are known, and so is one name of each; then a router swallows what is sent to them and to the
root. For ten seconds names come that nobody asked before, each of which has to be asked for, and waits. Ports and
descriptors have to stay within ports.max (2,000 here, so that the load reaches it), memory within a bound, the log has to
say it once, the known names have to be answered within 50 ms (99 of 100), and two seconds after the servers speak again
all has to be well. Where the known names alone were late, it may have been the machine: up to five rounds are run, and one
has to be in time. (The short form is little but the first surge, when 8,192 lookups begin: there they have a second.)

The bound for memory: a worker runs 4,096 lookups at most; each has a stack, of which these touch less than 16 KiB, and
all of them share 64 MiB for what they read. With two workers that is 256 MiB beyond what was used before.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.authority import Authority
from stage.ground import ROOT, SERVERS, Ground
from stage.targets import Berthd, tool

LABEL, ZONES = "e", 64
NAME = LABEL + "%07d." + LABEL + "%d."
FIRST, ROUNDS = 1_000_000, 5  # of the names that nobody knows
RATE, CACHED_RATE = 20_000, 200
WORKERS, MAX = 2, 2000
FEW = {"pool": 500, "max": MAX}
MEMORY = WORKERS * (4096 * 16 + 65536) << 10
CACHED_US, SHORT_CACHED_US, RECOVERY_S = 50_000, 1_000_000, 2.0
FAVOUR = ["nice", "-n", "-15"]
SAMPLE_S = 0.2
FILES_BESIDE = 64  # the control socket, and what comes and goes


class Favoured(Berthd):
    """What is measured is the time that berthd takes, not how busy the machine is with other things."""

    def prepare(self, ground: Ground, hints: Path) -> list[str]:
        return [*FAVOUR, *super().prepare(ground, hints)]


def prepare(servers: Authority) -> None:
    servers.plan(LABEL, ZONES, 3600, 0, 90)


def be_deaf(ground: Ground) -> None:
    ground.G.run("ip", "route", "replace", "blackhole", SERVERS)
    ground.G.run("ip", "route", "replace", "blackhole", ROOT)


def speak(ground: Ground) -> None:
    ground.G.run("ip", "route", "del", ROOT)
    ground.G.run("ip", "route", "replace", SERVERS, "via", ground.S.address)


class Watch:
    """The most that was used."""

    def __init__(self, target: Berthd):
        self.target = target
        self.before = self._look()
        self.most: Counter[str] = Counter()

    def _look(self) -> dict[str, int]:
        process = Path("/proc/%d" % self.target.pid)
        pages = int((process / "statm").read_text().split()[1])
        ticks = sum(map(int, (process / "stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        state = self.target.control("status")["ports"]
        return {"memory": pages * os.sysconf("SC_PAGE_SIZE"), "files": len(os.listdir(process / "fd")),
                "lent": state["lent"] + state["lingering"], "cpu_ms": ticks * 1000 // os.sysconf("SC_CLK_TCK")}

    def look(self) -> None:
        for key, value in self._look().items():
            self.most[key] = max(self.most[key], value)


def press(scene: Scene, watch: Watch, first: int) -> dict[str, Any]:
    process = scene.ground.C.start(*FAVOUR, tool("press"), scene.ground.R.address, LABEL, ZONES, first, RATE, scene.size(10, 2),
                                   CACHED_RATE, stdout=subprocess.PIPE)
    while process.poll() is None:
        watch.look()
        time.sleep(SAMPLE_S)
    return json.loads(process.stdout.read())


def recovery(scene: Scene, number: int) -> float:
    """Seconds after which every question is answered."""
    begin, last_bad = time.monotonic(), 0.0
    while (asked := time.monotonic() - begin) < scene.size(5, 3):
        reply = scene.target.ask(NAME % (number, 100 + number % ZONES), patience_s=0.5)
        if reply is None or not wire.addresses(reply):
            last_bad = time.monotonic() - begin
        number += 1
        time.sleep(max(0.0, asked + 0.05 - (time.monotonic() - begin)))
    return last_bad


def judge(numbers: dict[str, Any]) -> list[str]:
    """What did not hold."""
    wrong = {
        "more ports than ports.max": numbers["lent"] > MAX,
        "too many descriptors": numbers["files"] > numbers["files_before"] + MAX + FILES_BESIDE,
        "too much memory": numbers["memory"] - numbers["memory_before"] > MEMORY,
        "the log says it more than once": numbers["log_lines"] > 1,
        "known names are late": numbers["cached_p99_us"] > numbers["cached_limit_us"],
        "no recovery in time": numbers["recovery_s"] > RECOVERY_S,
    }
    return [what for what, is_so in wrong.items() if is_so]


def run(scene: Scene) -> Result:
    for zone in range(ZONES):
        if not wire.addresses(scene.target.ask(NAME % (zone, 100 + zone)) or b"\0" * 12):
            raise RuntimeError("zone %d is not known" % zone)
    watch = Watch(scene.target)
    limit_us = scene.size(CACHED_US, SHORT_CACHED_US)
    for turn in range(1, ROUNDS + 1):
        be_deaf(scene.ground)
        numbers = press(scene, watch, turn * FIRST)
        speak(scene.ground)
        numbers.update(recovery_s=recovery(scene, turn * FIRST + FIRST // 2), rounds=turn, cached_limit_us=limit_us)
        if numbers["cached_p99_us"] <= limit_us or scene.target.weak:
            break
    numbers.update(watch.most)
    numbers.update({key + "_before": value for key, value in watch.before.items()})
    numbers["log_lines"] = sum("ports are short" in line for line in scene.target.log.splitlines())
    counters = scene.target.counters()
    numbers.update({key: counters[key] for key in ("loans.queued", "loans.shed", "loans.crowded", "lookups.shed")})
    text = "%d questions; at most %d ports of %d, %d descriptors, %d MiB more than before; known names after %.1f ms " \
           "(99 of 100, round %d); %d lines of the log; recovered after %.1f s" % (
               numbers["asked"], numbers["lent"], MAX, numbers["files"],
               (numbers["memory"] - numbers["memory_before"]) >> 20, numbers["cached_p99_us"] / 1000, numbers["rounds"],
               numbers["log_lines"], numbers["recovery_s"])
    wrong = judge(numbers)
    return Result(bool(wrong), "; ".join([text, *wrong]), numbers)


def make(name: str, title: str, ports: dict[str, Any], is_short: bool) -> Attack:
    return Attack(
        name=name,
        title=title,
        reference="Bushart and Rossow 2018; CVE-2024-33655 (DNSBomb); RFC 9520",
        defence="ports.max, a queue with a deadline, shares for servers and zones, 4,096 lookups a worker",
        weakness="ports.max is no limit",
        prepare=prepare,
        run=run,
        servers=Authority,
        shipped=lambda: Favoured(ports=ports),
        weakened=lambda: Favoured("unlimited", ports=ports),
        no_peers="not measured: the limits are berthd's own",
        false_alarm="the time of known names hangs on the machine as well, though berthd and the sender run before other "
                    "programs (nice -15): of 11 rounds beside other work one was late; that five in a row are: 1e-5, "
                    "as far as they are independent",
        is_short=is_short,
    )


ATTACKS = [
    make("exhaustion", "20,000 questions a second while all servers are deaf", FEW, True),
    make("exhaustion-reserved", "the same where 500 ports are held", {"lend": "reserved", **FEW}, False),
]
