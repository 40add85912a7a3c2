"""Queries by XDP: the same answers as by sockets, everything else left to the kernel, hostile frames, and that nothing of
it stays on the interface. Two network namespaces, joined by a pair of veth interfaces."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import dns.flags
import dns.message
import dns.rdatatype
import pytest

from net import CLONE_NEWNET, Heard, Net, own_namespace, sh
from support import BUILD, SLOWER, Daemon, wait_until

NEAR, FAR, SERVER, ZONE = "near0", "far0", "127.5.0.2", "example."
HERE4, HERE6, FAR4, FAR6 = "10.9.0.1", "fd09::1", "10.9.0.2", "fd09::2"
PATIENCE_S = 3.0 * SLOWER

namespace = pytest.fixture(autouse=True)(own_namespace)


def link(command: str = "") -> str:
    return subprocess.run("ip %s link show %s" % (command, NEAR), shell=True, check=True, capture_output=True, text=True).stdout


def mac(text: str) -> bytes:
    return bytes.fromhex(text.split("link/ether ")[1].split()[0].replace(":", ""))


class Pair:
    """The far end lives in the namespace of a process of its own."""

    def __init__(self, mtu: int):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.other = os.open("/proc/%d/ns/net" % self.process.pid, os.O_RDONLY)
        sh("ip link add %s mtu %d type veth peer name %s mtu %d netns %d" % (NEAR, mtu, FAR, mtu, self.process.pid))
        self.up(NEAR, HERE4, HERE6 if mtu >= 1280 else None)
        with self.far():
            self.up(FAR, FAR4, FAR6 if mtu >= 1280 else None)
            self.far_mac = mac(subprocess.run(["ip", "link", "show", FAR], check=True, capture_output=True, text=True).stdout)
        self.near_mac = mac(link())

    @staticmethod
    def up(name: str, v4: str, v6: str | None) -> None:
        sh("ip addr add %s/24 dev %s" % (v4, name))
        if v6:
            sh("ip link set %s addrgenmode none" % name)
            sh("ip addr add %s/64 dev %s nodad" % (v6, name))
        sh("ip link set %s up" % name)

    @contextlib.contextmanager
    def far(self) -> Iterator[None]:
        assert self.libc.setns(self.other, CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert self.libc.setns(self.own, CLONE_NEWNET) == 0

    def socket(self, where: str, kind: int, *more: int) -> socket.socket:
        with self.far():
            return socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, kind, *more)

    def ask(self, query: dns.message.Message, where: str, tcp: bool = False) -> bytes:
        """The bytes of the answer."""
        with self.socket(where, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE_S)
            sock.connect((where, 53))
            wire = query.to_wire()
            sock.sendall(struct.pack("!H", len(wire)) + wire if tcp else wire)
            if not tcp:
                return sock.recv(65535)
            return sock.recv(struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))[0], socket.MSG_WAITALL)

    def close(self) -> None:
        os.close(self.own)
        os.close(self.other)
        self.process.stdin.close()
        self.process.wait(10)


def speech(heard: Heard) -> Any:
    if heard.name.startswith("silent"):
        return None
    if heard.name.startswith("big") and heard.rrtype == "TXT":
        return heard.answer(*('"%s"' % (chr(97 + n) * 90) for n in range(8)))
    return heard.truth(ZONE)


def start(tmp_path: Path, ends: list[Any], mtu: int = 1500, wrap: list[str] | None = None, listen: list[str] | None = None,
          **config: Any) -> tuple[Pair, Daemon]:
    pair = Pair(mtu)
    ends.append(pair.close)
    net = Net({ZONE: {"ns.example.": SERVER}})
    net.serve(SERVER, speech)
    ends.append(net.start().close)
    hints = tmp_path / "hints"
    hints.write_text(net.hints())
    daemon = Daemon(tmp_path / "berthd", {"listen": listen or ["127.0.0.1", NEAR + "@53 xdp"], "workers": 1, "resolver": {
        "root-hints": str(hints), "query-loopback": True, "priming": False}, **config})
    if wrap:
        daemon.program, daemon.arguments = Path(wrap[0]), [*wrap[1:], str((BUILD / "berthd").absolute()), *daemon.arguments]
    ends.append(daemon.finish)
    return pair, daemon.start()


def need_xdp(daemon: Daemon) -> None:
    lines = [line for line in daemon.log.splitlines() if "libknot cannot begin" in line or "built without XDP" in line]
    if lines:
        pytest.skip("no XDP here: " + lines[0])
    assert "prog/xdp" in link(), daemon.log


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., tuple[Pair, Daemon]]]:
    ends: list[Any] = []

    def make(**more: Any) -> tuple[Pair, Daemon]:
        pair, daemon = start(tmp_path, ends, **more)
        need_xdp(daemon)
        return pair, daemon

    make.ends, make.place = ends, tmp_path
    yield make
    for end in reversed(ends):
        end()


def by_xdp(daemon: Daemon) -> int:
    return daemon.counters()["queries.xdp"]


def question(name: str, rrtype: str = "A", **more: Any) -> dns.message.Message:
    return dns.message.make_query(name, rrtype, **{"use_edns": 0, "payload": 1232, **more})


def untimed(wire: bytes) -> bytes:
    """Without the ID, and with 0 for the TTLs: a second may pass between two answers."""
    out = bytearray(wire)

    def behind_name(at: int) -> int:
        while out[at] not in (0, *range(0xC0, 0x100)):
            at += 1 + out[at]
        return at + (2 if out[at] else 1)

    at = behind_name(12) + 4
    for _ in range(sum(struct.unpack_from("!3H", out, 6))):
        at = behind_name(at)
        kind, _, _, size = struct.unpack_from("!HHIH", out, at)
        if kind != dns.rdatatype.OPT:
            out[at + 4:at + 8] = bytes(4)
        at += 10 + size
    assert at == len(out)
    return bytes(out[2:])


# Answers.


@pytest.mark.parametrize("where", [HERE4, HERE6])
def test_the_same_bytes_as_by_sockets(begin, where: str) -> None:
    """Two names that differ in a digit, each asked twice: a miss, then a hit. IDs and TTLs aside."""
    pair, daemon = begin()

    def both(first: str, second: str, rrtype: str) -> tuple[bytes, bytes]:
        xdp = untimed(pair.ask(question(first + ".example", rrtype), where))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE_S)
            sock.sendto(question(second + ".example", rrtype).to_wire(), ("127.0.0.1", 53))
            return xdp.replace(first.encode(), second.encode()), untimed(sock.recv(65535))

    for first, second, rrtype in (("m1", "m2", "A"), ("m3", "m4", "AAAA"), ("big1", "big2", "TXT")):
        miss, hit = both(first, second, rrtype), both(first, second, rrtype)
        assert miss[0] == miss[1] and hit[0] == hit[1]
    counters = daemon.counters()
    assert counters["queries.xdp"] >= 6 and counters["answers.unsent"] == 0 and counters["queries.dropped"] == 0


@pytest.mark.parametrize("where", [HERE4, HERE6])
def test_tcp_beside_it(begin, where: str) -> None:
    pair, daemon = begin()
    assert dns.message.from_wire(pair.ask(question("www.example"), where, tcp=True)).answer
    assert dns.message.from_wire(pair.ask(question("www.example"), where)).answer
    assert by_xdp(daemon) == 1 and daemon.counters()["queries.tcp"] == 1


def test_truncation_by_what_the_client_takes_and_by_the_frame(begin) -> None:
    pair, _ = begin()
    assert not dns.message.from_wire(pair.ask(question("big.example", "TXT"), HERE4)).flags & dns.flags.TC
    for payload in (512, 700):
        small = pair.ask(question("big.example", "TXT", payload=payload), HERE4)
        assert dns.message.from_wire(small).flags & dns.flags.TC and len(small) <= payload
    none = pair.ask(dns.message.make_query("big.example", "TXT"), HERE4)
    assert dns.message.from_wire(none).flags & dns.flags.TC and len(none) <= 512


def test_an_answer_is_not_longer_than_the_interface_takes(begin) -> None:
    pair, _ = begin(mtu=600)
    for _ in range(2):
        answer = pair.ask(question("big.example", "TXT"), HERE4)
        assert dns.message.from_wire(answer).flags & dns.flags.TC and len(answer) <= 572
    assert dns.message.from_wire(pair.ask(question("big.example", "TXT"), HERE4, tcp=True)).answer


def test_who_may_not_ask_is_refused(begin) -> None:
    pair, daemon = begin(access={"allow": ["127.0.0.0/8", "10.9.0.128/25"]})
    assert dns.message.from_wire(pair.ask(question("www.example"), HERE4)).rcode() == 5
    assert by_xdp(daemon) == 1


def test_many_at_once(begin) -> None:
    """More than a batch, hits and misses mixed, and every one has its own answer."""
    pair, daemon = begin()
    with pair.socket(HERE4, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect((HERE4, 53))
        for round_ in range(4):
            for n in range(100):
                query = question("n%d.example" % (n + 50 * round_))
                query.id = n
                sock.send(query.to_wire())
            got = [sock.recv(65535) for _ in range(100)]
            assert sorted(int.from_bytes(one[:2], "big") for one in got) == list(range(100))
            for one in got:
                reply = dns.message.from_wire(one)
                assert reply.question[0].name.to_text() == "n%d.example." % (reply.id + 50 * round_) and reply.answer
    assert by_xdp(daemon) == 400 and daemon.counters()["answers.unsent"] == 0


def test_more_than_can_be_looked_up(begin) -> None:
    """Refused at once, from within the batch, while the frame for the query's own answer is out: none is lost or sent twice."""
    pair, daemon = begin()
    shed: dict[int, int] = {}
    with pair.socket(HERE4, socket.SOCK_DGRAM) as sock:
        sock.connect((HERE4, 53))
        sock.settimeout(0.02)
        for first in range(0, 6000, 100):
            for n in range(first, first + 100):
                query = question("silent%d.example" % n)
                query.id = n
                sock.send(query.to_wire())
            with contextlib.suppress(TimeoutError):
                while True:
                    wire = sock.recv(65535)
                    assert wire[3] & 15 == 2 and b"silent%d" % int.from_bytes(wire[:2], "big") in wire
                    shed[int.from_bytes(wire[:2], "big")] = shed.get(int.from_bytes(wire[:2], "big"), 0) + 1
    assert len(shed) > 1000 and set(shed.values()) == {1}
    assert daemon.counters()["answers.unsent"] == 0
    with pair.socket(HERE4, socket.SOCK_DGRAM) as sock:
        sock.connect((HERE4, 53))
        sock.settimeout(PATIENCE_S)
        for n in range(3000):  # more than there are frames
            sock.send(struct.pack("!H", n) + question("localhost").to_wire()[2:])
            assert sock.recv(65535)[:2] == struct.pack("!H", n)


