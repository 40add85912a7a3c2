"""Decides how what is measured is started: the resolvers of tests/system/peers.py and the bare echo, each on core 0, with
the load on core 1."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "system"))
os.environ.setdefault("BERTH_BUILD", str(HERE.parent / "build"))

import peers  # noqa: E402

RESOLVER_CORE, LOAD_CORE = 0, 1
ECHO, ECHO_ADDRESS, ECHO_S = "echo", "127.0.0.6", 60
WINDOW, PROBE_S, START_S = 64, 0.001, 20.0


def flood_command(*arguments: object) -> list[str]:
    return ["taskset", "-c", str(LOAD_CORE), os.environ["BERTH_BUILD"] + "/bench/flood", *map(str, arguments)]


def flood(*arguments: object) -> dict[str, Any]:
    """The load, to its end; what it says."""
    done = subprocess.run(flood_command(*arguments), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


class Resolver:
    """One resolver, started anew on one lab."""

    def __init__(self, name: str, lab: Path):
        self.name, self.place = name, Path(tempfile.mkdtemp(prefix="berth-bench-run."))
        key = lab / "root.key"
        self.peer = peers.Peer(name, self.place, lab / "root.hints", key if key.exists() else None)
        self.peer.core = RESOLVER_CORE
        self.address = self.peer.address
        self.peer.prepare()
        begin = time.monotonic()
        self.peer.launch()
        self._wait()
        self.start_ms = (time.monotonic() - begin) * 1000
        self.pid = self.peer.process.pid

    def _wait(self) -> None:
        """Asks every millisecond, until the first answer without an error."""
        question = b"\x4c\x42\1\0\0\1\0\0\0\0\0\0\1a\x0croot-servers\3net\0\0\1\0\1"
        deadline = time.monotonic() + START_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PROBE_S)
            sock.connect((self.address, 53))
            while True:
                begin = time.monotonic()
                try:
                    sock.send(question)
                    reply = sock.recv(512)
                    if reply[:2] == question[:2] and reply[3] & 15 == 0:
                        return
                except OSError:
                    time.sleep(max(0.0, PROBE_S - (time.monotonic() - begin)))
                self.peer.require_alive(deadline)

    def end(self) -> None:
        self.peer.stop()
        shutil.rmtree(self.place, ignore_errors=True)


class Echo:
    """The floor: a program that does nothing but send back what came."""

    name, address = ECHO, ECHO_ADDRESS

    def __init__(self) -> None:
        command = flood_command("--echo", ECHO_ADDRESS, 53, ECHO_S)
        command[2] = str(RESOLVER_CORE)
        self.process = subprocess.Popen(command)
        self.pid = self.process.pid
        time.sleep(0.2)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()
