"""The short form of the bench: does each attack fail on berthd as shipped and succeed on the weakened build? And do
the senders refuse to send where the bench did not make the network?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from stage import shut
from stage.targets import BUILD, tool
from table import ATTACKS

HERE = Path(__file__).resolve().parent
LIMIT_S = 600
SENDERS = {
    "race": ["198.18.1.1", "198.18.64.1", "198.18.72.1", "v", 1, 50000, 50003, 65536, 10, 10, 10, 5, 5, 0],
    "press": ["198.18.1.1", "e", 1, 0, 10, 1, 10],
    "authority": ["198.18.3.53", "198.18.64.1", "198.18.72.1", "v", 1, 0, 0, "/dev/null", 5],
}
SHORT = [attack for attack in ATTACKS if attack.is_short]


def why_not() -> str:
    if not tool("race").exists():
        return "the weakened builds are missing (./run test makes them)"
    binary = (BUILD / "berthd").read_bytes() if (BUILD / "berthd").exists() else b""
    if b"__asan_init" in binary or b"__tsan_init" in binary:
        return "the attacks are about the speed of the plain build"
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "none")


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    out = tmp_path_factory.mktemp("attacks") / "verdicts"
    out.touch()
    names = [attack.name for attack in SHORT]
    done = subprocess.run([sys.executable, str(HERE / "attacks"), "--short", "--json", str(out), *names],
                          capture_output=True, text=True, timeout=LIMIT_S)
    print(done.stderr)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    return {(verdict["attack"], verdict["column"]): verdict for verdict in found}


@pytest.mark.parametrize("name", [attack.name for attack in SHORT])
@pytest.mark.parametrize(("column", "succeeds"), [("shipped", False), ("weakened", True)])
def test_attack(verdicts: dict[tuple[str, str], dict[str, Any]], name: str, column: str, succeeds: bool) -> None:
    verdict = verdicts.get((name, column))
    assert verdict is not None, "the bench ended before this attack"
    if verdict["mounts"] > 1:
        warnings.warn("%s, %s: the first mount went wrong, number %d decided" % (name, column, verdict["mounts"]))
    assert verdict["succeeded"] is succeeds, verdict["text"]


# The senders refuse. Each test runs in a network namespace of its own, so that nothing leaves should one not.


def run_in_new_network(prepare: str, command: list[Any], outside: str = "") -> subprocess.CompletedProcess[str]:
    prefix = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--user", "--map-root-user"]
    environment = {**os.environ, shut.OUTSIDE: outside} if outside else dict(os.environ)
    script = "ip link set lo up; %s; exec %s" % (prepare, " ".join(map(str, command)))
    return subprocess.run([*prefix, "sh", "-c", script], text=True, capture_output=True, timeout=20, env=environment)


@pytest.mark.parametrize("program", SENDERS)
@pytest.mark.parametrize(("prepare", "outside", "why"), [
    ("true", "", "not in a network namespace of the bench"),
    ("true", "1", "there is no interface of the bench"),
    ("ip link add eth7 type veth peer name bench-up", "1", "interface eth7 is not the bench's"),
])
def test_sender_refuses(program: str, prepare: str, outside: str, why: str) -> None:
    done = run_in_new_network(prepare, [tool(program), *SENDERS[program]], outside)
    assert done.returncode == 3 and "refused" in done.stderr and why in done.stderr, done.stderr


def test_sender_refuses_the_namespace_it_came_from() -> None:
    prepare = "ip link add bench-up type veth peer name bench-down; export %s=$(stat -Lc %%i /proc/self/ns/net)" % shut.OUTSIDE
    done = run_in_new_network(prepare, [tool("race"), *SENDERS["race"]])
    assert done.returncode == 3 and "not in a network namespace of the bench" in done.stderr, done.stderr


def test_sender_refuses_foreign_addresses() -> None:
    done = run_in_new_network("ip link add bench-up type veth peer name bench-down", [tool("race"), "192.0.2.1", *SENDERS["race"][1:]], "1")
    assert done.returncode == 3 and "192.0.2.1 is not an address of 198.18.0.0/15" in done.stderr, done.stderr


def test_ground_refuses_here() -> None:
    """Python's half: no host is made, and no socket opened, where the bench did not begin."""
    code = "import sys; sys.path.insert(0, %r)\nfrom stage.ground import Host\nHost('R')" % str(HERE)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20,
                          env={**os.environ, shut.OUTSIDE: shut.network_id()})
    assert done.returncode != 0 and "NotShutOff" in done.stderr, done.stderr