def test_frames_that_came_while_the_link_went_down_are_read(begin) -> None:
    """poll(2) says nothing of them while it is down, and nobody is woken for them when it is up again."""
    pair, daemon = begin()
    pair.ask(question("www.example"), HERE4)
    before = by_xdp(daemon)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    with pair.socket(HERE4, socket.SOCK_DGRAM) as sock:
        sock.connect((HERE4, 53))
        for n in range(1000):
            sock.send(question("www.example").to_wire())
            time.sleep(0.001 if n % 50 == 0 else 0)
    sh("ip link set %s down" % NEAR)
    os.kill(daemon.process.pid, signal.SIGCONT)
    time.sleep(0.2)
    sh("ip link set %s up" % NEAR)
    wait_until(lambda: by_xdp(daemon) - before == 1000)


def test_the_loopback_and_addresses_that_are_not_ready(tmp_path: Path) -> None:
    """Loopback interfaces have sockets alone. An IPv6 address whose duplicates are still looked for is served once it is there."""
    sh("ip link add early0 type veth peer name early1")
    sh("ip link set early1 up; ip link set early0 up; ip -6 addr add fd0a::1/64 dev early0")
    daemon = Daemon(tmp_path / "berthd", {"listen": ["lo@53 xdp", "early0@53 xdp"], "workers": 1}).start()
    try:
        assert "lo@53 xdp: it is no Ethernet; XDP serves no other; ordinary sockets serve it" in daemon.log
        assert "cannot listen" not in daemon.log and "fd0a::1@53" in daemon.log
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE_S)
            sock.sendto(question("localhost").to_wire(), ("127.0.0.1", 53))
            assert dns.message.from_wire(sock.recv(4096)).answer

        def over_tcp() -> bool:
            try:
                with socket.create_connection(("fd0a::1", 53), timeout=PATIENCE_S):
                    return True
            except OSError:
                return False

        wait_until(over_tcp)
    finally:
        daemon.finish()


