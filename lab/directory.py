"""Decides what a lab's directory holds: it writes it from a plan, reads it back and describes it.

    lab.json       what is in the lab, for programs
    expected.tsv   what a correct resolver answers
    root.hints     the root servers, as every resolver reads them
    root.key       the root's key; secure.txt, the names with signed answers; zones.tsv; keys/ (if signed)
    zones/ nsd/    zone files and one NSD configuration a level
    log/ run/      what the servers say, what they write while they run
"""

import json
import os
import shutil
from pathlib import Path

import addresses
import expected
import names
import servers
import signing
import special
import world as plan

VERSION = 1
# Whoever has this file gave the directory to the lab, which may then empty its folders.
MARK = ".berth-lab"
PROBES = {"root": "", "tld": names.LAB, "domains": "sub.deep.lab", "special": "alias.lab"}


class DirectoryError(Exception):
    """The directory cannot be used; the text says what to do."""


def build(directory, count, names_file, root_zone, signed_share=None):
    """Plans a lab and writes it, signed if a share is given. Returns what lab.json holds."""
    tlds = names.read_tlds(root_zone)
    catalogue = dict(special.SPECIAL)
    if signed_share is not None:
        catalogue.update(special.SPECIAL_SIGNED)
    world = plan.build(tlds, names.read_names(names_file, tlds, count), catalogue)
    if signed_share is not None:
        plan.furnish(world)
    try:
        _make(directory)
        if signed_share is None:
            _write_zones(directory, world)
        else:
            _write_signed_zones(directory, world, signed_share)
        (directory / "root.hints").write_text(_hints())
        lab = _summary(directory, world, expected.write(world, directory / "expected.tsv"))
        # Last, so that a directory with this file is a whole lab.
        (directory / "lab.json").write_text(json.dumps(lab, indent=1) + "\n")
    except OSError as error:
        raise DirectoryError("cannot write %s: %s" % (error.filename, error.strerror)) from error
    return lab


def load(directory):
    """Reads lab.json and checks that the lab can be used where it is."""
    path = Path(directory) / "lab.json"
    try:
        lab = json.loads(path.read_text())
    except OSError as error:
        raise DirectoryError("no lab in %s (%s): make one with 'lab build %s'" % (
            directory, error.strerror, directory)) from error
    except ValueError as error:
        raise DirectoryError("%s is damaged (%s): build the lab again" % (path, error)) from error
    if lab.get("version") != VERSION or lab.get("directory") != str(path.resolve().parent):
        raise DirectoryError("%s was built elsewhere or by another version: build it again" % directory)
    return lab


def _make(directory):
    """An empty skeleton. Only a directory that is empty or a lab already is taken."""
    if '"' in str(directory) or "\n" in str(directory):
        raise DirectoryError("the path %r has a quote in it, which NSD cannot read: use another" % str(directory))
    if directory.is_dir() and os.listdir(directory) and not (directory / MARK).exists():
        raise DirectoryError("%s has other things in it: give an empty or new directory" % directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARK).touch()
    (directory / "lab.json").unlink(missing_ok=True)
    for name in ("root.key", "secure.txt", "zones.tsv"):
        (directory / name).unlink(missing_ok=True)
    for name in ("zones", "nsd", "keys"):
        if (directory / name).is_dir():
            shutil.rmtree(directory / name)
    for name in ("zones", "nsd", "log", "run"):
        (directory / name).mkdir(exist_ok=True)


def _write_zones(directory, world):
    files = {level: {} for level in servers.LEVELS}
    for zone in world.zones.values():
        if zone.level is not None:
            files[zone.level][zone.name] = _zone_file(zone)
    for level, zone_files in files.items():
        for folder in {os.path.dirname(file) for file in zone_files.values()}:
            (directory / "zones" / folder).mkdir(parents=True, exist_ok=True)
        for name, file in zone_files.items():
            with open(os.path.join(directory, "zones", file), "w", encoding="ascii") as out:
                out.write(world.zones[name].text())
        servers.write_configuration(directory, level, zone_files)


