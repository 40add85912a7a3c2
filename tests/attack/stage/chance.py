"""Decides how numbers are tested for being left to chance. Every test returns a z: how many standard deviations what was
seen lies from what chance alone does; LIMIT of them is a verdict."""

from __future__ import annotations

import math
from collections import Counter
from typing import Iterable, Sequence

LIMIT = 6.0  # two-sided 2e-9: with fewer than a hundred tests a false alarm below 1e-6


def chi_square(observed: Iterable[int], cells: int) -> float:
    """Of counts in `cells` equally likely cells; empty cells may be left out. Wilson and Hilferty 1931."""
    counts = list(observed)
    total = sum(counts)
    expected = total / cells
    statistic = sum((count - expected) ** 2 for count in counts) / expected + (cells - len(counts)) * expected
    return z_of_chi_square(statistic, cells - 1)


def z_of_chi_square(statistic: float, freedom: int) -> float:
    return ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))


def correlation(one: Sequence[int], two: Sequence[int]) -> float:
    """Of pairs; 0 where there is none."""
    count = len(one)
    mean_one, mean_two = sum(one) / count, sum(two) / count
    both = sum(a * b for a, b in zip(one, two)) / count - mean_one * mean_two
    spread = math.sqrt((sum(a * a for a in one) / count - mean_one ** 2) * (sum(b * b for b in two) / count - mean_two ** 2))
    return both / spread * math.sqrt(count) if spread else 0.0


def information(pairs: Iterable[tuple[int, int]]) -> tuple[float, float]:
    """Mutual information of pairs in bits, and its z against independence (a G-test)."""
    table = Counter(pairs)
    rows: Counter[int] = Counter()
    columns: Counter[int] = Counter()
    for (row, column), count in table.items():
        rows[row] += count
        columns[column] += count
    total = sum(rows.values())
    nats = sum(count / total * math.log(count * total / (rows[row] * columns[column])) for (row, column), count in table.items())
    return nats / math.log(2), z_of_chi_square(2 * total * nats, (len(rows) - 1) * (len(columns) - 1))


def _pairs(count: int) -> float:
    return count * (count - 1) / 2


def collisions(groups: dict[int, Counter[int]]) -> float:
    """Whether values of different groups are equal as often as values of the same group are. It finds values that were
    dealt out to the groups in any way at all, and minds no uneven draw that is the same for all."""
    whole: Counter[int] = Counter()
    for counts in groups.values():
        whole.update(counts)
    within = sum(_pairs(n) for counts in groups.values() for n in counts.values())
    across = sum(_pairs(n) for n in whole.values()) - within
    within_pairs = sum(_pairs(sum(counts.values())) for counts in groups.values())
    expected = within * (_pairs(sum(whole.values())) - within_pairs) / within_pairs
    return (across - expected) / math.sqrt(expected + expected ** 2 / within)


def linear_complexity(bits: Sequence[int]) -> int:
    """The length of the shortest linear feedback shift register that makes the bits (Berlekamp and Massey 1969)."""
    current, before, length, since, window = 1, 1, 0, -1, 0
    for at, bit in enumerate(bits):
        window = window << 1 | bit
        if (current & window).bit_count() & 1:
            if 2 * length <= at:
                current, before, length, since = current ^ before << (at - since), current, at + 1 - length, at
            else:
                current ^= before << (at - since)
    return length


def shortfall(bits: Sequence[int]) -> int:
    """By how much the complexity of the bits is below half their number. Chance goes beyond k once in about 4^k."""
    return len(bits) // 2 - linear_complexity(bits)
