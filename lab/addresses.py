"""Decides which address belongs to which server of the lab, and what a listed name resolves to.

The root servers have their real addresses, so that a resolver with nothing but its built-in hints
works in the lab unmodified. Everything else uses addresses that the RFCs set aside for documents and
benchmarks (RFC 5737, RFC 2544, RFC 3849): nobody on the real Internet has them.
"""

import ipaddress
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Server:
    """One address pair that some program in the lab answers (or refuses to answer) on."""

    v4: Optional[str]
    v6: Optional[str] = None

    @property
    def addresses(self):
        return [a for a in (self.v4, self.v6) if a]


ROOT = {
    "a": Server("198.41.0.4", "2001:503:ba3e::2:30"),
    "b": Server("170.247.170.2", "2801:1b8:10::b"),
    "c": Server("192.33.4.12", "2001:500:2::c"),
    "d": Server("199.7.91.13", "2001:500:2d::d"),
    "e": Server("192.203.230.10", "2001:500:a8::e"),
    "f": Server("192.5.5.241", "2001:500:2f::f"),
    "g": Server("192.112.36.4", "2001:500:12::d0d"),
    "h": Server("198.97.190.53", "2001:500:1::53"),
    "i": Server("192.36.148.17", "2001:7fe::53"),
    "j": Server("192.58.128.30", "2001:503:c27::2:30"),
    "k": Server("193.0.14.129", "2001:7fd::1"),
    "l": Server("199.7.83.42", "2001:500:9f::42"),
    "m": Server("202.12.27.33", "2001:dc3::35"),
}

# Every second server has IPv6 too, so that a resolver meets both kinds.
TLD = [Server("192.0.2.%d" % n, "2001:db8:1::%d" % n if n % 2 else None) for n in range(1, 9)]
DOMAINS = [Server("198.51.100.%d" % n, "2001:db8:2::%d" % n if n % 2 else None) for n in range(1, 17)]

SPECIAL = [Server("203.0.113.%d" % n, "2001:db8:3::%d" % n if n % 2 else None) for n in range(1, 9)]
V6ONLY = [Server(None, "2001:db8:3::61"), Server(None, "2001:db8:3::62")]
# Held by the NSD of the domains, which has the zone sub.deep.lab but none of the lame ones.
DEEP = Server("203.0.113.51")
LAME = [Server("203.0.113.121"), Server("203.0.113.122")]
# Held by lab/deaf.py, which reads and never answers.
DEAF = [Server("203.0.113.101"), Server("203.0.113.102"), Server("203.0.113.103")]
# On the interface, held by no program: the kernel answers with ICMP port unreachable.
CLOSED = Server("203.0.113.111")

# The servers by level, and where the NSD process of the level listens.
SERVERS = {"root": list(ROOT.values()), "tld": TLD, "domains": DOMAINS, "special": SPECIAL + V6ONLY}
LISTENERS = {**SERVERS, "domains": DOMAINS + [DEEP] + LAME}


def flat(servers):
    """The addresses of some servers, one after the other."""
    return [address for server in servers for address in server.addresses]


def everything():
    """All addresses that must exist on the interface."""
    listening = [server for group in LISTENERS.values() for server in group]
    return flat(listening + DEAF + [CLOSED])


def content_v4(number):
    """The A rdata that a 64-bit hash stands for: inside 198.18.0.0/15, where no server lives."""
    number &= 0x1FFFF
    return "198.%d.%d.%d" % (18 + (number >> 16), number >> 8 & 255, number & 255)


def content_v6(number):
    """The AAAA rdata that a 64-bit hash stands for: inside 2001:db8:8000::/33, where no server lives."""
    low = number & 0xFFFFFFFFFFFFFFFF
    return str(ipaddress.IPv6Address(0x20010DB8_8000_0000_0000_0000_0000_0000 | low))
