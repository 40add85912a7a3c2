"""Decides how the fast servers are used: tools/authority in S, for attacks of many questions.

    servers = Authority(ground)
    servers.plan(label="v", zones=64, ttl=300, delay_ms=30, seconds=120)      in `prepare`
    servers.stop()                                                            {"udp": ..., "tcp": ..., ...}
    servers.notes()                                                           (port, id, number, zone, tcp) of each question
"""

from __future__ import annotations

import json
import struct
import subprocess
import time
from typing import Any, Iterator

from .ground import ROOT, Ground, end, server_address
from .targets import Missing, tool
from .zones import HINTS

FORGER = server_address(2000)
NOTE = struct.Struct("=HHIHBB")


class Authority:
    def __init__(self, ground: Ground, ipv6: bool = False):
        assert not ipv6, "the fast servers know IPv4 alone"
        self.ground = ground
        self.hints = ground.place / "root.hints"
        self.hints.write_text(HINTS)
        self.log = ground.place / "notes"
        self.process: subprocess.Popen[str] | None = None
        self.zones: list[Any] = []

    def plan(self, label: str, zones: int, ttl: int, delay_ms: int, seconds: int) -> None:
        self.label, self.count = label, zones
        self.arguments = [label, zones, ttl, delay_ms, self.log, seconds]

    def start(self) -> "Authority":
        if not tool("authority").exists():
            raise Missing("tests/attack/tools is not built")
        self.process = self.ground.S.start(tool("authority"), ROOT, server_address(0), FORGER, *self.arguments,
                                           stdout=subprocess.PIPE)
        time.sleep(0.05)
        if self.process.poll() is not None:
            raise RuntimeError("the servers ended by themselves")
        return self

    def stop(self) -> dict[str, int]:
        end(self.process)
        return json.loads(self.process.stdout.read())

    def notes(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Only after stop()."""
        data = self.log.read_bytes()
        return NOTE.iter_unpack(data[:len(data) // NOTE.size * NOTE.size])
