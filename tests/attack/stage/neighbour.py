"""Decides what another client is: 50 questions a second for a name that is cached, and 50 for names that nobody asked
before, while something else goes on or not. It is a process of its own, and does not wait for one answer before it
asks again, so that what is late is seen to be.

    neighbour = Neighbour(scene, "calm.", seconds=10)
    ...
    neighbour.end()                         {"cached": (p50, p99), "cold": (p50, p99), "lost": 0}, in milliseconds
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import socket
import time
from typing import Any

from . import wire
from .attack import Scene

RATE = 50  # of each kind, every second
PATIENCE_S = 3.0  # what is not there by then counts as this late
KINDS = ("cached", "cold")
_runs = itertools.count()


def part(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _ask(sock: socket.socket, zone: str, seconds: float, run: int) -> dict[str, Any]:
    sent: dict[int, tuple[int, float]] = {}
    took: list[list[float]] = [[], []]
    count, begin = int(seconds * RATE * 2), time.monotonic()
    number = 0
    while number < count or (sent and time.monotonic() < begin + seconds + PATIENCE_S):
        now = time.monotonic()
        due = begin + number / (RATE * 2)
        if number < count and now >= due:
            kind = number % 2
            name = "known." + zone if kind == 0 else "n%dx%d.%s" % (number, run, zone)
            sent[number] = (kind, due)
            sock.send(wire.query(name, wire.A, number))
            number += 1
            continue
        sock.settimeout(max(0.0005, due - now) if number < count else 0.05)
        try:
            reply = sock.recv(4096)
        except OSError:
            continue  # nothing yet
        found = sent.pop(int.from_bytes(reply[:2], "big"), None)
        if found is not None and wire.addresses(reply):
            took[found[0]].append((time.monotonic() - found[1]) * 1e3)
        elif found is not None:
            took[found[0]].append(PATIENCE_S * 1e3)  # no answer is no better than none in time
    for kind, _ in sent.values():
        took[kind].append(PATIENCE_S * 1e3)
    numbers: dict[str, Any] = {name: (part(took[kind], 0.5), part(took[kind], 0.99)) for kind, name in enumerate(KINDS)}
    numbers["lost"] = sum(value >= PATIENCE_S * 1e3 for values in took for value in values)
    return numbers


class Neighbour:
    def __init__(self, scene: Scene, zone: str, seconds: float):
        sock = scene.ground.C.socket()
        sock.connect((scene.ground.R.address, 53))
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe(False)
        self._process = context.Process(target=self._run, args=(theirs, sock, zone, seconds, next(_runs)), daemon=True)
        self._process.start()
        sock.close()
        theirs.close()

    @staticmethod
    def _run(pipe: Any, sock: socket.socket, zone: str, seconds: float, run: int) -> None:
        pipe.send(_ask(sock, zone, seconds, run))
        os._exit(0)  # what the parent set up is the parent's to end

    def end(self) -> dict[str, Any]:
        numbers = self._pipe.recv()
        self._process.join()
        return numbers


def text(numbers: dict[str, Any]) -> str:
    parts = ["%s %.1f/%.1f ms" % (kind, *numbers[kind]) for kind in KINDS]
    return ", ".join(parts) + (", %d lost" % numbers["lost"] if numbers["lost"] else "")
