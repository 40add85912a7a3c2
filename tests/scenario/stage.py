"""Where a scenario is played: a network namespace of its own with every server's address on the loopback interface, the
servers on UDP and TCP port 53 of each, berthd in the middle, a client before it. What is no server is silence."""

from __future__ import annotations

import copy
import ctypes
import os
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

import dialect
import settings
from dialect import Entry, Scenario

CLONE_NEWNET = 0x40000000
ANSWER_S, START_S, STOP_S = 10.0, 10.0, 10.0
FAKETIME = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
            "/usr/lib/faketime/libfaketime.so.1")
OTHER_TYPE = {dns.rdatatype.A: dns.rdatatype.NS, dns.rdatatype.NS: dns.rdatatype.A}
DAMAGE = ("runtime error:", "Sanitizer", "expectation failed", "require(")


class Failure(Exception):
    """The scenario did not go as its file says."""


def faketime() -> str | None:
    return next((path for path in FAKETIME if os.path.exists(path)), None)


def enter_namespace(addresses: list[str]) -> None:
    """This process leaves the machine's network for one of its own. A way to everywhere leads into nothing: what is no
    server is silent, not unreachable."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace can be made; be root")
    lines = ["link set lo up", "link add void type dummy", "link set void up", "route add default dev void",
             "-6 route add default dev void"]
    for address in addresses:
        if not address.startswith("127.") and address != "::1":
            lines.append("addr add %s dev lo%s" % (address, " nodad" if ":" in address else ""))
    # IPv6 may be absent where the test runs; then nothing of it can be a server.
    subprocess.run(["ip", "-force", "-batch", "-"], input="\n".join(lines), text=True, capture_output=True, check=False)


@dataclass
class Servers:
    """All servers of a scenario, in a thread of their own."""
    scenario: Scenario
    minimise: bool
    step: int = 0
    asked: dns.name.Name | None = None  # by the client, last
    unexpected: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)

    def open(self) -> None:
        for address in self.scenario.addresses():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                sock = socket.socket(family, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, 53))
                if kind == socket.SOCK_STREAM:
                    sock.listen(16)
                sock.setblocking(False)
                self.sockets.append(sock)
        self.selector = selectors.DefaultSelector()
        for sock in self.sockets:
            self.selector.register(sock, selectors.EVENT_READ)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        with suppress(PermissionError):  # servers that wait for their turn on a busy machine are taken for silent
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)
        while True:
            for key, _ in self.selector.select():
                sock = key.fileobj
                try:
                    if sock.type == socket.SOCK_STREAM:
                        self.serve_stream(sock)
                    else:
                        self.serve_datagram(sock)
                except OSError:
                    pass  # the client is gone

    def serve_datagram(self, sock: socket.socket) -> None:
        wire, peer = sock.recvfrom(65535)
        reply = self.reply(wire, sock.getsockname()[0], False)
        if reply is not None:
            sock.sendto(reply, peer)

    def serve_stream(self, listener: socket.socket) -> None:
        stream, _ = listener.accept()
        stream.settimeout(2)
        threading.Thread(target=self.talk, args=(stream, listener.getsockname()[0]), daemon=True).start()

    def talk(self, stream: socket.socket, address: str) -> None:
        with stream:
            try:
                while True:
                    size = struct.unpack("!H", stream.recv(2, socket.MSG_WAITALL))[0]
                    reply = self.reply(stream.recv(size, socket.MSG_WAITALL), address, True)
                    if reply is not None:
                        stream.sendall(struct.pack("!H", len(reply)) + reply)
            except (OSError, struct.error):
                return

    def reply(self, wire: bytes, address: str, is_tcp: bool) -> bytes | None:
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException as error:
            self.unexpected.append("%s got what is no DNS message: %s" % (address, error))
            return None
        asked = "step %d: %s %s %s" % (self.step, address, "tcp" if is_tcp else "udp",
                                       " ".join(str(one) for one in query.question))
        self.heard.append(asked)
        entry = self.find(query, address, is_tcp)
        if entry is None:
            self.unexpected.append(asked)
            return None
        entry.used += 1
        return None if "do_not_answer" in entry.adjust else adjusted(entry, query)

    def find(self, query: dns.message.Message, address: str, is_tcp: bool) -> Entry | None:
        """The entry for the query. Which type a minimised question has is the resolver's choice (RFC 9156 2.1): what a file has
        for NS serves for A too, and the other way round, less the records of that type. The client's own name has no choice."""
        entry = self.find_exactly(query, address, is_tcp)
        question = query.question[0] if query.question else None
        if entry is not None or not self.minimise or question is None or question.rdtype not in OTHER_TYPE or \
                question.name == self.asked:
            return entry
        other = dns.message.from_wire(query.to_wire())
        other.question = [dns.rrset.RRset(question.name, question.rdclass, OTHER_TYPE[question.rdtype])]
        entry = self.find_exactly(other, address, is_tcp)
        if entry is None:
            return None
        entry = copy.deepcopy(entry)
        entry.message.answer = [one for one in entry.message.answer if one.rdtype not in OTHER_TYPE]
        return entry

    def find_exactly(self, query: dns.message.Message, address: str, is_tcp: bool) -> Entry | None:
        for one in self.scenario.ranges:
            if one.covers(self.step, address):
                for entry in one.entries:
                    if not dialect.different(entry, query, is_tcp):
                        return entry
        for step in self.scenario.steps:
            if step.kind == "REPLY" and step.number >= self.step and not step.entry.used and \
                    not dialect.different(step.entry, query, is_tcp):
                return step.entry
        return None


