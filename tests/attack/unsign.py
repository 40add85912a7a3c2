"""Decides the attack of a name that is too deep to be hashed: a forger wants what he says of it to count as unsigned.

The zone is signed, with NSEC3; whoever speaks for its server here has no key of it, but has seen some of its records. He says
that the name has an address, signed by a zone of that very name, and that this zone has no DS: for which he sends the
true, signed NSEC3 of the apex, which has nothing to do with it. A resolver that hashes so many names and no more comes to no end
with one of 72 labels. It must not take that for a proof that the name is below an unsigned delegation.
"""

from __future__ import annotations

import functools
import itertools
import os

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.cost import say, validating
from stage.signed import DNSKEY, DS, RRSIG, Nsec3, SignedZone, sig_head, to_question
from stage.zones import FORGED, Asked, Servers

DEPTH, QUESTIONS = 70, 3


@functools.cache
def zone() -> SignedZone:
    return SignedZone("deep.")


def prepare(servers: Servers) -> None:
    seen = [*zone().signed([wire.soa(zone().owner)]), *Nsec3(zone(), 0, b"").at(zone().owner)]
    seen_bytes = b"".join(map(wire.record, seen))

    def speak(asked: Asked) -> None:
        labels = asked.q.text.split(".")[:-1]
        if len(labels) == 1 and asked.q.qtype == DNSKEY:
            say(asked, to_question(zone().dnskeys(), zone().owner), 2)
        elif len(labels) == 1 or labels[0] == "ns":
            asked.send(asked.truth())
        elif len(labels) == DEPTH + 2 and asked.q.qtype == wire.A:
            sig = asked.q.raw, RRSIG, 300, sig_head(wire.A, len(labels), 4711, asked.q.name) + os.urandom(64)
            asked.send(wire.response(asked.q, [wire.a(asked.q.raw, FORGED), sig]))
        elif len(labels) == DEPTH + 2 and asked.q.qtype == DS:
            say(asked, authority=seen_bytes, authorities=len(seen))
        else:
            asked.send(wire.response(asked.q, authority=[wire.soa(zone().owner)]))

    servers.add("deep.", speech=speak)


def run(scene: Scene) -> Result:
    names = ("a." * DEPTH + "r%d.deep." % number for number in itertools.count())
    replies = [scene.target.ask(name) for name in itertools.islice(names, QUESTIONS)]
    believed = sum(bool(reply) and FORGED in wire.addresses(reply) for reply in replies)
    return Result(believed > 0, "%d of %d forged addresses below a signed zone believed" % (believed, QUESTIONS), {"believed": believed})


BERTHD, PEERS = validating(lambda: [zone().ds_text()])

ATTACK = Attack(
    name="unsign",
    title="a name of %d labels below a signed zone, with a DS denied by a record that says nothing of it" % (DEPTH + 2),
    reference="RFC 5155 section 8.9; what limits for CVE-2023-50868 may do to it",
    defence="what cannot be hashed whole is bogus; only the zone's own choice of rounds makes it count as unsigned",
    weakness="it counts as unsigned",
    prepare=prepare,
    run=run,
    shipped=BERTHD,
    weakened=lambda: BERTHD("unsigning"),
    peers=PEERS,
)
