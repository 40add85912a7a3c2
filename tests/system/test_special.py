"""Does berthd deal with each of the lab's special zones, and with every kind of question a client may put?"""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path
from statistics import median

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest

from support import HERE, IN_TIME_S, SLOWER, Daemon, ask, ask_raw, at_once, ede, exchange, rdatas, timed

LAB = ["--names", 60, "--root-zone", Path(__file__).with_name("tlds.zone"),
       *(["--signed"] if shutil.which("ldns-signzone") else [])]

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
BADVERS = 16
EDE_NO_REACHABLE = 22
QUESTIONS_MAX = 64  # LIMIT_QUESTIONS: what one client's question may cost upstream

pytestmark = pytest.mark.usefixtures("shared")


def upstream(daemon: Daemon) -> int:
    counters = daemon.counters()
    return counters["upstream.udp"] + counters["upstream.tcp"]


def soa(reply: dns.message.Message) -> dns.rrset.RRset:
    return next(rrset for rrset in reply.authority if rrset.rdtype == dns.rdatatype.SOA)


# --- aliases ---


def test_alias_chain_is_in_order():
    reply = ask("c1.alias.lab")
    owners = [str(rrset.name) for rrset in reply.answer]
    assert owners == ["c%d.alias.lab." % n for n in range(1, 9)] + ["end.alias.lab."]
    assert [rrset.rdtype for rrset in reply.answer] == [dns.rdatatype.CNAME] * 8 + [dns.rdatatype.A]
    assert rdatas(reply) == ["198.18.100.8"]


def test_alias_from_the_middle_after_the_whole():
    assert len(ask("c1.alias.lab").answer) == 9
    assert [str(rrset.name) for rrset in ask("c8.alias.lab").answer] == ["c8.alias.lab.", "end.alias.lab."]


def test_alias_asked_for_itself_is_not_followed():
    reply = ask("c1.alias.lab", "CNAME")
    assert len(reply.answer) == 1 and rdatas(reply, "CNAME") == ["c2.alias.lab."]


def test_alias_into_another_zone():
    reply = ask("x.alias.lab")
    assert reply.rcode() == NOERROR and len(reply.answer) == 2 and len(rdatas(reply)) == 1


def test_alias_loop_fails_and_says_why():
    for name in ("loop1.alias.lab", "loop2.alias.lab"):
        reply = ask(name)
        assert reply.rcode() == SERVFAIL and ede(reply)


def test_dangling_alias():
    reply = ask("dangling.alias.lab")
    assert reply.rcode() == NXDOMAIN
    assert [rrset.rdtype for rrset in reply.answer] == [dns.rdatatype.CNAME]
    assert str(soa(reply).name) == "alias.lab."


def test_alias_without_the_type_is_nodata():
    reply = ask("c1.alias.lab", "MX")
    assert reply.rcode() == NOERROR and len(reply.answer) == 8 and soa(reply)


# --- servers that do not answer, or not well ---


def test_a_dead_server_among_live_ones_costs_little():
    found = at_once([lambda i=i: timed(ask, "n%d.dead.lab" % i) for i in range(20)]
                    + [lambda: timed(ask, "www.dead.lab")])
    assert [reply.rcode() for reply, _ in found] == [NXDOMAIN] * 20 + [NOERROR]
    # One in some thousand meets the dead one three times.
    assert median(took for _, took in found) < 1.5 * SLOWER and max(took for _, took in found) < 4 * SLOWER


def test_a_closed_server_costs_nothing():
    found = at_once([lambda i=i: timed(ask, "n%d.closed.lab" % i) for i in range(20)])
    assert {reply.rcode() for reply, _ in found} == {NXDOMAIN}
    assert median(took for _, took in found) < 0.5 * SLOWER and max(took for _, took in found) < 2 * SLOWER


