"""What the system tests share: a daemon, its control socket, questions to it, and the lab around it."""

from __future__ import annotations

import ctypes
import ipaddress
import json
import mmap
import os
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

BUILD = Path(os.environ.get("BERTH_BUILD", "build"))
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
HERE = "127.0.0.1"
PATIENCE_S = 8.0
IN_TIME_S = 7.5  # LIMIT_DEADLINE_MS, and a machine that stands still
# Sanitizers make everything slower; the promises about time are those of the plain build.
IS_SANITIZED = b"__asan_init" in (BUILD / "berthd").read_bytes() or b"__tsan_init" in (BUILD / "berthd").read_bytes() \
    if (BUILD / "berthd").exists() else False
SLOWER = 5 if IS_SANITIZED else 1
START_S = 10 * SLOWER

# What a sanitizer or the house's own checks write before they stop, or go on.
COMPLAINTS = ("runtime error:", "Sanitizer", "expectation failed", "expect(", "require(")


def favour_this_thread() -> None:
    """A server that has to wait for its turn on a busy machine is asked again, or taken for dead."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)


def wait_until(check: Callable[[], Any], patience_s: float = PATIENCE_S * SLOWER, step_s: float = 0.01) -> Any:
    """The first true result of the check; fails when there is none in time."""
    deadline = time.monotonic() + patience_s
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, "nothing after %.1f s" % patience_s
        time.sleep(step_s)


def to_yaml(value: Any, indent: str = "") -> str:
    """A configuration as berthd reads it; keyword arguments say query_loopback for query-loopback."""
    lines = []
    for key, entry in value.items():
        key = key.replace("_", "-")
        if isinstance(entry, dict):
            lines.append("%s%s:\n%s" % (indent, key, to_yaml(entry, indent + "  ")))
        elif isinstance(entry, list):
            lines.append("%s%s: [%s]\n" % (indent, key, ", ".join('"%s"' % one for one in entry)))
        else:
            lines.append("%s%s: %s\n" % (indent, key, str(entry).lower() if isinstance(entry, bool) else entry))
    return "".join(lines)


class ControlError(Exception):
    """The daemon answered with an error."""


class Daemon:
    """One berthd. `config` is laid over 127.0.0.1, two workers and a control socket in the directory; None means
    that there is no configuration at all."""

    def __init__(self, directory: Path, config: dict[str, Any] | None, program: str = "berthd"):
        self.directory, self.program = directory, BUILD / program
        directory.mkdir(parents=True, exist_ok=True)
        self.socket = directory / "control"
        self.file = directory / "berthd.yaml"
        self.log_file = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.arguments: list[str] = []
        self.environment: dict[str, str] = {}  # laid over this process's
        if config is None:
            self.socket = Path("/run/berth/control")
        else:
            self.write(config)
            self.arguments = ["-c", str(self.file)]

    def repeats(self) -> int:
        """Questions that got no reply in time, as on a busy machine, and may have been asked again."""
        return self.counters()["upstream.timeouts"]

    def write(self, config: dict[str, Any]) -> None:
        whole = {"listen": [HERE], "workers": 2, "control": {"socket": str(self.socket)},
                 "web": {"listen": []},
                 "history": {"file": str((self.directory / "history.db").absolute())}, **config}
        # Most labs are not signed by anyone the built-in anchors know.
        # The hostile servers of hostile.py live below test, which is special (RFC 6761).
        whole["resolver"] = {"ordinary": ["test"], **config.get("resolver", {})}
        # Keys that are followed are remembered in a folder that all daemons of the machine share.
        whole["dnssec"] = {"validate": False, "rollover": False, **config.get("dnssec", {})}
        self.file.write_text(to_yaml(whole))

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def start(self) -> "Daemon":
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen([str(self.program), *self.arguments], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**os.environ, **self.environment})
        deadline = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, "berthd ended by itself:\n" + self.log
            try:
                self.control("status")
                return self
            except OSError:
                assert time.monotonic() < deadline, "berthd does not answer:\n" + self.log
                time.sleep(0.01)

    def control(self, cmd: str, **more: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(PATIENCE_S), 0))
            sock.connect(str(self.socket))  # may have to wait for a place in the queue
            sock.settimeout(PATIENCE_S * SLOWER)
            sock.sendall(json.dumps({"cmd": cmd, **more}).encode() + b"\n")
            line = sock.makefile("rb").readline()
        assert line, "the control socket was closed without a reply"
        reply = json.loads(line)
        if "error" in reply:
            raise ControlError(reply["error"])
        return reply

    def counters(self) -> dict[str, int]:
        return self.control("stats")["counters"]

    def memory_kib(self) -> int:
        return int(self.proc_status("VmRSS").split()[0])

    def proc_status(self, key: str) -> str:
        for line in Path("/proc/%d/status" % self.pid).read_text().splitlines():
            if line.startswith(key + ":"):
                return line.partition(":")[2].strip()
        raise KeyError(key)

    def hang_up(self) -> None:
        """SIGHUP, and wait for what the log says about it."""
        before = len(self.log)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in self.log[before:])

    def check_alive(self) -> None:
        """It runs, answers, and none of its own checks has failed."""
        assert self.process.poll() is None, self.log
        assert ask("ns1.glued.lab").rcode() == dns.rcode.NOERROR
        assert self.counters()["expect.failed"] == 0, self.log

    def finish(self) -> float:
        """Ends it, checks how it ended, and returns how long that took."""
        if self.process is None:
            return 0.0
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("berthd does not end after SIGTERM:\n" + self.log) from None
        took_s = time.monotonic() - begin
        self.process = None
        complaints = [line for line in self.log.splitlines() if any(word in line for word in COMPLAINTS)]
        assert status == 0 and not complaints, "berthd ended with status %d:\n%s" % (status, self.log[-6000:])
        return took_s


# Questions.


def ask(name: str, rrtype: str = "A", tcp: bool = False, patience_s: float = PATIENCE_S * SLOWER, where: str = HERE,
        **more: Any) -> dns.message.Message:
    """One question over UDP without retries (or over TCP) with EDNS, as `make_query` makes it from **more."""
    more.setdefault("use_edns", 0)
    more.setdefault("payload", 1232)
    return exchange(dns.message.make_query(name, rrtype, **more), tcp, patience_s, where)


def exchange(query: dns.message.Message, tcp: bool = False, patience_s: float = PATIENCE_S * SLOWER,
             where: str = HERE) -> dns.message.Message:
    if tcp:
        return dns.query.tcp(query, where, timeout=patience_s)
    # Our port may be one that berthd had a moment ago: what a server still sends there is not for us.
    return dns.query.udp(query, where, timeout=patience_s, ignore_unexpected=True)


def timed(call: Callable[..., Any], *arguments: Any, **more: Any) -> tuple[Any, float]:
    begin = time.monotonic()
    return call(*arguments, **more), time.monotonic() - begin


def at_once(calls: Iterable[Callable[[], Any]], threads: int = 32) -> list[Any]:
    """The results of all calls, made concurrently."""
    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def ede(reply: dns.message.Message) -> list[int]:
    return [int(option.code) for option in reply.options if isinstance(option, dns.edns.EDEOption)]


def rdatas(reply: dns.message.Message, rrtype: str = "A") -> list[str]:
    wanted = dns.rdatatype.from_text(rrtype)
    return sorted(r.to_text() for rrset in reply.answer if rrset.rdtype == wanted for r in rrset)


def ask_raw(datagram: bytes, patience_s: float = 2.0, where: str = HERE) -> bytes | None:
    """Sends any bytes and returns the reply's, or None after the wait."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience_s)
        sock.connect((where, 53))
        sock.send(datagram)
        try:
            return sock.recv(65535)
        except TimeoutError:
            return None


