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


def slow(servers: Servers) -> Speech:
    """Answers after a while."""
    return lambda asked: servers.later(SLOW_S, lambda: asked.send(asked.truth()))


def slow_then_deaf(servers: Servers) -> Speech:
    """Answers names that begin with "9" after a while, and no others."""
    answer = slow(servers)
    return lambda asked: answer(asked) if asked.q.text.startswith("9") else None


def teach_slow(target: Target, *zones: str) -> None:
    with target.ground.C.socket() as sock:
        for lesson in range(LESSONS):
            for number, zone in enumerate(zones):
                query = wire.query("%d.%s" % (90 + lesson, zone), ident=number)
                sock.sendto(query, (target.ground.R.address, 53))
            time.sleep(LESSON_S)
