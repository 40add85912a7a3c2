"""Decides how the bench is shut off from the machine around it, and what counts as being shut off.

The outer process runs as the caller and only watches. The inner one is process 1 of new network, mount and process
namespaces with nothing but a loopback in it; whatever it makes is gone when it ends.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

LAB = Path(__file__).resolve().parents[3] / "lab"
sys.path.insert(0, str(LAB))

import namespace  # noqa: E402  lab/namespace.py

OUTSIDE = "BERTH_ATTACK_OUTSIDE"  # the network namespace that the bench was started in: nothing is ever sent there
PREFIX = "bench-"  # of the name of every interface that the bench made


class NotShutOff(Exception):
    """Somebody wants to send where the bench did not make the network."""


def network_id() -> str:
    """Which network namespace the calling thread is in."""
    return str(os.stat("/proc/thread-self/ns/net").st_ino)


def enter(arguments: list[str]) -> int:
    """Runs this program again as process 1 of new namespaces; returns its exit status."""
    entry = str(Path(__file__).resolve().parents[1] / "attacks")
    child = subprocess.Popen([*namespace.unshare_prefix(), sys.executable, entry, "inside", *arguments],
                             env=dict(os.environ, **{OUTSIDE: network_id()}))
    namespace.pass_signals_on(child)
    status = child.wait()
    return status if status >= 0 else 128 - status


def settle() -> None:
    """What the inner process does first."""
    check_empty()
    namespace.mount_proc()


def check_empty() -> None:
    """The bench begins in a network of its own without a way out, or not at all."""
    outside = os.environ.get(OUTSIDE, "")
    names = [name for _, name in socket.if_nameindex() if name != "lo" and not name.startswith(PREFIX)]
    if not outside.isdecimal() or outside == network_id() or names:
        raise NotShutOff("not in a network namespace made for the bench%s: start it with ./run attacks" % (
            ", there are interfaces: " + ", ".join(names) if names else ""))
