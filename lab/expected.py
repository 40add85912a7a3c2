"""Decides what a correct resolver must answer in the lab, by looking it up in the plan itself.

The rows are the measure for berthd and for others, so they are found by other means than a resolver's:
there are no servers here, only the zones in memory (RFC 1034 4.3.2 without the network).
"""

import special
from names import is_servable, name_hash
from zones import is_below

COLUMNS = "# name\ttype\trcode\trdata after aliases, sorted, joined with commas; empty when there is none\n"
MAX_ALIASES = 16


def lookup(world, name, rrtype):
    """(rcode, [rdata]): what is left after following the aliases."""
    for _ in range(MAX_ALIASES):
        zone = world.zone_for(name)
        if zone.broken:
            return "SERVFAIL", []
        renamed = _renamed(zone, name)
        if renamed:
            name = renamed
            continue
        rrsets = _node(zone, name)
        if rrsets is None:
            return "NXDOMAIN", []
        if rrtype in rrsets or "CNAME" not in rrsets:
            return "NOERROR", sorted(rrsets.get(rrtype, []))
        name = rrsets["CNAME"][0].rstrip(".")
    return "SERVFAIL", []


def _renamed(zone, name):
    """What a DNAME above the name makes of it (RFC 6672 2.2), or None."""
    above = name.partition(".")[2]
    while above and is_below(above, zone.name):
        target = zone.nodes.get(above, {}).get("DNAME")
        if target:
            return name.removesuffix(above) + target[0].rstrip(".")
        above = above.partition(".")[2]
    return None


def _node(zone, name):
    """The record sets at a name, {} at an empty non-terminal, None where nothing exists."""
    if name in zone.nodes:
        return zone.nodes[name]
    if zone.exists(name):
        return {}
    while not zone.exists(name):
        name = name.partition(".")[2]
    # The wildcard at the closest encloser and no other (RFC 4592 3.3.1).
    return zone.nodes.get("*." + name)


def is_secure(world, name):
    """Is every zone signed that the addresses of a listed name come from?"""
    if not world.zone_for(name).signing:
        return False
    return name not in world.aliases or is_secure(world, world.aliases[name])


def write_secure(world, path):
    """Writes the listed names whose A answers a validating resolver marks as authentic."""
    path.write_text("".join(name + "\n" for name in world.names if is_secure(world, name)), encoding="ascii")


def rows(world):
    """The whole table, (name, type, rcode, [rdata]) each."""
    seen = set()
    for name, rrtype in _questions(world):
        if (name, rrtype) not in seen:
            seen.add((name, rrtype))
            yield (name, rrtype, *lookup(world, name, rrtype))


def write(world, path):
    """Writes expected.tsv and returns the number of rows."""
    count = 0
    with path.open("w", encoding="ascii") as out:
        out.write(COLUMNS)
        for name, rrtype, rcode, rdatas in rows(world):
            out.write("%s\t%s\t%s\t%s\n" % (name, rrtype, rcode, ",".join(rdatas)))
            count += 1
    return count


def _questions(world):
    for name in world.names:
        yield name, "A"
        yield from _more_questions(world, name)
    yield from _questions_of_special_zones(world)


def _more_questions(world, name):
    """Another type for some names, and a name that does not exist for one in twenty."""
    number = name_hash(name, "questions")
    zone = world.zone_for(name)
    if "AAAA" in zone.nodes[name] or number % 10 == 0:
        yield name, "AAAA"
    if number % 16 == 1:
        yield zone.name, "MX"
        yield zone.name, "TXT"
    above = name.partition(".")[2]
    if name != zone.name and above not in zone.nodes:
        # An empty non-terminal.
        yield above, "A"
    missing = _missing_name(name, number)
    if number % 20 == 2 and is_servable(missing):
        yield missing, "A"


def _missing_name(name, number):
    """A missing host, a missing domain or a missing TLD, in turn."""
    label = "missing-%06x" % (number >> 40)
    kind = number // 20 % 8
    if kind == 0:
        return "www." + label
    if kind < 4:
        return label + "." + name.rpartition(".")[2]
    return label + "." + name


def _questions_of_special_zones(world):
    for zone_name in world.special:
        zone = world.zones[zone_name]
        if zone.broken:
            # Two are enough: each may cost a resolver all the patience it has.
            yield zone_name, "A"
            yield "www." + zone_name, "AAAA"
            continue
        for name in [*zone.nodes, *(node for cut in zone.cuts.values() for node in cut.nodes)]:
            if not name.startswith("*"):
                yield name, "A"
                yield name, "AAAA"
        yield "missing." + zone_name, "A"
        if "*." + zone_name in zone.nodes:
            yield from ((name + "." + zone_name, "A") for name in ("any", "two.labels", "ent", "b.ent"))
            yield "any." + zone_name, "AAAA"
    yield from special.QUESTIONS
    if "dname.lab" in world.special:
        yield from special.QUESTIONS_SIGNED
