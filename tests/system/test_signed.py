"""Do berthd, Unbound and BIND trust the same in a signed lab? Some questions of it; ./run agree --signed asks all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import agree_signed
import peers

ABOUT = 300
LAB = ["--signed", "--names", 300, "--root-zone", Path(__file__).with_name("tlds-signed.zone")]
NEEDED = ("ldns-signzone", "ldns-keygen", "ldns-key2ds")
if any(shutil.which(program) is None for program in NEEDED):
    pytest.skip("ldns is missing (Debian package ldnsutils)", allow_module_level=True)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> agree_signed.Result:
    missing = [name for name in agree_signed.NAMES if peers.path_of(name) is None]
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    return agree_signed.perform(tmp_path_factory.mktemp("agree"), ABOUT)


def test_no_difference_is_unexplained(result: agree_signed.Result):
    assert not result.unexplained, "\n".join(map(str, result.unexplained[:20]))


def test_differences_are_few(result: agree_signed.Result):
    assert len(result.passing) <= 5, "\n".join(map(str, result.passing))
    assert sum(result.same.values()) >= 0.98 * sum(result.asked.values())


def test_all_kinds_of_answers_were_compared(result: agree_signed.Result):
    for kind in ("NOERROR AD", "NOERROR", "NXDOMAIN AD", "NXDOMAIN", "SERVFAIL"):
        assert result.same[kind] > 10, result.same


def test_all_kinds_of_zones_are_there():
    zones = agree_signed.zones()
    assert {zone.algorithm for zone in zones} == {"8", "13", "15", "-"}
    assert {"nsec", "nsec3", "optout", "salted", "dear", "bogus", "expired", "early", "keyless", "stripped", "unknown",
            "-"} == {zone.signing for zone in zones}
