"""Decides the birthday attack: many identical questions at once, so that many forged replies meet many open windows.

500 clients ask the same name in different case, with and without DO and CD, while its server takes its time. Each
question that then flies on its own is a window more for forged replies: n of them multiply the attacker's chance by n
at first.
"""

from __future__ import annotations

import random
import socket
import time

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import Servers

CLIENTS = 500
ZONE, NAME = "birthday.", "www.birthday."
ANSWER_S = 0.25  # less than the first patience with an unknown server, so that nothing is asked twice for that
WAIT_S = 8.0


def prepare(servers: Servers) -> None:
    servers.add(ZONE, delay_s=ANSWER_S)


def variants(count: int) -> list[bytes]:
    """The same question over and over: the case of the name, DO and CD differ."""
    queries = []
    for number in range(count):
        mixed = "".join(random.choice((letter.upper(), letter)) for letter in NAME)
        flags = wire.RD | (0x10 if number & 1 else 0)
        queries.append(wire.query(mixed, ident=number, flags=flags, do=bool(number & 2)))
    return queries


def run(scene: Scene) -> Result:
    ground, zone = scene.ground, scene.servers.zones[0]
    count = scene.size(CLIENTS, CLIENTS)
    socks = [ground.C.socket() for _ in range(count)]
    for sock in socks:
        sock.connect((ground.R.address, 53))
    for sock, query in zip(socks, variants(count)):
        sock.send(query)
    answered = _collect(socks)
    seen = zone.questions(NAME)
    merged = scene.target.counters().get("answers.merged", 0)
    for sock in socks:
        sock.close()
    text = "%d questions at the server for %d of clients, %d answered" % (len(seen), count, answered)
    return Result(len(seen) > 1, text, {"clients": count, "upstream": len(seen), "answered": answered, "merged": merged})


def _collect(socks: list[socket.socket]) -> int:
    """How many get the true answer."""
    deadline = time.monotonic() + WAIT_S
    answered = 0
    for sock in socks:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            answered += bool(wire.addresses(sock.recv(4096)))
        except OSError:
            pass
    return answered


ATTACK = Attack(
    name="birthday",
    title="identical questions, so that one forged reply fits one of many",
    reference="Stewart 2003; RFC 5452 section 5; VU#457875",
    defence="identical questions share one exchange, across workers, DO, CD and case",
    weakness="each question flies on its own",
    prepare=prepare,
    run=run,
    shipped=Berthd,
    weakened=lambda: Berthd("no-merge"),
    peers=[Unbound, Kresd],
)
