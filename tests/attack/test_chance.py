"""Do the tests for chance notice what is not chance, and leave alone what is? All numbers here are fixed."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from stage import chance

DRAWS = 40_000


@pytest.fixture
def even() -> random.Random:
    return random.Random(20260725)


def register(length: int, taps: list[int], count: int, even: random.Random) -> list[int]:
    """A linear feedback shift register with the last bit as a tap, so that it is no shorter one."""
    bits = [even.getrandbits(1) for _ in range(length)]
    bits[0] = 1
    while len(bits) < count:
        bits.append(sum(bits[-tap] for tap in [*taps, length]) & 1)
    return bits


@pytest.mark.parametrize(("bits", "length"), [
    ([0, 0, 0, 0], 0), ([1, 1, 1, 1, 1], 1), ([0, 0, 0, 1], 4), ([1, 0, 1, 0, 1, 0], 2), ([1, 1, 0, 1, 1, 0, 1, 1, 0], 2)])
def test_linear_complexity_of_short_ones(bits: list[int], length: int) -> None:
    assert chance.linear_complexity(bits) == length


def test_linear_complexity_of_registers(even: random.Random) -> None:
    for length in (17, 64, 256):
        assert chance.linear_complexity(register(length, [3, 5], 3 * length, even)) <= length
        assert chance.shortfall(register(length, [3, 5], 4 * length, even)) >= length


def test_linear_complexity_of_chance(even: random.Random) -> None:
    assert abs(chance.shortfall([even.getrandbits(1) for _ in range(4000)])) < 15


def test_chi_square(even: random.Random) -> None:
    assert abs(chance.chi_square(Counter(even.randrange(1000) for _ in range(DRAWS)).values(), 1000)) < 4
    skewed = Counter(even.randrange(1000) if even.random() < 0.9 else even.randrange(100) for _ in range(DRAWS))
    assert chance.chi_square(skewed.values(), 1000) > chance.LIMIT
    missing = Counter(even.randrange(900) for _ in range(DRAWS))
    assert chance.chi_square(missing.values(), 1000) > chance.LIMIT, "cells that nobody saw count"


def test_correlation(even: random.Random) -> None:
    one, two = [even.random() for _ in range(DRAWS)], [even.random() for _ in range(DRAWS)]
    assert abs(chance.correlation(one, two)) < 4
    assert chance.correlation(one, [0.9 * b + 0.1 * a for a, b in zip(one, two)]) > chance.LIMIT
    assert chance.correlation(one, [5.0] * DRAWS) == 0.0


def test_information(even: random.Random) -> None:
    assert abs(chance.information((even.randrange(8), even.randrange(32)) for _ in range(DRAWS))[1]) < 4
    told = [(group, (even.randrange(30) + 2 * (group == 3)) % 32) for group in (even.randrange(8) for _ in range(DRAWS))]
    assert chance.information(told)[1] > chance.LIMIT


@pytest.mark.parametrize("is_dealt_out", [False, True])
def test_collisions(even: random.Random, is_dealt_out: bool) -> None:
    """Values dealt out to groups without any order in them."""
    values = list(range(1000))
    even.shuffle(values)
    share = {group: values[group * 250:group * 250 + 250] if is_dealt_out else values for group in range(4)}
    z = chance.collisions({group: Counter(even.choice(share[group]) for _ in range(5000)) for group in share})
    assert z < -chance.LIMIT if is_dealt_out else abs(z) < 4
