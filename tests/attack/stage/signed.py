"""Decides how zones that attack validation are signed: one P-256 key that is made of a number, and around it what the
attack wants of keys with the same tag, of signatures that are none, and of NSEC3.

    zone = SignedZone("trap.")
    zone.keys += colliding(TAG, 600)
    zone.dnskeys()                          the rrset of keys with its signature, records as in wire.py
    zone.sign([record, ...])                a good signature
    false_sig(TAG, zone.owner, 2, A)        a bad one, of a name with two labels

Keys are the same in every run, so that resolvers can be told of them before the zones are there.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import struct
from typing import Any, Iterator

from . import wire

DS, RRSIG, DNSKEY, NSEC3 = 43, 46, 48, 50
ZONE, REVOKED, P256, SHA256 = 0x0100, 0x0080, 13, 2
BEGINS, EXPIRES = 1577836800, 2114380800  # 2020 to 2037
TTL = 300
NUMBER = 0x6265727468 << 128  # the private key of every zone; the next numbers are those of the crowd
AT_QUESTION = b"\xc0\x0c"


def tag_of(rdata: bytes) -> int:
    """RFC 4034 appendix B: a sum of words, so that the flags, of which most bits mean nothing, can make it anything."""
    total = sum(struct.unpack("!%dH" % (len(rdata) // 2), rdata))
    return total + (total >> 16) & 0xffff


def private_key(number: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.derive_private_key(NUMBER + number, ec.SECP256R1())


def public_bytes(number: int) -> bytes:
    numbers = private_key(number).public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def dnskey(public: bytes, flags: int = ZONE) -> bytes:
    return struct.pack("!HBB", flags, 3, P256) + public


def flags_for(tag: int, public: bytes) -> int | None:
    """Flags that give a key that tag; None where they would not be a zone's, or a revoked key's."""
    rest = sum(struct.unpack("!33H", dnskey(public, 0)[2:]))
    flags = (tag - rest) % 0xffff
    fits = tag_of(dnskey(public, flags)) == tag and flags & ZONE and not flags & REVOKED
    return flags if fits else None


def _crowd(tag: int) -> Iterator[bytes]:
    number = 1
    while True:
        public = public_bytes(number)
        flags = flags_for(tag, public)
        if flags is not None:
            yield dnskey(public, flags)
        number += 1


@functools.cache
def colliding(tag: int, count: int) -> tuple[bytes, ...]:
    """Keys of one tag, each a point of the curve: what is none is thrown away before it costs anything."""
    crowd = _crowd(tag)
    return tuple(next(crowd) for _ in range(count))


def ds_record(owner: bytes, key: bytes) -> wire.Record:
    digest = hashlib.sha256(owner + key).digest()
    return owner, DS, TTL, struct.pack("!HBB", tag_of(key), P256, SHA256) + digest


def _labels(owner: bytes) -> int:
    return wire.text(owner).count(".") if owner != b"\0" else 0


def sig_head(covered: int, labels: int, tag: int, signer: bytes) -> bytes:
    """A signature's rdata but for the signature."""
    return struct.pack("!HBBIIIH", covered, P256, labels, TTL, EXPIRES, BEGINS, tag) + signer


def false_sig(tag: int, signer: bytes, labels: int, covered: int) -> wire.Record:
    """A signature of what is asked for, by one of those keys: it takes each of them to find out that it is none."""
    return AT_QUESTION, RRSIG, TTL, sig_head(covered, labels, tag, signer) + b"\1" + os.urandom(31) + b"\1" + os.urandom(31)


class SignedZone:
    def __init__(self, owner: str):
        self.owner = wire.name(owner)
        self.own_key = dnskey(public_bytes(0))
        self.keys = [self.own_key]

    def ds_text(self) -> str:
        """What a resolver is told of the zone."""
        rdata = ds_record(self.owner, self.own_key)[3]
        return "%s 3600 IN DS %d %d %d %s" % (wire.text(self.owner), *struct.unpack("!HBB", rdata[:4]), rdata[4:].hex())

    def sign(self, records: list[wire.Record]) -> wire.Record:
        """RFC 4034 3.1.8.1. The records are one rrset, in lower case."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        owner, covered = records[0][0], records[0][1]
        head = sig_head(covered, _labels(owner), tag_of(self.own_key), self.owner)
        data = head + b"".join(wire.record((owner, covered, TTL, rdata)) for rdata in sorted(one[3] for one in records))
        r, s = utils.decode_dss_signature(_own_private().sign(data, ec.ECDSA(hashes.SHA256())))
        return owner, RRSIG, TTL, head + r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def signed(self, records: list[wire.Record]) -> list[wire.Record]:
        return [*records, self.sign(records)]

    @functools.cached_property
    def _dnskeys(self) -> list[wire.Record]:
        return self.signed([(self.owner, DNSKEY, TTL, key) for key in self.keys])

    def dnskeys(self) -> list[wire.Record]:
        return self._dnskeys


@functools.cache
def _own_private() -> Any:
    return private_key(0)


# RFC 5155.

TO_BASE32HEX = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghijklmnopqrstuv")


class Nsec3:
    """The NSEC3 of a zone: a record at a name, or one that covers it and nothing else."""

    def __init__(self, zone: SignedZone, iterations: int, salt: bytes):
        self.zone, self.iterations, self.salt = zone, iterations, salt

    def hash(self, owner: bytes) -> int:
        digest = owner
        for _ in range(self.iterations + 1):
            digest = hashlib.sha1(digest + self.salt).digest()
        return int.from_bytes(digest, "big")

    def _record(self, at: int, following: int, types: bytes) -> wire.Record:
        label = base64.b32encode(at.to_bytes(20, "big")).translate(TO_BASE32HEX)
        rdata = struct.pack("!BBHB", 1, 0, self.iterations, len(self.salt)) + self.salt + b"\x14" + following.to_bytes(20, "big")
        return bytes([len(label)]) + label + self.zone.owner, NSEC3, TTL, rdata + types

    def at(self, owner: bytes) -> list[wire.Record]:
        """Signed; the types are those of an apex: NS, SOA, RRSIG, DNSKEY."""
        number = self.hash(owner)
        return self.zone.signed([self._record(number, number + 1, b"\0\7\x22\0\0\0\0\2\x80")])

    def covering(self, owner: bytes) -> list[wire.Record]:
        number = self.hash(owner)
        return self.zone.signed([self._record(number - 1, number + 1, b"")])


def to_question(records: list[wire.Record], owner: bytes) -> bytes:
    """Records as bytes; those of the name that is asked for point at the question."""
    return b"".join(wire.record((AT_QUESTION if one[0] == owner else one[0], *one[1:])) for one in records)
