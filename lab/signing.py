"""Decides which zones are signed and how, and has ldns do it (only with `lab build --signed`).

Each signed zone has one key, of its own but for RSA, whose keys take long to make: there a few are shared.
Signatures are valid from 2020 to 2037, so that a lab does not grow old; keys and signatures are new in every
build, the plan is not.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import special
from names import LAB, name_hash
from servers import find_program
from zones import dotted, is_below

# Name and number, and how many zones of 8 have it (RFC 8624 3.1: what is recommended, and what most zones have).
P256, RSA, ED25519 = ("ECDSAP256SHA256", 13), ("RSASHA256", 8), ("ED25519", 15)
ALGORITHMS = [P256] * 3 + [RSA] * 3 + [ED25519] * 2
RSA_KEYS = 4
INCEPTION, EXPIRATION = "20200101000000", "20370101000000"
EXPIRED, EARLY = "20200201000000", "20360101000000"
UNKNOWN_ALGORITHM = "200"

# What Zone.signing may be, and what it means for ldns-signzone. NSEC3 as RFC 9276 wants it: no salt, no iterations;
# and as it does not: with both, and with more iterations than any resolver follows.
NSEC3 = ["-n", "-t", "0"]
DENIAL = {"nsec": [], "nsec3": NSEC3, "optout": NSEC3 + ["-p"], "salted": ["-n", "-t", "10", "-s", "beef"],
          "dear": ["-n", "-t", "500"], "bogus": [], "expired": [], "early": [], "keyless": [], "stripped": [], "unknown": []}


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
        return ("optout", "optout", "optout", "optout", "nsec3", "nsec")[number % 6]
    if zone.level == "domains" and number // 8 % 100 < share:
        return "nsec3" if number % 2 else "nsec"
    # As on the Internet, root-servers.net is not signed.
    return None


def signed_zones(world):
    return [zone for zone in world.zones.values() if zone.signing]


def algorithm_of(zone):
    """(name, number). The root's is one that every resolver has."""
    return ALGORITHMS[name_hash(zone.name, "algorithm") % len(ALGORITHMS)] if zone.name else P256


def make_keys(world, folder):
    """A key for every signed zone, and the DS that goes with it; the zones can be written after this."""
    keygen = find_program("ldns-keygen", "ldnsutils")
    shared = [_make_key(keygen, RSA, "shared.%s" % LAB, folder) for _ in range(RSA_KEYS)]

    def give_key(zone):
        if algorithm_of(zone) == RSA:
            zone.key = _copy_key(shared[name_hash(zone.name, "key") % RSA_KEYS], zone, folder)
        else:
            zone.key = _make_key(keygen, algorithm_of(zone), zone.name, folder)
        zone.ds = [_read_ds(zone)]

    _for_each("keys", give_key, signed_zones(world))


def _make_key(keygen, algorithm, name, folder):
    # "--", as a domain may begin with a hyphen.
    return str(folder / _call([keygen, "-a", algorithm[0], "-b", "2048", "-k", "--", dotted(name)], folder).strip())


def _copy_key(key, zone, folder):
    """The same key under the name of another zone: with a DS of its own, for the name goes into the digest."""
    base = str(folder / ("K%s+%03d+%s" % (dotted(zone.name), RSA[1], key.rpartition("+")[2])))
    shutil.copy(key + ".private", base + ".private")
    rdata = Path(key + ".key").read_text(encoding="ascii").split(None, 1)[1]
    Path(base + ".key").write_text("%s\t%s" % (dotted(zone.name), rdata), encoding="ascii")
    ds = _call([find_program("ldns-key2ds", "ldnsutils"), "-n", "-2", base + ".key"])
    Path(base + ".ds").write_text(ds, encoding="ascii")
    return base


def _read_ds(zone):
    with open(zone.key + ".ds", encoding="ascii") as file:
        tag, algorithm, kind, digest = file.read().split()[-4:]
    if zone.signing == "bogus":
        digest = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    if zone.signing == "unknown":
        algorithm = UNKNOWN_ALGORITHM
    return " ".join((tag, algorithm, kind, digest))


def sign(world, path_of):
    """Replaces the written zone files by signed ones; `path_of` gives a zone's file."""
    signzone = find_program("ldns-signzone", "ldnsutils")

    def sign_zone(zone):
        path = path_of(zone)
        unsigned = path + ".unsigned"
        os.rename(path, unsigned)
        inception = EARLY if zone.signing == "early" else INCEPTION
        expiration = EXPIRED if zone.signing == "expired" else EXPIRATION
        _call([signzone, *DENIAL[zone.signing], "-i", inception, "-e", expiration, "-o", dotted(zone.name),
               "-f", path, unsigned, zone.key])
        os.unlink(unsigned)
        if zone.signing == "keyless":
            _drop_keys(Path(path))

    _for_each("zones signed", sign_zone, [zone for zone in signed_zones(world) if zone.signing != "stripped"])


def _drop_keys(path):
    lines = path.read_text(encoding="ascii").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if line.split()[3:4] != ["DNSKEY"]), encoding="ascii")


def write_list(world, path):
    """Every zone that a server has: name, level, how it is signed and with what ("-": it is not)."""
    with path.open("w", encoding="ascii") as out:
        for zone in world.zones.values():
            if zone.level is not None:
                algorithm = algorithm_of(zone)[1] if zone.signing else "-"
                out.write("%s\t%s\t%s\t%s\n" % (dotted(zone.name), zone.level, zone.signing or "-", algorithm))


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