@dataclass(frozen=True)
class Row:
    """A line of the lab's expected.tsv."""

    name: str
    rrtype: str
    rcode: str
    rdatas: str


def lab_directory() -> Path:
    return Path(os.environ["BERTH_LAB"])


def expected_rows() -> list[Row]:
    lines = (lab_directory() / "expected.tsv").read_text().splitlines()
    return [Row(*line.split("\t")) for line in lines if not line.startswith("#")]


class Crowd:
    """Many sockets, one question at a time on each: `ask_all` is what a busy network does to a resolver."""

    def __init__(self, sockets: int = 100, where: str = HERE, patience_s: float = PATIENCE_S * SLOWER,
                 dnssec: bool = False):
        self.patience_s, self.where, self.dnssec = patience_s, where, dnssec
        self.sockets = []
        for _ in range(sockets):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.connect((where, 53))
            sock.setblocking(False)
            self.sockets.append(sock)

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: Any) -> None:
        for sock in self.sockets:
            sock.close()

    def ask_all(self, questions: list[tuple[str, str]]) -> list[dns.message.Message | None]:
        """The replies in the order of the questions; None where none came. TC leads to TCP."""
        replies: list[dns.message.Message | None] = [None] * len(questions)
        queue = iter(enumerate(questions))
        waiting: dict[socket.socket, tuple[int, dns.message.Message, float]] = {}
        with selectors.DefaultSelector() as selector:
            for sock in self.sockets:
                selector.register(sock, selectors.EVENT_READ)
                self._next(sock, queue, waiting)
            while waiting:
                for key, _ in selector.select(0.2):
                    self._take(key.fileobj, waiting, replies)
                    self._next(key.fileobj, queue, waiting)
                now = time.monotonic()
                for sock in [sock for sock, (_, _, until) in waiting.items() if until < now]:
                    del waiting[sock]
                    self._next(sock, queue, waiting)
        return replies

    def _next(self, sock: socket.socket, queue: Iterator[Any], waiting: dict[socket.socket, Any]) -> None:
        if sock in waiting:
            return
        for index, (name, rrtype) in queue:
            query = dns.message.make_query(name, rrtype, use_edns=0, payload=1232, want_dnssec=self.dnssec)
            sock.send(query.to_wire())
            waiting[sock] = (index, query, time.monotonic() + self.patience_s)
            return

    def _take(self, sock: socket.socket, waiting: dict[socket.socket, Any], replies: list[Any]) -> None:
        wire = sock.recv(65535)
        if sock not in waiting or wire[:2] != struct.pack("!H", waiting[sock][1].id):
            return  # for a question that was given up
        index, query, _ = waiting.pop(sock)
        replies[index] = dns.message.from_wire(wire)
        if replies[index].flags & dns.flags.TC:
            replies[index] = dns.query.tcp(query, self.where, timeout=self.patience_s)