def test_all_dead_fails_in_time(shared: Daemon):
    before = upstream(shared)
    found = at_once([lambda: timed(ask, "alldead.lab"), lambda: timed(ask, "www.alldead.lab", "AAAA")])
    for reply, took in found:
        assert reply.rcode() == SERVFAIL and ede(reply) == [EDE_NO_REACHABLE] and took < IN_TIME_S
    assert upstream(shared) - before <= 2 * QUESTIONS_MAX


def test_failures_are_remembered(shared: Daemon):
    """RFC 9520: for a moment nobody is asked again, whichever worker hears the question."""
    assert ask("www.alllame.lab", "TXT").rcode() == SERVFAIL
    before = upstream(shared)
    assert {ask("www.alllame.lab", "TXT").rcode() for _ in range(16)} == {SERVFAIL}
    assert upstream(shared) == before


def test_lame_servers_among_good_ones():
    assert rdatas(ask("www.lame.lab")) == ["198.18.100.2"]


def test_all_lame_fails_at_once():
    reply, took = timed(ask, "www.alllame.lab")
    assert reply.rcode() == SERVFAIL and ede(reply) == [EDE_NO_REACHABLE] and took < 2.5  # silence takes 2.6 s


def test_no_glue_twice_removed():
    assert rdatas(ask("www.glueless.lab")) == ["198.18.100.2"]
    assert rdatas(ask("www.offsite.lab")) == ["198.18.100.2"]


def test_cycle_fails_at_once_and_costs_little(shared: Daemon):
    before = upstream(shared)
    for name in ("www.cycle1.lab", "www.cycle2.lab", "cycle1.lab"):
        reply, took = timed(ask, name)
        assert reply.rcode() == SERVFAIL and ede(reply) and took < 3
    assert upstream(shared) - before <= 30


def test_servers_with_ipv6_only():
    assert rdatas(ask("www.v6only.lab")) == ["198.18.100.2"]


def test_servers_with_ipv6_only_without_ipv6(start):
    daemon = start(listen=["127.0.0.2"], resolver={"ipv6": False})
    reply, took = timed(ask, "www.v6only.lab", where="127.0.0.2")
    assert reply.rcode() == SERVFAIL and ede(reply) and took < 1.5 * SLOWER
    assert daemon.counters()["upstream.errors"] == 0
    assert rdatas(ask("www.glued.lab", where="127.0.0.2")) == ["198.18.100.2"]


def test_ipv6_alone(start):
    start(listen=["127.0.0.3"], resolver={"ipv4": False})
    assert rdatas(ask("www.v6only.lab", where="127.0.0.3")) == ["198.18.100.2"]


# --- what zones hold ---


def test_big_answers_want_tcp():
    for name, rrtype, count in (("txt.big.lab", "TXT", 1), ("many.big.lab", "A", 100)):
        over_udp, over_tcp = ask(name, rrtype), ask(name, rrtype, tcp=True)
        assert over_udp.flags & dns.flags.TC and not over_tcp.flags & dns.flags.TC
        assert len(rdatas(over_tcp, rrtype)) == count
    assert len(b"".join(ask("txt.big.lab", "TXT", tcp=True).answer[0][0].strings)) == 32 * 255


@pytest.mark.parametrize("payload, room", [(1232, 1232), (4096, 1232), (65535, 1232), (600, 600), (511, 512), (0, 512)])
def test_answers_over_udp_fit(payload: int, room: int):
    query = dns.message.make_query("many.big.lab", "A", use_edns=0, payload=payload)
    wire = ask_raw(query.to_wire())
    assert len(wire) <= room and dns.message.from_wire(wire).flags & dns.flags.TC


def test_deep_names():
    assert rdatas(ask("l12.l11.l10.l9.l8.l7.l6.l5.l4.l3.deep.lab")) == ["198.18.100.12"]
    assert ask("l5.l4.l3.deep.lab").rcode() == NOERROR
    assert rdatas(ask("www.sub.deep.lab")) == ["198.18.100.2"]


