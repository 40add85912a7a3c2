"""Does what a review of berthd found stay mended? Each test would fail without the mend that its name tells."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, Callable

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from net import FORGED, TRUTH, Heard, Net, send_from, send_in_fragments, sh
from support import BUILD, HERE, IS_SANITIZED, SLOWER, ControlError, Daemon, ask, at_once, rdatas, timed, wait_until

LAB = ["--names", 20, "--root-zone", Path(__file__).with_name("tlds.zone")]

NOERROR, SERVFAIL, NXDOMAIN = dns.rcode.NOERROR, dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN
ROOT, ONE, TWO = "127.5.0.1", "127.7.0.1", "127.7.0.2"
ONE_ZONE = {"z.test.": {"ns.z.test.": ONE}}


pytestmark = pytest.mark.usefixtures("namespace")
Begin = Callable[..., Daemon]


def limited(daemon_dir: Path, files: str, hints: str, **config: Any) -> Daemon:
    """A berthd with a limit of descriptors."""
    daemon_dir.mkdir(parents=True)
    (daemon_dir / "hints").write_text(hints)
    daemon = Daemon(daemon_dir, {"resolver": {"root-hints": daemon_dir / "hints", "query-loopback": True}, **config})
    daemon.arguments = ["--nofile=" + files, str((BUILD / "berthd").resolve()), *daemon.arguments]
    daemon.program = Path("/usr/bin/prlimit")
    return daemon.start()


def good(reply: dns.message.Message) -> bool:
    return reply.rcode() == NOERROR and rdatas(reply) == [TRUTH]


def z_truth(heard: Heard) -> dns.message.Message:
    return heard.truth("z.test.")


def in_turn(values: Iterable[Any]) -> list[Any]:
    """Without what comes twice in a row, as it does where a question was asked again."""
    return [value for value, _ in groupby(values)]


def framed(wire: bytes) -> bytes:
    return struct.pack("!H", len(wire)) + wire


def flood(sock: socket.socket, data: bytes, for_s: float) -> int:
    """Writes without reading, until it is over or nothing goes out any more."""
    until, sent = time.monotonic() + for_s, 0
    sock.settimeout(0.5)
    try:
        while time.monotonic() < until:
            sent += sock.send(data)
    except OSError:
        pass
    return sent


# --- clients ---


def test_shed_queries_of_a_client_that_does_not_read(net: Callable[..., Net], begin: Begin):
    """Failing at once, they filled the stream's buffer within its own callback."""
    daemon = begin(net({"slow.test.": {"ns.slow.test.": ONE}}, {ONE: lambda heard: None}))
    query = dns.message.make_query("www.slow.test", "A", use_edns=0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as crowd, socket.socket() as client:
        crowd.connect((HERE, 53))
        for number in range(600):
            query.id = number
            crowd.send(query.to_wire())
            if number % 50 == 0:
                time.sleep(0.005)
        wait_until(lambda: daemon.counters()["answers.merged"] >= 511)  # LIMIT_WAITERS
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect((HERE, 53))
        assert flood(client, framed(query.to_wire()) * 500, 1.0) > 100_000
        assert daemon.control("status")
    assert daemon.counters()["expect.failed"] == 0


def test_a_flood_of_lines_on_the_control_socket(net: Callable[..., Net], begin: Begin):
    daemon = begin(net())
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.socket))
        flood(client, b"\n" * 1000, 1.0)
        assert daemon.control("status")
    assert daemon.counters()["expect.failed"] == 0


def test_private_types_do_not_meet_the_cache_of_delegations(net: Callable[..., Net], begin: Begin):
    """Delegations were kept as type 65280, denials of a name as type 0."""

    def speech(heard: Heard) -> Any:
        return heard.denial("z.test.", NXDOMAIN if heard.name.startswith("no") else 0) if heard.rrtype != "A" or \
            heard.name.startswith("no") else heard.answer(TRUTH)

    world = net(ONE_ZONE, {ONE: speech})
    daemon = begin(world)
    assert good(ask("www.z.test"))
    for rrtype in ("TYPE65280", "TYPE65281", "TYPE65535"):
        assert ask("z.test", rrtype).rcode() == NOERROR
        assert ask("nothing.z.test", rrtype).rcode() == NXDOMAIN
    ask("other.z.test", "TYPE0")
    for kind in ("query", "why"):
        with pytest.raises(ControlError, match="TYPE0"):
            daemon.control(kind, name="other.z.test", type="TYPE0")
    before = world.count(ROOT)
    assert good(ask("new.z.test")) and good(ask("other.z.test"))
    assert ask("other.z.test", "TXT").rcode() == NOERROR and ask("nothing.z.test").rcode() == NXDOMAIN
    assert world.count(ROOT) == before  # the delegation is still known


