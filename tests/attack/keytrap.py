"""Decides the attacks of KeyTrap: keys of one tag, signatures that none of them has made, and how often a resolver tries.

The tag in a signature or DS says which key is meant, in 16 bits; a zone may have hundreds of keys with the same one. The
attacker's zone has as many as a message over TCP holds, and its own key has signed them well. What it is asked for has
signatures with that tag, all bad: a resolver that tries each with each key spends seconds on one question. Or one signature
(LockCram); or many rrsets at once (ANY); or hundreds of DS to compare with as many keys.

In the full form another client asks 50 questions a second that are cached and 50 that are not, first alone, then beside 50 hostile
ones. How long it waits is written down; it is no part of the verdict, for it hangs on the machine as well.
"""

from __future__ import annotations

import functools
import itertools
import os

from stage import signed, wire
from stage.attack import Attack, Result, Scene
from stage.cost import ALLOWED_MS, CALM, WANTED_CHECKS, Names, judge, say, validating
from stage.signed import AT_QUESTION, DNSKEY, DS, P256, SHA256, SignedZone, to_question
from stage.zones import Asked, Servers

TAG, KEYS, SIGS, DIGESTS, RRSETS = 0x7472, 700, 550, 1000, 30
GOOD = 4  # checks that are not in vain: what leads to the zone
TRAP, PARENT = "trap.", "hash."
TYPES = [wire.A, wire.TXT, wire.AAAA, *range(65280, 65280 + RRSETS)]


@functools.cache
def trap() -> SignedZone:
    zone = SignedZone(TRAP)
    zone.keys += signed.colliding(TAG, KEYS)
    return zone


@functools.cache
def parent() -> SignedZone:
    return SignedZone(PARENT)


def sigs(count: int, covered: int) -> bytes:
    return b"".join(wire.record(signed.false_sig(TAG, trap().owner, 2, covered)) for _ in range(count))


def rrset(rrtype: int, count: int) -> tuple[bytes, int]:
    """One record and its signatures."""
    rdata = b"\0\0\0\0" * (4 if rrtype == wire.AAAA else 1) if rrtype != wire.TXT else b"\1x"
    return wire.record((AT_QUESTION, rrtype, 300, rdata)) + sigs(count, rrtype), 1 + count


def with_keys(zone: SignedZone, asked: Asked) -> bool:
    """Answers for the apex, and for names that are only on the way."""
    if asked.q.name == zone.owner and asked.q.qtype == DNSKEY:
        say(asked, to_question(zone.dnskeys(), zone.owner), len(zone.keys) + 1)
    elif asked.q.name in (zone.owner, asked.zone.server_name):
        asked.send(asked.truth())
    else:
        return False
    return True


def trapped(servers: Servers, answers: dict[int, tuple[bytes, int]]) -> None:
    """The zone, where each name has these answers by type; others are to be had nowhere."""

    def speak(asked: Asked) -> None:
        if with_keys(trap(), asked):
            return
        answer, count = answers.get(asked.q.qtype, (b"", 0))
        authority = b"" if answer else wire.record(wire.soa(trap().owner))
        say(asked, answer, count, authority, bool(authority))

    servers.add(TRAP, speech=speak)
    servers.add(CALM)


def names(zone: str, qtype: int = wire.A, prefix: str = "") -> Names:
    return (("%sr%d.%s" % (prefix, number, zone), qtype) for number in itertools.count())


# Many keys, many signatures; many keys, one signature; many keys, rrsets and signatures.


def prepare_sigs(servers: Servers) -> None:
    trapped(servers, {wire.A: rrset(wire.A, SIGS)})


def prepare_lock(servers: Servers) -> None:
    trapped(servers, {wire.A: rrset(wire.A, 1)})