# Packets.


@dataclass(frozen=True)
class Packet:
    """A UDP datagram or TCP segment of a capture."""

    at: float
    transport: str
    source: str
    source_port: int
    target: str
    target_port: int
    tcp_flags: int
    payload: bytes


def read_pcap(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    """(time, link type, frame) of each record of a pcap file."""
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    nano = data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
    link = struct.unpack_from(order + "I", data, 20)[0]
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack_from(order + "4I", data, at)
        yield seconds + fraction / (1e9 if nano else 1e6), link, data[at + 16:at + 16 + length]
        at += 16 + length


def read_packets(data: bytes) -> Iterator[Packet]:
    """The UDP and TCP packets of a capture, of IP fragments only the first. lo has the form of Ethernet."""
    heads = {1: 14, 113: 16}  # Ethernet, Linux "cooked"
    for when, link, frame in read_pcap(data):
        packet = _read_frame(when, heads[link], frame)
        if packet is not None:
            yield packet


def _read_frame(when: float, head: int, frame: bytes) -> Packet | None:
    kind = frame[head - 2:head]
    return _read_ip(when, kind, frame[head:]) if kind in (b"\x08\x00", b"\x86\xdd") else None


def _read_ip(when: float, kind: bytes, ip: bytes) -> Packet | None:
    if kind == b"\x08\x00":
        protocol, head, source, target = ip[9], (ip[0] & 15) * 4, ip[12:16], ip[16:20]
        if struct.unpack_from("!H", ip, 6)[0] & 0x1FFF:
            return None
    else:
        protocol, head, source, target = ip[6], 40, ip[8:24], ip[24:40]
    if protocol not in (6, 17) or len(ip) < head + 8:
        return None
    source_port, target_port = struct.unpack_from("!2H", ip, head)
    skip, flags = (8, 0) if protocol == 17 else ((ip[head + 12] >> 4) * 4, ip[head + 13])
    return Packet(when, "udp" if protocol == 17 else "tcp", _address(source), source_port, _address(target),
                  target_port, flags, ip[head + skip:])


_addresses: dict[bytes, str] = {}


def _address(packed: bytes) -> str:
    if packed not in _addresses:
        _addresses[packed] = str(ipaddress.ip_address(packed))
    return _addresses[packed]


class Capture:
    """What passes lo, but for the talk with clients at 127.0.0.1, in a ring that the kernel fills (packet(7)).

    tcpdump would do, but wants to become another user, whom a user namespace does not have. A thread empties the ring."""

    FRAME, FRAMES, BLOCK, SNAP = 512, 1 << 16, 1 << 16, 512 - 96
    HEADER = struct.Struct("@LIIHHII")  # struct tpacket_hdr: status, length, kept, start, network, seconds, microseconds
    RX_RING, STATISTICS, IGNORE_OUTGOING, ATTACH_FILTER = 5, 6, 23, 26

    def __enter__(self) -> "Capture":
        self.frames: list[tuple[float, bytes]] = []
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(263, self.IGNORE_OUTGOING, 1)  # SOL_PACKET; on lo each packet goes out and comes in
        self._attach_filter()
        size = self.FRAME * self.FRAMES
        self.sock.setsockopt(263, self.RX_RING, struct.pack("4I", self.BLOCK, size // self.BLOCK, self.FRAME, self.FRAMES))
        self.ring = mmap.mmap(self.sock.fileno(), size)
        self.sock.bind(("lo", 3))  # ETH_P_ALL
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._empty, daemon=True)
        self.thread.start()
        return self

    def _attach_filter(self) -> None:
        here = int.from_bytes(socket.inet_aton("127.0.0.1"), "big")
        code = [(0x28, 0, 0, 12), (0x15, 0, 4, 0x0800),  # not IPv4: keep
                (0x20, 0, 0, 26), (0x15, 3, 0, here), (0x20, 0, 0, 30), (0x15, 1, 0, here),
                (0x06, 0, 0, self.SNAP), (0x06, 0, 0, 0)]
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
        self.sock.setsockopt(socket.SOL_SOCKET, self.ATTACH_FILTER,
                             struct.pack("HxxxxxxP", len(code), ctypes.addressof(program)))

    def _empty(self) -> None:
        at = 0
        while True:
            status, _, kept, start, _, seconds, micros = self.HEADER.unpack_from(self.ring, at)
            if status & 1:
                self.frames.append((seconds + micros / 1e6, self.ring[at + start:at + start + kept]))
                struct.pack_into("@L", self.ring, at, 0)
                at = (at + self.FRAME) % (self.FRAME * self.FRAMES)
            elif self.stopping.wait(0.01):
                return

    def __exit__(self, *_: Any) -> None:
        time.sleep(0.05)
        self.stopping.set()
        self.thread.join()
        self.lost = struct.unpack("2I", self.sock.getsockopt(263, self.STATISTICS, 8))[1]
        self.ring.close()
        self.sock.close()

    def packets(self) -> list[Packet]:
        """In the order of time, those to and from port 53."""
        assert self.lost == 0, "the capture lost %d packets" % self.lost
        found = (_read_frame(when, 14, frame) for when, frame in self.frames)
        return [packet for packet in found if packet is not None and 53 in (packet.source_port, packet.target_port)]
