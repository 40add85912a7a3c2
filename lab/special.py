"""Decides what lies under lab., the zones with something special about each: aliases, faults, sizes, shapes.

Adding one is adding a function and a line in SPECIAL; the text there is what `lab describe` prints.
"""

import addresses
from zones import dotted

GOOD = addresses.SPECIAL
# The zones that name servers are named in, or that are hosted by name, share these.
HOSTING = GOOD[4:6]
BIG_ADDRESSES = ["198.18.200.%d" % n for n in range(1, 101)]
BIG_STRINGS = 32


def add(world, catalogue):
    """Adds the zones of a catalogue to the world, whose TLD lab. exists already."""
    for name, (fill, text) in catalogue.items():
        fill(world, name)
        world.special[name] = text


def _hosts(zone, servers):
    return {"ns%d.%s" % (n, zone): server for n, server in enumerate(servers, 1)}


def _zone(world, name, servers, broken=False, level="special"):
    """A zone with an A record at its apex and name servers inside itself."""
    zone = world.add_zone(name, level, _hosts(name, servers), broken)
    for host, server in zone.hosts.items():
        zone.add_addresses(host, server)
    zone.add(name, "A", "198.18.100.1")
    zone.add("www." + name, "A", "198.18.100.2")
    return zone


def _zone_hosted_in(world, name, host_zone, broken=False):
    """A zone whose name servers all have names in another zone."""
    zone = world.add_zone(name, "special", _hosts(host_zone, HOSTING), broken)
    for host, server in _hosts(name, HOSTING).items():
        zone.add_addresses(host, server)
    zone.add(name, "A", "198.18.100.1")
    zone.add("www." + name, "A", "198.18.100.2")


def _alias(world, name):
    zone = _zone(world, name, GOOD[0:2])
    for n in range(1, 8):
        zone.add("c%d.%s" % (n, name), "CNAME", dotted("c%d.%s" % (n + 1, name)))
    zone.add("c8." + name, "CNAME", dotted("end." + name))
    zone.add("end." + name, "A", "198.18.100.8")
    target = next(listed for listed in world.names if listed not in world.aliases)
    zone.add("x." + name, "CNAME", dotted(target))
    zone.add("loop1." + name, "CNAME", dotted("loop2." + name))
    zone.add("loop2." + name, "CNAME", dotted("loop1." + name))
    zone.add("dangling." + name, "CNAME", dotted("not-there." + name))


def _dead(world, name):
    _zone(world, name, GOOD[1:4] + addresses.DEAF[:1])


def _closed(world, name):
    _zone(world, name, [addresses.CLOSED, GOOD[2]])


def _alldead(world, name):
    _zone(world, name, addresses.DEAF, broken=True, level=None)


def _lame(world, name):
    _zone(world, name, addresses.LAME + GOOD[3:4])


def _alllame(world, name):
    _zone(world, name, addresses.LAME, broken=True, level=None)


def _glued(world, name):
    _zone(world, name, HOSTING)


def _offsite(world, name):
    _zone_hosted_in(world, name, "glued.lab")


def _glueless(world, name):
    _zone_hosted_in(world, name, "offsite.lab")


def _cycle1(world, name):
    _zone_hosted_in(world, name, "cycle2.lab", broken=True)


def _cycle2(world, name):
    _zone_hosted_in(world, name, "cycle1.lab", broken=True)


def _big(world, name):
    zone = _zone(world, name, GOOD[5:7])
    zone.add("txt." + name, "TXT", " ".join('"%s"' % (("%02d-" % n) * 85) for n in range(BIG_STRINGS)))
    for address in BIG_ADDRESSES:
        zone.add("many." + name, "A", address)


def _v6only(world, name):
    _zone(world, name, addresses.V6ONLY)


def _wild(world, name):
    zone = _zone(world, name, GOOD[6:8])
    zone.add("*." + name, "A", "198.18.100.42")
    zone.add("a.ent." + name, "A", "198.18.100.43")


def _deep(world, name):
    zone = _zone(world, name, GOOD[0:2])
    labels = ["l%d" % n for n in range(12, 2, -1)]
    zone.add(".".join(labels + [name]), "A", "198.18.100.12")
    # On the NSD of the domains: the server of deep.lab must refer, not answer.
    _zone(world, "sub." + name, [addresses.DEEP], level="domains")


def _nodata(world, name):
    zone = _zone(world, name, GOOD[2:4])
    zone.add("a-only." + name, "A", "198.18.100.4")


def _bogus(world, name):
    _zone(world, name, GOOD[3:5], broken=True)


def _plain(world, name):
    _zone(world, name, GOOD[3:5])


def _unsigned(world, name):
    _nodata(world, name)
    zone = world.zones[name]
    zone.add("back." + name, "CNAME", dotted("www.wild.lab"))
    zone.add("bad." + name, "CNAME", dotted("www.bogus.lab"))


