#!/usr/bin/python3
"""Do berthd, Unbound and BIND trust the same? tests/system/agree_signed.py [COUNT] builds a signed lab and asks all three.

In each zone is asked for what is there, what is not, its keys and its DS; then for all that the lab knows an answer to.
Code and AD are compared, asked with DO. What differs is asked again, alone; what differs still has to have an
explanation here, or the comparison fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import dns.flags
import dns.message
import dns.rcode

import peers
from agree import BLOCK, CONCURRENCY, LAB_PROGRAM, PATIENCE_S, Question, drawn, is_below
from support import Crowd, expected_rows, lab_directory

NAMES = ("berthd", "Unbound", "BIND")
COUNT = 2000  # names that make some 2,000 zones

Said = tuple[str, bool]  # code, authentic?


@dataclass
class Zone:
    """A line of the lab's zones.tsv."""

    name: str
    level: str
    signing: str
    algorithm: str


@dataclass
class Difference:
    question: Question
    said: dict[str, Said]

    def __str__(self) -> str:
        return "%s %s: %s" % (*self.question, "; ".join("%s %s" % (name, text_of(said)) for name, said in self.said.items()))


@dataclass
class Result:
    asked: Counter[str] = field(default_factory=Counter)  # by type
    same: Counter[str] = field(default_factory=Counter)  # what all three said
    passing: list[Difference] = field(default_factory=list)  # differed at first, not when asked again
    explained: dict[str, list[Difference]] = field(default_factory=dict)
    unexplained: list[Difference] = field(default_factory=list)


def text_of(said: Said) -> str:
    return said[0] + (" AD" if said[1] else "")


def essence(reply: dns.message.Message | None) -> Said:
    if reply is None:
        return "no reply", False
    return dns.rcode.to_text(reply.rcode()), bool(reply.flags & dns.flags.AD)


# --- what may differ, and why ---


def loop(one: Difference) -> bool:
    """A loop of aliases: all fail; BIND shows the loop, every link of which is signed, and says AD of that."""
    return is_below(one.question[0], "alias.lab") and {said[0] for said in one.said.values()} == {"SERVFAIL"}


EXPLAINED: dict[str, Callable[[Difference], bool]] = {"a loop of aliases": loop}


def explanation(one: Difference) -> str | None:
    return next((name for name, fits in EXPLAINED.items() if fits(one)), None)


# --- what is asked ---


def zones() -> list[Zone]:
    return [Zone(*line.split("\t")) for line in (lab_directory() / "zones.tsv").read_text().splitlines()]


def questions_in(zone: Zone) -> list[Question]:
    """What is there and what is not, as far as the kind of zone is known to have it."""
    name = zone.name.lstrip(".")
    found = [(zone.name, "DS"), (zone.name, "DNSKEY"), (zone.name, "SOA"), (zone.name, "HINFO"), ("missing-7." + name, "A"),
             ("two.missing-8." + name, "TXT")]
    if zone.level == "domains" and not is_below(name, "lab"):
        found += [("any.wild." + name, "A"), ("any.wild." + name, "MX"), ("wild." + name, "A"), ("dname." + name, "DNAME"),
                  ("mail.dname." + name, "A"), ("missing-9.dname." + name, "A")]
    return found


def all_questions() -> list[Question]:
    found = [question for zone in zones() for question in questions_in(zone)]
    found += [(row.name + ".", row.rrtype) for row in expected_rows()]
    return [question for question in dict.fromkeys(found) if worth(question[0])]


def worth(name: str) -> bool:
    """Not what fails for lack of servers: each costs seconds, and has nothing to do with signatures."""
    return not is_below(name, "alldead.lab", "alllame.lab", "cycle1.lab", "cycle2.lab")


def some_questions(about: int) -> list[Question]:
    """All of the special zones, and of the others as many as are wanted; which, follows from their names."""
    everything = all_questions()
    special = [one for one in everything if is_below(one[0], "lab")]
    others = sorted((one for one in everything if not is_below(one[0], "lab")), key=lambda one: drawn(one[0] + one[1]))
    return special + others[:about]


