"""Decides the attack of NSEC3: names of very many labels, each of which has to be hashed again and again.

The attacker's zones deny what they are asked for with NSEC3 records that are true and well signed: of 50 rounds for each hash, which is
what RFC 9276 lets pass, of 150, which was long allowed, and of 2,500; all with a salt of 255 bytes. To find the closest encloser a resolver
hashes the name and each of its ancestors. Names are 110 labels below the next closer name, which is another each time, so
that nothing known before denies it; servers say of each name on the way that it is there, so that minimisation ends nothing. And
once more with 50 rounds and names of 60 labels, where the record that would prove it is left out: what is not proved is asked for again.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Callable

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.bill import limit
from stage.cost import ALLOWED_MS, CALM, Names, judge, say, validating
from stage.signed import DNSKEY, Nsec3, SignedZone, to_question
from stage.zones import Asked, Servers

SALT = bytes(range(255))


@dataclass(frozen=True)
class Kind:
    zone: str
    rounds: int
    depth: int  # labels below the next closer name
    is_proof: bool = True


KINDS = {
    "50 rounds": Kind("n50", 50, 110),
    "50 rounds and no proof": Kind("f50", 50, 58, False),
    "150 rounds": Kind("n150", 150, 110),
    "2,500 rounds": Kind("n2500", 2500, 110),
}


@functools.cache
def zone_of(kind: Kind) -> SignedZone:
    return SignedZone(kind.zone + ".")


def kind_names(kind: Kind) -> Names:
    return (("a." * kind.depth + "r%d.%s." % (number, kind.zone), wire.A) for number in itertools.count())


def speech(kind: Kind) -> Callable[[Asked], None]:
    zone = zone_of(kind)
    nsec3 = Nsec3(zone, kind.rounds, SALT)
    frame = [*zone.signed([wire.soa(zone.owner)]), *nsec3.at(zone.owner), *nsec3.covering(b"\1*" + zone.owner)]

    @functools.cache
    def denial(closer: bytes) -> tuple[bytes, int]:
        records = [*frame, *(nsec3.covering(closer) if kind.is_proof else [])]
        return b"".join(map(wire.record, records)), len(records)

    def speak(asked: Asked) -> None:
        labels = asked.q.text.split(".")[:-1]
        if len(labels) == 1 and asked.q.qtype == DNSKEY:
            say(asked, to_question(zone.dnskeys(), zone.owner), 2)
        elif len(labels) == 1 or labels[0] == "ns":
            asked.send(asked.truth())
        elif len(labels) < kind.depth + 2:
            asked.send(wire.response(asked.q, authority=[wire.soa(zone.owner)]))
        else:
            records, count = denial(wire.name(".".join(labels[-2:])))
            say(asked, authority=records, authorities=count, rcode=wire.NXDOMAIN)

    return speak


def prepare(servers: Servers) -> None:
    for kind in KINDS.values():
        servers.add(kind.zone + ".", speech=speech(kind))
    servers.add(CALM)


def run(scene: Scene) -> Result:
    return judge(scene, {text: kind_names(kind) for text, kind in KINDS.items()}, limit("LIMIT_SIGNATURES"))


BERTHD, PEERS = validating(lambda: [zone_of(kind).ds_text() for kind in KINDS.values()])

ATTACK = Attack(
    name="nsec3",
    title="denials by NSEC3 of many rounds, for names of 112 labels",
    reference="CVE-2023-50868; Heftrig et al. 2024 section 7; RFC 9276",
    defence="with more than 50 rounds nothing is hashed and the zone counts as unsigned; 64 names for a denial, 256 for a question",
    weakness="all is hashed, whatever the rounds and however many names; no budget but the deadline",
    prepare=prepare,
    run=run,
    shipped=BERTHD,
    weakened=lambda: BERTHD("eager"),
    peers=PEERS,
    false_alarm="a machine several times slower than the author's would spend the %.0f ms that are allowed" % ALLOWED_MS,
)
