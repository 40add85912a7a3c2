"""Decides the abuse of reactions: one odd packet on the right port, from the right address, before the true answer.

Whoever learns the port of a question can have the resolver react: to give up the server, to forget EDNS, to answer
the packet (and so begin a loop between servers: CVE-2024-2169), to take the packet for the reply. Each mutation has a server
of its own and three questions: one that shows how the resolver asks that server, one before whose answer the packet
comes, and one that shows whether it asks the server any differently now.
"""

from __future__ import annotations

import struct
import time
from typing import Callable

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.capture import ICMP, ICMP6, TCP, UDP, Capture
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import FORGED, TRUTH, Asked, Servers, Zone

Mutation = Callable[[Asked], bytes]
PATIENCE_S = 2.5  # longer than any way around the packet takes
AHEAD_S = 0.01  # the packet is there before the answer
ANYTHING = b"trailing bytes that belong to nothing"


def patched(data: bytes, at: int, *values: int) -> bytes:
    return data[:at] + bytes(values) + data[at + len(values):]


def forged(asked: Asked) -> bytes:
    """All right but for what a mutation changes."""
    return wire.response(asked.q, [wire.a(asked.q.raw, FORGED)])


def wrong_id(mutation: Mutation) -> Mutation:
    return lambda asked: patched(mutation(asked), 1, mutation(asked)[1] ^ 0x55)


def bare(rcode: int) -> Mutation:
    """A header alone: no question to match."""
    return lambda asked: struct.pack("!6H", asked.q.id, wire.QR | rcode, 0, 0, 0, 0)


def asking(question: Callable[[Asked], bytes]) -> Mutation:
    """The forged answer to another question."""
    def mutate(asked: Asked) -> bytes:
        section = question(asked)
        name = section[:-4]
        head = struct.pack("!6H", asked.q.id, wire.QR | wire.AA, 1, 1, 0, 0)
        return head + section + wire.record(wire.a(name, FORGED)) + wire.record(wire.a(asked.q.raw, FORGED))

    return mutate


def extended(rcode: int) -> Mutation:
    return lambda asked: wire.response(asked.q, rcode=rcode)


