"""The real root zone, from the roots' own addresses, to a berthd as it is shipped: built-in hints and anchors. First as
it is, by NSD; then altered in one way after the other, each of which must be noticed and named rightly (RFC 8914 4)."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import dns.flags
import dns.rcode
import dns.rdatatype
import pytest
from dns.rdtypes.ANY.RRSIG import sigtime_to_posixtime

import faked
from net import Net, sh
from signed_zone import SignedZone, delegations, name_of, with_last_byte_changed, with_type
from support import Crowd, DATA, Daemon, HERE, ask, ede, wait_until

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))
import addresses  # noqa: E402
from servers import SERVER_CONF, ZONE_CONF, has_answer  # noqa: E402

ZONE = DATA / "root.zone"
ROOTS = tuple(server.v4 for server in addresses.ROOT.values())
NSD = shutil.which("nsd") or shutil.which("nsd", path="/usr/sbin")

# The signatures of the data are valid from 2026-07-31 19:00 to 08-13 20:00, that of the keys from 07-31 to 08-21.
THEN = "2026-08-01 00:00:00"
BEFORE_KEYS, BEFORE_DATA = "2026-07-30 00:00:00", "2026-07-31 12:00:00"
AFTER_DATA, AFTER_KEYS = "2026-08-15 00:00:00", "2026-08-25 00:00:00"

pytestmark = [pytest.mark.skipif(not ZONE.exists(), reason="the signed root zone (shared/data/root.zone) is not here"),
              pytest.mark.skipif(faked.library() is None, reason="libfaketime is missing")]


@pytest.fixture(scope="module")
def root() -> SignedZone:
    return SignedZone.read(str(ZONE))


@pytest.fixture
def berthd(namespace: None, tmp_path: Path):
    """berthd(time) is started when its roots are there."""
    daemons: list[Daemon] = []

    def run(time: str = THEN, **more: Any) -> Daemon:
        config = {"workers": 1, "resolver": {"ipv6": "off"}, "dnssec": {"validate": True}, **more}
        daemons.append(faked.daemon_at(time, tmp_path / "berthd", config))
        return daemons[-1].start()

    yield run
    for daemon in daemons:
        daemon.finish()


# As it is.


@pytest.fixture
def nsd(namespace: None, tmp_path: Path):
    if NSD is None:
        pytest.skip("NSD is missing (Debian package nsd)")
    for address in ROOTS:
        sh("ip addr add %s/32 dev lo" % address)
    for folder in ("run", "zones"):
        (tmp_path / folder).mkdir()
    listen = "\n".join("    ip-address: %s" % address for address in ROOTS)
    text = SERVER_CONF.format(directory=tmp_path, level="root", ip_addresses=listen, cookie="no")
    (tmp_path / "nsd.conf").write_text(text + ZONE_CONF.format(name=".", file=ZONE))
    with (tmp_path / "nsd.log").open("wb") as log:
        process = subprocess.Popen([NSD, "-d", "-c", tmp_path / "nsd.conf"], stdout=log, stderr=log)
    try:
        wait_until(lambda: has_answer(ROOTS[0], ""), 30)
        yield
    finally:
        process.terminate()
        process.wait(10)


def said(reply: Any) -> tuple[str, bool, bool]:
    """(code, authentic, is there a DS?)"""
    if reply is None:
        return "no reply", False, False
    has_ds = any(rrset.rdtype == dns.rdatatype.DS for rrset in reply.answer)
    return dns.rcode.to_text(reply.rcode()), bool(reply.flags & dns.flags.AD), has_ds


def test_every_delegation_is_secure_or_securely_unsigned(nsd: None, berthd: Callable[..., Daemon], root: SignedZone):
    daemon = berthd()
    all_ = list(delegations(root))
    assert len(all_) > 1400 and 50 < sum(not has_ds for _, has_ds in all_) < 200
    with Crowd(50, HERE, dnssec=True) as crowd:
        replies = crowd.ask_all([(name, "DS") for name, _ in all_])
    wrong = ["%s DS: %s, wanted %s" % (name, said(reply), ("NOERROR", True, has_ds))
             for (name, has_ds), reply in zip(all_, replies) if said(reply) != ("NOERROR", True, has_ds)]
    assert not wrong, "%d of %d:\n%s" % (len(wrong), len(all_), "\n".join(wrong[:20]))
    assert daemon.counters()["expect.failed"] == 0


def missing_names(count: int, root: SignedZone) -> list[str]:
    """The same in every run; none is a TLD of the zone, or special."""
    dice = random.Random(20260801)
    letters = "abcdefghijklmnopqrstuvwxyz"
    found: list[str] = []
    while len(found) < count:
        top = "".join(dice.choice(letters) for _ in range(dice.randint(4, 12)))
        if (name_of(top), dns.rdatatype.NS, 0) not in root.sets and top not in ("test", "local", "onion", "invalid"):
            found.append("nx%d.%s." % (len(found), top))
    return found


def upstream(daemon: Daemon) -> int:
    counters = daemon.counters()
    return counters["upstream.udp"] + counters["upstream.tcp"]


def test_missing_names_are_proved_missing(nsd: None, berthd: Callable[..., Daemon], root: SignedZone):
    berthd()
    with Crowd(50, HERE, dnssec=True) as crowd:
        replies = crowd.ask_all([(name, "A") for name in missing_names(1000, root)])
    assert {said(reply) for reply in replies} == {("NXDOMAIN", True, False)}


def test_missing_names_are_denied_without_asking(nsd: None, berthd: Callable[..., Daemon], root: SignedZone):
    """When every NSEC record of the root has been seen once, nobody has to be asked for what is between them (RFC 8198)."""
    daemon = berthd()
    with Crowd(50, HERE, dnssec=True) as crowd:
        # The first name after each owner: from cold, 1,000 random names would fall into some 700 gaps.
        crowd.ask_all([("%s0." % owner.to_text().rstrip("."), "A") for owner in root.chain])
        before = upstream(daemon)
        replies = crowd.ask_all([(name, "A") for name in missing_names(1000, root)])
    assert {said(reply)[:2] for reply in replies} == {("NXDOMAIN", True)}
    assert upstream(daemon) - before <= 50


# Altered.


@dataclass
class Case:
    what: str
    ask: str  # name and type
    ede: int
    alter: Callable[[SignedZone], Any] = lambda zone: None
    time: str = THEN


def flags(zone: SignedZone, change: Callable[[int], int], of: tuple[int, ...] = (256, 257)) -> None:
    zone.change(".", "DNSKEY", lambda key: key.replace(flags=change(key.flags)) if key.flags in of else key)


def protocol(zone: SignedZone, of: int) -> None:
    zone.change(".", "DNSKEY", lambda key: key.replace(protocol=2) if key.flags == of else key)


def swap_key(zone: SignedZone, of: int) -> None:
    zone.change(".", "DNSKEY", lambda key: with_last_byte_changed(key) if key.flags == of else key)


def replayed(zone: SignedZone, name: str, owner: str, hide: bool = False) -> None:
    """Genuine NSECs, but those of somebody else."""
    zone.denier[name_of(name)] = name_of(owner)
    zone.denier[zone.apex] = name_of(owner)
    if hide:
        zone.hidden.add(name_of(name))


def ds_taken_away(zone: SignedZone, alter: Callable[[SignedZone], Any] = lambda zone: None) -> None:
    zone.drop("com.", "DS")
    zone.drop("com.", "DS", signatures=True)
    alter(zone)


def soa_serial(zone: SignedZone) -> None:
    zone.change(".", "SOA", lambda soa: soa.replace(serial=soa.serial + 1))


def next_name(zone: SignedZone, owner: str) -> None:
    zone.change(owner, "NSEC", lambda nsec: nsec.replace(next=name_of("zzzz")))


def dates(zone: SignedZone, inception: str, expiration: str) -> None:
    zone.change_signature("com.", "DS", inception=sigtime_to_posixtime(inception), expiration=sigtime_to_posixtime(expiration))


BOGUS, EXPIRED, EARLY, NO_KEY, NO_SIGNATURE, NO_ZONE_BIT, NO_NSEC, BACKWARDS = 6, 7, 8, 9, 10, 11, 12, 25
COM, NX, AE, SOA = "com. DS", "nx.qqqq. A", "ae. DS", ". SOA"  # ae. is not signed
CASES = [
    Case("a DS is another", COM, BOGUS, lambda zone: zone.change("com.", "DS", with_last_byte_changed)),
    Case("a DS has no signature", COM, NO_SIGNATURE, lambda zone: zone.drop("com.", "DS", signatures=True)),
    Case("a DS is taken away", COM, NO_NSEC, lambda zone: ds_taken_away(zone, lambda zone: zone.drop_all("NSEC"))),
    Case("a DS is denied by the NSEC that names it", COM, NO_NSEC, ds_taken_away),
    Case("a DS is denied by an NSEC without its bit", COM, BOGUS,
         lambda zone: ds_taken_away(zone, lambda zone: zone.change("com.", "NSEC", with_type("DS", False)))),
    Case("a DS is denied by another's NSEC", COM, NO_NSEC,
         lambda zone: ds_taken_away(zone, lambda zone: replayed(zone, "com.", "ae."))),
    Case("a signature of other bytes", COM, BOGUS, lambda zone: zone._rewrite(
        (name_of("com."), dns.rdatatype.RRSIG, dns.rdatatype.DS), with_last_byte_changed)),
    Case("a signature of an unknown key", COM, NO_KEY, lambda zone: zone.change_signature("com.", "DS", key_tag=4711)),
    Case("a signature of another algorithm", COM, NO_KEY, lambda zone: zone.change_signature("com.", "DS", algorithm=13)),
    Case("a signature by another zone", COM, NO_SIGNATURE, lambda zone: zone.change_signature("com.", "DS", signer=name_of("net."))),
    Case("a signature by the zone itself", COM, NO_SIGNATURE,
         lambda zone: zone.change_signature("com.", "DS", signer=name_of("com."))),
    Case("a signature with fewer labels", COM, BOGUS, lambda zone: zone.change_signature("com.", "DS", labels=0)),
    Case("a signature with more labels", COM, BOGUS, lambda zone: zone.change_signature("com.", "DS", labels=2)),
    Case("a signature of another TTL", COM, BOGUS, lambda zone: zone.change_signature("com.", "DS", original_ttl=86401)),
    Case("a signature with its end moved", COM, BOGUS, lambda zone: dates(zone, "20260731190000", "20270101000000"),
         AFTER_DATA),
    Case("a signature that ends before it begins", COM, BACKWARDS,
         lambda zone: dates(zone, "20260813200000", "20260731190000")),
    Case("the data's signatures have ended", COM, EXPIRED, time=AFTER_DATA),
    Case("the data's signatures have not begun", COM, EARLY, time=BEFORE_DATA),
    Case("a denial's signatures have ended", NX, EXPIRED, time=AFTER_DATA),
    Case("the keys' signature has ended", COM, EXPIRED, time=AFTER_KEYS),
    Case("the keys' signature has not begun", COM, EARLY, time=BEFORE_KEYS),
    Case("the ZSK is another", COM, BOGUS, lambda zone: swap_key(zone, 256)),
    Case("the KSKs are others", COM, NO_KEY, lambda zone: swap_key(zone, 257)),
    Case("there is no ZSK", COM, BOGUS, lambda zone: zone.keep(".", "DNSKEY", lambda key: key.flags != 256)),
    Case("there is no KSK", COM, NO_KEY, lambda zone: zone.keep(".", "DNSKEY", lambda key: key.flags != 257)),
    Case("there are no keys", COM, NO_KEY, lambda zone: zone.drop(".", "DNSKEY")),
    Case("the keys have no signature", COM, NO_SIGNATURE, lambda zone: zone.drop(".", "DNSKEY", signatures=True)),
    Case("the keys are signed by the ZSK alone", COM, NO_KEY, lambda zone: zone.change_signature(".", "DNSKEY", key_tag=57780)),
    Case("no key has the zone bit", COM, NO_ZONE_BIT, lambda zone: flags(zone, lambda old: old & ~256)),
    Case("the KSKs are revoked", COM, NO_KEY, lambda zone: flags(zone, lambda old: old | 128, (257,))),
    Case("the ZSK has another protocol", COM, BOGUS, lambda zone: protocol(zone, 256)),
    Case("the KSKs have another protocol", COM, NO_KEY, lambda zone: protocol(zone, 257)),
    Case("nothing is signed", COM, NO_SIGNATURE, lambda zone: zone.drop_all("RRSIG")),
    Case("a denial without NSEC", NX, NO_NSEC, lambda zone: zone.drop_all("NSEC")),
    Case("a denial with another next name", NX, BOGUS, lambda zone: next_name(zone, zone._denier_of(name_of("nx.qqqq.")).to_text())),
    Case("a denial without the NSEC of the wildcard", NX, NO_NSEC, lambda zone: zone.drop(".", "NSEC")),
    Case("a denial by another's NSEC", NX, NO_NSEC, lambda zone: replayed(zone, "nx.qqqq.", "ae.")),
    Case("a name is denied that exists", COM, NO_NSEC, lambda zone: replayed(zone, "com.", "ae.", hide=True)),
    Case("a denial without signatures", NX, NO_SIGNATURE, lambda zone: zone.drop_all("RRSIG")),
    Case("a denial with another SOA", NX, BOGUS, soa_serial),
    Case("a denial whose SOA has no signature", NX, NO_SIGNATURE, lambda zone: zone.drop(".", "SOA", signatures=True)),
    Case("the SOA is another", SOA, BOGUS, soa_serial),
    Case("the SOA has no signature", SOA, NO_SIGNATURE, lambda zone: zone.drop(".", "SOA", signatures=True)),
    Case("an unsigned delegation without NSEC", AE, NO_NSEC, lambda zone: zone.drop("ae.", "NSEC")),
    Case("an unsigned delegation whose NSEC is not signed", AE, NO_SIGNATURE,
         lambda zone: zone.drop("ae.", "NSEC", signatures=True)),
    Case("an unsigned delegation whose NSEC names a DS", AE, BOGUS,
         lambda zone: zone.change("ae.", "NSEC", with_type("DS", True))),
]


def serve(zone: SignedZone) -> Net:
    net = Net()
    for address in ROOTS:
        net.serve(address, zone.speech)
    return net.start()


def question(case: Case) -> Any:
    name, rrtype = case.ask.split()
    return ask(name, rrtype, want_dnssec=True)


@pytest.mark.parametrize("case", CASES, ids=[case.what.replace(" ", "-") for case in CASES])
def test_what_is_altered_is_bogus(case: Case, berthd: Callable[..., Daemon], root: SignedZone):
    zone = root.copy()
    case.alter(zone)
    net = serve(zone)
    try:
        berthd(case.time)
        reply = question(case)
    finally:
        net.close()
    assert net.mistakes == []
    assert (dns.rcode.to_text(reply.rcode()), ede(reply)) == ("SERVFAIL", [case.ede]), reply
    assert not reply.answer and not reply.flags & dns.flags.AD


def test_what_is_not_altered_is_secure(berthd: Callable[..., Daemon], root: SignedZone):
    """The same server with the zone as it is: so it is the alteration that each of the cases fails for."""
    net = serve(root.copy())
    try:
        berthd()
        replies = {text: question(Case("", text, 0)) for text in (COM, NX, AE, SOA)}
    finally:
        net.close()
    assert {text: said(reply)[:2] for text, reply in replies.items()} == {
        COM: ("NOERROR", True), NX: ("NXDOMAIN", True), AE: ("NOERROR", True), SOA: ("NOERROR", True)}
