"""Does berthd find what is in the lab, and does every question leave from a port of its own, drawn at random?

All rows of expected.tsv are asked with an empty cache, then again, while a packet socket watches. The tests look at the answers
and at the packets. BERTH_NAMES makes the lab smaller, for slow builds.
"""

from __future__ import annotations

import math
import os
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import dns.message
import dns.rcode
import pytest

from support import Capture, Crowd, Daemon, Packet, Row, expected_rows, rdatas

NAMES = int(os.environ.get("BERTH_NAMES", "10000"))
LAB = ["--names", NAMES]
CONCURRENCY = 100
FIRST, LAST = 49152, 65535
EXCLUDED = [(49152, 49999), (53000, 53000), (60000, 61999), (65535, 65535)]
USABLE = [p for p in range(FIRST, LAST + 1) if not any(a <= p <= b for a, b in EXCLUDED)]
# Bins of the chi-square tests: odd, so that the degrees of freedom are even and p has a closed form.
BINS = 65
P_MIN = 1e-9  # five such looks a run, for years
FIN, SYN, RST = 1, 2, 4


@dataclass
class Question:
    """A question that berthd sent to a server."""

    packet: Packet
    port: int
    id: int
    end: float = math.inf  # when the reply came

    @property
    def at(self) -> float:
        return self.packet.at

    @property
    def text(self) -> bytes:
        return self.packet.payload[12:]


@dataclass
class Seen:
    """What the two rounds showed."""

    rows: list[Row]
    first: list[Any]
    second: list[Any]
    packets: list[Packet]
    packets_second: list[Packet]
    counters: dict[str, int]
    udp: list[Question] = field(default_factory=list)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    place = tmp_path_factory.mktemp("resolve")
    daemon = Daemon(place, {"ports": {"exclude": ["%d-%d" % pair for pair in EXCLUDED]}}).start()
    rows = expected_rows()
    questions = [(row.name, row.rrtype) for row in rows]
    with Crowd(CONCURRENCY) as crowd:
        with Capture() as first:
            found = crowd.ask_all(questions)
        counters = daemon.counters()
        with Capture() as second:
            again = crowd.ask_all([(row.name, row.rrtype) for row in rows if row.rcode != "SERVFAIL"])
    daemon.check_alive()
    daemon.finish()
    result = Seen(rows, found, again, first.packets(), second.packets(), counters)
    result.udp = questions_of(result.packets)
    return result


def questions_of(packets: list[Packet]) -> list[Question]:
    """The UDP questions, each with the time of its reply."""
    open_: dict[tuple[str, int, str, int], Question] = {}
    found = []
    for packet in packets:
        if packet.transport != "udp" or len(packet.payload) < 12:
            continue
        number = struct.unpack_from("!H", packet.payload)[0]
        if packet.target_port == 53:
            question = Question(packet, packet.source_port, number)
            open_[packet.source, packet.source_port, packet.target, number] = question
            found.append(question)
        else:
            question = open_.pop((packet.target, packet.target_port, packet.source, number), None)
            if question is not None:
                question.end = packet.at
    return found


def wrong_rows(rows: list[Row], replies: list[dns.message.Message | None]) -> list[str]:
    wrong = []
    for row, reply in zip(rows, replies, strict=True):
        got = (dns.rcode.to_text(reply.rcode()), ",".join(rdatas(reply, row.rrtype))) if reply else "no reply"
        if got != (row.rcode, row.rdatas):
            wrong.append("%s %s: %s instead of %s %s" % (row.name, row.rrtype, got, row.rcode, row.rdatas))
    return wrong


