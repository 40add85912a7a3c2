"""Does berthd survive clients and servers that lie? It must go on, answer right or fail in time, and cost little."""

from __future__ import annotations

import lzma
import random
import resource
import socket
import struct
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Iterator

import dns.flags
import dns.message
import dns.rcode
import pytest

import hostile
from hostile import ANSWER, CASES, EITHER, FAILURE, FORGED, HONEST, TRUTH, Case
from support import (DATA, HERE, IN_TIME_S, IS_SANITIZED, SLOWER, Daemon, ask, ask_raw, at_once, rdatas, read_packets, timed,
                     wait_until)

LAB = ["--names", 20, "--root-zone", Path(__file__).with_name("tlds.zone")]

LIAR = "127.0.0.2"  # the berthd that believes the hostile root
QUESTIONS_MAX = 64
IDLE_S = 10.0  # LIMIT_TCP_IDLE_MS
MALFORMED = DATA / "malformed.pcap.xz"

SERVFAIL, NOERROR = dns.rcode.SERVFAIL, dns.rcode.NOERROR


def malformed() -> list[bytes]:
    if not MALFORMED.exists():
        return []
    return [packet.payload for packet in read_packets(lzma.open(MALFORMED).read()) if packet.payload]


def query_wire(name: str = "www.glued.lab", rrtype: str = "A", **more: object) -> bytes:
    return dns.message.make_query(name, rrtype, use_edns=0, **more).to_wire()


# --- clients ---


class Shouter:
    """One UDP socket that sends anything; `settle` returns what came back, once a good question was answered, too."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect((HERE, 53))
        self.sock.settimeout(5 * SLOWER)

    def __enter__(self) -> "Shouter":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.send(data)

    def settle(self) -> list[bytes]:
        """All that one socket sends goes to one worker, in order: a sentinel's answer means the rest was read."""
        sentinel = b"\xbe\xef" + query_wire("www.nodata.lab")[2:]
        self.send(sentinel)
        heard = []
        while True:
            reply = self.sock.recv(65535)
            if reply[:2] == sentinel[:2] and len(reply) > len(sentinel):
                return heard
            heard.append(reply)


@pytest.fixture(scope="module")
def early(shared: Daemon) -> Iterator[dict[str, socket.socket]]:
    """Connections on which nothing useful follows; looked at by the last test of the clients."""
    silent = {}
    ask("www.nodata.lab")
    for name, data in (("nothing", b""), ("half a length", b"\0"), ("half a message", b"\0\x30" + query_wire()[:20]),
                       ("a length that lies", b"\xff\xff" + query_wire()), ("after an answer", _framed(query_wire()))):
        silent[name] = socket.create_connection((HERE, 53), timeout=5)
        silent[name].sendall(data)
    silent["begun"] = time.monotonic()
    yield silent
    for sock in silent.values():
        if isinstance(sock, socket.socket):
            sock.close()


def _framed(wire: bytes) -> bytes:
    return struct.pack("!H", len(wire)) + wire


def _read_frames(sock: socket.socket, count: int) -> list[bytes]:
    stream = sock.makefile("rb")
    frames = []
    for _ in range(count):
        head = stream.read(2)
        if len(head) < 2:
            break
        frames.append(stream.read(struct.unpack("!H", head)[0]))
    return frames


def test_malformed_packets(shared: Daemon, early: dict[str, socket.socket]):
    packets = malformed()
    if not packets:
        pytest.skip("no ../shared/data/malformed.pcap.xz")
    with Shouter() as shouter:
        for packet in packets:
            shouter.send(packet)
        shouter.settle()
    for packet in packets:
        with socket.create_connection((HERE, 53), timeout=5) as sock:
            sock.sendall(_framed(packet) + _framed(query_wire()))
            assert _read_frames(sock, 1)
    shared.check_alive()


def test_every_truncation_of_a_query(shared: Daemon):
    whole = query_wire(options=[dns.edns.GenericOption(10, b"12345678")])
    with Shouter() as shouter:
        for length in range(len(whole)):
            shouter.send(struct.pack("!H", length) + whole[2:length] if length >= 2 else whole[:length])
        replies = {struct.unpack_from("!H", reply)[0]: reply[3] & 15 for reply in shouter.settle()}
    assert replies == {length: dns.rcode.FORMERR for length in range(12, len(whole))}


def test_every_byte_changed(shared: Daemon):
    whole = query_wire(want_dnssec=True)
    with Shouter() as shouter:
        for at in range(2, len(whole)):
            for value in (0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF):
                shouter.send(whole[:at] + bytes([value]) + whole[at + 1:])
            shouter.settle()
    shared.check_alive()


