"""Decides the amplification by delegations: referrals that make the resolver look for name servers, at somebody's cost.

The attacker has a zone, asks one question (or a few), and the zone's server answers with a referral that causes work: many name
servers without addresses below a victim's zone, addresses that are the victim's, delegations without end, zones that need each
other. What is counted are packets at the servers; what is allowed follows from `src/base/limits.h`.
"""

from __future__ import annotations

import itertools
from typing import Callable

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.bill import judge, limit
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import Asked, Servers

MANY = 100  # name servers in a referral
UDP_MAX = 1232
PEERS = [Unbound, Kresd]


def say(asked: Asked, reply: bytes) -> None:
    """What is too long for UDP goes over TCP."""
    asked.send(reply if asked.tcp or len(reply) <= UDP_MAX else wire.response(asked.q, flags=wire.TC))


def silent(asked: Asked) -> None:
    """Says nothing."""


def refuse(asked: Asked) -> None:
    asked.send(wire.response(asked.q, rcode=wire.REFUSED))


def deny(asked: Asked) -> None:
    asked.send(wire.response(asked.q, authority=[wire.soa(asked.zone.owner)], rcode=wire.NXDOMAIN))


def below(asked: Asked, label: str) -> bytes | None:
    """The child zone with that label, if the question is for it or below."""
    child = bytes([len(label)]) + label.encode() + asked.zone.owner
    return child if asked.q.name.endswith(child) else None


def refer(asked: Asked, child: bytes, names: list[bytes], glue: list[wire.Record] = []) -> None:  # noqa: B006
    say(asked, wire.response(asked.q, authority=[wire.ns(child, name) for name in names], additional=glue, flags=0))


def delegating(names: list[bytes], glue: list[wire.Record] = []) -> Callable[[Asked], None]:  # noqa: B006
    """The speech of a zone whose child `sub` has these servers."""
    def speak(asked: Asked) -> None:
        child = below(asked, "sub")
        if child is None:
            asked.send(asked.truth())
        else:
            refer(asked, child, names, glue)

    return speak


def many(suffix: str) -> list[bytes]:
    return [wire.name("n%d.%s" % (number, suffix)) for number in range(MANY)]


# NXNSAttack: the victim's zone holds none of the names.


def prepare_nxns(servers: Servers) -> None:
    servers.add("victim.", speech=deny)
    servers.add("evil.", speech=delegating(many("victim.")))


def run_nxns(scene: Scene) -> Result:
    return judge(scene, ["www.sub.evil."], limit("LIMIT_CUT_LOOKUPS"), [scene.servers.zones[0].address], True)


# NRDelegation: each of the names is delegated further, to the victim's address, which refuses: silence would be waited for.


def prepare_nrdelegation(servers: Servers) -> None:
    victim = servers.add("victim.", speech=refuse)

    def speak(asked: Asked) -> None:
        label = asked.q.raw[:1 + asked.q.raw[0]]
        child = asked.q.name if asked.q.name == label.lower() + asked.zone.owner else asked.q.name[1 + asked.q.name[0]:]
        refer(asked, child, [b"\2ns" + child], [wire.a(b"\2ns" + child, victim.address)])

    servers.add("relay.", speech=speak)
    servers.add("evil.", speech=delegating(many("relay.")))


def run_nrdelegation(scene: Scene) -> Result:
    return judge(scene, ["www.sub.evil."], limit("LIMIT_CUT_LOOKUPS"), [scene.servers.zones[0].address], True)


# TsuNAME: two zones whose servers are each in the other.


def prepare_tsuname(servers: Servers) -> None:
    def speak(asked: Asked) -> None:
        for own, other in (("a", "b"), ("b", "a")):
            child = below(asked, own)
            if child is not None:
                refer(asked, child, [b"\2ns" + wire.name(other)[:-1] + asked.zone.owner])
                return
        asked.send(asked.truth())

    servers.add("parent.", speech=speak)


def run_tsuname(scene: Scene) -> Result:
    count = scene.size(100, 20)
    names = ["x%d.%s.parent." % (number, "ab"[number % 2]) for number in range(count)]
    rounds = 1 + count * 0.15 // limit("LIMIT_CUT_AGE_S")
    bound = int(rounds * 4)  # two delegations and two addresses
    return judge(scene, names, bound, [scene.servers.zones[0].address], True, pace_s=0.15 if scene.full else 0.02)


# Delegations without end: each referral a label deeper; or each to servers that are delegated elsewhere again.


def prepare_deep(servers: Servers) -> None:
    def speak(asked: Asked) -> None:
        labels = asked.q.text.split(".")[:-1]
        depth = min(getattr(asked.zone, "depth", 0) + 1, len(labels) - 1)
        asked.zone.depth = depth
        child = wire.name(".".join(labels[-1 - depth:]))
        refer(asked, child, [b"\2ns" + child], [wire.a(b"\2ns" + child, asked.zone.address)])

    servers.add("deep.", speech=speak)


def run_deep(scene: Scene) -> Result:
    return judge(scene, ["a." * 110 + "deep."], limit("LIMIT_REFERRALS") + 2)


