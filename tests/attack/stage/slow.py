"""Decides how a resolver learns that a server is slow, so that its questions wait long and an attacker has the time.

    servers.add("deaf.", speech=slow_then_deaf(servers))
    teach_slow(target, "deaf.")            from now on a question to it is out for more than a second
"""

from __future__ import annotations

import time

from . import wire
from .targets import Target
from .zones import Asked, Servers, Speech

LESSONS, LESSON_S, SLOW_S = 2, 2.0, 1.1


def slow_then_deaf(servers: Servers) -> Speech:
    """Answers names that begin with "slow" after a while, and no others."""
    def speak(asked: Asked) -> None:
        if asked.q.text.startswith("slow"):
            servers.later(SLOW_S, lambda: asked.send(asked.truth()))
    return speak


def teach_slow(target: Target, *zones: str) -> None:
    with target.ground.C.socket() as sock:
        for lesson in range(LESSONS):
            for number, zone in enumerate(zones):
                query = wire.query("slow%d.%s" % (lesson, zone), ident=number)
                sock.sendto(query, (target.ground.R.address, 53))
            time.sleep(LESSON_S)