def test_rrsig_asked_for_by_name_gives_all(net: Callable[..., Net], begin: Begin):
    rdata = ["%s 13 3 300 20330101000000 20230101000000 1 z.test. %s" % (covered, "eHh4" * 16)
             for covered in ("A", "NS", "SOA", "TXT")]

    def speech(heard: Heard) -> Any:
        reply = heard.bare() if heard.rrtype == "RRSIG" else z_truth(heard)
        if heard.rrtype == "RRSIG":
            reply.answer += [dns.rrset.from_text(heard.raw, 300, "IN", "RRSIG", one) for one in rdata]
        return reply

    begin(net(ONE_ZONE, {ONE: speech}))
    for _ in range(2):  # from the server, from the cache
        reply = ask("www.z.test", "RRSIG", tcp=True)
        assert sorted(r.to_text().split()[0] for rrset in reply.answer for r in rrset) == ["A", "NS", "SOA", "TXT"]


def test_ttls_are_limited_from_the_first_client_on(net: Callable[..., Net], begin: Begin):
    ttls = {"long.z.test.": 1209600, "short.z.test.": 1}
    begin(net(ONE_ZONE, {ONE: lambda heard: heard.answer(TRUTH, ttl=ttls.get(heard.name, 300))}),
          cache={"ttl-min": 20, "ttl-max": 1000})
    for name, ttl in (("long.z.test", 1000), ("short.z.test", 20)):
        first, second = (ask(name).answer[0].ttl for _ in range(2))
        assert first == ttl and ttl - 2 <= second <= ttl


def test_any_with_thousands_of_types(net: Callable[..., Net], begin: Begin):
    def speech(heard: Heard) -> Any:
        if heard.rrtype != "ANY":
            return z_truth(heard)
        if not heard.tcp:
            reply = heard.bare()
            reply.flags |= dns.flags.TC
            return reply
        question = heard.wire[12:12 + len(heard.raw) + 1 + 4]
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIHB", 1000 + n, 1, 60, 1, 7) for n in range(4096))
        return heard.wire[:2] + b"\x84\0" + struct.pack("!4H", 1, 4096, 0, 0) + question + records

    daemon = begin(net(ONE_ZONE, {ONE: speech}))
    ask("warm.z.test")
    before = daemon.memory_kib()
    times = []
    for number in range(20):
        reply, took_s = timed(ask, "a%d.z.test" % number, "ANY", tcp=True)
        assert reply.rcode() == NOERROR and len(reply.answer) <= 16
        times.append(took_s)
    assert sorted(times)[10] < 0.1 * SLOWER  # with work as the square of the records it was seconds
    assert IS_SANITIZED or daemon.memory_kib() - before < 8192


def test_lookups_that_drag_in_large_replies_share_a_limit(net: Callable[..., Net], begin: Begin):
    """Each of 200 lookups is referred a label deeper 30 times, with 3.5 KB of nothing useful each time."""
    junk = b"".join(b"\0" + struct.pack("!HHIHB", 1000 + n, 1, 60, 1, 7) for n in range(300))

    def speech(heard: Heard) -> Any:
        if heard.name.count(".") >= 30:
            return None
        question = heard.wire[12:12 + len(heard.raw) + 1 + 4]
        server = b"\xc0\x0c" + struct.pack("!HHIHB2sH", 2, 1, 300, 4, 1, b"n\xc0", 0)[:-2] + b"\x0c"
        address = b"\1n\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 4) + socket.inet_aton(ONE)
        return heard.wire[:2] + b"\x80\0" + struct.pack("!4H", 1, 0, 1, 301) + question + server + address + junk

    daemon = begin(net(ONE_ZONE, {ONE: speech}), cache={"memory": "16M"})
    ask("warm.z.test", patience_s=8 * SLOWER)
    before = daemon.memory_kib()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((HERE, 53))
        for number in range(200):
            sock.send(dns.message.make_query("x." * 40 + "u%d.z.test" % number, "A", use_edns=0).to_wire())
            time.sleep(0.002)
        most, until = 0, time.monotonic() + 3
        while time.monotonic() < until:
            most = max(most, daemon.memory_kib())
            time.sleep(0.1)
    assert IS_SANITIZED or most - before < (64 + 16 + 16) * 1024  # requests, cache, the rest