def test_wildcard_and_empty_non_terminal():
    assert rdatas(ask("any.wild.lab")) == rdatas(ask("two.labels.wild.lab")) == ["198.18.100.42"]
    assert rdatas(ask("*.wild.lab")) == ["198.18.100.42"]
    ent = ask("ent.wild.lab")
    assert ent.rcode() == NOERROR and not ent.answer and soa(ent)
    assert ask("b.ent.wild.lab").rcode() == NXDOMAIN
    assert rdatas(ask("a.ent.wild.lab")) == ["198.18.100.43"]


def test_denials_carry_the_soa():
    missing, nodata = ask("missing.nodata.lab"), ask("a-only.nodata.lab", "AAAA")
    assert (missing.rcode(), nodata.rcode()) == (NXDOMAIN, NOERROR)
    for reply in (missing, nodata):
        assert not reply.answer and str(soa(reply).name) == "nodata.lab." and 0 < soa(reply).ttl <= 300
    assert str(soa(ask("missing-tld")).name) == "."


def test_ttl_counts_down():
    first = ask("www.nodata.lab").answer[0].ttl
    time.sleep(1.1)
    assert first - 3 * SLOWER <= ask("www.nodata.lab").answer[0].ttl < first


def test_the_root_and_a_tld_themselves():
    assert len(rdatas(ask(".", "NS"), "NS")) == 13
    assert ask("lab", "SOA").rcode() == NOERROR and rdatas(ask("lab", "NS"), "NS")


# --- flags, EDNS, classes, types ---


needs_signed_lab = pytest.mark.skipif(not shutil.which("ldns-signzone"), reason="ldns-signzone is missing (ldnsutils)")


@needs_signed_lab
def test_signatures_come_with_do_only():
    def types(**more):
        reply = ask("www.wild.lab", **more)
        return {rrset.rdtype for rrset in reply.answer}

    plain, signed = {dns.rdatatype.A}, {dns.rdatatype.A, dns.rdatatype.RRSIG}
    assert types() == plain
    assert types(want_dnssec=True) == signed
    assert types() == plain
    denial = ask("missing.nodata.lab", want_dnssec=True)
    assert {dns.rdatatype.NSEC, dns.rdatatype.RRSIG} <= {rrset.rdtype for rrset in denial.authority}
    assert {rrset.rdtype for rrset in ask("missing.nodata.lab").authority} == {dns.rdatatype.SOA}


@needs_signed_lab
def test_do_is_copied():
    assert ask("www.wild.lab", want_dnssec=True).ednsflags & dns.flags.DO
    assert not ask("www.wild.lab").ednsflags & dns.flags.DO


@needs_signed_lab
@pytest.mark.parametrize("rrtype", ["DS", "DNSKEY", "RRSIG", "NSEC"])
def test_dnssec_types_asked_for_by_name(rrtype: str):
    reply = ask("wild.lab", rrtype, tcp=True)
    assert reply.rcode() == NOERROR and rdatas(reply, rrtype)


def test_ds_is_asked_of_the_parent():
    # Only the parent knows it; without signing, its denial has the parent's SOA.
    reply = ask("nodata.lab", "DS")
    assert reply.rcode() == NOERROR
    assert rdatas(reply, "DS") or str(soa(reply).name) == "lab."


@pytest.mark.parametrize("flag", [0, dns.flags.CD, dns.flags.AD, dns.flags.CD | dns.flags.AD])
@pytest.mark.parametrize("name", ["www.nodata.lab", "fresh-%d.nodata.lab"])
def test_cd_is_copied_and_ad_is_not_made_up(flag: int, name: str):
    query = dns.message.make_query(name % flag if "%" in name else name, "A")
    query.flags |= flag
    reply = exchange(query)
    assert reply.flags & dns.flags.CD == flag & dns.flags.CD
    assert not reply.flags & dns.flags.AD and not reply.flags & dns.flags.AA
    assert reply.flags & dns.flags.RA and reply.flags & dns.flags.RD and reply.flags & dns.flags.QR