# What is not for it.


def checksum(data: bytes) -> int:
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def test_everything_else_goes_on_to_the_kernel(begin) -> None:
    pair, daemon = begin()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near, pair.socket(HERE4, socket.SOCK_DGRAM) as far:
        near.bind((HERE4, 5353))
        near.settimeout(PATIENCE_S)
        far.sendto(b"another port", (HERE4, 5353))
        assert near.recv(100) == b"another port"
    with pair.socket(HERE4, socket.SOCK_RAW, socket.IPPROTO_ICMP) as far:
        far.settimeout(PATIENCE_S)
        echo = struct.pack("!BBHHH", 8, 0, 0, 7, 1)
        far.sendto(echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:], (HERE4, 0))
        assert wait_until(lambda: far.recv(200)[20] == 0)  # an echo reply
    assert by_xdp(daemon) == 0


# Frames that no kernel would send.


class Frames:
    """Frames from the far end, byte by byte."""

    def __init__(self, pair: Pair):
        self.pair = pair
        with pair.far():
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.raw.bind((FAR, 0))
            self.raw.settimeout(0.3)

    def ethernet(self, kind: int, packet: bytes, tag: bytes = b"") -> bytes:
        return self.pair.near_mac + self.pair.far_mac + tag + struct.pack("!H", kind) + packet

    def udp(self, data: bytes, source_port: int = 4000, port: int = 53, length: int | None = None) -> bytes:
        return struct.pack("!4H", source_port, port, 8 + len(data) if length is None else length, 0) + data

    def ip4(self, payload: bytes, source: str = FAR4, to: str = HERE4, length: int | None = None, flags: int = 0, words: int = 5,
            options: bytes = b"") -> bytes:
        total = 20 + len(options) + len(payload) if length is None else length
        head = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 1, flags, 64, 17, 0) + socket.inet_aton(source) + socket.inet_aton(to)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        return self.ethernet(0x0800, head + options + payload)

    def ip6(self, payload: bytes, length: int | None = None, kind: int = 17, source: str = FAR6, to: str = HERE6) -> bytes:
        head = struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, kind, 64)
        return self.ethernet(0x86DD, head + socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, to) + payload)

    def send(self, frame: bytes) -> None:
        self.raw.send(frame)

    def answers(self, count: int = 0) -> list[bytes]:
        """What comes from port 53, until it is silent; so many at least, where they come in time."""
        found: list[bytes] = []
        until = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(TimeoutError):
                frame, address = self.raw.recvfrom(4096)
                if address[2] != socket.PACKET_OUTGOING and frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[34:36] == b"\x00\x35":
                    found.append(frame)
                if time.monotonic() < until:
                    continue
            if len(found) >= count or time.monotonic() > until:
                return found


