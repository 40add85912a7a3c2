"""Decides what doc/attacks.md says: the table of all attacks in their full form, and what stands behind each row."""

from __future__ import annotations

import os
import platform
import sys
from datetime import date

from .attack import Attack, Verdict
from .targets import version

COLUMNS = ["shipped", "weakened", "Unbound", "Knot Resolver"]

HEAD = """\
# Attacks

Written by `./run attacks`; do not edit. Each attack is mounted in network namespaces of its own, with the resolver, the attacker, the
servers and the clients on veth pairs around a router that lets forged source addresses through. It runs against
`berthd` as shipped, where it must fail, and against a build that was weakened for it, where it must succeed: so the test is known to bite. A
weakened build is the same objects with single functions put aside by the linker (`tests/attack/weak/`), or a configuration.
The peers run as Debian ships them, and nobody validates but where the attack is on validation; what comes of it there is written
down as it is.

{when} on Linux {kernel}, {cores} cores; Unbound {unbound}, Knot Resolver {kresd}. {minutes:.0f} minutes.

| attack | reference | defence | {columns} |
| --- | --- | --- |{dashes}
"""


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def outcome(attack: Attack, column: str, verdicts: dict[tuple[str, str], Verdict]) -> str:
    verdict = verdicts.get((attack.name, column))
    if verdict is None:
        return attack.no_peers or "does not apply"
    if verdict.succeeded is None:
        return "did not run: " + verdict.text
    return ("**succeeds**: " if verdict.succeeded else "fails: ") + verdict.text + verdict.again


def row(attack: Attack, verdicts: dict[tuple[str, str], Verdict]) -> str:
    first = "`%s`: %s" % (attack.name, attack.title)
    cells = [first, attack.reference, attack.defence, *(outcome(attack, column, verdicts) for column in COLUMNS)]
    return "| " + " | ".join(map(cell, cells)) + " |\n"


def behind(attacks: list[Attack]) -> str:
    """What a module says of itself; for each of its attacks what the weakened build lacks and how likely a false alarm is."""
    words = (sys.modules[attacks[0].run.__module__].__doc__ or "").strip().removeprefix("Decides ")
    text = "\n## %s\n\n%s\n" % (", ".join(attack.name for attack in attacks), words[:1].upper() + words[1:])
    for attack in attacks:
        chance = "False alarm: %s." % attack.false_alarm if attack.false_alarm else \
            "Nothing in the verdict is left to chance, but a machine that stands still may show in it."
        text += "\n`%s`, weakened: %s. %s\n" % (attack.name, attack.weakness, chance)
    return text


def by_module(attacks: list[Attack]) -> list[list[Attack]]:
    modules: dict[str, list[Attack]] = {}
    for attack in attacks:
        modules.setdefault(attack.run.__module__, []).append(attack)
    return list(modules.values())


def write(attacks: list[Attack], all_verdicts: list[Verdict]) -> str:
    verdicts = {(verdict.attack, verdict.column): verdict for verdict in all_verdicts}
    head = HEAD.format(when=date.today().isoformat(), kernel=platform.release().split("-")[0], cores=os.cpu_count(),
                       unbound=version("unbound"), kresd=version("kresd"), columns=" | ".join(COLUMNS),
                       minutes=sum(verdict.seconds for verdict in all_verdicts) / 60, dashes=" --- |" * len(COLUMNS))
    return head + "".join(row(attack, verdicts) for attack in attacks) + "".join(map(behind, by_module(attacks)))