def test_clients_without_edns_get_none():
    reply = ask("www.nodata.lab", use_edns=False, payload=None)
    assert reply.edns == -1 and rdatas(reply) == ["198.18.100.2"]
    wire = ask_raw(dns.message.make_query("many.big.lab", "A").to_wire())
    assert len(wire) <= 512 and dns.message.from_wire(wire).flags & dns.flags.TC
    assert ask("loop1.alias.lab", use_edns=False, payload=None).rcode() == SERVFAIL


@pytest.mark.parametrize("version", [1, 2, 255])
def test_unknown_edns_versions(version: int):
    query = dns.message.make_query("www.nodata.lab", "A")
    query.use_edns(version, payload=1232)
    reply = exchange(query)
    assert reply.rcode() == BADVERS and reply.edns == 0 and not reply.answer


def test_unknown_edns_options_are_ignored():
    options = [dns.edns.GenericOption(65001, b"x" * 40), dns.edns.GenericOption(3, b""),
               dns.edns.GenericOption(12, bytes(100))]
    reply = ask("www.nodata.lab", options=options)
    assert rdatas(reply) == ["198.18.100.2"]


def test_two_opts_are_an_error():
    wire = bytearray(dns.message.make_query("www.nodata.lab", "A", use_edns=0).to_wire())
    wire[11] = 2
    assert dns.message.from_wire(ask_raw(bytes(wire) + bytes(wire[-11:]))).rcode() == FORMERR


def test_without_rd_nobody_is_asked(shared: Daemon):
    before = upstream(shared)
    for n in range(10):
        query = dns.message.make_query("rd%d.wild.lab" % n, "A")
        query.flags &= ~dns.flags.RD
        reply = exchange(query)
        assert reply.rcode() == REFUSED and not reply.flags & dns.flags.RD
    assert upstream(shared) == before


def test_without_rd_the_cache_answers():
    for _ in range(12):  # a worker keeps a finished answer from the second time on that it is asked
        ask("www.glued.lab")
    query = dns.message.make_query("www.glued.lab", "A")
    query.flags &= ~dns.flags.RD
    # Each worker has its own finished answers; which one hears us is the kernel's choice.
    assert NOERROR in {exchange(query).rcode() for _ in range(30)}


@pytest.mark.parametrize("name, rrtype", [("version.bind", "TXT"), ("id.server", "TXT"), ("www.nodata.lab", "A")])
def test_other_classes_are_refused(name: str, rrtype: str):
    for rdclass in (dns.rdataclass.CH, dns.rdataclass.HS, dns.rdataclass.ANY, dns.rdataclass.NONE):
        assert ask(name, rrtype, rdclass=rdclass).rcode() in (REFUSED, NOTIMP)


@pytest.mark.parametrize("rrtype", ["AXFR", "IXFR"])
def test_transfers_are_refused(rrtype: str):
    query = dns.message.make_query("nodata.lab", rrtype)
    assert dns.message.from_wire(ask_raw(query.to_wire())).rcode() == REFUSED
    with socket.create_connection((HERE, 53), timeout=5) as sock:
        wire = query.to_wire()
        sock.sendall(len(wire).to_bytes(2, "big") + wire)
        reply = sock.recv(65535)
    assert reply[5] & 15 == REFUSED


def test_any():
    for tcp in (False, True):
        reply = ask("nodata.lab", "ANY", tcp=tcp)
        assert reply.rcode() == NOERROR and (reply.answer or reply.flags & dns.flags.TC)
    assert ask("missing.nodata.lab", "ANY").rcode() == NXDOMAIN


@pytest.mark.parametrize("rrtype", ["TYPE0", "OPT", "TSIG", "TKEY", "MAILA", "MAILB"])
def test_meta_types_harm_nothing(rrtype: str):
    wire = bytearray(dns.message.make_query("nodata.lab", "A").to_wire())
    wire[-4:-2] = int(dns.rdatatype.from_text(rrtype)).to_bytes(2, "big")
    reply = ask_raw(bytes(wire))
    assert reply is not None and reply[3] & 15 != SERVFAIL


def test_unknown_types_are_asked_for():
    assert ask("nodata.lab", "TYPE65400").rcode() == NOERROR


