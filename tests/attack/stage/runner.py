"""Decides the order of things: for each attack a fresh ground, servers, target, attack, verdict."""

from __future__ import annotations

import sys
import time
import traceback
from typing import Callable, Iterator

from .attack import Attack, Result, Scene, Verdict
from .ground import Ground
from .targets import Missing, Target


def mount(attack: Attack, target: Target, full: bool) -> Result:
    with Ground() as ground:
        if attack.change_ground is not None:
            attack.change_ground(ground)
        servers = attack.servers(ground, attack.ipv6)
        attack.prepare(servers)
        servers.start()
        target.start(ground, servers.hints)
        return attack.run(Scene(ground, servers, target, full))


def judge(attack: Attack, make: Callable[[], Target], wanted: bool | None, full: bool) -> Verdict:
    """One attack on one target. `wanted`: what has to come of it, None where nothing has."""
    begin = time.monotonic()
    target = make()
    try:
        result = mount(attack, target, full)
        right = wanted is None or result.succeeded == wanted
        verdict = Verdict(attack.name, target.column, result.succeeded, result.text, result.numbers, 0.0, right)
    except Missing as missing:
        verdict = Verdict(attack.name, target.column, None, str(missing), {}, 0.0, wanted is None)
    except Exception:  # what went wrong is the verdict: the other attacks go on
        verdict = Verdict(attack.name, target.column, None, traceback.format_exc(limit=-4), {}, 0.0, False)
    verdict.seconds = time.monotonic() - begin
    return verdict


def decide(attack: Attack, make: Callable[[], Target], wanted: bool | None, full: bool) -> Verdict:
    """Of sound code one mount in some thousand goes wrong, by chance or on a machine that stood still: what is wrong is told
    and mounted twice more, and is wrong unless both are right."""
    first = judge(attack, make, wanted, full)
    if first.is_right:
        return first
    tell(first)
    for number in (2, 3):
        verdict = judge(attack, make, wanted, full)
        verdict.mounts = number
        if not verdict.is_right:
            break
    return verdict


def tell(verdict: Verdict) -> None:
    word = "failed to run" if verdict.succeeded is None else "succeeded" if verdict.succeeded else "failed"
    mark = verdict.again + ("" if verdict.is_right else "   <-- WRONG")
    print("  %-14s attack %-9s %5.1f s  %s%s" % (verdict.column, word, verdict.seconds, verdict.text, mark), file=sys.stderr,
          flush=True)


def run_all(attacks: list[Attack], full: bool, with_peers: bool) -> Iterator[Verdict]:
    for number, attack in enumerate(attacks, 1):
        print("[%d/%d] %s: %s" % (number, len(attacks), attack.name, attack.title), file=sys.stderr, flush=True)
        makers: list[tuple[Callable[[], Target], bool | None]] = [(attack.shipped, False), (attack.weakened, True)]
        makers += [(peer, None) for peer in attack.peers] if with_peers else []
        for make, wanted in makers:
            verdict = decide(attack, make, wanted, full)
            tell(verdict)
            yield verdict
