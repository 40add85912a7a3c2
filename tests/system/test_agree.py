"""Do berthd, Unbound and Knot Resolver answer alike in the lab? The first names of the list; ./run agree does all."""

from __future__ import annotations

import os

import pytest

import agree
import peers

NAMES = min(1000, int(os.environ.get("BERTH_NAMES", "1000")))  # `./run agree` asks for 100,000
LAB = ["--names", NAMES]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> agree.Result:
    missing = [name for name in agree.NAMES if peers.path_of(name) is None]
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    return agree.perform(NAMES, tmp_path_factory.mktemp("agree"))


def test_no_difference_is_unexplained(result: agree.Result):
    assert not result.unexplained, "\n".join(map(str, result.unexplained[:20]))


def test_differences_are_few(result: agree.Result):
    assert sum(result.codes.values()) >= 0.999 * sum(result.asked.values()) - 10
    assert result.passing <= 0.002 * sum(result.asked.values()) + 2


def test_all_kinds_of_answers_were_compared(result: agree.Result):
    assert result.codes["NOERROR"] > 100 and result.codes["NXDOMAIN"] > 0 and result.codes["SERVFAIL"] > 0
    assert set(result.asked) >= {"A", *agree.OTHER_TYPES}
