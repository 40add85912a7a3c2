"""Runs many scenarios at once, each in a process and a network namespace of its own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable

import dialect
import settings
import stage

HERE = Path(__file__).resolve().parent
OWN = HERE / "own"
PUBLIC = Path(os.environ.get("BERTH_SCENARIOS", HERE.parents[2] / "shared" / "scenarios"))
PATIENCE_S = 120


@dataclass
class Run:
    path: Path
    mode: str  # minimised names "on" or "off"

    @property
    def file(self) -> str:
        return "%s/%s" % (self.path.parent.name, self.path.name)

    @property
    def name(self) -> str:
        return "%s [%s]" % (self.file, self.mode)


@dataclass
class Outcome:
    run: Run
    took_s: float
    why: str  # "" for a pass
    directory: Path


def to_yaml(value: Any) -> str:
    """YAML that any reader takes, in flow style: it is JSON with quotes where they do no harm."""
    if isinstance(value, dict):
        return "{" + ", ".join("%s: %s" % (key, to_yaml(entry)) for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(to_yaml(entry) for entry in value) + "]"
    if isinstance(value, settings.Plain):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else '"%s"' % str(value).replace('"', "")


def write_config(tree: dict[str, Any]) -> str:
    return "".join("%s: %s\n" % (key, to_yaml(entry)) for key, entry in tree.items())


def portable_modes(folder: Path) -> dict[str, list[str]]:
    """What portable.tsv says of each public file."""
    table = folder / "portable.tsv"
    if not table.exists():
        return {}
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    return {row[0]: row[1].split(",") for row in rows}


def known_failures() -> dict[tuple[str, str], str]:
    """What known.tsv says will fail, by file and mode, and why."""
    rows = [line.split("\t") for line in (HERE / "known.tsv").read_text().splitlines() if not line.startswith("#")]
    return {(row[0], mode): row[2] for row in rows for mode in (("on", "off") if row[1] == "*" else (row[1],))}


def runs_of(paths: Iterable[Path], only: str | None = None) -> list[Run]:
    known = portable_modes(PUBLIC)
    runs = []
    for path in paths:
        key = Run(path, "").file
        modes = known[key] if key in known else settings.modes(dialect.read(path))
        runs += [Run(path, mode) for mode in modes if only in (None, mode)]
    return runs


def child(program: Path, run: Run, directory: Path, connection: Any) -> None:
    try:
        stage.perform(program, run.path, run.mode == "on", directory, write_config)
        connection.send("")
    except (stage.Failure, dialect.DialectError) as error:
        connection.send(str(error))
    except Exception as error:  # the runner's own fault: said as such
        connection.send("runner: %r" % error)


def perform(program: Path, run: Run, directory: Path) -> Outcome:
    shutil.rmtree(directory, ignore_errors=True)
    begin = time.monotonic()
    mine, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=child, args=(program, run, directory, theirs))
    process.start()
    theirs.close()
    try:
        why = mine.recv() if mine.poll(PATIENCE_S) else "runner: not done after %d s" % PATIENCE_S
    except EOFError:
        why = "runner: the process ended by itself"
    process.terminate()
    process.join()
    if why and directory.exists():
        (directory / "why").write_text(why + "\n")
    elif not why:
        shutil.rmtree(directory, ignore_errors=True)
    return Outcome(run, time.monotonic() - begin, why, directory)


def perform_all(program: Path, runs: list[Run], directory: Path, jobs: int,
                on_outcome: Callable[[Outcome], None] = lambda outcome: None) -> list[Outcome]:
    outcomes = []

    def one(run: Run) -> Outcome:
        folder = directory / run.path.parent.name / ("%s-%s" % (run.path.stem, run.mode))
        outcome = perform(program, run, folder)
        on_outcome(outcome)
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        outcomes = list(pool.map(one, runs))
    return outcomes
