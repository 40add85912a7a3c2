#!/usr/bin/python3
"""Do berthd, Unbound and Knot Resolver say the same? tests/system/agree.py [COUNT] builds a lab and asks all three.

Every listed name is asked for with type A, one in five also with AAAA, MX or TXT, and then what is in the special zones.
Code and answer section are compared: aliases in their order, the rest as sets, TTLs apart. What differs is asked
again, alone; what differs still has to have an explanation here, or the comparison fails."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable

import dns.message
import dns.rcode
import dns.rdatatype

import peers
from support import Crowd, DATA, expected_rows, lab_directory

NAMES = ("berthd", "Unbound", "Knot Resolver")
BLOCK, CONCURRENCY, PATIENCE_S = 2000, 60, 12.0
OTHER_TYPES = ("AAAA", "MX", "TXT")
LAB_PROGRAM = Path(__file__).resolve().parents[2] / "lab" / "lab"

Question = tuple[str, str]
# What is compared: code, aliases in order, the last name's records.
Said = tuple[str, tuple[tuple[str, str], ...], frozenset[tuple[str, str, str]]]


@dataclass
class Difference:
    question: Question
    said: dict[str, Said]

    def __str__(self) -> str:
        return "%s %s:\n%s" % (*self.question, "\n".join("    %-14s %s" % (name, text_of(said))
                                                         for name, said in self.said.items()))


@dataclass
class Result:
    asked: Counter[str] = field(default_factory=Counter)  # by type
    codes: Counter[str] = field(default_factory=Counter)  # that all three gave
    passing: int = 0  # differed at first, not when asked again
    explained: dict[str, list[Difference]] = field(default_factory=dict)
    unexplained: list[Difference] = field(default_factory=list)


def text_of(said: Said) -> str:
    return "%s %s %s" % (said[0], " > ".join(target for _, target in said[1]), ", ".join(sorted(r[2] for r in said[2])))


def essence(reply: dns.message.Message | None) -> Said:
    if reply is None:
        return "no reply", (), frozenset()
    aliases, records = [], set()
    for rrset in reply.answer:
        owner = rrset.name.to_text().lower()
        for rdata in rrset:
            if rrset.rdtype == dns.rdatatype.CNAME:
                aliases.append((owner, rdata.to_text().lower()))
            else:
                records.add((owner, dns.rdatatype.to_text(rrset.rdtype), rdata.to_text()))
    return dns.rcode.to_text(reply.rcode()), tuple(aliases), frozenset(records)


# --- what may differ, and why ---

def is_below(name: str, *zones: str) -> bool:
    return any(("." + name.rstrip(".").lower()).endswith("." + zone) for zone in zones)


def loop(one: Difference) -> bool:
    """A loop of aliases: berthd says SERVFAIL and shows the loop; others may leave it out, or stop elsewhere in it."""
    return is_below(one.question[0], "alias.lab") and len(one.said["berthd"][1]) > 1 and one.said["berthd"][0] == "SERVFAIL"


def dead(one: Difference) -> bool:
    """A zone without one living server: berthd says SERVFAIL before the client gives up, others may go on trying."""
    return is_below(one.question[0], "alldead.lab") and one.said["berthd"][0] == "SERVFAIL" and \
        {said[0] for said in one.said.values()} <= {"SERVFAIL", "no reply"}


def private_reverse(one: Difference) -> bool:
    """Reverse zones of private and special networks (RFC 6303): each has its own list of those that it answers itself."""
    return is_below(one.question[0], "in-addr.arpa", "ip6.arpa")


def special(one: Difference) -> bool:
    """Names of RFC 6761 and its followers: not every version knows all of them, or denies them in the same way."""
    return is_below(one.question[0], "localhost", "invalid", "test", "onion", "alt", "home.arpa", "resolver.arpa",
                    "service.arpa", "ipv4only.arpa", "local")


EXPLAINED: dict[str, Callable[[Difference], bool]] = {
    "a loop of aliases": loop, "a zone that is dead": dead,
    "reverse zones of special networks": private_reverse, "special names": special}


def explanation(one: Difference) -> str | None:
    return next((name for name, fits in EXPLAINED.items() if fits(one)), None)


# --- asking ---

def drawn(name: str) -> int:
    return hashlib.blake2b(name.encode(), digest_size=2).digest()[0]


def questions_of(names: Iterable[str]) -> list[Question]:
    found = []
    for name in names:
        found.append((name, "A"))
        if drawn(name) % 5 == 0:
            found.append((name, OTHER_TYPES[drawn(name) // 5 % 3]))
    return found


def listed_names(count: int) -> list[str]:
    """The first of the list beside the project; without it what the lab has."""
    path = DATA / "names-100k.txt"
    if path.exists():
        names = path.read_text().split()
    else:
        names = list(dict.fromkeys(row.name for row in expected_rows() if not is_below(row.name, "lab")))
    return names[:count]


def special_questions() -> list[Question]:
    """What is in the special zones. Of a zone that fails as a whole one name is enough: each costs seconds."""
    found: dict[str, Question] = {}
    for row in expected_rows():
        if is_below(row.name, "lab"):
            fails = row.rcode == "SERVFAIL" and not is_below(row.name, "alias.lab")
            key = ".".join(row.name.split(".")[-2:]) if fails else "%s %s" % (row.name, row.rrtype)
            found.setdefault(key, (row.name, row.rrtype))
    return list(found.values())


def compare(questions: list[Question], running: list[peers.Peer], result: Result, concurrency: int = CONCURRENCY) -> None:
    said: dict[str, list[Said]] = {}
    for one in running:
        with Crowd(concurrency, one.address, PATIENCE_S) as crowd:
            said[one.name] = [essence(reply) for reply in crowd.ask_all(questions)]
    for at, question in enumerate(questions):
        result.asked[question[1]] += 1
        mine = {name: replies[at] for name, replies in said.items()}
        if len(set(mine.values())) == 1:
            result.codes[mine["berthd"][0]] += 1
            continue
        again = ask_again(question, running)
        if len(set(again.values())) == 1:
            result.passing += 1
            continue
        one = Difference(question, again)
        why = explanation(one)
        if why is None:
            result.unexplained.append(one)
        else:
            result.explained.setdefault(why, []).append(one)


def ask_again(question: Question, running: list[peers.Peer]) -> dict[str, Said]:
    said = {}
    for one in running:
        with Crowd(1, one.address, PATIENCE_S) as crowd:
            said[one.name] = essence(crowd.ask_all([question])[0])
    return said


def perform(count: int, place: Path, on_progress: Callable[[int, int, Result], None] = lambda *_: None) -> Result:
    """Inside a lab: all questions of the first `count` names, and the special zones."""
    result = Result()
    running = [peers.Peer(name, place, lab_directory() / "root.hints") for name in NAMES]
    try:
        for one in running:
            one.start()
        questions = questions_of(listed_names(count))
        for at in range(0, len(questions), BLOCK):
            compare(questions[at:at + BLOCK], running, result)
            on_progress(min(at + BLOCK, len(questions)), len(questions), result)
        compare(special_questions(), running, result, 8)
    finally:
        for one in running:
            one.stop()
    return result


# --- the report ---

def report(result: Result, took_s: float) -> None:
    print("\n%d questions (%s) in %.0f s: %s" % (sum(result.asked.values()), ", ".join(
        "%d %s" % (many, rrtype) for rrtype, many in result.asked.most_common()), took_s, ", ".join(
        "%s %s" % (name, peers.version(name)) for name in NAMES)))
    print("the same from all three: %d (%s)" % (sum(result.codes.values()), ", ".join(
        "%d %s" % (many, code) for code, many in result.codes.most_common())))
    print("different at first, the same when asked again: %d" % result.passing)
    print("different, explained: %d" % sum(map(len, result.explained.values())))
    for why, found in result.explained.items():
        print("  %s: %d, such as\n  %s" % (why, len(found), found[0]))
    print("different, unexplained: %d" % len(result.unexplained))
    for one in result.unexplained[:50]:
        print("  %s" % one)


def inside(count: int) -> int:
    begin = time.monotonic()

    def tell(done: int, all_: int, result: Result) -> None:
        different = len(result.unexplained) + sum(map(len, result.explained.values()))
        print("%6d of %d questions, %4.0f s, %d different" % (done, all_, time.monotonic() - begin, different), flush=True)

    with tempfile.TemporaryDirectory(prefix="berth-agree.") as place:
        result = perform(count, Path(place), tell)
    report(result, time.monotonic() - begin)
    return 1 if result.unexplained else 0


def main() -> int:
    count = int(sys.argv[-1]) if sys.argv[-1].isdecimal() else 100_000
    if sys.argv[1:2] == ["--inside"]:
        return inside(count)
    folder = tempfile.mkdtemp(prefix="berth-agree-lab.")
    try:
        subprocess.run([LAB_PROGRAM, "build", folder + "/lab", "--names", str(count)], check=True)
        return subprocess.run([LAB_PROGRAM, "run", folder + "/lab", "--", sys.executable, __file__, "--inside", str(count)],
                              env=os.environ, check=False).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
