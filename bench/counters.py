"""Decides how the cost of a program is read from /proc: CPU time, its split, and memory. Its children count as it does."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ (\S{4}) \S+ \S+ \S+ *(.*)$")


@dataclass
class Cpu:
    """Microseconds. The sum is the scheduler's, in nanoseconds; user and kernel are in ticks of 10 ms, so they only say
    how the sum is to be shared out."""

    total: float = 0.0
    user: float = 0.0
    kernel: float = 0.0

    def since(self, before: "Cpu") -> "Cpu":
        total, user, kernel = self.total - before.total, self.user - before.user, self.kernel - before.kernel
        share = total / (user + kernel) if user + kernel > 0 else 0.0
        return Cpu(total, user * share, kernel * share)

    def plus(self, other: "Cpu") -> "Cpu":
        return Cpu(self.total + other.total, self.user + other.user, self.kernel + other.kernel)


def family(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for task in Path("/proc/%d/task" % pid).glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def cpu(pid: int) -> Cpu:
    sum_ = Cpu()
    for one in family(pid):
        for task in Path("/proc/%d/task" % one).glob("*/schedstat"):
            sum_.total += int(task.read_text().split()[0]) / 1000
        fields = Path("/proc/%d/stat" % one).read_text().rpartition(")")[2].split()
        sum_.user += int(fields[11]) * TICK_US
        sum_.kernel += int(fields[12]) * TICK_US
    return sum_


def memory(pid: int) -> int:
    """Bytes of what it can write to and has touched: its own pages, and files that it maps to write, such as the cache of
    Knot Resolver, each page shared out among who has it (Pss). Program text and libraries are nobody's cache."""
    kib, counts = 0, False
    for one in family(pid):
        for line in Path("/proc/%d/smaps" % one).read_text().splitlines():
            mapping = MAPPING.match(line)
            if mapping:
                counts = "w" in mapping.group(1) or mapping.group(2).endswith(".mdb")
            elif counts and line.startswith("Pss:"):
                kib += int(line.split()[1])
    return kib * 1024