@pytest.mark.parametrize("name", [b"\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\1a\xc0\x0c", b"\xff\xff", b"\xc0\0", b"\xc0"])
def test_compression_in_the_question(name: bytes):
    reply = ask_raw(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1")
    assert reply[3] & 15 == dns.rcode.FORMERR


def test_oversized_datagrams(shared: Daemon):
    before = shared.counters()
    sizes = [4095, 4096, 4097, 9000, 16384, 65507]
    with Shouter() as shouter:
        for size in sizes:
            shouter.send(query_wire().ljust(size, b"\0"))
            shouter.send(bytes(size))
        shouter.settle()
    after = shared.counters()
    # Those that are read answer or are dropped like any other; those that are not are counted.
    assert after["queries.dropped"] - before["queries.dropped"] >= 4
    assert after["answers.unsent"] == before["answers.unsent"]


def test_random_datagrams(shared: Daemon):
    chance = random.Random(20260801)
    valid = query_wire()
    memory: list[int] = []
    with Shouter() as shouter:
        for n in range(20000):
            data = chance.randbytes(chance.randrange(600))
            if n % 3 == 1:
                data = valid[:12] + data
            elif n % 3 == 2:
                data = valid[:chance.randrange(len(valid))] + data[:chance.randrange(100)]
            shouter.send(data)
            if n % 100 == 0:
                shouter.settle()
            if n in (10000, 19999):
                memory.append(shared.memory_kib())
    shared.check_alive()
    # Some of it is a good question, and its answer is kept.
    assert IS_SANITIZED or memory[1] - memory[0] < 8192, memory


def test_only_counters_changed(shared: Daemon):
    """Garbage leaves no lookups, no loans and no connections behind."""
    wait_until(lambda: shared.control("status")["ports"]["lent"] == 0)
    status = shared.control("status")
    assert status["lookups_running"] == 0
    assert status["ports"]["idle"] >= status["ports"]["pool"]


def test_tcp_lengths(shared: Daemon):
    """A message of no bytes, or too short to be one, does not spoil what follows it."""
    for junk in (b"", b"x", bytes(11), bytes(12), query_wire()[:20], random.Random(1).randbytes(3000), bytes(65535)):
        with socket.create_connection((HERE, 53), timeout=5 * SLOWER) as sock:
            sock.sendall(_framed(junk) + _framed(b"\xbe\xef" + query_wire()[2:]))
            frames = _read_frames(sock, 1 if len(junk) < 12 else 2)
            assert b"\xbe\xef" in [frame[:2] for frame in frames] or len(junk) >= 12, junk[:20]
    shared.check_alive()


def test_tcp_in_pieces():
    wire = _framed(query_wire())
    with socket.create_connection((HERE, 53), timeout=5 * SLOWER) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in wire:
            sock.sendall(bytes([byte]))
            time.sleep(0.001)
        assert len(_read_frames(sock, 1)) == 1


def test_tcp_half_closed():
    """A client that ends its side after the question still gets the answer."""
    with socket.create_connection((HERE, 53), timeout=5 * SLOWER) as sock:
        sock.sendall(_framed(query_wire("half-closed.wild.lab")))
        sock.shutdown(socket.SHUT_WR)
        assert len(_read_frames(sock, 1)) == 1 and sock.recv(1) == b""


def test_tcp_client_that_goes_away(shared: Daemon):
    for n in range(50):
        with socket.create_connection((HERE, 53), timeout=5) as sock:
            sock.sendall(_framed(query_wire("gone%d.dead.lab" % n)))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    shared.check_alive()


def test_pipelined_queries_are_all_answered():
    """200 questions at once on one connection (RFC 7766 6.2.1.1), slow ones first: in any order, each once."""
    names = ["slow%d.dead.lab" % n for n in range(20)] + ["pipe%d.wild.lab" % n for n in range(180)]
    with socket.create_connection((HERE, 53), timeout=8 * SLOWER) as sock:
        sock.sendall(b"".join(_framed(struct.pack("!H", n) + query_wire(name)[2:]) for n, name in enumerate(names)))
        frames = _read_frames(sock, len(names))
    replies = [dns.message.from_wire(frame) for frame in frames]
    assert sorted(reply.id for reply in replies) == list(range(200))
    assert all(str(reply.question[0].name) == names[reply.id] + "." for reply in replies)


def test_pipelined_answers_are_not_held_up():
    with socket.create_connection((HERE, 53), timeout=8 * SLOWER) as sock:
        sock.sendall(_framed(b"\0\1" + query_wire("held-up.alldead.lab")[2:]) + _framed(b"\0\2" + query_wire()[2:]))
        frames, took = timed(_read_frames, sock, 1)
    assert frames[0][:2] == b"\0\2" and took < 3 * SLOWER


def test_client_that_never_reads(shared: Daemon):
    """Answers of 8 KiB for what the kernel takes in would be gigabytes: the connection ends long before."""
    ask("txt.big.lab", "TXT", tcp=True)
    before = shared.memory_kib()
    with socket.create_connection((HERE, 53), timeout=5 * SLOWER) as sock:
        wire = _framed(query_wire("txt.big.lab", "TXT")) * 1000
        until = time.monotonic() + 5 * SLOWER
        with pytest.raises(ConnectionError):
            while time.monotonic() < until:
                sock.sendall(wire)
    assert IS_SANITIZED or shared.memory_kib() - before < 16384
    shared.check_alive()


def test_a_thousand_connections(shared: Daemon):
    """More than there are places: the oldest idle ones make room, and a new client is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = shared.memory_kib()
    with ExitStack() as stack:
        for _ in range(1300):
            stack.enter_context(socket.create_connection((HERE, 53), timeout=5))
        reply, took = timed(ask, "www.glued.lab", tcp=True)
        assert reply.rcode() == NOERROR and took < 3 * SLOWER
        assert ask("www.glued.lab").rcode() == NOERROR
        assert IS_SANITIZED or shared.memory_kib() - before < 32768
    shared.check_alive()


def test_silent_connections_are_ended(early: dict[str, socket.socket]):
    """After ten seconds; those that make_place has ended before are as good."""
    for name, sock in early.items():
        if not isinstance(sock, socket.socket):
            continue
        sock.settimeout(max(early["begun"] + IDLE_S + 3 - time.monotonic(), 0.1))
        try:
            while sock.recv(65535):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            pytest.fail("still open after %.0f s: %s" % (time.monotonic() - early["begun"], name))


# --- servers ---


def _with_id(asked: hostile.Asked, payload: bytes) -> bytes:
    return asked.wire[:2] + payload[2:]


def _with_question(asked: hostile.Asked, payload: bytes) -> bytes:
    """A matching header and question, the counts and the rest from the packet."""
    end = 16 + len(asked.name) - (asked.name == ".") + 1
    return asked.wire[:2] + b"\x84\0\0\1" + payload[6:12].ljust(6, b"\1") + asked.wire[12:end] + payload[12:]


def _fuzzed(asked: hostile.Asked, seed: int) -> bytes:
    """The truth with some bytes changed after the question, or cut."""
    chance = random.Random("%d %s" % (seed, asked.rrtype))
    reply = asked.reply()
    reply.authority.append(hostile.rrset("%s.test." % asked.case, "NS", "ns.%s.test." % asked.case))
    reply.answer.append(hostile.rrset(asked.name, "MX", "10 mail.%s" % asked.name))
    wire = bytearray(reply.to_wire())
    first = 6 if seed % 4 else 12
    for _ in range(chance.randrange(1, 6)):
        wire[chance.randrange(first, len(wire))] = chance.choice([0, 1, 0x3F, 0x40, 0xC0, 0xFF, chance.randrange(256)])
    return bytes(wire[:chance.randrange(12, len(wire))] if seed % 5 == 0 else wire)


def all_cases() -> dict[str, Case]:
    cases = dict(CASES)
    for n, payload in enumerate(malformed()):
        cases["malformed-%d" % n] = Case(lambda asked, p=payload: _with_id(asked, p), FAILURE)
        cases["malformed-tail-%d" % n] = Case(lambda asked, p=payload: _with_question(asked, p), FAILURE)
    for n in range(100):
        cases["fuzzed-%d" % n] = Case(lambda asked, n=n: _fuzzed(asked, n), "anything")
    return cases


class Told:
    """What berthd made of every case: (reply, seconds) by name, and how often it asked."""

    def __init__(self, world: hostile.World, daemon: Daemon):
        self.cases = world.cases
        names = list(world.cases)
        begin = time.monotonic()
        found = at_once([lambda n=n: timed(ask, "%s.%s.test" % (world.cases[n].question, n), where=LIAR) for n in names], 80)
        self.took_s = time.monotonic() - begin
        self.found = dict(zip(names, found, strict=True))
        self.asked, self.asked_tcp = Counter(world.asked), Counter(world.asked_tcp)
        self.counters = daemon.counters()
        self.log = daemon.log


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[hostile.World, Daemon]]:
    place = tmp_path_factory.mktemp("liar")
    (place / "hints").write_text(hostile.HINTS)
    world = hostile.World(all_cases())
    daemon = Daemon(place, {"listen": [LIAR], "resolver": {
        "root-hints": place / "hints", "query-loopback": True, "ipv6": False}}).start()
    yield world, daemon
    daemon.finish()
    world.close()
    assert world.mistakes == []


@pytest.fixture(scope="module")
def told(liar: tuple[hostile.World, Daemon]) -> Told:
    return Told(*liar)


@pytest.mark.parametrize("name", CASES)
def test_case(told: Told, name: str):
    check_case(told, name)


def check_case(told: Told, name: str) -> None:
    entry, (reply, took) = told.cases[name], told.found[name]
    assert took < IN_TIME_S
    assert FORGED not in reply.to_text()
    assert told.asked[name] <= QUESTIONS_MAX
    if entry.outcome == FAILURE:
        assert reply.rcode() == SERVFAIL, reply
    elif entry.outcome == ANSWER:
        assert (reply.rcode(), rdatas(reply)) == (NOERROR, [TRUTH]) or name == "foreign-alias", reply
    elif entry.outcome == EITHER:
        assert reply.rcode() in (SERVFAIL, NOERROR), reply
    if entry.over_tcp:
        assert told.asked_tcp[name] >= 1


def test_in_time(told: Told):
    """One may come late on a busy machine, not most."""
    assert median(took for _, took in told.found.values()) < 5


def test_malformed_replies(told: Told):
    names = [name for name in told.cases if name.startswith("malformed-")]
    if not names:
        pytest.skip("no ../shared/data/malformed.pcap.xz")
    for name in names:
        reply, took = told.found[name]
        assert reply.rcode() in (SERVFAIL, NOERROR, dns.rcode.NXDOMAIN) and took < IN_TIME_S, (name, reply)
        assert told.asked[name] <= QUESTIONS_MAX


def test_fuzzed_replies(told: Told):
    for name in told.cases:
        if name.startswith("fuzzed-"):
            reply, took = told.found[name]
            assert took < IN_TIME_S and told.asked[name] <= QUESTIONS_MAX, (name, took)


def test_foreign_alias_is_asked_for_at_home(told: Told):
    reply, _ = told.found["foreign-alias"]
    assert rdatas(reply) == [HONEST["victim3.test."]]


def test_victims_of_forged_records_keep_their_addresses(told: Told, liar: tuple[hostile.World, Daemon]):
    """Whatever was said about them elsewhere: they are asked for at their own server."""
    world, _ = liar
    for name, address in HONEST.items():
        assert rdatas(ask(name, where=LIAR)) == [address]
        assert world.victims[name] >= 1, name


def test_mismatches_are_counted(told: Told):
    assert told.counters["upstream.mismatched"] >= sum(entry.over_tcp and not name.startswith("tcp-")
                                                       for name, entry in CASES.items())


def test_ttls(told: Told, liar: tuple[hostile.World, Daemon]):
    world, daemon = liar
    ttl = {name: told.found[name][0].answer[0].ttl for name in ("ttl-zero", "ttl-huge", "ttl-negative")}
    assert ttl == {"ttl-zero": 0, "ttl-huge": 86400, "ttl-negative": 0}
    before, repeats = world.asked["ttl-zero"], daemon.repeats()
    assert rdatas(ask("www.ttl-zero.test", where=LIAR)) == [TRUTH]
    assert 1 <= world.asked["ttl-zero"] - before <= 1 + daemon.repeats() - repeats


def test_nothing_is_left_behind(told: Told, liar: tuple[hostile.World, Daemon]):
    _, daemon = liar
    wait_until(lambda: daemon.control("status")["ports"]["lent"] == 0)
    assert daemon.control("status")["lookups_running"] == 0
    assert daemon.counters()["expect.failed"] == 0
    assert rdatas(ask("victim9.test", where=LIAR)) == [HONEST["victim9.test."]]


def test_again_and_again_costs_no_memory(told: Told, liar: tuple[hostile.World, Daemon]):
    world, daemon = liar
    quick = [name for name, (_, took) in told.found.items() if took < 0.5]
    before = 0
    for turn in range(3):
        at_once([lambda n=n: ask("again%d.%s.test" % (turn, n), where=LIAR) for n in quick], 80)
        if turn == 0:
            before = daemon.memory_kib()
    assert IS_SANITIZED or daemon.memory_kib() - before < 8192
    assert daemon.counters()["expect.failed"] == 0