# --- asking ---


def compare(questions: list[Question], running: list[peers.Peer], result: Result, concurrency: int = CONCURRENCY) -> None:
    said: dict[str, list[Said]] = {}
    for one in running:
        with Crowd(concurrency, one.address, PATIENCE_S, dnssec=True) as crowd:
            said[one.name] = [essence(reply) for reply in crowd.ask_all(questions)]
    for at, question in enumerate(questions):
        result.asked[question[1]] += 1
        mine = {name: replies[at] for name, replies in said.items()}
        if len(set(mine.values())) == 1:
            result.same[text_of(mine["berthd"])] += 1
        else:
            note(Difference(question, mine), running, result)


def note(first: Difference, running: list[peers.Peer], result: Result) -> None:
    """A difference, if it is one the second time too."""
    said = {}
    for one in running:
        with Crowd(1, one.address, PATIENCE_S, dnssec=True) as crowd:
            said[one.name] = essence(crowd.ask_all([first.question])[0])
    again = Difference(first.question, said)
    why = explanation(again)
    if len(set(said.values())) == 1:
        result.passing.append(first)
    elif why is None:
        result.unexplained.append(again)
    else:
        result.explained.setdefault(why, []).append(again)


def perform(place: Path, about: int | None = None, on_progress: Callable[[int, int, Result], None] = lambda *_: None) -> Result:
    """Inside a signed lab: all questions, or about so many; then all of them again, for what is told from a cache."""
    result = Result()
    lab = lab_directory()
    running = [peers.Peer(name, place, lab / "root.hints", lab / "root.key") for name in NAMES]
    try:
        for one in running:
            one.start()
        questions = 2 * (all_questions() if about is None else some_questions(about))
        for at in range(0, len(questions), BLOCK):
            compare(questions[at:at + BLOCK], running, result)
            on_progress(min(at + BLOCK, len(questions)), len(questions), result)
    finally:
        for one in running:
            one.stop()
    return result


# --- the report ---


def report(result: Result, took_s: float) -> None:
    print("\n%d questions in %.0f s: %s" % (sum(result.asked.values()), took_s, ", ".join(
        "%s %s" % (name, peers.version(name)) for name in NAMES)))
    print("the same from all three: %d (%s)" % (sum(result.same.values()), ", ".join(
        "%d %s" % (many, what) for what, many in result.same.most_common())))
    print("different at first, the same when asked again: %d" % len(result.passing))
    for one in result.passing[:20]:
        print("  %s" % one)
    print("different, explained: %d" % sum(map(len, result.explained.values())))
    for why, found in result.explained.items():
        print("  %s: %d, such as\n    %s" % (why, len(found), found[0]))
    print("different, unexplained: %d" % len(result.unexplained))
    for one in result.unexplained[:100]:
        print("  %s" % one)


def inside() -> int:
    begin = time.monotonic()

    def tell(done: int, all_: int, result: Result) -> None:
        different = len(result.unexplained) + sum(map(len, result.explained.values()))
        print("%6d of %d questions, %4.0f s, %d different" % (done, all_, time.monotonic() - begin, different), flush=True)

    with tempfile.TemporaryDirectory(prefix="berth-agree.") as place:
        result = perform(Path(place), None, tell)
    report(result, time.monotonic() - begin)
    return 1 if result.unexplained else 0


def main() -> int:
    if sys.argv[1:2] == ["--inside"]:
        return inside()
    count = sys.argv[1] if sys.argv[1:] else str(COUNT)
    folder = tempfile.mkdtemp(prefix="berth-agree-lab.")
    try:
        subprocess.run([LAB_PROGRAM, "build", folder + "/lab", "--signed", "--names", count], check=True)
        return subprocess.run([LAB_PROGRAM, "run", folder + "/lab", "--", sys.executable, __file__, "--inside"],
                              env=os.environ, check=False).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
