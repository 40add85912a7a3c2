"""Decides where system tests run. A module with `LAB = [arguments of lab build]` runs inside such a lab.

Outside, its tests are not run but replayed: the first of them builds the lab and starts a second pytest in there with
all of them; each then takes over its own result. `-k`, `-x`, xfail marks and tracebacks work as usual. The second
pytest sees BERTH_LAB, as does one that a person starts: lab/lab run DIR -- /usr/bin/python3 -m pytest FILE.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

LAB_PROGRAM = HERE.parents[1] / "lab" / "lab"
RESULTS = "BERTH_TEST_RESULTS"  # where the second pytest writes a line of JSON for each result
INSIDE_LIMIT_S = 900

_results: dict[Path, dict[str, dict[str, Any]]] = {}


def _is_inside() -> bool:
    return "BERTH_LAB" in os.environ


def _missing() -> str | None:
    """Why the tests that need the lab and the daemon cannot run here."""
    if "BERTH_BUILD" not in os.environ:
        return "BERTH_BUILD is not set: it names the folder that holds berthd and berth"
    if not (shutil.which("nsd") or shutil.which("nsd", path="/usr/sbin")):
        return "NSD is missing (Debian package nsd)"
    return None


# Outside.


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    if _is_inside():
        return
    for path in {item.path for item in items if isinstance(getattr(item.module, "LAB", None), list)}:
        ours = [item for item in items if item.path == path]
        for item in ours:
            _replay_instead(item, ours)


def _replay_instead(item: pytest.Item, together: list[pytest.Item]) -> None:
    item.setup = lambda: None  # no fixtures: they are made inside
    item.runtest = lambda: _replay(item, together)


def _replay(item: pytest.Item, together: list[pytest.Item]) -> None:
    if _missing():
        pytest.skip(_missing())
    if item.path not in _results:
        _results[item.path] = _run_inside(item, together)
    result = _results[item.path].get(item.name)
    if result is None:
        pytest.fail("the pytest inside the lab ended before this test; see the captured output of the first", False)
    item.user_properties.append(("inside_s", result["seconds"]))
    if result["outcome"] == "skipped":
        pytest.skip(result["text"])
    if result["outcome"] != "passed":
        pytest.fail(result["text"], pytrace=False)


def _run_inside(item: pytest.Item, together: list[pytest.Item]) -> dict[str, dict[str, Any]]:
    factory = item.config._tmp_path_factory
    place = factory.mktemp("lab-" + item.path.stem)
    _checked([LAB_PROGRAM, "build", place / "lab", *map(str, item.module.LAB)])
    out = place / "results"
    out.touch()
    # --runxfail: what an xfail mark means is decided out here. The cache folder and the lab are not ours to write.
    command = [LAB_PROGRAM, "run", place / "lab", "--", sys.executable, "-m", "pytest", "-q", "--runxfail",
               "-p", "no:cacheprovider", "--basetemp", place / "tmp", "--rootdir", HERE,
               *("%s::%s" % (other.path, other.name) for other in together)]
    done = subprocess.run(list(map(str, command)), env=dict(os.environ, **{RESULTS: str(out)}),
                          capture_output=True, text=True, timeout=INSIDE_LIMIT_S)
    print(done.stdout[-4000:], done.stderr[-4000:])
    found: dict[str, dict[str, Any]] = {}
    for line in out.read_text().splitlines():
        _take_over(found, json.loads(line))
    return found


def _take_over(found: dict[str, dict[str, Any]], result: dict[str, Any]) -> None:
    """The worst phase of a test (setup, call, teardown) is its result."""
    old = found.setdefault(result["name"], dict(result, outcome="passed", text="", seconds=0.0))
    old["seconds"] += result["seconds"]
    if result["outcome"] != "passed" and old["outcome"] != "failed":
        old.update(outcome=result["outcome"], text=result["text"])


def _checked(command: list[Any]) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=INSIDE_LIMIT_S)
    if done.returncode != 0:
        pytest.fail("%s: %s" % (command[1], done.stderr), pytrace=False)


# Inside.


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if not _is_inside() or RESULTS not in os.environ:
        return
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    for title, content in report.sections:
        if report.failed and content.strip():
            text += "\n--- %s ---\n%s" % (title, content[-4000:])
    name = report.nodeid.rpartition("::")[2]
    with open(os.environ[RESULTS], "a", encoding="utf-8") as out:
        out.write(json.dumps({"name": name, "outcome": report.outcome, "text": text, "seconds": report.duration}) + "\n")


@pytest.fixture
def start(tmp_path: Path):
    """start(**configuration) runs a berthd for this test; each must end with status 0 and without complaint."""
    from support import Daemon

    daemons: list[Daemon] = []

    def run(**config: Any) -> Daemon:
        daemons.append(Daemon(tmp_path / ("daemon%d" % len(daemons)), config))
        return daemons[-1].start()

    yield run
    for daemon in daemons:
        daemon.finish()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    """One berthd with two workers on 127.0.0.1 for all tests of a module that ask no other of it."""
    from support import Daemon

    daemon = Daemon(tmp_path_factory.mktemp("shared"), {}).start()
    yield daemon
    daemon.finish()


@pytest.fixture
def namespace() -> Iterator[None]:
    """A network namespace of the test's own, with nothing but lo."""
    from net import own_namespace

    yield from own_namespace()


@pytest.fixture
def net(namespace: None) -> Iterator[Callable[..., Any]]:
    """net(zones, {address: speech}) runs servers; none may stumble."""
    from net import Net

    nets: list[Net] = []

    def run(zones: dict[str, Any] | None = None, servers: dict[str, Any] | None = None, **more: Any) -> Net:
        nets.append(Net(zones, **more))
        for address, speech in (servers or {}).items():
            nets[-1].serve(address, speech)
        return nets[-1].start()

    yield run
    for one in nets:
        one.close()
        assert one.mistakes == []


@pytest.fixture
def begin(start: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """A berthd with one worker that believes the net's root."""

    def run(net: Any, resolver: dict[str, Any] | None = None, **config: Any) -> Any:
        (tmp_path / "hints").write_text(net.hints())
        return start(**{"workers": 1, "ports": {"pool": 100}, **config}, resolver={
            "root-hints": tmp_path / "hints", "query-loopback": True, **(resolver or {})})

    return run