def adjusted(entry: Entry, query: dns.message.Message) -> bytes:
    """The entry's message as a reply to the query: ID, letter case, whole question, EDNS."""
    reply = dns.message.from_wire(entry.message.to_wire(max_size=65535, want_shuffle=False))
    if "copy_id" in entry.adjust:
        reply.id = query.id
    if "copy_query" in entry.adjust:
        reply.question = query.question
    elif reply.question and query.question:
        asked, own = query.question[0], reply.question[0]
        rdtype = asked.rdtype if asked.name == own.name and OTHER_TYPE.get(asked.rdtype) == own.rdtype else own.rdtype
        reply.question = [dns.rrset.RRset(asked.name, own.rdclass, rdtype)]
    if "lower_case" in entry.adjust:
        reply.question = [dns.rrset.RRset(dns.name.from_text(one.name.to_text().lower()), one.rdclass, one.rdtype)
                          for one in reply.question]
    if query.edns >= 0:
        reply.use_edns(0, dns.flags.DO if entry.wants_dnssec else 0, 4096)
        reply.set_rcode(entry.message.rcode())
    if entry.raw is not None:
        return struct.pack("!H", query.id) + entry.raw[2:]
    return reply.to_wire(max_size=65535, want_shuffle=False)


class Clock:
    """What time berthd believes it is (libfaketime reads a file); it stands still but for TIME_PASSES."""

    def __init__(self, path: Path, scenario: Scenario):
        self.path = path
        self.now = datetime.now(timezone.utc)
        for text in scenario.setting("val-override-date"):
            self.now = datetime.strptime(text.strip('"'), "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
        for text in scenario.setting("val-override-timestamp"):
            self.now = datetime.fromtimestamp(int(text.strip('"')), timezone.utc)
        self.write()

    def write(self) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(self.now.strftime("%Y-%m-%d %H:%M:%S\n"))
        fresh.rename(self.path)

    def pass_(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.write()


class Berthd:
    def __init__(self, program: Path, directory: Path, config: str):
        (directory / "berthd.yaml").write_text(config)
        self.log_path = directory / "log"
        env = {**os.environ, "TZ": "UTC", "FAKETIME_TIMESTAMP_FILE": str(directory / "clock"), "FAKETIME_NO_CACHE": "1",
               "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "LD_PRELOAD": faketime() or ""}
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen([str(program), "-c", str(directory / "berthd.yaml")], env=env, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while b"is ready" not in self.log_path.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failure("berthd does not start:\n" + self.log)
            time.sleep(0.002)

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def stop(self) -> None:
        """A daemon that does not end on SIGTERM, at once and with 0, has failed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("berthd does not stop") from None
        if status != 0 or any(word in self.log for word in DAMAGE):
            raise Failure("berthd ended with %d:\n%s" % (status, self.log))


def exchange(wire: bytes, is_tcp: bool) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(ANSWER_S)
        sock.bind((settings.CLIENT, 0))
        sock.connect((settings.SERVED, 53))
        try:
            if not is_tcp:
                sock.send(wire)
                return sock.recv(65535)
            sock.sendall(struct.pack("!H", len(wire)) + wire)
            size = struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))[0]
            return sock.recv(size, socket.MSG_WAITALL)
        except (TimeoutError, ConnectionError):
            return None


def ask(entry: Entry) -> dns.message.Message | None:
    """The client's query and what it got; None for silence."""
    if entry.raw is not None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((settings.CLIENT, 0))
            sock.sendto(entry.raw, (settings.SERVED, 53))
        return None
    query = dns.message.from_wire(entry.message.to_wire())
    query.id = 4711
    if entry.wants_dnssec:
        query.use_edns(0, dns.flags.DO, 4096)
    wire = query.to_wire()
    got = exchange(wire, "tcp" in entry.match)
    if got is not None and got[2] & 2:
        got = exchange(wire, True)
    return dns.message.from_wire(got) if got is not None else None


def play(scenario: Scenario, servers: Servers, clock: Clock) -> None:
    answer: dns.message.Message | None = None
    for step in scenario.steps:
        servers.step = step.number
        if step.kind == "QUERY":
            servers.asked = step.entry.message.question[0].name if step.entry.message.question else None
            answer = ask(step.entry)
        elif step.kind == "TIME_PASSES":
            clock.pass_(step.elapse_s)
        elif step.kind == "CHECK_ANSWER":
            if answer is None:
                raise Failure("line %d: step %d: no answer came" % (step.line, step.number))
            why = dialect.different(step.entry, answer)
            if why:
                raise Failure("line %d: step %d: %s\n\ngot:\n%s" % (step.line, step.number, why, answer))


def judge(scenario: Scenario, servers: Servers) -> None:
    if servers.unexpected:
        raise Failure("questions that the scenario has no answer for:\n  " + "\n  ".join(servers.unexpected))
    for one in scenario.ranges:
        for entry in one.entries:
            if entry.is_mandatory and not entry.used:
                raise Failure("line %d: the mandatory entry was never asked for" % entry.line)


def perform(program: Path, path: Path, minimise: bool, directory: Path, write_yaml: Any) -> None:
    """Plays one file in one mode; raises Failure. To be called in a process of its own: it leaves the network."""
    scenario = dialect.read(path)
    directory.mkdir(parents=True, exist_ok=True)
    enter_namespace(scenario.addresses() + [settings.SERVED, settings.CLIENT])
    servers = Servers(scenario, minimise)
    servers.open()
    clock = Clock(directory / "clock", scenario)
    berthd = Berthd(program, directory, write_yaml(settings.make(scenario, directory, minimise)))
    failure: Failure | None = None
    try:
        play(scenario, servers, clock)
        judge(scenario, servers)
    except Failure as error:
        failure = error
    try:
        berthd.stop()
    except Failure as error:
        failure = failure or error
    (directory / "heard").write_text("\n".join(servers.heard) + "\n")
    if failure is not None:
        raise failure