def _write_signed_zones(directory, world, share):
    signing.plan(world, share)
    (directory / "keys").mkdir()
    signing.make_keys(world, directory / "keys")
    _write_zones(directory, world)
    signing.sign(world, lambda zone: str(directory / "zones" / _zone_file(zone)))
    (directory / "root.key").write_text(signing.trust_anchor(world))
    expected.write_secure(world, directory / "secure.txt")
    signing.write_list(world, directory / "zones.tsv")


def _zone_file(zone):
    """domains/com/example.com.zone: a folder a TLD, so that none has all the zones in it."""
    folder = zone.name.rpartition(".")[2] if zone.level == "domains" else ""
    return os.path.join(zone.level, folder, (zone.name or "root") + ".zone")


def _hints():
    lines = []
    for host, server in plan.root_hosts().items():
        lines.append(". 3600000 NS %s." % host)
        lines.append("%s. 3600000 A %s" % (host, server.v4))
        lines.append("%s. 3600000 AAAA %s" % (host, server.v6))
    return "\n".join(lines) + "\n"


def _summary(directory, world, expected_count):
    return {
        "version": VERSION,
        "directory": str(directory),
        "root_hints": str(directory / "root.hints"),
        "expected": str(directory / "expected.tsv"),
        # None in a lab that is not signed.
        "trust_anchor": str(directory / "root.key") if world.zones[""].signing else None,
        "counts": {
            "names": len(world.names), "aliases": len(world.aliases), "zones": len(world.zones),
            "tlds": sum(zone.level == "tld" for zone in world.zones.values()),
            "signed": len(signing.signed_zones(world)), "expected": expected_count,
        },
        "servers": {level: _server_list(level) for level in servers.LEVELS},
        "probes": {level: {"address": addresses.flat(addresses.LISTENERS[level])[0], "zone": zone}
                   for level, zone in PROBES.items()},
        "special": {name: _special(world, name, text) for name, text in world.special.items()},
        "deaf": addresses.flat(addresses.DEAF),
        "closed": addresses.CLOSED.addresses,
        "lame": addresses.flat(addresses.LAME),
        "deep": addresses.DEEP.addresses,
        "logs": {level: str(directory / "log" / (level + ".log")) for level in [*servers.LEVELS, "deaf"]},
    }


def _server_list(level):
    if level == "root":
        return [{"name": host, "addresses": server.addresses} for host, server in plan.root_hosts().items()]
    return [{"name": "%s%d" % (level, n), "addresses": server.addresses}
            for n, server in enumerate(addresses.SERVERS[level], 1)]


def _special(world, name, text):
    zone = world.zones[name]
    return {"text": text, "fails": zone.broken,
            "servers": [{"name": host, "addresses": server.addresses} for host, server in zone.hosts.items()]}


def describe(lab):
    """The lab as a table for people."""
    out = ["The lab in %s" % lab["directory"], ""]
    out.append("%(names)d names (%(aliases)d of them aliases) in %(zones)d zones, %(tlds)d of them TLDs." % lab["counts"])
    out.append("%d zones are signed." % lab["counts"]["signed"])
    out.append("%d answers are known beforehand: expected.tsv" % lab["counts"]["expected"])
    out += ["", "LEVEL    SERVERS  ADDRESSES"]
    for level, entries in lab["servers"].items():
        out.append("%-8s %7d  %s" % (level, len(entries), _abridged([a for e in entries for a in e["addresses"]])))
    for kind in ("deaf", "closed", "lame"):
        out.append("%-8s %7d  %s" % (kind, len(lab[kind]), " ".join(lab[kind])))
    out += ["", "ZONE          WHAT IS SPECIAL"]
    out += ["%-13s %s" % (name, entry["text"]) for name, entry in lab["special"].items()]
    return "\n".join(out)


def _abridged(addresses_):
    return " ".join(addresses_) if len(addresses_) <= 4 else "%s %s ... %s" % (*addresses_[:2], addresses_[-1])
