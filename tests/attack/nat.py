"""Decides what a NAT takes away: the resolver draws its ports well, and the box in front of it deals out others.

The attacker owns a zone, so he sees from which port a question comes, and foretells the next: one of the eight that
follow. Behind Linux's masquerade, which keeps ports or, fully-random, draws them anew, that fails. Behind a NAT that
counts up it succeeds, whatever the resolver does; so it has to tell: in each case `berth audit --reflector`, which asks a
zone whose answers say where the question came from, has to find out what is on the way, or the run counts as wrong. As
shipped there are no NAT, a plain and a fully-random one in turn (the short form: none alone); weakened, the NAT counts up.
"""

from __future__ import annotations

import json

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.nat import Sequential, insert_nat, masquerade
from stage.targets import BUILD, Berthd
from stage.zones import Asked, Servers

ZONE = "reflector."
QUESTIONS, SHORT = 512, 128
GUESSES = 8
FEW_BITS, MANY_BITS = 6.0, 11.0


def reflect(asked: Asked) -> None:
    """TXT: where the question came from, as its server sees it."""
    if asked.q.qtype != wire.TXT:
        asked.send(asked.truth())
        return
    asked.send(wire.response(asked.q, [wire.txt(asked.q.raw, "%s@%d" % asked.peer)]))


def prepare(servers: Servers) -> None:
    servers.add(ZONE, speech=reflect)


class Behind(Berthd):
    def __init__(self, column: str):
        super().__init__()
        self.column = column


def audit(scene: Scene) -> dict[str, object]:
    """What berth says of the way between, for IPv4."""
    command = [BUILD / "berth", "--socket", scene.target.control_socket, "--json", "audit", "--reflector", ZONE, "--count",
               scene.size(QUESTIONS, SHORT)]
    document = json.loads(scene.ground.R.run(*command))
    return document["families"][0]


def foretold(scene: Scene) -> float:
    """Which part of the questions came from a port that the one before foretold."""
    ports = [asked.peer[1] for asked in scene.servers.zones[0].asked if asked.q.qtype == wire.TXT and not asked.tcp]
    hits = sum(0 < after - before <= GUESSES for before, after in zip(ports, ports[1:]))
    return hits / max(1, len(ports) - 1)


def one(scene: Scene, kind: str, words: str) -> tuple[float, str, dict[str, object]]:
    """One NAT; the audit has to see what it is."""
    scene.servers.zones[0].asked.clear()
    found = audit(scene)
    part = foretold(scene)
    few = found["bits"] < FEW_BITS if kind == "sequential" else found["bits"] > MANY_BITS
    if found["ports"] != kind or not few:
        raise RuntimeError("%s: the audit says \"%s\" and %.1f bits" % (words, found["ports"], found["bits"]))
    return part, "%s: %.0f %% foretold, the audit says \"%s\", %.1f bits" % (words, 100 * part, kind, found["bits"]), found


def run(scene: Scene) -> Result:
    nat = scene.ground.N
    if scene.target.column == "weakened":
        Sequential(scene.ground)
        found = [one(scene, "sequential", "counting up")]
    else:
        found = [one(scene, "kept", "no NAT")]
        for how, kind, words in (("", "kept", "masquerade"), ("fully-random", "random", "fully random"))[:2 * scene.full]:
            masquerade(nat, how)
            found.append(one(scene, kind, words))
    text = "; ".join(words for _, words, _ in found)
    return Result(any(part > 0.5 for part, _, _ in found), text, {"audits": [numbers for _, _, numbers in found]})


ATTACK = Attack(
    name="nat",
    title="a NAT that deals out ports which can be foretold",
    reference="Kaminsky 2008 (errata); VU#800113; RFC 6056 section 1; Herzberg and Shulman 2012",
    defence="none in a resolver: `berth audit --reflector` finds out and says what is left",
    weakness="the NAT in front of berthd counts up",
    prepare=prepare,
    run=run,
    shipped=lambda: Behind("shipped"),
    weakened=lambda: Behind("weakened"),
    change_ground=insert_nat,
    no_peers="it is the NAT that decides, not the resolver",
    false_alarm="of 128 questions one of 2,000 is foretold by chance: that half are has a chance below 1e-99; the audit "
                "calls random ports sequential with a chance below 1e-9",
)