def chi_square_p(values: list[int], ranks: int) -> float:
    """How likely it is that values, each drawn from range(ranks), are spread over the bins as unevenly as these."""
    bound = [ranks * i // BINS for i in range(BINS + 1)]
    counts = [0] * BINS
    for value in values:
        i = value * BINS // ranks
        while value < bound[i]:
            i -= 1
        while value >= bound[i + 1]:
            i += 1
        counts[i] += 1
    expected = [len(values) * (bound[i + 1] - bound[i]) / ranks for i in range(BINS)]
    x = sum((c - e) ** 2 / e for c, e in zip(counts, expected, strict=True))
    term = total = 1.0
    for i in range(1, (BINS - 1) // 2):
        term *= x / 2 / i
        total += term
    return math.exp(-x / 2) * total


def reverse16(number: int) -> int:
    """The bits in reverse order: bins look at the upper bits, and the lower ones matter as much."""
    return int(format(number, "016b")[::-1], 2)


def distinct_is_random(values: list[int], ranks: int) -> bool:
    """Is the number of different values within six deviations of what random draws give?"""
    load = len(values) / ranks
    empty = math.exp(-load)
    deviation = math.sqrt(ranks * empty * (1 - (1 + load) * empty))
    return abs(len(set(values)) - ranks * (1 - empty)) <= 6 * deviation + 1


def test_every_answer_is_right(seen: Seen):
    assert len(seen.rows) > 200  # even the built-in list of names has as many
    wrong = wrong_rows(seen.rows, seen.first)
    assert not wrong, "%d of %d rows are wrong:\n%s" % (len(wrong), len(seen.rows), "\n".join(wrong[:20]))


def test_only_zones_made_to_fail_fail(seen: Seen):
    assert not [row for row, reply in zip(seen.rows, seen.first, strict=True)
                if reply is not None and reply.rcode() == dns.rcode.SERVFAIL and row.rcode != "SERVFAIL"]


def test_second_time_comes_from_the_cache(seen: Seen):
    rows = [row for row in seen.rows if row.rcode != "SERVFAIL"]
    first = [reply for row, reply in zip(seen.rows, seen.first, strict=True) if row.rcode != "SERVFAIL"]
    assert wrong_rows(rows, seen.second) == []
    for row, old, new in zip(rows, first, seen.second, strict=True):
        for section in ("answer", "authority"):
            before = {(r.name, r.rdtype): r for r in getattr(old, section)}
            after = {(r.name, r.rdtype): r for r in getattr(new, section)}
            assert before == after, row
            assert all(after[key].ttl <= before[key].ttl for key in before), row
    sent = [packet for packet in seen.packets_second if packet.target_port == 53]
    assert not sent, "questions although everything was cached: %s" % sent[:3]


def test_counters_agree_with_the_packets(seen: Seen):
    assert seen.counters["upstream.udp"] == len(seen.udp) > len(seen.rows) / 2
    opened = [p for p in seen.packets if p.transport == "tcp" and p.target_port == 53 and p.tcp_flags & (SYN | 16) == SYN]
    assert seen.counters["upstream.tcp"] >= 2 and len(opened) >= seen.counters["upstream.connections"] >= 1


def test_every_port_is_usable(seen: Seen):
    usable = set(USABLE)
    strange = [p for p in seen.packets if p.target_port == 53 and p.source_port not in usable]
    assert not strange, strange[:3]
    assert not [p for p in seen.packets if p.source_port == 53 and p.target_port not in usable]


def test_a_port_serves_one_question_at_a_time(seen: Seen):
    """Intervals from question to reply, of both families and transports, on one port never overlap."""
    spans = defaultdict(list)
    for question in seen.udp:
        # Without a reply it stays lent for the shortest wait at least.
        spans[question.port].append((question.at, min(question.end, question.at + 0.05), question.text))
    for (port, _), (begin, end) in tcp_spans(seen.packets).items():
        spans[port].append((begin, end, b"tcp"))
    for port, busy in spans.items():
        busy.sort()
        for (_, end, one), (begin, _, other) in zip(busy, busy[1:]):
            assert begin >= end, "port %d had %r and %r at once" % (port, one, other)


def tcp_spans(packets: list[Packet]) -> dict[tuple[int, str], tuple[float, float]]:
    """From SYN to the resolver's own FIN or RST, by port and time of the SYN."""
    begun: dict[tuple[str, int], float] = {}
    spans = {}
    for packet in packets:
        key = (packet.source, packet.source_port)
        if packet.transport != "tcp" or packet.target_port != 53:
            continue
        if packet.tcp_flags & SYN and key not in begun:
            begun[key] = packet.at
        elif packet.tcp_flags & (FIN | RST) and key in begun:
            begin = begun.pop(key)
            spans[packet.source_port, "%.6f" % begin] = (begin, packet.at)
    return spans


def test_ports_are_random(seen: Seen):
    rank = {port: i for i, port in enumerate(USABLE)}
    drawn = [rank[question.port] for question in seen.udp]
    assert chi_square_p(drawn, len(USABLE)) > P_MIN
    assert distinct_is_random(drawn, len(USABLE))
    # Neighbours in time: the second port says nothing of the first.
    steps = [(b - a) % len(USABLE) for a, b in zip(drawn, drawn[1:])]
    assert chi_square_p(steps, len(USABLE)) > P_MIN


def test_ids_are_random(seen: Seen):
    drawn = [question.id for question in seen.udp]
    assert chi_square_p(drawn, 65536) > P_MIN
    assert chi_square_p([reverse16(number) for number in drawn], 65536) > P_MIN
    assert distinct_is_random(drawn, 65536)
    steps = [(b - a) % 65536 for a, b in zip(drawn, drawn[1:])]
    assert chi_square_p(steps, 65536) > P_MIN


def test_identical_questions_do_not_fly_twice(seen: Seen):
    """The same question to the same server, while the first is under way."""
    last: dict[tuple[str, bytes], Question] = {}
    twice = []
    for question in seen.udp:
        key = (question.packet.target, question.text)
        if key in last and question.at < min(last[key].end, last[key].at + 0.05):
            twice.append(question.text)
        last[key] = question
    # Two workers may each ask for what both need, such as the servers of a TLD.
    assert len(twice) <= len(seen.udp) / 50, (len(twice), len(seen.udp), twice[:5])
