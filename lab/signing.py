"""Decides which zones are signed and how, and has ldns do it (only with `lab build --signed`).

Each signed zone has one P-256 key of its own. Signatures are valid from 2020 to 2037, so that a lab does
not grow old; keys and signatures are new in every build, the plan is not.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import special
from names import LAB, name_hash
from servers import find_program
from zones import dotted, is_below

ALGORITHM = "ECDSAP256SHA256"
INCEPTION, EXPIRATION = "20200101000000", "20370101000000"
EXPIRED = "20200201000000"

# What Zone.signing may be, and what it means for ldns-signzone. NSEC3 as RFC 9276 wants it: no salt, no iterations.
NSEC3 = ["-n", "-t", "0"]
DENIAL = {"nsec": [], "nsec3": NSEC3, "optout": NSEC3 + ["-p"], "bogus": [], "expired": []}


class SigningError(Exception):
    """A zone could not be signed; the text says why."""


def plan(world, share):
    """Sets the signing of every zone; `share` is the percentage of signed domains."""
    for zone in world.zones.values():
        if zone.level is not None:
            zone.signing = _choose(zone, share)


def _choose(zone, share):
    number = name_hash(zone.name, "signing")
    if zone.name == "":
        return "nsec"
    if is_below(zone.name, LAB):
        return special.SIGNING.get(zone.name, "nsec")
    if zone.level == "tld":
        # Most large TLDs skip the domains that are not signed (RFC 5155 6).
        return "optout" if number % 3 else "nsec"
    if zone.level == "domains" and number // 8 % 100 < share:
        return "nsec3" if number % 2 else "nsec"
    # As on the Internet, root-servers.net is not signed.
    return None


def signed_zones(world):
    return [zone for zone in world.zones.values() if zone.signing]


def make_keys(world, folder):
    """A key for every signed zone, and the DS that goes with it; the zones can be written after this."""
    keygen = find_program("ldns-keygen", "ldnsutils")

    def make_key(zone):
        # "--", as a domain may begin with a hyphen.
        base = _call([keygen, "-a", ALGORITHM, "-k", "--", dotted(zone.name)], folder).strip()
        zone.key = str(folder / base)
        zone.ds = [_read_ds(zone)]

    _for_each("keys", make_key, signed_zones(world))


def _read_ds(zone):
    with open(zone.key + ".ds", encoding="ascii") as file:
        rdata = " ".join(file.read().split()[3:])
    if zone.signing == "bogus":
        rdata = rdata[:-1] + ("0" if rdata[-1] != "0" else "1")
    return rdata


def sign(world, path_of):
    """Replaces the written zone files by signed ones; `path_of` gives a zone's file."""
    signzone = find_program("ldns-signzone", "ldnsutils")

    def sign_zone(zone):
        path = path_of(zone)
        unsigned = path + ".unsigned"
        os.rename(path, unsigned)
        expiration = EXPIRED if zone.signing == "expired" else EXPIRATION
        _call([signzone, *DENIAL[zone.signing], "-i", INCEPTION, "-e", expiration, "-o", dotted(zone.name),
               "-f", path, unsigned, zone.key])
        os.unlink(unsigned)

    _for_each("zones signed", sign_zone, signed_zones(world))


def trust_anchor(world):
    """The root's key, as resolvers read it."""
    with open(world.zones[""].key + ".key", encoding="ascii") as file:
        return file.read().partition(";")[0].strip() + "\n"


def _for_each(what, work, zones):
    """Runs the work on all processors, and says how far it is where somebody is looking."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for done, _ in enumerate(pool.map(work, zones), 1):
            if sys.stderr.isatty() and (done % 50 == 0 or done == len(zones)):
                print("\r%d of %d %s" % (done, len(zones), what), end="", file=sys.stderr, flush=True)
    finally:
        # After an error or the interrupt key, the zones still waiting are not worth waiting for.
        pool.shutdown(cancel_futures=True)
        if sys.stderr.isatty():
            print(file=sys.stderr)


def _call(command, folder=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SigningError("%s failed: %s" % (" ".join(command), (done.stderr or done.stdout).strip()))
    return done.stdout