# --- the machine ---


def cpu_s(daemon: Daemon) -> float:
    fields = Path("/proc/%d/stat" % daemon.pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_out_of_descriptors_it_waits_and_goes_on(net: Callable[..., Net], tmp_path: Path):
    world = net(ONE_ZONE, {ONE: z_truth})
    daemon = limited(tmp_path / "daemon", "200:200", world.hints(), workers=1, ports={"pool": 100})
    try:
        clients = [socket.create_connection((HERE, 53), timeout=5) for _ in range(150)]
        time.sleep(0.2)
        before = cpu_s(daemon)
        time.sleep(1)
        assert cpu_s(daemon) - before < 0.2 * SLOWER
        for client in clients:
            client.close()
        assert wait_until(lambda: good(ask("www.z.test", tcp=True)))
    finally:
        daemon.finish()


def test_defaults_fit_1024_descriptors(net: Callable[..., Net], tmp_path: Path):
    world = net(ONE_ZONE, {ONE: z_truth})
    daemon = limited(tmp_path / "daemon", "1024:1024", world.hints())
    try:
        assert all(map(good, at_once([lambda n=n: ask("n%d.z.test" % n) for n in range(100)])))
    finally:
        daemon.finish()


def test_wildcard_listeners_answer_from_the_address_that_was_asked(net: Callable[..., Net], begin: Begin):
    sh("ip addr add 10.5.0.2/24 dev lo; ip addr add fd00:1::1/64 dev lo nodad; ip addr add fd00:1::2/64 dev lo nodad")
    begin(net(ONE_ZONE, {ONE: z_truth}), listen=["0.0.0.0@5310", "::@5310"], access={"allow": ["0.0.0.0/0", "::/0"]})
    query = dns.message.make_query("www.z.test", "A")
    for source, target in (("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "127.3.0.3"), ("10.5.0.2", "10.5.0.2"),
                           ("127.0.0.1", "10.5.0.2"), ("fd00:1::1", "fd00:1::1"), ("fd00:1::1", "fd00:1::2"),
                           ("::1", "::1")):
        with socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(3 * SLOWER)
            sock.bind((source, 0))
            for _ in range(2):  # after a lookup, at once
                sock.sendto(query.to_wire(), (target, 5310))
                reply, peer = sock.recvfrom(4096)
                assert peer[:2] == (target, 5310) and good(dns.message.from_wire(reply))


def test_ports_stay_in_the_set_when_the_kernels_range_is_narrowed(net: Callable[..., Net], begin: Begin):
    world = net(ONE_ZONE, {ONE: z_truth})
    begin(world)
    at_once([lambda n=n: ask("a%d.z.test" % n) for n in range(60)])
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("32768 33000")
    time.sleep(6)
    world.forget()
    assert all(map(good, at_once([lambda n=n: ask("b%d.z.test" % n) for n in range(150)])))
    assert [one.port for one in world.at(ONE) if one.port < 49152] == []


# --- routes ---

CLIENTS_PORTS = 5  # that may be met by chance: this test's own sockets have some


def blamed_ports(daemon: Daemon) -> int:
    counters = daemon.counters()
    return counters["ports.taken"] + counters["ports.denied"]


@pytest.mark.parametrize("way", ["broadcast", "prohibit", "unreachable", "blackhole"])
def test_servers_that_cannot_be_reached_do_not_use_up_ports(net: Callable[..., Net], begin: Begin, way: str):
    """The ports that were drawn counted as another program's for ten seconds, until none was left."""
    victim = "10.77.0.255"
    sh("ip addr add 10.77.0.1/24 brd 10.77.0.255 dev lo" if way == "broadcast" else f"ip route add {way} {victim}")
    world = net({**ONE_ZONE, "evil.test.": {"ns.evil.test.": victim}}, {ONE: z_truth})
    daemon = begin(world)
    assert {ask("x%d.evil.test" % n).rcode() for n in range(3)} == {SERVFAIL}
    at_once([lambda n=n: ask("y%d.evil.test" % n) for n in range(150)])
    assert blamed_ports(daemon) <= CLIENTS_PORTS
    assert sum(daemon.control("port", port=port)["taken_by_other"] for port in range(49152, 65536, 97)) <= 1
    assert all(good(ask("w%d.z.test" % n)) for n in range(5))


V6_ROOTS = tuple("fd00:2::%x" % n for n in range(16, 29))


@pytest.mark.parametrize("way", ["sysctl", "no address", "flushed later", "source needed"])
def test_without_ipv6_nothing_fails(net: Callable[..., Net], begin: Begin, way: str):
    servers = {"ns.z.test.": ONE, "ns2.z.test.": "fd00:3::1", "ns3.z.test.": "fd00:3::2"}
    world = net({"z.test.": servers}, {ONE: z_truth}, also=V6_ROOTS)
    if way == "sysctl":
        Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
    elif way == "no address":
        sh("ip -6 addr flush dev lo")
    elif way == "source needed":
        sh("ip -6 addr flush dev lo; ip -6 route add default dev lo || true")
    daemon = begin(world)
    if way == "flushed later":
        sh("ip -6 addr flush dev lo")
    replies = [ask("n%d.z.test" % n) for n in range(25)] + \
        at_once([lambda n=n: ask("m%d.z.test" % n) for n in range(25)])
    assert sum(reply.rcode() == SERVFAIL for reply in replies) == 0 and all(map(good, replies))
    assert blamed_ports(daemon) <= CLIENTS_PORTS


def test_ipv6_alone_with_slow_roots(net: Callable[..., Net], begin: Begin):
    """Thirteen addresses without a route spent the budget of every question before the roots had answered."""
    sh("ip addr add fd00:9::1/64 dev lo nodad")
    begin(net({}, roots=V6_ROOTS, also=tuple("100.90.0.%d" % n for n in range(1, 14)), delay_s=0.06))
    replies = [ask("n%d" % n) for n in range(10)] + at_once([lambda n=n: ask("m%d" % n) for n in range(30)])
    assert Counter(reply.rcode() for reply in replies) == {NXDOMAIN: 40}


def test_of_a_huge_delegation_the_glue_is_kept(net: Callable[..., Net], begin: Begin):
    """Each question chose other servers than those whose glue was kept, which were looked up, and failed."""
    bad = {"b%d" % n: "100.90.0.%d" % n for n in range(1, 16)}  # 15 of 60: no sample of 16 is all bad
    labels = {**{"a%d" % n: "127.7.0.%d" % n for n in range(1, 46)}, **bad}
    zones = ["z%d.test." % n for n in range(12)]
    world = net({zone: {label + "." + zone: address for label, address in labels.items()} for zone in zones},
                {labels[label]: lambda heard: heard.answer(TRUTH) for label in labels if label not in bad})
    begin(world)
    for turn in range(3):
        assert all(map(good, at_once([lambda zone=zone: ask("www%d.%s" % (turn, zone)) for zone in zones])))
        time.sleep(1.1)  # beyond resolve/cuts
    assert {heard.name.split(".")[0] for heard in world.heard if heard.address != ROOT} <= {"www0", "www1", "www2"}


# --- what a question may cost others ---


@pytest.mark.parametrize("kind", ["deep names", "names that do not exist", "names in the zone", "addresses"])
def test_amplification(net: Callable[..., Net], begin: Begin, record_property: Any, kind: str):
    """One question of a client, a delegation to 16 servers of a victim."""
    victims = ["127.9.0.%d" % n for n in range(1, 17)]

    def evil(heard: Heard) -> Any:
        zone = ".".join(heard.name.split(".")[-4:])
        if not zone.startswith("at"):
            return heard.denial("evil.test.")
        return heard.referral(zone, {
            "deep names": {"r%d.1.2.3.4.5.6.7.8.wild.victim.test." % n: None for n in range(16)},
            "names that do not exist": {"r%d.a.b.victim.test." % n: None for n in range(16)},
            "names in the zone": {"ns%d.%s" % (n, zone): None for n in range(16)},
            "addresses": {"ns%d.%s" % (n, zone): victims[n] for n in range(16)},
        }[kind])

    world = net({"evil.test.": {"ns.evil.test.": ONE}, "victim.test.": {"ns.victim.test.": TWO}}, {
        ONE: evil, TWO: lambda heard: heard.denial("victim.test.", 0 if "wild" in heard.name else 3),
        **{victim: lambda heard: heard.bare(5, False) for victim in victims}})
    daemon = begin(world)
    ask("warm.evil.test")
    ask("warm.victim.test")
    world.forget()
    assert ask("www.at.evil.test").rcode() == SERVFAIL
    time.sleep(0.3)
    hits = world.count(TWO) + sum(world.count(victim) for victim in victims)
    record_property("packets_to_the_victim", hits)
    record_property("packets", world.count())
    # LIMIT_TRIES_PER_ZONE; LIMIT_CUT_LOOKUPS of A and AAAA each
    assert hits <= (12 if kind == "addresses" else 10) + daemon.repeats()
    assert world.count() <= 20 + daemon.repeats()


def test_siblings_below_a_warm_empty_non_terminal_cost_one_packet_each(net: Callable[..., Net], begin: Begin):
    world = net(ONE_ZONE, {ONE: lambda heard: heard.answer(TRUTH) if heard.name.startswith("h") and heard.rrtype == "A"
                           else heard.denial("z.test.")})
    daemon = begin(world)
    assert good(ask("h.1.2.3.z.test"))
    world.forget()
    assert all(good(ask("h%d.1.2.3.z.test" % n)) for n in range(10))
    assert 10 <= world.count() <= 10 + daemon.repeats(), world.names(ONE) + world.names(ROOT)


def test_priming_is_not_repeated_when_it_brings_no_addresses(net: Callable[..., Net], begin: Begin):
    world = net(ONE_ZONE, {ROOT: lambda heard: heard.answer("r0.hostile.") if (heard.name, heard.rrtype) == (".", "NS")
                           else heard.denial(".")})
    daemon = begin(world)
    for number in range(8):
        ask("h.q%d" % number)
    assert world.names(ROOT)[".", "NS"] <= 1 + daemon.repeats()


# --- servers with manners of their own ---


def test_header_only_formerr(net: Callable[..., Net], begin: Begin):
    def old(heard: Heard) -> Any:
        return heard.wire[:2] + b"\x80\x01" + bytes(8) if heard.edns else z_truth(heard)

    world = net(ONE_ZONE, {ONE: old})
    daemon = begin(world)
    assert good(ask("www.z.test"))
    assert good(ask("other.z.test"))
    # Believed each time, and never remembered: it shows neither the question nor the case of its name.
    assert in_turn(one.edns for one in world.at(ONE)) == [True, False] * 2 and world.count(ONE, tcp=True) == 0
    assert world.count(ONE) <= 4 + daemon.repeats()


def test_header_only_formerr_to_many_who_joined(net: Callable[..., Net], begin: Begin):
    """Those who share a flight learn what its sender learns."""
    def old(heard: Heard) -> Any:
        return 0.05, heard.wire[:2] + b"\x80\x01" + bytes(8) if heard.edns else z_truth(heard)

    world = net(ONE_ZONE, {ONE: old})
    daemon = begin(world)
    assert all(map(good, at_once([lambda n=n: ask("n%d.a.b.z.test" % n) for n in range(30)])))
    assert sum(one.edns for one in world.at(ONE)) <= 5 + daemon.repeats()


def test_a_lost_packet_of_many_is_one_silence(net: Callable[..., Net], begin: Begin):
    """Fifty lookups share the first question below the zone. Its loss must not count fifty times: then the server
    would be waited for 1.5 s, or looked at as dead."""
    lost: list[Heard] = []

    def speech(heard: Heard) -> Any:
        if not lost:
            lost.append(heard)
            return None
        return 0.02, z_truth(heard)

    world = net(ONE_ZONE, {ONE: speech})
    begin(world)
    assert all(map(good, at_once([lambda n=n: ask("n%d.a.b.z.test" % n) for n in range(50)], 50)))


def test_identical_questions_of_two_workers_do_not_fly_twice(net: Callable[..., Net], begin: Begin):
    world = net(ONE_ZONE, {ONE: lambda heard: (0.03, heard.answer(TRUTH) if heard.name.count(".") > 3
                                               else heard.denial("z.test."))}, delay_s=0.03)
    daemon = begin(world, workers=2)
    replies = at_once([lambda n=n: ask("n%d.sub.z.test" % n) for n in range(100)], 100)
    assert all(map(good, replies))
    flying: dict[tuple[str, str, str], float] = {}
    twice = []
    for one in list(world.heard):
        key = one.name, one.rrtype, one.address
        if one.at < flying.get(key, 0.0):
            twice.append(key)
        flying[key] = one.done
    counters = daemon.counters()
    assert len(twice) <= counters["upstream.timeouts"], twice
    assert counters["upstream.merged"] >= 10


# --- replies that cannot be believed ---


def test_a_fragmented_reply_leads_to_tcp(net: Callable[..., Net], begin: Begin):
    def speech(heard: Heard) -> Any:
        if heard.tcp:
            return z_truth(heard)
        send_in_fragments(heard.answer(FORGED).to_wire(), ONE, heard.peer[0], heard.port)
        return None

    world = net(ONE_ZONE, {ONE: speech})
    daemon = begin(world)
    assert good(ask("www.z.test"))
    assert daemon.counters()["upstream.fragmented"] >= 1 and world.count(ONE, tcp=True) >= 1


def test_a_datagram_from_elsewhere_is_not_heard(net: Callable[..., Net], begin: Begin):
    def speech(heard: Heard) -> Any:
        forged = heard.answer(FORGED).to_wire()
        send_from(forged, TWO, 53, heard.peer[0], heard.port)  # another address
        send_from(forged, ONE, 54, heard.peer[0], heard.port)  # another port
        return 0.02, z_truth(heard)

    world = net(ONE_ZONE, {ONE: speech})
    begin(world)
    assert all(good(ask("n%d.z.test" % n)) for n in range(10))
    assert world.count(ONE, tcp=True) == 0


def test_repeated_mismatches_lead_to_tcp_for_a_while(net: Callable[..., Net], begin: Begin):
    def speech(heard: Heard) -> Any:
        wire = heard.answer(FORGED).to_wire()
        return z_truth(heard) if heard.tcp else bytes([wire[0] ^ 1]) + wire[1:]

    world = net(ONE_ZONE, {ONE: speech})
    daemon = begin(world)
    for number in range(8):
        assert good(ask("n%d.z.test" % number))
    assert world.count(ONE, tcp=True) == 8 and 3 <= world.count(ONE, tcp=False) <= 3 + daemon.repeats()
    warnings = [line for line in daemon.log.splitlines() if "warning" in line and ONE in line]
    assert len(warnings) == 1 and "TCP" in warnings[0]


# --- the case of names ---


def test_questions_leave_in_mixed_case_and_answers_do_not_show_it(net: Callable[..., Net], begin: Begin):
    def speech(heard: Heard) -> Any:
        if heard.name.startswith("alias"):
            # Compressed, the target ends in the question's name.
            return heard.answer("target." + heard.raw, rrtype="CNAME")
        return z_truth(heard)

    world = net(ONE_ZONE, {ONE: speech})
    begin(world)
    name = "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGhIj"
    for number in range(10):
        reply = ask("%s%d.z.TEST" % (name, number))
        assert good(reply)
        assert str(reply.question[0].name) == "%s%d.z.TEST." % (name, number)
        assert str(reply.answer[0].name) == "%s%d.z.TEST." % (name, number)
    cases = [one.raw for one in world.at(ONE) if one.name.startswith("abc")]
    assert len({raw[:36] for raw in cases}) == len(cases) >= 10
    assert not any(raw[:36] in (name, name.lower()) for raw in cases)
    letters = [letter for raw in cases for letter in raw[:36]]
    assert 0.28 < sum(letter.isupper() for letter in letters) / len(letters) < 0.72
    for _ in range(2):
        alias = ask("alias.z.test", "A")
        assert [str(r.target) for rrset in alias.answer for r in rrset if rrset.rdtype == 5] == ["target.alias.z.test."]


def test_a_server_that_does_not_keep_the_case(net: Callable[..., Net], begin: Begin):
    def speech(heard: Heard) -> Any:
        wire = z_truth(heard).to_wire()
        end = 12 + len(heard.raw) + 1
        return wire[:12] + wire[12:end].lower() + wire[end:]

    world = net(ONE_ZONE, {ONE: speech})
    daemon = begin(world)
    for number in range(6):
        assert good(ask("abcdefghijklmnop%d.z.test" % number))
    assert world.count(ONE, tcp=True) == 1
    first = [one.tcp for one in world.at(ONE)].index(True)
    after = world.at(ONE)[first + 1:]
    assert first <= 1 + daemon.repeats() and len(after) >= 5 and all(one.raw == one.name for one in after)


# --- cookies ---


class Cookies:
    """A server that gives out cookies. `spoil` is what happens to the cookie of its replies over UDP."""

    def __init__(self, spoil: Callable[[bytes], bytes] = lambda cookie: cookie):
        self.secret, self.spoil = b"secret01", spoil
        self.wants = False  # BADCOOKIE to other cookies than its own

    def __call__(self, heard: Heard) -> Any:
        reply = z_truth(heard)
        if self.wants and not heard.tcp and heard.cookie[8:] != self.secret:
            reply = heard.bare(dns.rcode.BADCOOKIE)
        if heard.cookie:
            cookie = heard.cookie[:8] + self.secret
            cookie = cookie if heard.tcp else self.spoil(cookie)
            if cookie:
                rcode = reply.rcode()
                reply.use_edns(0, 0, 1232, options=[dns.edns.GenericOption(10, cookie)])
                reply.set_rcode(rcode)
        return reply


def test_cookies_come_back(net: Callable[..., Net], begin: Begin):
    server, other = Cookies(), Cookies()
    world = net({**ONE_ZONE, "y.test.": {"ns.y.test.": TWO}}, {ONE: server, TWO: other})
    daemon = begin(world)
    for number in range(4):
        assert good(ask("n%d.z.test" % number)) and ask("n%d.y.test" % number).rcode() == NOERROR
    cookies = [one.cookie for one in world.at(ONE)]
    ours = [cookie for cookie in cookies if len(cookie) == 8]
    assert set(ours) == {cookies[0]} and len(ours) <= 1 + daemon.repeats()
    assert set(cookies) - set(ours) == {cookies[0] + server.secret}
    assert world.at(TWO)[0].cookie != cookies[0]  # nobody can recognise us by it
    server.secret = b"secret0200000000"
    for number in range(2):
        assert good(ask("m%d.z.test" % number))
    assert world.at(ONE)[-1].cookie == cookies[0] + server.secret
    assert world.count(ONE, tcp=True) == 0


@pytest.mark.parametrize("spoil", [lambda cookie: bytes([cookie[0] ^ 1]) + cookie[1:], lambda cookie: b""],
                         ids=["another's", "none"])
def test_a_reply_without_our_cookie_leads_to_tcp(net: Callable[..., Net], begin: Begin, spoil: Any):
    server = Cookies()
    world = net(ONE_ZONE, {ONE: server})
    begin(world)
    assert good(ask("first.z.test")) and world.count(ONE, tcp=True) == 0
    server.spoil = spoil
    assert good(ask("second.z.test"))
    assert world.count(ONE, tcp=True) == 1


def test_a_server_that_never_gave_a_cookie_need_not(net: Callable[..., Net], begin: Begin):
    world = net(ONE_ZONE, {ONE: Cookies(lambda cookie: b"")})
    begin(world)
    assert good(ask("first.z.test")) and good(ask("second.z.test"))
    assert world.count(ONE, tcp=True) == 0


def test_badcookie_is_answered_with_the_new_cookie(net: Callable[..., Net], begin: Begin):
    server = Cookies()
    server.wants = True
    world = net(ONE_ZONE, {ONE: server})
    daemon = begin(world)
    assert good(ask("first.z.test"))
    assert in_turn(len(one.cookie) for one in world.at(ONE)) == [8, 16]
    assert world.count(ONE) <= 2 + daemon.repeats()
    server.secret = b"renewed1"
    world.forget()
    assert good(ask("second.z.test"))
    assert world.count(ONE) <= 2 + daemon.repeats()
    assert in_turn(one.cookie[8:] for one in world.at(ONE)) == [b"secret01", b"renewed1"]
    assert world.count(ONE, tcp=True) == 0


def test_a_bare_error_does_not_do_away_with_a_cookie(net: Callable[..., Net], begin: Begin):
    """It shows neither our case nor our cookie: from a server that gives out cookies it is somebody else's."""
    server = Cookies()
    forging: list[bool] = []

    def speech(heard: Heard) -> Any:
        if forging and heard.edns and not heard.tcp:
            return heard.wire[:2] + b"\x80\x01" + bytes(8)
        return server(heard)

    world = net(ONE_ZONE, {ONE: speech})
    begin(world)
    assert good(ask("first.z.test"))
    forging.append(True)
    assert good(ask("second.z.test"))
    assert all(one.edns for one in world.at(ONE)) and world.count(ONE, tcp=True) == 1
