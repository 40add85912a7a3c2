"""Decides what a zone is: its records, its delegations, and how both are written for NSD.

Names are kept in lower case and without the final dot; "" is the root.
"""

TTL_APEX = 3600
TTL_ADDRESS = 300
TTL_DELEGATION = 172800


def is_below(name, zone):
    """Is the name the zone's apex or something under it?"""
    return zone == "" or name == zone or name.endswith("." + zone)


def dotted(name):
    """The name as a zone file wants it."""
    return name + "."


class Zone:
    """One zone. `world` and `special` add records and delegations."""

    def __init__(self, name, level, hosts, broken=False):
        self.name = name
        self.level = level      # the NSD process that has it; None: no server has it
        self.hosts = hosts      # its name servers, {host name: Server}
        self.broken = broken    # made to fail: a resolver can only say SERVFAIL
        self.nodes = {}         # {name: {type: [rdata]}}
        self.cuts = {}          # delegations, {child: Zone}
        self.signing = None     # how it is signed, a key of signing.DENIAL; signing.py sets these three
        self.key = None         # the base name of its key's files
        self.ds = []            # the rdata of its DS records, which its parent holds
        self._existing = None

    def add(self, name, rrtype, rdata):
        assert is_below(name, self.name), (name, self.name)
        self.nodes.setdefault(name, {}).setdefault(rrtype, []).append(rdata)

    def add_addresses(self, name, server):
        if server.v4:
            self.add(name, "A", server.v4)
        if server.v6:
            self.add(name, "AAAA", server.v6)

    def delegate(self, child):
        assert is_below(child.name, self.name) and child.name != self.name
        self.cuts[child.name] = child

    def exists(self, name):
        """Does the name exist, be it as an empty non-terminal (RFC 4592 2.2.2)? Ask after the last add."""
        if self._existing is None:
            self._existing = set()
            for node in [self.name, *self.nodes, *self.cuts]:
                while node not in self._existing and is_below(node, self.name):
                    self._existing.add(node)
                    node = node.partition(".")[2]
        return name in self._existing

    def text(self):
        """The zone file."""
        lines = [_soa(self)]
        lines += [_line(self.name, TTL_APEX, "NS", dotted(host)) for host in self.hosts]
        for name, rrsets in self.nodes.items():
            for rrtype, rdatas in rrsets.items():
                lines += [_line(name, TTL_ADDRESS, rrtype, rdata) for rdata in rdatas]
        for child in self.cuts.values():
            lines += _delegation(child)
        return "\n".join(lines) + "\n"


def _line(name, ttl, rrtype, rdata):
    return "%s %d IN %s %s" % (dotted(name), ttl, rrtype, rdata)


def _soa(zone):
    first_host = next(iter(zone.hosts))
    rdata = "%s hostmaster.%s 1 7200 3600 1209600 300" % (dotted(first_host), dotted(zone.name) if zone.name else "")
    return _line(zone.name, TTL_APEX, "SOA", rdata)


def _delegation(child):
    """NS, DS and glue. Only the glue that is needed: for name servers inside the child itself."""
    for rdata in child.ds:
        yield _line(child.name, TTL_APEX, "DS", rdata)
    for host, server in child.hosts.items():
        yield _line(child.name, TTL_DELEGATION, "NS", dotted(host))
        if not is_below(host, child.name):
            continue
        if server.v4:
            yield _line(host, TTL_DELEGATION, "A", server.v4)
        if server.v6:
            yield _line(host, TTL_DELEGATION, "AAAA", server.v6)