def _cross(world, name):
    """Aliases from a signed zone to all kinds of others; `twice` goes out of what is signed and in again."""
    zone = _zone(world, name, GOOD[2:4])
    for label, target in (
            ("signed", "www.nsec3.lab"), ("unsigned", "www.unsigned.lab"), ("twice", "back.unsigned.lab"),
            ("bogus", "www.bogus.lab"), ("expired", "www.expired.lab"), ("dear", "www.dear.lab"), ("unknown", "www.unknown.lab"),
            ("wild", "any.wild.lab"), ("wild3", "any.nsec3.lab"), ("ent", "ent.nsec3.lab"), ("missing", "missing.salted.lab"),
            ("missing-unsigned", "missing.unsigned.lab"), ("dname", "www.d3.dname.lab"), ("*.star", "www.unsigned.lab")):
        zone.add("%s.%s" % (label, name), "CNAME", dotted(target))


def _dname(world, name):
    zone = _zone(world, name, GOOD[4:6])
    for label, target in (("d", "wild.lab"), ("d3", "nsec3.lab"), ("du", "unsigned.lab"), ("db", "bogus.lab")):
        zone.add("%s.%s" % (label, name), "DNAME", dotted(target))


# {zone: (how to fill it, what it is)}
SPECIAL = {
    "alias.lab": (_alias, "chain c1 to c8, x into another zone, loop1 and loop2, dangling"),
    "dead.lab": (_dead, "four servers, one of them deaf"),
    "closed.lab": (_closed, "two servers, one of them a closed port"),
    "alldead.lab": (_alldead, "every server deaf: SERVFAIL"),
    "lame.lab": (_lame, "three servers: two do not have the zone and refuse, one answers"),
    "alllame.lab": (_alllame, "every server refuses: SERVFAIL"),
    "glued.lab": (_glued, "holds the name servers of offsite.lab"),
    "offsite.lab": (_offsite, "no glue: its servers are in glued.lab"),
    "glueless.lab": (_glueless, "no glue: its servers are in offsite.lab"),
    "cycle1.lab": (_cycle1, "its only servers are in cycle2.lab: SERVFAIL"),
    "cycle2.lab": (_cycle2, "its only servers are in cycle1.lab: SERVFAIL"),
    "big.lab": (_big, "txt is 8 KiB, many has 100 addresses: TCP only"),
    "v6only.lab": (_v6only, "its servers have only IPv6 addresses"),
    "wild.lab": (_wild, "*.wild.lab, and ent.wild.lab is an empty non-terminal"),
    "deep.lab": (_deep, "sub.deep.lab is a zone on another server; l12.l11. ... .l3.deep.lab has 12 labels"),
    "nodata.lab": (_nodata, "a-only.nodata.lab has an A record only"),
}
# Only in a signed lab, where the others are simply signed with NSEC.
SPECIAL_SIGNED = {
    "nsec3.lab": (_wild, "as wild.lab, signed with NSEC3"),
    "optout.lab": (_wild, "as wild.lab, signed with NSEC3 and opt-out"),
    "salted.lab": (_wild, "as wild.lab, signed with NSEC3, a salt and ten iterations"),
    "dear.lab": (_wild, "as wild.lab, with so many iterations of NSEC3 that it counts as unsigned"),
    "unsigned.lab": (_unsigned, "not signed, and lab. proves it; back is an alias into a signed zone"),
    "unknown.lab": (_plain, "its DS is of an algorithm that nobody knows: it counts as unsigned"),
    "bogus.lab": (_bogus, "its DS belongs to no key: SERVFAIL"),
    "expired.lab": (_bogus, "its signatures ended in 2020: SERVFAIL"),
    "early.lab": (_bogus, "its signatures begin in 2036: SERVFAIL"),
    "keyless.lab": (_bogus, "its keys are missing: SERVFAIL"),
    "stripped.lab": (_bogus, "it has a DS but is not signed: SERVFAIL"),
    "cross.lab": (_cross, "aliases into zones that are signed, not signed and bogus"),
    "dname.lab": (_dname, "d, d3, du and db stand for wild, nsec3, unsigned and bogus.lab"),
}
SIGNING = {"nsec3.lab": "nsec3", "optout.lab": "optout", "salted.lab": "salted", "dear.lab": "dear", "unsigned.lab": None,
           "unknown.lab": "unknown", "bogus.lab": "bogus", "expired.lab": "expired", "early.lab": "early",
           "keyless.lab": "keyless", "stripped.lab": "stripped"}

# What to ask beyond the A and AAAA of every name in those zones.
QUESTIONS = [
    ("txt.big.lab", "TXT"),
    ("l5.l4.l3.deep.lab", "A"),
    ("missing.sub.deep.lab", "A"),
    ("nodata.lab", "MX"),
]
# In a signed lab these too.
QUESTIONS_SIGNED = [("%s.%s.dname.lab" % (label, cut), "A") for cut in ("d", "d3", "du", "db")
                    for label in ("www", "ent", "a.ent", "missing")] + [("any.star.cross.lab", "A"), ("d.dname.lab", "DNAME")]