def mutations() -> dict[str, Mutation]:
    """By name. What is not said to be wrong is right, the ID included; but something is wrong with each: who has guessed
    everything needs no mutation, and would send an answer instead of an rcode."""
    table: dict[str, Mutation] = {
        "QR=0": lambda a: patched(forged(a), 2, forged(a)[2] & 0x7F),
        "no question": lambda a: patched(forged(a), 4, 0, 0),
        "question left out": lambda a: patched(forged(a)[:12], 4, 0, 0, 0, 0, 0, 0, 0, 0),
        "two questions": lambda a: patched(forged(a), 4, 0, 2),
        "other name": asking(lambda a: b"\5other" + a.q.question),
        "other type": asking(lambda a: a.q.raw + b"\0\x1c\0\1"),
        "other class": asking(lambda a: a.q.raw + b"\0\1\0\3"),
        "other case": asking(lambda a: a.q.question.swapcase()[:-4] + b"\0\1\0\1"),
        "name points to itself": asking(lambda a: b"\xc0\x0c\0\1\0\1"),
        "label past the end": asking(lambda a: b"\x3f\0\1\0\1"),
        "FORMERR without question": bare(1),
        "NOTIMP without question": bare(4),
        "TC": lambda a: wire.response(a.q, flags=wire.AA | wire.TC),
        "trailing bytes": lambda a: forged(a) + ANYTHING,
        "other name, trailing bytes": lambda a: asking(lambda b: b"\5other" + b.q.question)(a) + ANYTHING,
        "answer points to itself": lambda a: patched(forged(a), 12 + len(a.q.question), 0xC0, 12 + len(a.q.question)),
        "the question sent back": lambda a: patched(forged(a)[:12], 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + a.q.question,
    }
    for opcode in (1, 2, 4, 5, 6, 15):
        table["opcode %d" % opcode] = lambda a, o=opcode: patched(forged(a), 2, forged(a)[2] | o << 3)
    for length in range(12):
        table["%d bytes" % length] = lambda a, n=length: forged(a)[:n]
    for rcode in (2, 3, 5, 9):
        table["rcode %d without question" % rcode] = bare(rcode)
    for rcode in range(16, 24):
        table["rcode %d, wrong ID" % rcode] = wrong_id(extended(rcode))
    for name in ("FORMERR without question", "NOTIMP without question", "TC", "trailing bytes", "answer points to itself"):
        table[name + ", wrong ID"] = wrong_id(table[name])
    return table


def prepare(servers: Servers) -> None:
    for number, mutation in enumerate(mutations().values()):
        servers.add("mutation-%d." % number, speech=_speech(servers, mutation))


def _speech(servers: Servers, mutation: Mutation) -> Callable[[Asked], None]:
    def speak(asked: Asked) -> None:
        is_first = len(asked.zone.questions(asked.q.text)) == 1
        if asked.tcp or not is_first or not asked.q.text.startswith("during"):
            asked.send(asked.truth())
            return
        asked.send(mutation(asked))
        servers.later(AHEAD_S, lambda: asked.send(asked.truth()))

    return speak


def manner(zone: Zone, qname: str) -> tuple[bool, bool, bool] | None:
    """How a question was asked at first: over TCP? with EDNS? in mixed case?"""
    asked = zone.questions(qname)
    return (asked[0].tcp, asked[0].q.edns, asked[0].q.raw != asked[0].q.name) if asked else None


def try_one(scene: Scene, zone: Zone) -> list[str]:
    """What one mutation achieved."""
    names = ["%s-with-many-letters.%s" % (word, wire.text(zone.owner)) for word in ("before", "during", "after")]
    replies = [scene.target.ask(name, patience_s=PATIENCE_S) for name in names]
    achieved = []
    if replies[1] is None or wire.addresses(replies[1]) != [TRUTH]:
        is_forged = replies[1] is not None and wire.addresses(replies[1]) == [FORGED]
        achieved.append("a forged answer" if is_forged else "no answer")
    if manner(zone, names[2]) != manner(zone, names[0]) or replies[2] is None or not wire.addresses(replies[2]):
        achieved.append("another manner of asking")
    return achieved


def sent_back(scene: Scene, capture: Capture) -> int:
    """Packets of the resolver to the servers that are neither a question nor TCP nor ICMP."""
    ours = [packet for packet in capture.packets if packet.source == scene.ground.R.address]
    questions = [p for p in ours if p.protocol == UDP and p.target_port == 53 and wire.read_question(p.payload)]
    harmless = [p for p in ours if p.protocol in (ICMP, ICMP6, TCP)]
    return len(ours) - len(questions) - len(harmless)


def run(scene: Scene) -> Result:
    achieved: dict[str, list[str]] = {}
    with Capture(scene.ground.S) as capture:
        for name, zone in zip(mutations(), scene.servers.zones):
            found = try_one(scene, zone)
            if found:
                achieved[name] = found
        time.sleep(0.2)
    reactions = sent_back(scene, capture)
    text = "%d of %d mutations achieved something, %d packets sent back" % (
        len(achieved), len(mutations()), reactions)
    if achieved:
        counts: dict[str, int] = {}
        for found in achieved.values():
            for what in found:
                counts[what] = counts.get(what, 0) + 1
        text += " (%s)" % ", ".join("%s: %d" % pair for pair in sorted(counts.items()))
    return Result(bool(achieved) or reactions > 0, text, {"achieved": achieved, "sent back": reactions})


ATTACK = Attack(
    name="reaction",
    title="one odd packet on the right port: believed, answered, or a reason to give up",
    reference="RFC 5452 section 9; CVE-2024-2169 (replies that are answered)",
    defence="what does not match decides nothing: that question goes to TCP, nothing is learnt, nothing sent back",
    weakness="whatever can be read on a lent port is the reply",
    prepare=prepare,
    run=run,
    shipped=Berthd,
    weakened=lambda: Berthd("no-match"),
    peers=[Unbound, Kresd],
)
