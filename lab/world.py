"""Decides what is where in the lab: it plans every zone from the lists, in memory, and writes nothing.

The plan, top down: the root, the TLDs, one zone for the last two labels of every listed name, the special
zones (special.py). Each choice is taken from a hash of the name it concerns.
"""

import addresses
import special
from names import LAB, name_hash, zone_of
from zones import Zone, dotted, is_below

ROOT_SERVERS_NET = "root-servers.net"


class World:
    """All zones of a lab."""

    def __init__(self, names):
        self.names = names
        self.zones = {}
        self.special = {}       # {special zone: what is special}
        self.aliases = {}       # {listed name: its target}

    def zone_for(self, name):
        """The deepest zone that holds the name."""
        while name not in self.zones:
            name = name.partition(".")[2]
        return self.zones[name]

    def add_zone(self, name, level, hosts, broken=False):
        """Adds a zone and the delegation to it in the zone above, which must exist already."""
        zone = Zone(name, level, hosts, broken)
        if name:
            self.zone_for(name).delegate(zone)
        self.zones[name] = zone
        return zone


def build(tlds, names, special_zones):
    """The whole plan, with those of the special zones."""
    world = World(names)
    _add_root(world)
    for tld in tlds + [LAB]:
        _add_tld(world, tld)
    if "net" in world.zones:
        _add_root_servers_net(world)
    _add_domains(world)
    _add_listed_names(world)
    special.add(world, special_zones)
    return world


def root_hosts():
    return {"%s.%s" % (letter, ROOT_SERVERS_NET): server for letter, server in addresses.ROOT.items()}


def _add_root(world):
    zone = world.add_zone("", "root", root_hosts())
    for host, server in zone.hosts.items():
        zone.add_addresses(host, server)


def _add_root_servers_net(world):
    zone = world.add_zone(ROOT_SERVERS_NET, "root", root_hosts())
    for host, server in zone.hosts.items():
        zone.add_addresses(host, server)


def _add_tld(world, tld):
    """Two or three servers, a.nic.<tld> and on, out of the eight of the lab."""
    number = name_hash(tld, "servers")
    servers = _pick(addresses.TLD, number, 2 + number % 2)
    hosts = {"%s.nic.%s" % (letter, tld): server for letter, server in zip("abc", servers)}
    zone = world.add_zone(tld, "tld", hosts)
    for host, server in hosts.items():
        zone.add_addresses(host, server)


def _add_domains(world):
    zones = list(dict.fromkeys(zone_of(name) for name in world.names))
    hosting = _choose_hosting(zones)
    for name in zones:
        world.add_zone(name, "domains", _own_hosts(hosting.get(name, name)))
    for name in zones:
        _fill_domain(world, world.zones[name])


def _choose_hosting(zones):
    """{zone: the zone its name servers are named in}, for about one zone in eight.

    The two never share a TLD, so the TLD has no glue to give (sibling glue, RFC 9471). A host is hosted
    elsewhere itself at most once, so there is no loop and the depth is at most 2.
    """
    guests, owners = [], []
    for name in zones:
        hosted = name_hash(name, "hosted") % 8 == 0 and not name.startswith("nic.")
        (guests if hosted else owners).append(name)
    deep = {name for name in guests if name_hash(name, "deep") % 4 == 0}
    middle = [name for name in guests if name not in deep]
    hosting = {}
    for name in guests:
        host = _elsewhere(name, middle if name in deep else owners) or _elsewhere(name, owners)
        if host:
            hosting[name] = host
    return hosting


def _elsewhere(name, candidates):
    """One of the candidates under another TLD, or None after some tries."""
    tld = name.rpartition(".")[2]
    start = name_hash(name, "host")
    for step in range(min(len(candidates), 32)):
        candidate = candidates[(start + step) % len(candidates)]
        if candidate.rpartition(".")[2] != tld:
            return candidate
    return None


def _own_hosts(zone):
    servers = _pick(addresses.DOMAINS, name_hash(zone, "servers"), 2)
    return {"ns%d.%s" % (n, zone): server for n, server in enumerate(servers, 1)}


def _fill_domain(world, zone):
    """What every zone of a domain has, listed or not: apex records, mail, name servers."""
    apex = zone.name
    _add_content(zone, apex)
    zone.add(apex, "MX", "10 " + dotted("mail." + apex))
    zone.add(apex, "TXT", '"v=spf1 mx -all"')
    zone.add("mail." + apex, "A", addresses.content_v4(name_hash("mail." + apex)))
    for host, server in _own_hosts(apex).items():
        zone.add_addresses(host, server)
    parent = world.zone_for(apex.partition(".")[2])
    for host, server in parent.hosts.items():
        if is_below(host, apex):
            zone.add_addresses(host, server)


def furnish(world):
    """What each domain has in a signed lab only, so that there is something to prove: a wildcard below an empty
    non-terminal, and a DNAME to another domain."""
    domains = [zone for zone in world.zones.values() if zone.level == "domains" and not is_below(zone.name, LAB)]
    for at, zone in enumerate(domains):
        zone.add("*.wild." + zone.name, "A", addresses.content_v4(name_hash("wild." + zone.name)))
        zone.add("dname." + zone.name, "DNAME", dotted(domains[(at + 1) % len(domains)].name))


def _add_listed_names(world):
    """About one name in ten becomes an alias, but none that has records already (RFC 1034 3.6.2)."""
    fresh = [name for name in world.names if name not in world.zone_for(name).nodes]
    wanted = {name for name in fresh if _wants_alias(name)}
    plain = [name for name in world.names if name not in wanted]
    for name in fresh:
        zone = world.zone_for(name)
        target = _alias_target(name, plain) if name in wanted else None
        if target:
            zone.add(name, "CNAME", dotted(target))
            world.aliases[name] = target
        else:
            _add_content(zone, name)


def _wants_alias(name):
    return name_hash(name, "alias") % (3 if name.startswith("www.") else 8) == 0


def _alias_target(name, plain):
    """A listed name with addresses, in another zone; None when there is none close by."""
    start = name_hash(name, "target")
    for step in range(min(len(plain), 32)):
        candidate = plain[(start + step) % len(plain)]
        if zone_of(candidate) != zone_of(name):
            return candidate
    return None


def _add_content(zone, name):
    number = name_hash(name)
    zone.add(name, "A", addresses.content_v4(number))
    if number % 3 == 0:
        zone.add(name, "AAAA", addresses.content_v6(number))


def _pick(servers, number, count):
    """`count` different servers, decided by the number."""
    start, stride = number // 8 % len(servers), 1 + 2 * (number // 1024 % (len(servers) // 2))
    return [servers[(start + stride * step) % len(servers)] for step in range(count)]
