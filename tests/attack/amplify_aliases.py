"""Decides the amplification by aliases: one question, and each answer names the next.

The attacker's zones `one.` and `two.` hold chains of aliases that go from the one to the other at every step, so that no server can
answer more than a step at once. With many labels each target costs a resolver that minimises names a question per
label, if it lets the attacker choose (Unchained, CAMP). Counted are all packets for one client question.
"""

from __future__ import annotations

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.bill import judge, limit
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import Asked, Servers

LABELS = 8  # of a link's name, its zone not counted
PEERS = [Unbound, Kresd]
LINKS = 2  # the root's referrals to both zones
OTHER = {"one": "two", "two": "one"}


def both(servers: Servers, speech: object) -> None:
    servers.add("one.", speech=speech)
    servers.add("two.", speech=speech)


def parts(asked: Asked) -> list[str]:
    return asked.q.text.split(".")[:-1]


def nothing(asked: Asked) -> None:
    asked.send(wire.response(asked.q, authority=[wire.soa(asked.zone.owner)]))


def allowed() -> int:
    """The first name label by label; the first few targets in some steps; all whole."""
    hidden = limit("LIMIT_MINIMISE_ALIASES") * limit("LIMIT_MINIMISE_ALIAS_STEPS")
    return LINKS + limit("LIMIT_MINIMISE_STEPS") + hidden + limit("LIMIT_ALIASES")


# Aliases of many labels.


def link(number: int, zone: str) -> str:
    return ".".join("l%dx%d" % (number, label) for label in range(LABELS)) + "." + zone + "."


def prepare_chain(servers: Servers) -> None:
    def speak(asked: Asked) -> None:
        labels = parts(asked)
        if len(labels) <= LABELS:
            nothing(asked)  # a name on the way
            return
        number = int(labels[0].split("x")[0][1:]) + 1
        asked.send(wire.response(asked.q, [wire.cname(asked.q.raw, wire.name(link(number, OTHER[labels[-1]])))]))

    both(servers, speak)


def run_chain(scene: Scene) -> Result:
    return judge(scene, [link(0, "one")], allowed())


# DNAMEs: each renames a whole subtree into the other zone.


def prepare_dname(servers: Servers) -> None:
    def speak(asked: Asked) -> None:
        labels = parts(asked)
        if len(labels) < 3:
            nothing(asked)
            return
        owner = wire.name(".".join(labels[-2:]))
        target = wire.name("d%d.%s" % (int(labels[-2][1:]) + 1, OTHER[labels[-1]]))
        whole = wire.name(".".join(labels[:-2]))[:-1] + target
        asked.send(wire.response(asked.q, [wire.dname(owner, target), wire.cname(asked.q.raw, whole, 0)]))

    both(servers, speak)


def run_dname(scene: Scene) -> Result:
    return judge(scene, ["www.a.b.c.d0.one."], allowed())


# A loop of two that may not be kept.


def prepare_loop(servers: Servers) -> None:
    def speak(asked: Asked) -> None:
        labels = parts(asked)
        if len(labels) < 2:
            nothing(asked)
        else:
            target = wire.name(".".join([*labels[:-1], OTHER[labels[-1]]]))
            asked.send(wire.response(asked.q, [wire.cname(asked.q.raw, target, 0)]))

    both(servers, speak)


def run_loop(scene: Scene) -> Result:
    return judge(scene, ["www.one."], 2 * LINKS + LINKS)


ATTACKS = [
    Attack("alias-chain", "a chain of aliases with eight labels each, between two zones",
           "Duan et al. 2024 (CAMP: compositional amplification); Bushart and Rossow 2018 (DNS Unchained)",
           "a budget of aliases; the targets of the first three alone are hidden, from the root and top-level domains",
           "targets of aliases are minimised as any name; no budget but the deadline", prepare_chain, run_chain, Berthd,
           lambda: Berthd("open-aliases"), peers=PEERS),
    Attack("dname-chain", "a chain of DNAMEs between two zones", "RFC 6672 section 5.2; CVE-2021-25215; Bushart and Rossow 2018",
           "the same budget of aliases", "no budget but the deadline", prepare_dname, run_dname, Berthd,
           lambda: Berthd("spendthrift"), peers=PEERS),
    Attack("alias-loop", "two aliases of each other in two zones, with TTL 0", "RFC 1034 section 3.6.2",
           "a name that came before in the chain ends it", "loops are not seen; no budget but the deadline", prepare_loop,
           run_loop, Berthd, lambda: Berthd("blind"), peers=PEERS),
]
