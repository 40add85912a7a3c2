"""A signed zone in memory, as its server tells it (RFC 4035 3.1), and the ways a test may alter it without its keys."""

from __future__ import annotations

import bisect
from typing import Any, Callable, Iterator

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

from net import Heard

NONE, RRSIG = dns.rdatatype.NONE, dns.rdatatype.RRSIG
Key = tuple[dns.name.Name, int, int]  # owner, type, type covered
Change = Callable[[dns.rdata.Rdata], dns.rdata.Rdata]


def name_of(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


class SignedZone:
    """Signed with NSEC, with delegations one label below the apex, and nothing else at such names: the root."""

    def __init__(self, sets: dict[Key, dns.rdataset.Rdataset], apex: dns.name.Name = dns.name.root):
        self.sets, self.apex = sets, apex
        self.chain = sorted(owner for owner, rdtype, _ in sets if rdtype == dns.rdatatype.NSEC)
        self.denier: dict[dns.name.Name, dns.name.Name] = {}  # whose NSEC is shown for a name, where it is a lie
        self.hidden: set[dns.name.Name] = set()  # names that are denied though they are there

    @classmethod
    def read(cls, path: str) -> "SignedZone":
        zone = dns.zone.from_file(path, ".", relativize=False, check_origin=False)
        return cls({(name, one.rdtype, one.covers): one for name, node in zone.items() for one in node})

    def copy(self) -> "SignedZone":
        """Sets are shared; each alteration makes new ones."""
        return SignedZone(dict(self.sets), self.apex)

    # What a test does to it.

    def change(self, owner: str, rrtype: str, change: Change) -> None:
        """Every record of the set becomes another."""
        self._rewrite((name_of(owner), dns.rdatatype.from_text(rrtype), NONE), change)

    def change_signature(self, owner: str, rrtype: str, **fields: Any) -> None:
        key = (name_of(owner), RRSIG, dns.rdatatype.from_text(rrtype))
        self._rewrite(key, lambda rdata: rdata.replace(**fields))

    def _rewrite(self, key: Key, change: Change) -> None:
        old = self.sets[key]
        new = dns.rdataset.Rdataset(old.rdclass, old.rdtype, old.covers, old.ttl)
        for rdata in old:
            new.add(change(rdata), old.ttl)
        self.sets[key] = new

    def keep(self, owner: str, rrtype: str, wanted: Callable[[dns.rdata.Rdata], bool]) -> None:
        """The other records of the set are gone."""
        key = (name_of(owner), dns.rdatatype.from_text(rrtype), NONE)
        old = self.sets[key]
        self.sets[key] = dns.rdataset.from_rdata_list(old.ttl, [rdata for rdata in old if wanted(rdata)])

    def drop(self, owner: str, rrtype: str, signatures: bool = False) -> None:
        """The set, or only its signatures."""
        rdtype = dns.rdatatype.from_text(rrtype)
        del self.sets[(name_of(owner), RRSIG, rdtype) if signatures else (name_of(owner), rdtype, NONE)]

    def drop_all(self, rrtype: str) -> None:
        rdtype = dns.rdatatype.from_text(rrtype)
        self.sets = {key: one for key, one in self.sets.items() if key[1] != rdtype}

    # What its server says.

    def speech(self, heard: Heard) -> dns.message.Message:
        reply = heard.bare()
        name, rdtype = name_of(heard.name), dns.rdatatype.from_text(heard.rrtype)
        cut = self._cut(name)
        if cut is not None and (name != cut or rdtype != dns.rdatatype.DS):
            self._refer(reply, cut)
        elif name not in self.hidden and (name == self.apex or cut is not None):
            self._answer(reply, name, rdtype)
        else:
            self._deny_name(reply, name)
        return reply

    def _cut(self, name: dns.name.Name) -> dns.name.Name | None:
        if name == self.apex:
            return None
        top = dns.name.Name(name.labels[-2:])
        return top if (top, dns.rdatatype.NS, NONE) in self.sets and top not in self.hidden else None

    def _put(self, section: list[dns.rrset.RRset], name: dns.name.Name, rdtype: int) -> bool:
        """The set and its signatures, as far as there are any."""
        found = [self.sets[key] for key in ((name, rdtype, NONE), (name, RRSIG, rdtype)) if key in self.sets]
        section += [dns.rrset.from_rdata_list(name, one.ttl, list(one)) for one in found]
        return bool(found)

    def _refer(self, reply: dns.message.Message, cut: dns.name.Name) -> None:
        reply.flags &= ~dns.flags.AA
        servers = self.sets[cut, dns.rdatatype.NS, NONE]
        reply.authority.append(dns.rrset.from_rdata_list(cut, servers.ttl, list(servers)))
        self._put(reply.authority, cut, dns.rdatatype.DS) or self._put(reply.authority, self._denier_of(cut), dns.rdatatype.NSEC)
        for server in servers:
            for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                self._put(reply.additional, server.target, rdtype)

    def _answer(self, reply: dns.message.Message, name: dns.name.Name, rdtype: int) -> None:
        if (name, rdtype, NONE) in self.sets:
            self._put(reply.answer, name, rdtype)
        else:
            self._deny(reply, [self._denier_of(name)])

    def _deny_name(self, reply: dns.message.Message, name: dns.name.Name) -> None:
        reply.set_rcode(3)
        self._deny(reply, list(dict.fromkeys([self._denier_of(name), self.apex])))

    def _denier_of(self, name: dns.name.Name) -> dns.name.Name:
        return self.denier.get(name, self.chain[bisect.bisect_right(self.chain, name) - 1])

    def _deny(self, reply: dns.message.Message, owners: list[dns.name.Name]) -> None:
        self._put(reply.authority, self.apex, dns.rdatatype.SOA)
        for owner in owners:
            self._put(reply.authority, owner, dns.rdatatype.NSEC)


# Changes of a record.


def with_last_byte_changed(rdata: dns.rdata.Rdata) -> dns.rdata.Rdata:
    wire = rdata.to_wire()
    wire = wire[:-1] + bytes([wire[-1] ^ 1])
    return dns.rdata.from_wire(rdata.rdclass, rdata.rdtype, wire, 0, len(wire))


def with_type(rrtype: str, there: bool) -> Change:
    """An NSEC that says that the type is there, or is not."""
    def change(rdata: dns.rdata.Rdata) -> dns.rdata.Rdata:
        next_name, *types = rdata.to_text().split()
        types = [one for one in types if one != rrtype] + [rrtype] * there
        return dns.rdata.from_text(rdata.rdclass, rdata.rdtype, " ".join([next_name, *types]))

    return change


def delegations(zone: SignedZone) -> Iterator[tuple[str, bool]]:
    """(name, has it a DS?)"""
    for owner, rdtype, _ in zone.sets:
        if rdtype == dns.rdatatype.NS and owner != zone.apex:
            yield owner.to_text(), (owner, dns.rdatatype.DS, NONE) in zone.sets
