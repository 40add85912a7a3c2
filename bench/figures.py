"""Decides what a run's figures are kept as, what is told of the machine, and how two runs are compared.

A run is {machine, kernel, debian, id, date, rounds, versions, settings, facts, figures: {resolver: {row: [values]}}}, kept in
doc/benchmarks/ID.json.
"""

from __future__ import annotations

import json
import math
import platform
import re
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from subjects import peers

TOP = Path(__file__).resolve().parent.parent
KEPT = TOP / "doc" / "benchmarks"
# The works of which the figure is CPU, in the order of the tables.
CPU = ("hot", "tcp", "cold", "cold-wide", "mix", "missing", "signed", "missing-signed")
WORSE = 1.25

Run = dict[str, Any]


def about(names: list[str], rounds: int) -> Run:
    """A run without figures yet."""
    release = _os_release()
    return {"id": "%s-%s" % (release.get("ID", "other"), release.get("VERSION_ID", "0")),
            "debian": release.get("PRETTY_NAME", "?"), "kernel": platform.release().split("-")[0], "machine": _machine(),
            "date": time.strftime("%-d %B %Y"), "rounds": rounds, "versions": {name: _version(name) for name in names},
            "settings": {name: _settings(name) for name in names}, "facts": {}, "figures": {}}


def add(run: Run, stage: dict[str, Any]) -> None:
    run["facts"].update(stage["facts"])
    for name, rows in stage["figures"].items():
        for row, values in rows.items():
            run["figures"].setdefault(name, {})[row] = [value if value is None else _rounded(value) for value in values]


def _rounded(value: float) -> float:
    return float("%.5g" % value)


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _machine() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def _version(name: str) -> str:
    if name != "berthd":
        return peers.version(name)
    done = subprocess.run(["git", "-C", str(TOP), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return "of commit " + done.stdout.strip() if done.returncode == 0 else peers.version(name)


def _settings(name: str) -> str:
    """Its configuration as it was, without the paths of this machine; validation as on the signed lab."""
    file_name, text, (off, on) = peers.settings(name)
    on = on.format(key="LAB/root.key", key_data="...", lua="DIR/anchors.lua", ds="...")
    head = "%s; on the unsigned lab: %s" % (file_name, " ".join(off.format().split()))
    return head + "\n" + text.format(address=peers.PEERS[name][5], place="DIR", hints="LAB/root.hints", validation=on)


# --- kept figures ---

def kept() -> list[Run]:
    """All of them, by Debian's number."""
    runs = [json.loads(path.read_text()) for path in KEPT.glob("*.json")]
    return sorted(runs, key=lambda run: [int(part) if part.isdecimal() else 0 for part in re.split(r"[-.]", run["id"])])


def kept_here() -> Run | None:
    here = about([], 0)["id"]
    return next((run for run in kept() if run["id"] == here), None)


def save(run: Run) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(run, indent=1)
    text = re.sub(r"\[\s+([^\[\]]*?)\s+\]", lambda found: "[%s]" % re.sub(r"\s+", " ", found.group(1)), text)
    (KEPT / (run["id"] + ".json")).write_text(text + "\n")


def last_line(path: Path) -> Run:
    """The last line that is a run."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit("bench: %s has no line of JSON; ./run bench --json prints one last" % path)
    return json.loads(lines[-1])


# --- what they come to ---

def values(run: Run, name: str, row: str) -> list[float]:
    """Infinite where a quantile was never answered."""
    return [math.inf if value is None else value for value in run["figures"].get(name, {}).get(row, [])]


def median(run: Run, name: str, row: str) -> float | None:
    found = values(run, name, row)
    return statistics.median(found) if found else None


def to_best(run: Run, row: str, most_is_best: bool = False) -> float | None:
    """berthd over the best of the other resolvers."""
    medians = {name: median(run, name, row) for name in run["versions"]}
    own = medians.pop("berthd", None)
    others = [value for value in medians.values() if value is not None]
    if own is None or not others:
        return None
    best = (max if most_is_best else min)(others)
    return own / best if math.isfinite(best) and best > 0 else None


def check(run: Run, before: Run) -> int:
    """1 where a work costs berthd, measured by Unbound, over a quarter more than it did."""
    worse = []
    for work in CPU:
        now, then = (_to_unbound(one, work) for one in (run, before))
        if now is None or then is None:
            continue
        print("%-15s berthd / Unbound %.2f, was %.2f" % (work, now, then))
        if now > WORSE * then:
            worse.append(work)
    print("bench: worse by more than %d %%: %s" % (WORSE * 100 - 100, ", ".join(worse)) if worse else
          "bench: nothing is worse than on %s by more than %d %%" % (before["date"], WORSE * 100 - 100))
    return 1 if worse else 0


def _to_unbound(run: Run, work: str) -> float | None:
    own, other = median(run, "berthd", work), median(run, "Unbound", work)
    return own / other if own is not None and other else None
