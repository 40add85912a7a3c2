"""Decides the attack of a local user who takes the ports: 16,000 of 49,152-65,535, in one second, while questions come.

Service has to go on: 500 questions, not one SERVFAIL. Within ten seconds the resolver has to know, and to tell, how many
ports and bits are left, and one line of its log has to name the user.
"""

from __future__ import annotations

import math
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.targets import Berthd, Unbound
from stage.zones import Servers

SQUAT = Path(__file__).parent / "stage" / "squat.py"
FIRST, LAST, TAKEN, USER = 49152, 65535, 16000, "nobody"
LEFT = LAST + 1 - FIRST - TAKEN
ZONE = "squat."
QUESTIONS, A_SECOND, WAIT_S = 500, 100, 5.0
TOLD_S, SHORT_TOLD_S, STEP_S, HELD_S = 10, 6, 0.1, 60


def prepare(servers: Servers) -> None:
    servers.add(ZONE)


def take_ports(scene: Scene) -> int:
    squatter = scene.ground.R.start(sys.executable, SQUAT, TAKEN, FIRST, LAST, HELD_S, stdout=subprocess.PIPE)
    return int(squatter.stdout.readline())


class Client:
    """Asks name after name, and counts what comes back."""

    def __init__(self, scene: Scene):
        self.sock = scene.ground.C.socket()
        self.sock.connect((scene.ground.R.address, 53))
        self.asked = self.answered = self.servfail = 0

    def step(self) -> None:
        self.sock.send(wire.query("w%d.%s" % (self.asked, ZONE), ident=self.asked))
        self.asked += 1
        self.take(1 / A_SECOND)

    def take(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while (left := deadline - time.monotonic()) > 0 and select.select([self.sock], [], [], left)[0]:
            try:
                reply = self.sock.recv(4096, socket.MSG_DONTWAIT)
            except OSError:
                continue
            self.servfail += wire.rcode(reply) == wire.SERVFAIL
            self.answered += bool(wire.addresses(reply))

    def wait(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while self.answered + self.servfail < self.asked and time.monotonic() < deadline:
            self.take(0.1)


def when_told(scene: Scene, begin: float, client: Client) -> float | None:
    """Seconds until the control socket tells the truth; questions go on meanwhile."""
    told, next_look = None, 0.0
    while time.monotonic() - begin < scene.size(TOLD_S, SHORT_TOLD_S) and (told is None or client.asked < QUESTIONS):
        if client.asked < QUESTIONS:
            client.step()
        else:
            time.sleep(STEP_S)
        if told is None and scene.target.program == "berthd" and time.monotonic() >= next_look:
            next_look = time.monotonic() + STEP_S
            if scene.target.control("ports")["usable"] <= LEFT:
                told = time.monotonic() - begin
    return told


def run(scene: Scene) -> Result:
    client = Client(scene)
    taken = take_ports(scene)
    told = when_told(scene, time.monotonic(), client)
    client.wait()
    failed = client.asked - client.answered
    text = "%d ports taken; %d of %d questions not answered, %d SERVFAIL" % (taken, failed, client.asked, client.servfail)
    numbers = {"taken": taken, "asked": client.asked, "failed": failed, "servfail": client.servfail, "told_s": told}
    if scene.target.program != "berthd":
        return Result(failed > 0, text, numbers)
    ports = scene.target.control("ports")
    lines = [line for line in scene.target.log.splitlines() if "warning" in line and "user " + USER in line]
    numbers.update(usable=ports["usable"], held=ports["away"]["held"], warnings=len(lines), lost=ports["counters"])
    text += "; told after %.1f s: " % told if told is not None else "; not told: "
    text += "%d usable, %.1f bits; %d lines of the log name the user" % (
        ports["usable"], math.log2(ports["usable"]), len(lines))
    return Result(failed > 0 or told is None or len(lines) != 1, text, numbers)


ATTACK = Attack(
    name="squatter",
    title="a local user takes 16,000 ports",
    reference="Herzberg and Shulman 2012 (port stealing by local users); RFC 6056 section 3.2",
    defence="ports of others are looked at and left out of the draw; what is left is told",
    weakness="nobody looks, a port found taken is not remembered, and four of them end a question",
    prepare=prepare,
    run=run,
    shipped=Berthd,
    weakened=lambda: Berthd("unaware"),
    peers=[lambda: Unbound("outgoing-port-avoid: 0-65535", "outgoing-port-permit: %d-%d" % (FIRST, LAST))],
    false_alarm="before somebody looked, a question fails if 1,024 ports in a row, no two the same, are among the 16,000 "
                "taken ones: below 1e-10",
)
