"""Decides what a client's questions cost: the packets that the resolver sends for them, counted where the servers are.

    return judge(scene, ["www.evil."], bound, victims=[address], about_victim=True)

A packet is a question over UDP or the opening of a TCP connection; what comes on an open connection costs nobody more
than the attacker's own servers. Every target is given the same time, and is watched until it is silent.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable

from . import wire
from .attack import Result, Scene
from .capture import TCP, UDP, Capture, Packet

LIMITS = Path(__file__).resolve().parents[3] / "src" / "base" / "limits.h"
SYN, SYN_ACK = 0x02, 0x12
PATIENCE_S, PATIENCE_SHORT_S = 20.0, 6.0  # berthd ends at 4.5 s; others go on
QUIET_S, QUIET_SHORT_S = 2.0, 0.4  # so long after the last packet and all answers it is over
STEP_S = 0.05


def limit(name: str) -> int:
    """A limit of the house as src/base/limits.h has it."""
    found = re.search(r"#define %s[\s\\]+(\d+)" % name, LIMITS.read_text())
    assert found, name
    return int(found.group(1))


@dataclass
class Bill:
    total: int = 0
    victim: int = 0
    answers: int = 0
    seconds: float = 0.0
    asked: Counter = field(default_factory=Counter)  # what was asked, of whom


def is_paid(packet: Packet, resolver: str) -> bool:
    if packet.source != resolver or packet.target_port != 53:
        return False
    return packet.protocol == UDP or packet.protocol == TCP and packet.payload[13] & SYN_ACK == SYN


def what(packet: Packet) -> str:
    q = wire.read_question(packet.payload) if packet.protocol == UDP else None
    return "%s %s" % (packet.target, "TCP" if q is None else "%s %d" % (q.text, q.qtype))


def settle(bill: Bill, packets: list[Packet], resolver: str, victims: Iterable[str]) -> Bill:
    paid = [packet for packet in packets if is_paid(packet, resolver)]
    bill.total = len(paid)
    bill.victim = sum(packet.target in victims for packet in paid)
    bill.asked = Counter(map(what, paid))
    return bill


def run_up(scene: Scene, names: list[str], victims: set[str], enough: int, about_victim: bool, pace_s: float) -> Bill:
    """Asks, one client question for each name, and counts. Once there are more than enough (in the full form: ten times
    as many) it ends."""
    resolver = scene.ground.R.address
    quiet_s = QUIET_S if scene.full else QUIET_SHORT_S
    patience_s = PATIENCE_S if scene.full else PATIENCE_SHORT_S
    bill, waiting, begin = Bill(), list(names), time.monotonic()
    changed, seen, last_sent = begin, 0, begin
    with Capture(scene.ground.S) as capture, scene.ground.C.socket() as sock:
        sock.settimeout(STEP_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.connect((resolver, 53))
        while True:
            if waiting and (last_sent == begin or not pace_s or time.monotonic() - last_sent >= pace_s):
                sock.send(wire.query(waiting.pop(0), wire.A, int.from_bytes(os.urandom(2), "big")))
                last_sent = time.monotonic()
                if waiting and not pace_s:
                    continue
            try:
                sock.recv(65536)
                bill.answers += 1
                changed = time.monotonic()
            except OSError:
                pass  # nothing yet
            if len(capture.packets) != seen:
                seen, changed = len(capture.packets), time.monotonic()
            settle(bill, capture.packets, resolver, victims)
            now = time.monotonic()
            is_enough = (bill.victim if about_victim else bill.total) > enough * (10 if scene.full else 1)
            is_over = not waiting and bill.answers >= len(names) and now - changed > quiet_s
            if is_enough or is_over or not waiting and now - last_sent > patience_s:
                break
    bill.seconds = time.monotonic() - begin
    return bill


def judge(scene: Scene, names: list[str], bound: int, victims: Iterable[str] = (), about_victim: bool = False,
          pace_s: float = 0.0) -> Result:
    """Succeeded: the questions cost more than the bound; to the victim, where it is about that."""
    bill = run_up(scene, names, set(victims), bound, about_victim, pace_s)
    is_one = len(names) == 1
    text = "%d packets for %s" % (bill.total, "one question" if is_one else "%d questions" % len(names))
    if victims:
        text += ", %d of them to the victim" % bill.victim
    text += "; allowed: %d%s" % (bound, " to the victim" if about_victim and bill.victim != bill.total else "")
    numbers = {"total": bill.total, "victim": bill.victim, "bound": bound, "answers": bill.answers,
               "seconds": round(bill.seconds, 2), "asked": bill.asked.most_common(60)}
    return Result((bill.victim if about_victim else bill.total) > bound, text, numbers)
