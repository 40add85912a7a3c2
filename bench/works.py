"""Decides what each work is: what is asked, of a resolver in which state, and which figures come of it.

Every work that needs an empty cache has a resolver started for it. Figures go to {resolver: {row: [one for each round]}};
rows are named in report.py. None stands for a quantile that was never answered.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import counters
import lists
from subjects import ECHO, WINDOW, Echo, Resolver, flood, flood_command

HOT_COUNT, HOT_TURNS, TCP_COUNT = 250_000, 10, 50_000
LATENCY_S, LATENCY_SHARE = 3, 0.5
SHORT_RUNS = 3  # in a round, of what is over in half a second: on a machine whose seconds differ by half
BESIDE_TURNS, BESIDE_HOT, BESIDE_COLD = 7, 5000, 1000  # questions a second
BESIDE_COLD_S, BESIDE_REST_S = 1.1, 1.5  # of a turn: more than the second that is measured; what cold work leaves behind ends
IDLE_S = 0.5
PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
WIDE_PORTS = "1024 65535"

UNSIGNED = ("start", "cold", "hot", "tcp", "cold-wide", "mix", "missing", "memory")
LATE = ("latency", "beside")  # after all others: the rate of the first comes of their throughput
SIGNED = ("signed", "missing-signed")
ALL = UNSIGNED + LATE + SIGNED

Rows = dict[str, list[Any]]


class Stage:
    """One lab with the lists of its names, and the works that were asked for."""

    def __init__(self, lab: Path, place: Path, names: list[str], only: set[str]):
        self.lab, self.files, self.names, self.only = lab, lists.write(lab, place), names, only
        self.figures: dict[str, Rows] = {}

    def note(self, name: str, row: str, value: Any) -> None:
        self.figures.setdefault(name, {}).setdefault(row, []).append(value)

    @contextmanager
    def resolver(self, name: str) -> Iterator[Resolver]:
        subject = Resolver(name, self.lab)
        try:
            yield subject
        finally:
            subject.end()

    def wants(self, *works: str) -> bool:
        return bool(self.only.intersection(works))

    # --- one work each ---

    def cpu(self, work: str, subject: Resolver | Echo, *arguments: object) -> dict[str, Any]:
        """CPU a question, and which share of them was answered badly."""
        spent, result = _spent(subject, *arguments)
        self.note_cpu(work, subject, spent, result)
        return result

    def note_cpu(self, work: str, subject: Resolver | Echo, spent: counters.Cpu, result: dict[str, Any]) -> None:
        answered = max(1, result["answered"])
        self.note(subject.name, work, spent.total / answered)
        self.note(subject.name, work + " user", spent.user / answered)
        self.note(subject.name, work + " kernel", spent.kernel / answered)
        self.note(subject.name, work + " failed", _failed(result))

    def udp(self, work: str, subject: Resolver | Echo, list_: str, count: int = 0) -> dict[str, Any]:
        names = self.files[list_]
        return self.cpu(work, subject, subject.address, 53, names, count or lists.count(names), WINDOW)

    def warm(self, subject: Resolver) -> None:
        flood(subject.address, 53, self.files["hot"], 2 * lists.count(self.files["hot"]), WINDOW)

    def hot(self, subject: Resolver) -> None:
        if subject.name == "berthd":
            self.hot_and_echo(subject)
            return
        result = self.udp("hot", subject, "hot", HOT_COUNT)
        self.note(subject.name, "qps", result["answered"] / result["seconds"])

    def hot_and_echo(self, subject: Resolver) -> None:
        """In turns: what the machine is at in one second it is not in the next, and the two are close."""
        echo = Echo()
        ratios = []
        sums: dict[str, list[Any]] = {one.name: [counters.Cpu(), {"sent": 0, "answered": 0, "servfail": 0, "seconds": 0}]
                                      for one in (subject, echo)}
        try:
            for _ in range(HOT_TURNS):
                own, floor = (self._turn(one, sums[one.name]) for one in (subject, echo))
                ratios.append(own / floor)
        finally:
            echo.end()
        for one in (subject, echo):
            spent, result = sums[one.name]
            self.note_cpu("hot", one, spent, result)
            self.note(one.name, "qps", result["answered"] / result["seconds"])
        self.note(subject.name, "hot / echo", statistics.median(ratios))

    def _turn(self, subject: Resolver | Echo, sums: list[Any]) -> float:
        """Adds a turn to the sums; returns its CPU a question."""
        spent, result = _spent(subject, subject.address, 53, self.files["hot"], HOT_COUNT // HOT_TURNS, WINDOW)
        sums[0] = sums[0].plus(spent)
        for key in sums[1]:
            sums[1][key] += result[key]
        return spent.total / max(1, result["answered"])

    def memory(self, subject: Resolver) -> None:
        """Growth, of one that has worked before: first of records alike, then of the names of cold."""
        self._ask_all(subject, "memory-warm")
        for row, list_ in (("memory-a", "memory"), ("memory-cold", "cold")):
            before = _idle_memory(subject)
            failed = _failed(self._ask_all(subject, list_))
            self.note(subject.name, row, (_idle_memory(subject) - before) / lists.count(self.files[list_]))
            self.note(subject.name, row + " failed", failed)

    def _ask_all(self, subject: Resolver, list_: str) -> dict[str, Any]:
        names = self.files[list_]
        return flood(subject.address, 53, names, lists.count(names), WINDOW)

    def latency(self, subject: Resolver, rate: int) -> None:
        seconds = self._seconds(subject, rate, LATENCY_S)
        for quantile in ("p50", "p99", "p999"):
            self.note(subject.name, quantile, _median(one[quantile + "_us"] for one in seconds))
        self.note(subject.name, "latency late", _median(one["late_p99_us"] for one in seconds))
        self.note(subject.name, "latency failed", _median(map(_failed, seconds)))

    def _seconds(self, subject: Resolver, rate: int, count: int) -> list[dict[str, Any]]:
        """Hot questions, each second measured by itself: a machine that stands still for 0.1 s once spoils one of them."""
        return [flood("--rate", rate, subject.address, 53, self.files["hot"], rate) for _ in range(count)]

    def beside(self, subject: Resolver) -> None:
        """In turns, as with the echo: a second alone, a second with cold questions, none of which was asked before."""
        slices = lists.slices(self.files["beside"], int(BESIDE_COLD * BESIDE_COLD_S), BESIDE_TURNS)
        alone, both, beside = [], [], []
        for names in slices:
            time.sleep(BESIDE_REST_S)
            alone += self._seconds(subject, BESIDE_HOT, 1)
            with subprocess.Popen(flood_command("--rate", BESIDE_COLD, subject.address, 53, names, lists.count(names)),
                                  stdout=subprocess.PIPE) as cold:
                both += self._seconds(subject, BESIDE_HOT, 1)
                beside.append(json.loads(cold.stdout.read()))
        turns = [(one["p99_us"], other["p99_us"]) for one, other in zip(alone, both)]
        self.note(subject.name, "alone", _median(one for one, _ in turns))
        self.note(subject.name, "beside", _median(other for _, other in turns))
        # A turn whose second alone was lost says nothing of what is beside.
        self.note(subject.name, "beside ratio", _median(other and other / one for one, other in turns if one))
        self.note(subject.name, "beside late", _median(one["late_p99_us"] for one in both))
        self.note(subject.name, "beside failed", max(_failed(_sum(both)), _failed(_sum(beside))))

    # --- a round of one resolver ---

    def unsigned_round(self, name: str) -> None:
        if self.wants("start", "cold", "hot", "tcp"):
            with self.resolver(name) as subject:
                self.note(name, "start", subject.start_ms)
                self._first_works(subject)
        if self.wants("cold"):  # the first of them by the resolver whose start was measured
            self._short("cold", name, SHORT_RUNS - 1)
        if self.wants("cold-wide"):
            with wide_ports():
                self._short("cold-wide", name, SHORT_RUNS)
        if self.wants("mix", "missing"):
            with self.resolver(name) as subject:
                for work in ("mix", "missing"):
                    if self.wants(work):
                        self.udp(work, subject, work)
        if self.wants("memory"):
            with self.resolver(name) as subject:
                self.memory(subject)

    def _short(self, work: str, name: str, runs: int) -> None:
        for _ in range(runs):
            with self.resolver(name) as subject:
                self.udp(work, subject, "cold")

    def _first_works(self, subject: Resolver) -> None:
        if self.wants("cold"):
            self.udp("cold", subject, "cold")
        if self.wants("hot", "tcp"):
            self.warm(subject)
        if self.wants("hot"):
            self.hot(subject)
        if self.wants("tcp"):
            self.cpu("tcp", subject, "--tcp", subject.address, 53, self.files["hot"], TCP_COUNT)

    def late_round(self, name: str, rate: int) -> None:
        """`rate`: of *latency*, where that is wanted."""
        with self.resolver(name) as subject:
            self.warm(subject)
            if self.wants("latency"):
                self.latency(subject, rate)
            if self.wants("beside"):
                self.beside(subject)

    def signed_round(self, name: str) -> None:
        with self.resolver(name) as subject:
            if self.wants("signed"):
                self.udp("signed", subject, "cold")
            if self.wants("missing-signed"):
                self.udp("missing-signed", subject, "missing")


def _spent(subject: Resolver | Echo, *arguments: object) -> tuple[counters.Cpu, dict[str, Any]]:
    """The CPU of a load, and what came of it."""
    before = counters.cpu(subject.pid)
    result = flood(*arguments)
    return counters.cpu(subject.pid).since(before), result


def _idle_memory(subject: Resolver) -> int:
    """Of one who has had a moment to tidy up."""
    time.sleep(IDLE_S)
    return counters.memory(subject.pid)


def _median(values: Iterable[float | None]) -> float | None:
    """None, which was never answered, counts as the largest."""
    found = statistics.median_high([math.inf if value is None else value for value in values] or [math.inf])
    return None if math.isinf(found) else found


def _sum(results: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: sum(one[key] for one in results) for key in ("sent", "answered", "servfail")}


def _failed(result: dict[str, Any]) -> float:
    return (result["servfail"] + result["sent"] - result["answered"]) / max(1, result["sent"])


@contextmanager
def wide_ports() -> Iterator[None]:
    """Ports as a machine has them whose owner widened the range; in the network namespace of the lab alone."""
    before = PORTS.read_text()
    PORTS.write_text(WIDE_PORTS)
    try:
        yield
    finally:
        PORTS.write_text(before)


def latency_rate(figures: dict[str, Rows]) -> int:
    """Half of what the fastest of the others did in the first round, so that it is the same in all rounds."""
    return int(LATENCY_SHARE * max(rows["qps"][0] for name, rows in figures.items() if name not in ("berthd", ECHO)))


def run(stage: Stage, rounds: int, signed: bool) -> dict[str, Any]:
    """All rounds on one lab; what is to be known of it beside the figures."""
    facts: dict[str, Any] = {}
    for number in range(rounds):
        for name in stage.names:
            print("%s, round %d of %d: %s" % ("signed" if signed else "unsigned", number + 1, rounds, name), flush=True)
            (stage.signed_round if signed else stage.unsigned_round)(name)
        if not signed and stage.wants(*LATE):
            if stage.wants("latency"):
                facts.setdefault("latency_rate", latency_rate(stage.figures))
            for name in stage.names:
                print("unsigned, round %d of %d: %s, %s" % (number + 1, rounds, name, " and ".join(
                    work for work in LATE if stage.wants(work))), flush=True)
                stage.late_round(name, facts.get("latency_rate", 0))
    facts["signed_names" if signed else "cold_names"] = lists.count(stage.files["cold"])
    facts["missing_signed" if signed else "missing"] = lists.count(stage.files["missing"])
    if not signed:
        facts.update(hot_names=lists.count(stage.files["hot"]), hit_rate=lists.hit_rate(stage.files["mix"]),
                     memory_names=lists.count(stage.files["memory"]), beside_hot=BESIDE_HOT, beside_cold=BESIDE_COLD)
    return facts
