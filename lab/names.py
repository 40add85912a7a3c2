"""Decides which names live in the lab: it reads the lists, drops what cannot be served, and hashes names.

Every later choice (an address, an alias, a name server) follows from `name_hash`, so the same lists
always give the same lab.
"""

import hashlib
import re
from pathlib import Path

# The invented TLD of the special zones; nothing listed may lie in it.
LAB = "lab"

# 253 characters of text are 255 octets on the wire (RFC 1035 2.3.4). Two less, as NSD 4.6 dies of an
# NSEC3 zone with a name that has no room for a "*." before it.
MAX_NAME = 251
LABEL = re.compile(r"[a-z0-9_-]{1,63}\Z")

BUILTIN_TLDS = (
    "example com net org info biz io dev app arpa at au be br ca ch cn cz de dk es eu fi fr ie in it jp kr lu mx nl no nz "
    "pl pt se sk uk us za".split())

BUILTIN_DOMAINS = (
    "harbour.example quay.example lighthouse-example.com mooring-example.com anchor-example.com pilot-example.net "
    "tide-example.net gull-example.org cargo-example.org rope-example.io crane-example.dev dock-example.app "
    "hafen-example.de kai-example.de boei-example.nl haven-example.nl port-example.fr phare-example.fr "
    "porto-example.it faro-example.es").split()

BUILTIN_PREFIXES = ("", "www.", "mail.", "static.cdn.")


class ListError(Exception):
    """A list could not be used; the text says what to do."""


def name_hash(name, salt=""):
    """64 bits that depend on nothing but the name and what they are used for."""
    digest = hashlib.blake2b((salt + "/" + name).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def zone_of(name):
    """The zone of a listed name: its last two labels."""
    return ".".join(name.rsplit(".", 2)[-2:])


def is_servable(name):
    """Is this a host name, service name or alike that can be written to a zone file without escapes?"""
    labels = name.split(".")
    return 2 <= len(labels) and len(name) <= MAX_NAME and all(map(LABEL.match, labels))


def read_tlds(path):
    """The TLDs that a root zone file delegates, or the built-in ones."""
    if path is None:
        return sorted(BUILTIN_TLDS)
    tlds = set()
    for line in _lines(path):
        fields = line.split()
        if len(fields) >= 5 and fields[3].upper() == "NS" and fields[0] != ".":
            tlds.add(fields[0].rstrip(".").lower())
    tlds = {tld for tld in tlds if LABEL.match(tld) and tld != LAB}
    if not tlds:
        raise ListError("%s delegates no TLD: it needs lines such as 'org. 172800 IN NS a0.org.'" % path)
    return sorted(tlds)


def read_names(path, tlds, count):
    """The first `count` names of the list that the lab can serve, in the order of the list."""
    known = set(tlds)
    # Resolvers answer parts of arpa themselves (RFC 6303), and root-servers.net belongs to the root.
    known.discard("arpa")
    names = {}
    for line in _builtin_names() if path is None else _lines(path):
        name = line.strip().rstrip(".").lower()
        if is_servable(name) and name.rsplit(".", 1)[1] in known and zone_of(name) != "root-servers.net":
            names[name] = True
            if len(names) == count:
                break
    if not names:
        raise ListError("%s has no usable name: it needs one name a line, such as www.example.org" % (path or "the list"))
    return list(names)


def _builtin_names():
    for prefix in BUILTIN_PREFIXES:
        for domain in BUILTIN_DOMAINS:
            yield prefix + domain


def _lines(path):
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as lines:
            yield from lines
    except OSError as error:
        raise ListError("cannot read %s: %s" % (path, error.strerror)) from error
