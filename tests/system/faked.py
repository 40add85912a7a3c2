"""A berthd that believes it is another time (libfaketime). Only the calendar is faked, and it stands still; what berthd
measures runs on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from support import Daemon

LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
             "/usr/lib/faketime/libfaketime.so.1")


def library() -> str | None:
    return next((path for path in LIBRARIES if os.path.exists(path)), None)


def daemon_at(time: str, directory: Path, config: dict[str, Any]) -> Daemon:
    """Not started yet. The time is UTC, as 2026-08-01 00:00:00."""
    daemon = Daemon(directory, config)
    clock = directory / "clock"
    clock.write_text(time + "\n")
    asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    daemon.environment = {"TZ": "UTC", "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                          "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "LD_PRELOAD": library(),
                          "ASAN_OPTIONS": asan}
    return daemon