def prepare_any(servers: Servers) -> None:
    sets = [rrset(rrtype, SIGS // len(TYPES)) for rrtype in TYPES]
    trapped(servers, {wire.ANY: (b"".join(one for one, _ in sets), sum(count for _, count in sets))})


def run_trap(scene: Scene) -> Result:
    return judge(scene, {"": names(TRAP)}, WANTED_CHECKS + GOOD)


def run_any(scene: Scene) -> Result:
    return judge(scene, {"": names(TRAP, wire.ANY)}, WANTED_CHECKS + GOOD)


# Many DS, many keys: each question is for a new child of a zone that is well signed.


def prepare_hash(servers: Servers) -> None:
    digests = sorted(TAG.to_bytes(2, "big") + bytes([P256, SHA256]) + os.urandom(32) for _ in range(DIGESTS))
    keys = b"".join(wire.record((AT_QUESTION, DNSKEY, 300, key)) for key in signed.colliding(TAG, KEYS))

    def leaf(asked: Asked) -> None:
        child = asked.q.name if asked.q.qtype == DNSKEY else asked.q.name[1 + asked.q.name[0]:]
        labels = 2 if asked.q.qtype == DNSKEY else 3
        false = wire.record(signed.false_sig(TAG, child, labels, asked.q.qtype))
        if asked.q.qtype == DNSKEY:
            say(asked, keys + false, KEYS + 1)
        elif asked.q.qtype == wire.A:
            say(asked, wire.record(wire.a(AT_QUESTION, "198.19.7.7")) + false, 2)
        else:
            asked.send(wire.response(asked.q, authority=[wire.soa(child)]))

    leaves = servers.add("leaf.", speech=leaf)

    def speak(asked: Asked) -> None:
        if with_keys(parent(), asked):
            return
        labels = asked.q.text.split(".")[:-1]
        child = wire.name(".".join(labels[-2:]))
        pointer = (0xc000 + 12 + len(asked.q.raw) - len(child)).to_bytes(2, "big")
        records = parent().signed([(child, DS, 300, digest) for digest in digests])
        block = b"".join(wire.record((pointer, *one[1:])) for one in records)
        if asked.q.qtype == DS and len(labels) == 2:
            say(asked, block, len(records))
        else:
            server = b"\2ns" + child
            say(asked, authority=wire.record(wire.ns(pointer, server)) + block, authorities=1 + len(records),
                additional=[wire.a(server, leaves.address)], flags=0)

    servers.add(PARENT, speech=speak)
    servers.add(CALM)


def run_hash(scene: Scene) -> Result:
    return judge(scene, {"": (("www." + name, qtype) for name, qtype in names(PARENT))}, WANTED_CHECKS + GOOD)


BERTHD, PEERS = validating(lambda: [trap().ds_text()])
HASH_BERTHD, HASH_PEERS = validating(lambda: [parent().ds_text()])
WEAKNESS = "128 keys of a tag are tried, 512 of a zone are looked at, nobody else has his turn; no budget but the deadline"
FALSE_ALARM = "a machine several times slower than the author's would spend the %.0f ms that are allowed; the number of checks is " \
              "not left to chance" % ALLOWED_MS


ATTACKS = [
    Attack("keysigtrap", "%d keys of one tag, and %d signatures that none of them made" % (KEYS, SIGS),
           "Heftrig et al. 2024 (KeyTrap: KeySigTrap, SigJam); CVE-2023-50387",
           "8 signatures of an rrset, 4 keys of a tag, 16 checks in vain for a question; others have their turn after 4",
           WEAKNESS, prepare_sigs, run_trap, BERTHD, lambda: BERTHD("trusting"), peers=PEERS, false_alarm=FALSE_ALARM),
    Attack("lockcram", "%d keys of one tag for one signature" % KEYS, "Heftrig et al. 2024 (KeyTrap: LockCram); CVE-2023-50387",
           "4 keys of a tag for a signature", WEAKNESS, prepare_lock, run_trap, BERTHD, lambda: BERTHD("trusting"), peers=PEERS,
           false_alarm=FALSE_ALARM),
    Attack("anytrap", "the same for ANY: %d rrsets, each with its signatures" % len(TYPES),
           "Heftrig et al. 2024 (KeyTrap: ANY); CVE-2023-50387", "16 rrsets of an answer to ANY; the same budget for all of them", WEAKNESS,
           prepare_any, run_any, BERTHD, lambda: BERTHD("trusting"), peers=PEERS, false_alarm=FALSE_ALARM),
    Attack("hashtrap", "%d DS records to be compared with %d keys" % (DIGESTS, KEYS),
           "Heftrig et al. 2024 (KeyTrap: HashTrap); CVE-2023-50387", "16 DS and 64 keys of a zone are looked at", WEAKNESS + "; 256 DS",
           prepare_hash, run_hash, HASH_BERTHD, lambda: HASH_BERTHD("trusting"), peers=HASH_PEERS, false_alarm=FALSE_ALARM),
]
