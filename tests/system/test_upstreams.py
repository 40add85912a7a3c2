"""Questions over TCP share connections (RFC 7766): many at once, replies in any order, and no harm from a server that ends,
hangs or babbles. The server is the root and knows everything, but over UDP it only says that a reply is too long."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import dns.flags
import dns.message
import dns.rrset
import pytest

from support import Daemon, ask, at_once, favour_this_thread, rdatas, wait_until

SERVER = "127.9.0.1"
NOERROR, SERVFAIL = 0, 2

pytestmark = pytest.mark.usefixtures("namespace")


class Stream:
    """One connection of berthd to the server."""

    def __init__(self, sock: socket.socket):
        self.sock, self.buffer, self.asked = sock, b"", 0

    def read(self) -> list[bytes] | None:
        """The messages that are whole by now; None at the end."""
        got = self.sock.recv(65536)
        if not got:
            return None
        self.buffer += got
        messages = []
        while len(self.buffer) >= 2 and len(self.buffer) >= 2 + struct.unpack("!H", self.buffer[:2])[0]:
            size = struct.unpack("!H", self.buffer[:2])[0]
            messages.append(self.buffer[2:2 + size])
            self.buffer = self.buffer[2 + size:]
        self.asked += len(messages)
        return messages


def answer(wire: bytes) -> bytes:
    query = dns.message.from_wire(wire)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    name, rdtype = query.question[0].name, query.question[0].rdtype
    if rdtype == 1:
        number = sum(str(name).lower().encode()) % 250
        reply.answer.append(dns.rrset.from_text(name, 300, "IN", "A", "192.0.2.%d" % number))
    else:
        reply.authority.append(dns.rrset.from_text(".", 300, "IN", "SOA", ". . 1 1 1 1 60"))
    out = reply.to_wire()
    return struct.pack("!H", len(out)) + out


def expected(name: str) -> list[str]:
    return ["192.0.2.%d" % (sum((name + ".").encode()) % 250)]


class Server:
    """`behave(stream, messages)` says what becomes of messages that came together."""

    def __init__(self, behave: Callable[[Stream, list[bytes]], None]):
        self.behave, self.streams, self.ids = behave, [], []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind((SERVER, 53))
        self.tcp.bind((SERVER, 53))
        self.tcp.listen(256)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.udp, selectors.EVENT_READ)
        self.selector.register(self.tcp, selectors.EVENT_READ)
        self.is_ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        favour_this_thread()
        while not self.is_ending:
            for key, _ in self.selector.select(0.05):
                self.turn(key)

    def turn(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self.udp:
            wire, peer = self.udp.recvfrom(4096)
            self.udp.sendto(wire[:2] + b"\x82\x00" + wire[4:], peer)  # QR TC
        elif key.fileobj is self.tcp:
            stream = Stream(self.tcp.accept()[0])
            self.streams.append(stream)
            self.selector.register(stream.sock, selectors.EVENT_READ, stream)
        else:
            self.hear(key.data)

    def hear(self, stream: Stream) -> None:
        try:
            messages = stream.read()
            if messages is None:
                raise ConnectionError
            self.ids += [(id(stream), message[:2]) for message in messages]
            if messages:
                self.behave(stream, messages)
        except OSError:
            self.drop(stream)

    def drop(self, stream: Stream) -> None:
        if stream.sock.fileno() >= 0:
            self.selector.unregister(stream.sock)
            stream.sock.close()

    def close(self) -> None:
        self.is_ending = True
        self.thread.join()
        for sock in [self.udp, self.tcp] + [stream.sock for stream in self.streams]:
            sock.close()


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., tuple[Server, Daemon]]]:
    ends: list[Any] = []

    def make(behave: Callable[[Stream, list[bytes]], None], **resolver: Any) -> tuple[Server, Daemon]:
        server = Server(behave)
        ends.append(server.close)
        hints = tmp_path / "hints"
        hints.write_text(". 3600 NS a.root.\na.root. 3600 A %s\n" % SERVER)
        daemon = Daemon(tmp_path / "berthd", {"workers": 1, "resolver": {
            "root-hints": str(hints), "query-loopback": True, "priming": False, "minimise": False, "ipv6": False,
            **resolver}}).start()
        ends.append(daemon.finish)
        return server, daemon

    yield make
    for end in reversed(ends):
        end()


def names(count: int, word: str = "n") -> list[str]:
    return ["%s%d.example" % (word, n) for n in range(count)]


def ask_all(wanted: list[str]) -> None:
    replies = at_once([lambda name=name: ask(name) for name in wanted])
    assert [rdatas(reply) for reply in replies] == [expected(name) for name in wanted]


def say(stream: Stream, messages: list[bytes]) -> None:
    for message in messages:
        stream.sock.sendall(answer(message))


def test_one_connection_for_many(begin):
    server, daemon = begin(say)
    for name in names(20):
        assert rdatas(ask(name)) == expected(name)
    assert len(server.streams) == 1 and server.streams[0].asked == 20
    counters = daemon.counters()
    assert counters["upstream.connections"] == 1 and counters["upstream.tcp"] == 20


def test_replies_in_any_order(begin):
    waiting: list[bytes] = []

    def hoard(stream: Stream, messages: list[bytes]) -> None:
        waiting.extend(messages)
        if len(waiting) >= 30:
            for message in reversed(waiting):
                stream.sock.sendall(answer(message))
            waiting.clear()

    server, _ = begin(hoard)
    ask_all(names(30))
    assert len(server.streams) == 1
    assert len(set(server.ids)) == len(server.ids), "two questions on one connection had the same ID"


def test_a_crowd_spreads(begin):
    """No more than LIMIT_UPSTREAM_QUESTIONS on one connection: the rest have others."""
    held: list[tuple[Stream, bytes]] = []

    def hold(stream: Stream, messages: list[bytes]) -> None:
        held.extend((stream, message) for message in messages)
        if len(held) >= 150:
            for one, message in held:
                one.sock.sendall(answer(message))
            held.clear()

    server, _ = begin(hold)
    replies = at_once([lambda name=name: ask(name) for name in names(150)], threads=150)
    assert [rdatas(reply) for reply in replies] == [expected(name) for name in names(150)]
    assert len(server.streams) == 3 and max(stream.asked for stream in server.streams) <= 64


def test_idle_connections_end_and_give_their_port_back(begin):
    server, daemon = begin(say)
    ask_all(names(3))
    assert daemon.control("ports")["lent"] == 1
    wait_until(lambda: daemon.control("ports")["lent"] == 0, patience_s=6)
    assert rdatas(ask("later.example")) == expected("later.example")
    assert len(server.streams) == 2


def test_a_server_that_ends_after_each_reply(begin):
    def say_and_end(stream: Stream, messages: list[bytes]) -> None:
        stream.sock.sendall(answer(messages[0]))
        raise ConnectionError

    _, daemon = begin(say_and_end)
    for name in names(12):
        assert rdatas(ask(name)) == expected(name)
    daemon.check_alive()


def test_a_server_that_ends_just_when_it_is_used_again(begin):
    ended = threading.Event()

    def end_second(stream: Stream, messages: list[bytes]) -> None:
        if stream.asked > 1 and not ended.is_set():
            ended.set()
            raise ConnectionError
        say(stream, messages)

    server, daemon = begin(end_second)
    assert rdatas(ask("one.example")) == expected("one.example")
    begin_s = time.monotonic()
    assert rdatas(ask("two.example")) == expected("two.example")
    assert ended.is_set() and time.monotonic() - begin_s < 2 and len(server.streams) == 2
    assert daemon.counters()["upstream.connections"] == 2


def test_a_connection_that_hangs_is_left(begin):
    def hang_first(stream: Stream, messages: list[bytes]) -> None:
        if stream is not server.streams[0]:
            say(stream, messages)

    server, daemon = begin(hang_first)
    begin_s = time.monotonic()
    reply = ask("one.example")
    assert time.monotonic() - begin_s < 5
    assert reply.rcode() in (NOERROR, SERVFAIL)
    assert rdatas(ask("two.example")) == expected("two.example")
    wait_until(lambda: daemon.control("ports")["lent"] <= 1, patience_s=6)


def test_babble_is_passed_over(begin):
    """Messages with other IDs, of every length, before the true reply."""
    def babble(stream: Stream, messages: list[bytes]) -> None:
        for message in messages:
            for size in (0, 1, 2, 11, 12, 300):
                stream.sock.sendall(struct.pack("!H", size) + bytes(b ^ 0xff for b in message[:2]).ljust(size, b"x")[:size])
            stream.sock.sendall(answer(message))

    _, daemon = begin(babble)
    for name in names(8):
        assert rdatas(ask(name)) == expected(name)
    daemon.check_alive()


def test_endless_babble_ends_the_connection(begin):
    def flood(stream: Stream, messages: list[bytes]) -> None:
        stream.sock.settimeout(2)
        for _ in range(20000):
            stream.sock.sendall(b"\x00\x0c" + bytes(12))

    server, daemon = begin(flood)
    assert ask("one.example").rcode() == SERVFAIL
    assert daemon.memory_kib() < 400_000
    assert daemon.control("status")["version"]


def test_a_frame_cut_anywhere(begin):
    def dribble(stream: Stream, messages: list[bytes]) -> None:
        for message in messages:
            for at, byte in enumerate(answer(message)):
                stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream.sock.sendall(bytes([byte]))
                if at % 7 == 0:
                    time.sleep(0.001)

    begin(dribble)
    ask_all(names(4))


def test_a_reply_to_another_question_is_not_believed(begin):
    """The ID is right, the question is not."""
    def lie(stream: Stream, messages: list[bytes]) -> None:
        for message in messages:
            query = dns.message.from_wire(message)
            other = dns.message.make_query("other.example", "A", id=query.id)
            stream.sock.sendall(answer(other.to_wire()))

    begin(lie)
    assert ask("one.example").rcode() == SERVFAIL


def test_the_end_while_questions_wait(begin):
    _, daemon = begin(lambda stream, messages: None)
    threads = [threading.Thread(target=lambda name=name: pytest.raises(Exception, ask, name, patience_s=1)) for name in names(5)]
    for thread in threads:
        thread.start()
    wait_until(lambda: daemon.counters()["upstream.tcp"] >= 5)
    daemon.finish()
    for thread in threads:
        thread.join()