@pytest.mark.parametrize("opcode", [dns.opcode.IQUERY, dns.opcode.STATUS, dns.opcode.NOTIFY, dns.opcode.UPDATE, 6, 15])
def test_other_opcodes_are_not_implemented(opcode: int):
    wire = bytearray(dns.message.make_query("nodata.lab", "SOA").to_wire())
    wire[2] = wire[2] & 0x87 | opcode << 3
    reply = ask_raw(bytes(wire))
    assert reply[3] & 15 == NOTIMP and reply[2] & 0x78 == opcode << 3 and reply[:2] == wire[:2]


def test_case_of_the_question_is_kept():
    for name in ("WwW.NoDaTa.LaB", "www.NODATA.lab", "wWw.nOdAtA.lAb"):
        for tcp in (False, True):
            reply = ask(name, tcp=tcp)
            assert str(reply.question[0].name) == str(reply.answer[0].name) == name + "."
    reply = ask("MISSING.nodata.LAB")
    assert reply.rcode() == NXDOMAIN and str(reply.question[0].name) == "MISSING.nodata.LAB."


# --- the longest names ---


def long_name(suffix: str) -> str:
    """A name of 255 bytes on the wire, with labels of 63."""
    room = 255 - len(dns.name.from_text(suffix).to_wire())
    labels = []
    while room > 64:
        labels.append("x" * 63)
        room -= 64
    return ".".join(labels + ["y" * (room - 1), suffix])


def test_longest_name():
    name = long_name("wild.lab")
    assert len(dns.name.from_text(name).to_wire()) == 255
    assert rdatas(ask(name)) == ["198.18.100.42"]
    assert ask(long_name("nodata.lab")).rcode() == NXDOMAIN


def test_name_of_127_labels():
    assert rdatas(ask(".".join(["a"] * 122 + ["wild.lab"]))) == ["198.18.100.42"]


@pytest.mark.parametrize("name", [b"\x40" + b"x" * 64 + b"\0", (b"\x3f" + b"x" * 63) * 4 + b"\0", b"\x80x\0", b"\xc0\x0c"])
def test_names_that_are_none(name: bytes):
    reply = ask_raw(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1")
    assert reply[3] & 15 == FORMERR


def test_escapes_and_binary_labels():
    for name in (rb"a\.b.wild.lab", rb"\000\255.wild.lab", rb"\@.wild.lab"):
        assert rdatas(ask(name.decode())) == ["198.18.100.42"]


# --- crowds ---


def test_identical_questions_go_out_once(shared: Daemon):
    ask("www.wild.lab")  # so that the servers of the zone are known
    before = shared.counters()
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
    for sock in sockets:
        sock.connect((HERE, 53))
        sock.settimeout(5 * SLOWER)
    for n, sock in enumerate(sockets):
        query = dns.message.make_query("crowd.wild.lab", "A")
        query.id = n
        sock.send(query.to_wire())
    replies = [dns.message.from_wire(sock.recv(4096)) for sock in sockets]
    for sock in sockets:
        sock.close()
    assert [reply.id for reply in replies] == list(range(200))
    assert {str(reply.answer[0][0]) for reply in replies} == {"198.18.100.42"}
    after = shared.counters()
    repeats = after["upstream.timeouts"] - before["upstream.timeouts"]
    assert 1 <= after["upstream.udp"] - before["upstream.udp"] <= 1 + repeats
    assert after["queries.udp"] - before["queries.udp"] == 200
    assert after["answers.sent"] - before["answers.sent"] == 200


def test_identical_questions_about_a_dead_zone_wait_together(shared: Daemon):
    before = upstream(shared)
    found = at_once([lambda: timed(ask, "crowd.alldead.lab") for _ in range(60)], 60)
    assert {reply.rcode() for reply, _ in found} == {SERVFAIL}
    assert median(took for _, took in found) < 5 and max(took for _, took in found) < IN_TIME_S
    assert upstream(shared) - before <= QUESTIONS_MAX


def test_alive_after_all(shared: Daemon):
    shared.check_alive()
