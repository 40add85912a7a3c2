"""What a scenario's header means for berthd: its settings become a configuration. Settings that berthd does not need to be
told (it always behaves so) are named in INDIFFERENT; anything else that it does not know fails the scenario."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import dns.name

from dialect import DialectError, Scenario

SERVED = "10.253.53.53"  # where berthd listens; the client asks from CLIENT
CLIENT = "10.253.53.54"
ANCHOR_TYPES = ("DS", "DNSKEY")

# Of the header lines for one resolver ("unbound=..."): what cannot differ in an answer that is checked.
INDIFFERENT = {
    "server", "target-fetch-policy", "trust-anchor-signaling", "access-control", "log-servfail", "module-config",
    "directory", "verbosity", "val-log-level", "rrset-roundrobin", "ede", "msg-cache-size", "rrset-cache-size",
    "iter-scrub-promiscuous", "harden-below-nxdomain", "harden-unverified-glue", "prefetch", "serve-expired",
    "qname-minimisation", "do-ip6", "harden-glue", "domain-insecure", "aggressive-nsec", "minimal-responses",
    "val-max-restart", "max-global-quota", "cache-min-ttl", "harden-algo-downgrade", "harden-dnssec-stripped",
    "val-nsec3-keysize-iterations", "harden-referral-path", "fake-sha1", "key-cache-size", "neg-cache-size",
}


class Plain(str):
    """A value that goes into the configuration as it stands."""


def is_on(text: str) -> bool:
    return text.strip('"').lower() in ("yes", "on", "true", "1")


def zones(scenario: Scenario) -> list[dict[str, Any]]:
    """Forward and stub zones, as the header's lines for one resolver give them, one after the other."""
    found: list[dict[str, Any]] = []
    for line in scenario.setting("feature-list"):
        owner, _, rest = line.partition("=")
        key, _, value = (part.strip().strip('"') for part in rest.partition(":"))
        if owner.strip() != "unbound":
            continue
        if key in ("forward-zone", "stub-zone"):
            found.append({"kind": key[:-5], "zone": ".", "to": [], "first": False})
        elif found and key == "name":
            found[-1]["zone"] = value
        elif found and key in ("forward-addr", "stub-addr"):
            found[-1]["to"].append(value)
        elif found and key in ("forward-first", "stub-first"):
            found[-1]["first"] = is_on(value)
        elif key == "local-zone" and value.endswith("nodefault"):
            found.append({"kind": "plain", "zone": value.split()[0].strip('"')})
        elif key not in INDIFFERENT and key not in ("stub-prime",):
            raise DialectError("%s: unknown setting %s" % (scenario.path.name, key))
    return found


def unbound_setting(scenario: Scenario, key: str) -> bool:
    """Whether a switch that one resolver has is on."""
    return any(line.replace(" ", "").replace('"', "") == "unbound=%s:yes" % key for line in scenario.setting("feature-list"))


def delegations(scenario: Scenario, kind: str) -> list[dict[str, Any]]:
    return [{key: one[key] for key in ("zone", "to", "first")} for one in zones(scenario)
            if one["kind"] == kind and (kind != "stub" or one["zone"] != ".")]


def write_hints(scenario: Scenario, path: Path) -> Path:
    """The root as `stub-addr` gives it."""
    lines = []
    for at, text in enumerate(scenario.setting("stub-addr")):
        address = ipaddress.ip_address(text.split("#")[0].strip())
        name = "root-%d.scenario." % at
        lines += [". 3600 NS %s\n" % name, "%s 3600 %s %s\n" % (name, "AAAA" if address.version == 6 else "A", address)]
    path.write_text("".join(lines))
    return path


def anchors(scenario: Scenario) -> list[str]:
    return [text.strip('"') for text in scenario.setting("trust-anchor")]


def unquoted(texts: list[str]) -> list[str]:
    return [text.strip().strip('"') for text in texts]


def validation(scenario: Scenario, directory: Path) -> dict[str, Any]:
    """The section dnssec: the header's anchors alone, and the zones that count as unsigned."""
    lines = anchors(scenario)
    if not lines:
        return {"validate": False}
    path = directory / "anchors"
    path.write_text("\n".join(lines) + "\n")
    unsigned = unquoted(scenario.setting("domain-insecure"))
    # What the files were written for; 50 is what RFC 9276 asks for today.
    return {"anchors": [str(path)], "builtin": False, "rollover": False, "nsec3-iterations": 150, **({"negative": [{"zone": zone} for zone in unsigned]} if unsigned else {})}


def features(scenario: Scenario) -> dict[str, str]:
    return dict((part.strip() for part in text.split("=", 1)) for text in scenario.setting("features"))


def lay_over(tree: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """What the header says in berthd's own words, `berthd: SECTION.KEY = YAML-VALUE`, has the last word."""
    for text in scenario.setting("berthd"):
        place, equals, value = (part.strip() for part in text.partition("="))
        section, dot, key = place.partition(".")
        if not (equals and dot and value):
            raise DialectError("%s: not SECTION.KEY = VALUE: %s" % (scenario.path.name, text))
        tree.setdefault(section, {})[key] = Plain(value)
    return tree


def make(scenario: Scenario, directory: Path, minimise: bool) -> dict[str, Any]:
    """The configuration, as a tree that to_yaml writes."""
    def last(key: str, otherwise: str) -> str:
        return (scenario.setting(key) or [otherwise])[-1]

    resolver: dict[str, Any] = {
        "minimise": minimise,
        "priming": False,
        "ipv4": is_on(last("do-ip4", "on")),
        "ipv6": is_on(last("do-ip6", "on")),
        "query-loopback": not is_on(last("do-not-query-localhost", "on")),
        "query-private": True,
    }
    if unbound_setting(scenario, "harden-unverified-glue"):
        resolver["glue"] = "verified"
    if not is_on(last("harden-glue", "on")):
        resolver["glue"] = "any"
    if scenario.setting("stub-addr"):
        resolver["root-hints"] = str(write_hints(scenario, directory / "root.hints"))
    forward = delegations(scenario, "forward")
    if not forward and scenario.setting("forward-addr"):
        forward = [{"zone": ".", "to": scenario.setting("forward-addr"), "first": False}]
    stub = delegations(scenario, "stub")
    ordinary = [one["zone"] for one in zones(scenario) if one["kind"] == "plain"]
    for key, value in (("forward", forward), ("stub", stub), ("ordinary", ordinary)):
        if value:
            resolver[key] = value
    cache: dict[str, Any] = {"memory": "8M", "prefetch": False}
    wanted = features(scenario)
    for theirs, ours in (("min_ttl", "ttl-min"), ("max_ttl", "ttl-max")):
        if theirs in wanted:
            cache[ours] = wanted[theirs]
    return lay_over({
        "listen": [SERVED],
        "workers": 1,
        "ports": {"pool": 50},
        "resolver": resolver,
        "dnssec": validation(scenario, directory),
        "cache": cache,
        "access": {"allow": ["10.253.53.0/24"]},
        "history": {"loans": False},
        "web": {"listen": []},
        "control": {"socket": str(directory / "control")},
        "log": {"level": "info"},
    }, scenario)


def modes(scenario: Scenario) -> list[str]:
    """Whether it is run with minimised names, without, or both."""
    said = scenario.setting("query-minimization")
    return ["on" if is_on(said[-1]) else "off"] if said else ["off", "on"]


def anchor_zone(text: str) -> dns.name.Name:
    return dns.name.from_text(text.split()[0])