def hostile(frames: Frames, wire: bytes) -> list[bytes]:
    udp, ip4, ip6 = frames.udp, frames.ip4, frames.ip6
    bad = [ip4(udp(wire, length=length)) for length in (0, 1, 7, 8, 9, 19, 65535)]
    bad += [ip4(udp(wire), length=length) for length in (0, 19, 20, 27, 28, 29, 65535)]
    bad += [ip4(udp(wire), words=words) for words in (0, 1, 4, 15)]
    bad += [ip4(udp(wire), flags=flags) for flags in (0x2000, 0x2001, 0x0001, 0x8000)]
    bad += [ip4(udp(wire, source_port=0)), ip4(udp(b""))]
    bad += [ip4(udp(wire), source=source) for source in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", HERE4)]
    bad += [ip4(udp(wire), to=to) for to in ("10.9.0.77", "10.9.0.255", "255.255.255.255", "224.0.0.251", "127.0.0.1")]
    bad += [ip6(udp(wire), length=length) for length in (0, 7, 8, 9, 65535)]
    bad += [ip6(udp(wire, length=length)) for length in (0, 7, 9, 65535)]
    bad += [ip6(struct.pack("!BBHI", 17, 0, 1, 1) + udp(wire), kind=44), ip6(b"\x11\0\0\0\0\0\0\0" + udp(wire), kind=0)]
    bad += [ip6(udp(wire), source=source) for source in ("::1", "::", "ff02::1", "::ffff:127.0.0.1", HERE6)]
    good = ip4(udp(wire))  # for other hosts and for all; from a group
    bad += [to + good[6:] for to in (b"\xff" * 6, b"\x02\0\xde\xad\xbe\xef", b"\x01\0\x5e\0\0\1")]
    bad += [good[:6] + b"\x03" + good[7:]]
    bad += [ip4(udp(wire))[:size] for size in (14, 15, 20, 33, 34, 41, 42, 43)]
    return bad


def test_hostile_frames_do_no_harm(begin) -> None:
    pair, daemon = begin()
    frames, wire = Frames(pair), question("www.example").to_wire()
    assert dns.message.from_wire(pair.ask(question("www.example"), HERE4)).answer
    frames.answers(1)
    for frame in hostile(frames, wire):
        frames.send(frame)
    assert frames.answers() == [], "a frame was answered that is not to be"
    frames.send(frames.ip4(frames.udp(wire)))
    assert len(frames.answers(1)) == 1
    frames.send(frames.ip4(frames.udp(wire, length=8 + len(wire)) + b"behind the end"))
    assert len(frames.answers(1)) == 1, "what stands behind UDP's length is not part of the query"
    frames.send(frames.ip4(frames.udp(wire), words=6, options=b"\1\1\1\0"))
    assert len(frames.answers(1)) == 1
    counters = daemon.counters()
    assert counters["queries.dropped"] > 10 and counters["expect.failed"] == 0
    assert dns.message.from_wire(pair.ask(question("www.example"), HERE6)).answer


def test_random_frames_do_no_harm(begin) -> None:
    pair, daemon = begin()
    frames, dice = Frames(pair), random.Random(53)
    wire = question("www.example").to_wire()
    whole = [frames.ip4(frames.udp(wire)), frames.ip6(frames.udp(wire)), *hostile(frames, wire)]
    for _ in range(6000):
        frame = bytearray(dice.choice(whole))
        for _ in range(dice.choice((0, 1, 1, 2, 4))):
            frame[dice.randrange(12, len(frame))] = dice.choice((0, 1, 53, 255, dice.randrange(256)))
        frame = frame[:dice.randrange(14, len(frame) + 1)] if dice.random() < 0.2 else frame
        with contextlib.suppress(OSError):
            frames.send(bytes(frame))
    for where in (HERE4, HERE6):
        assert dns.message.from_wire(pair.ask(question("www.example"), where)).answer
    assert daemon.counters()["expect.failed"] == 0


def test_a_tagged_frame_is_answered_with_its_tag(begin) -> None:
    pair, _ = begin()
    frames = Frames(pair)
    auxdata = 8  # PACKET_AUXDATA: the kernel takes the tag out of the frame and tells it apart
    frames.raw.setsockopt(263, auxdata, 1)
    frame = frames.ip4(frames.udp(question("www.example").to_wire()))
    frames.send(frame[:12] + b"\x81\x00\x00\x07" + frame[12:])
    tags = []
    frames.raw.settimeout(PATIENCE_S)
    with contextlib.suppress(TimeoutError):
        until = time.monotonic() + PATIENCE_S
        while 7 not in tags and time.monotonic() < until:
            data, control, _, address = frames.raw.recvmsg(4096, 256)
            if address[2] != socket.PACKET_OUTGOING:
                tags += [struct.unpack("IIIHHHH", body[:20])[5] for _, kind, body in control if kind == auxdata]
    assert 7 in tags


# Its end, and where there is none.


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_on_the_interface(begin, how: int) -> None:
    pair, daemon = begin()
    assert dns.message.from_wire(pair.ask(question("www.example"), HERE4)).answer
    daemon.process.send_signal(how)
    daemon.process.wait(20)
    daemon.process = None
    wait_until(lambda: "xdp" not in link("-d"))
    plain = Daemon(begin.place / "plain", {"listen": [HERE4], "workers": 1}).start()
    begin.ends.append(plain.finish)
    assert dns.message.from_wire(pair.ask(question("a.invalid"), HERE4)).rcode() == 3
    plain.finish()
    again = daemon.start()
    assert "prog/xdp" in link() and dns.message.from_wire(pair.ask(question("www.example"), HERE4)).answer
    begin.ends.append(again.finish)


def complaints(log: str) -> list[str]:
    return [line for line in log.splitlines() if "xdp:" in line or "libbpf" in line or "libxdp" in line]


def test_without_privileges_sockets_serve_it(tmp_path: Path) -> None:
    ends: list[Any] = []
    try:
        pair, daemon = start(tmp_path, ends, wrap=["/usr/bin/setpriv", "--bounding-set", "-sys_admin,-net_admin", "--inh-caps", "-all"])
        said = complaints(daemon.log)
        assert len(said) == 1, daemon.log
        assert "built without" in said[0] or "XDP needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN at the start; start berthd as root; " \
            "ordinary sockets serve it" in said[0]
        assert "xdp" not in link("-d") and NEAR + "@53 xdp" not in daemon.control("status")["listen"]
        for tcp in (False, True):
            assert dns.message.from_wire(pair.ask(question("www.example"), HERE4, tcp=tcp)).answer
        assert by_xdp(daemon) == 0
    finally:
        for end in reversed(ends):
            end()


def test_a_second_one_leaves_the_first_alone(begin) -> None:
    pair, daemon = begin()
    other = Daemon(begin.place / "other", {"listen": [NEAR + "@5300 xdp"], "workers": 1}).start()
    begin.ends.append(other.finish)
    said = complaints(other.log)
    assert len(said) == 1 and "another XDP program is on the interface" in said[0], other.log
    other.finish()
    assert "prog/xdp" in link() and dns.message.from_wire(pair.ask(question("www.example"), HERE4)).answer
    assert by_xdp(daemon) == 1


@pytest.mark.parametrize("interface, why", [
    ("wonder0@53 xdp", "berthd: listen: wonder0@53 xdp: this machine has no interface wonder0; name one of those that `ip link` shows\n"),
    ("dumb0@53 xdp", "berthd: listen: dumb0@53 xdp: interface dumb0 has no address; give it one, or name another interface\n")])
def test_an_interface_that_cannot_be_served(tmp_path: Path, interface: str, why: str) -> None:
    sh("ip link add dumb0 type veth peer name dumb1")
    daemon = Daemon(tmp_path / "berthd", {"listen": [interface]})
    done = subprocess.run([BUILD / "berthd", *daemon.arguments], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and done.stderr == why


def test_what_is_told_of_it(begin) -> None:
    pair, daemon = begin()
    assert daemon.control("status")["listen"] == ["127.0.0.1@53", HERE4 + "@53", HERE6 + "@53", NEAR + "@53 xdp"]
    assert "is ready on 127.0.0.1@53, %s@53, %s@53, %s@53 xdp with" % (HERE4, HERE6, NEAR) in daemon.log
    daemon.write({"listen": ["127.0.0.1"], "workers": 1})
    assert "listen has changed; that takes effect with the next start" in json.dumps(daemon.control("reload"))
    assert dns.message.from_wire(pair.ask(question("a.invalid"), HERE4)).rcode() == 3 and by_xdp(daemon) == 1