def prepare_maze(servers: Servers) -> None:
    numbers = itertools.count()

    def speak(asked: Asked) -> None:
        labels = asked.q.text.split(".")[:-1]
        child = wire.name(".".join(labels[-2:]))
        refer(asked, child, [wire.name("ns.m%d.maze." % next(numbers)) for _ in range(10)])

    servers.add("maze.", speech=speak)


def run_maze(scene: Scene) -> Result:
    return judge(scene, ["www.entry.maze."], limit("LIMIT_SERVER_LOOKUPS") + 2)


# Addresses that are the victim's.


def prepare_wide(servers: Servers) -> None:
    victims = [servers.add("v%d." % number, speech=refuse) for number in range(32)]
    names = [wire.name("n%d.sub.evil." % number) for number in range(32)]
    servers.add("evil.", speech=delegating(names, [wire.a(*pair) for pair in zip(names, [v.address for v in victims])]))


def run_wide(scene: Scene) -> Result:
    victims = [zone.address for zone in scene.servers.zones[:-1]]
    return judge(scene, ["www.sub.evil."], limit("LIMIT_TRIES_REFUSED"), victims, True)


def prepare_shared(servers: Servers) -> None:
    victim = servers.add("victim.", speech=silent)

    def speak(asked: Asked) -> None:
        child = wire.name(".".join(asked.q.text.split(".")[-3:]))
        refer(asked, child, [b"\2ns" + child], [wire.a(b"\2ns" + child, victim.address)])

    servers.add("evil.", speech=speak)


def run_shared(scene: Scene) -> Result:
    names = ["z%d.evil." % number for number in range(20)]
    bound = len(names) * limit("LIMIT_TRIES_PER_ADDRESS")
    return judge(scene, names, bound, [scene.servers.zones[0].address], True)


# Name servers that are aliases, to names in the victim's zone.


def prepare_aka(servers: Servers) -> None:
    servers.add("victim.", speech=deny)

    def speak(asked: Asked) -> None:
        target = asked.q.raw[:1 + asked.q.raw[0]] + wire.name("victim.")
        asked.send(wire.response(asked.q, [wire.cname(asked.q.raw, target)]))

    servers.add("aka.", speech=speak)
    servers.add("evil.", speech=delegating(many("aka.")))


def run_aka(scene: Scene) -> Result:
    return judge(scene, ["www.sub.evil."], limit("LIMIT_CUT_LOOKUPS"), [scene.servers.zones[0].address], True)


ATTACKS = [
    Attack("nxns", "a referral to 100 name servers below the victim's zone, without addresses",
           "Afek et al. 2020 (NXNSAttack); CVE-2020-8616, CVE-2020-12662, CVE-2020-12667", "five look-ups of servers' addresses for one zone",
           "the addresses of all servers of a zone may be looked up", prepare_nxns, run_nxns, Berthd,
           lambda: Berthd("unsparing"), peers=PEERS),
    Attack("nrdelegation", "100 name servers, each delegated on to the victim's address, which refuses",
           "Afek et al. 2023 (NRDelegationAttack); CVE-2022-3204", "five look-ups of addresses for one zone, 20 questions for them",
           "the addresses of all servers of a zone may be looked up", prepare_nrdelegation, run_nrdelegation, Berthd,
           lambda: Berthd("unsparing"), peers=PEERS),
    Attack("tsuname", "two zones whose servers are each in the other; many clients ask",
           "Moura et al. 2021 (TsuNAME)", "a look-up never waits for itself; a delegation that fails is asked for again after 10 s",
           "a parent is asked again whenever the servers fail", prepare_tsuname, run_tsuname, Berthd,
           lambda: Berthd("restless"), peers=PEERS),
    Attack("deep", "referrals without end, each a label deeper", "CVE-2014-8500 (BIND), CVE-2014-8602 (Unbound)",
           "a budget of referrals", "no budget but the deadline", prepare_deep, run_deep, Berthd,
           lambda: Berthd("spendthrift"), peers=PEERS),
    Attack("maze", "servers whose addresses are with servers whose addresses are with ...",
           "Maury 2015 (iDNS); CVE-2014-8500, CVE-2014-8601", "a budget of look-ups of addresses, and of their depth",
           "no budget but the deadline", prepare_maze, run_maze, Berthd, lambda: Berthd("spendthrift"), peers=PEERS),
    Attack("wide", "32 name servers whose addresses are all the victim's, which refuses",
           "Afek et al. 2020 (NXNSAttack), with glue", "six refusals of a zone's servers stand for all", "a zone's servers are asked without end",
           prepare_wide, run_wide, Berthd, lambda: Berthd("tireless"), peers=PEERS),
    Attack("shared-glue", "20 zones with the address of a stranger, who is silent",
           "RFC 5358 (resolvers as reflectors); RFC 9520", "three tries at one address; one where it was always silent",
           "a zone's servers are asked without end", prepare_shared, run_shared, Berthd, lambda: Berthd("tireless"), peers=PEERS),
    Attack("aka", "100 name servers that are aliases of names in the victim's zone",
           "RFC 2181 section 10.3; Afek et al. 2020 (NXNSAttack)", "five look-ups of servers' addresses for one zone",
           "the addresses of all servers of a zone may be looked up", prepare_aka, run_aka, Berthd,
           lambda: Berthd("unsparing"), peers=PEERS),
]
