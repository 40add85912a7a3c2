"""Does the pool lend as its configuration says: which ports, how many, and what becomes of who must wait?"""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, Callable

import dns.message
import dns.rcode
import pytest

from net import TRUTH, Heard, Net
from support import (SLOWER, Capture, ControlError, Crowd, Daemon, Packet, ask, at_once, ede, rdatas, timed,
                     wait_until)

LAB = ["--names", 20, "--root-zone", Path(__file__).with_name("tlds.zone")]

NOERROR, SERVFAIL = dns.rcode.NOERROR, dns.rcode.SERVFAIL
ZONE, SERVER = {"z.test.": {"ns.z.test.": "127.7.0.1"}}, "127.7.0.1"
# Of what zones and servers may hold the shares lie in tables by a keyed hash, where once in 8,192 starts a good one meets the
# deaf one; two of three do not.
OTHERS = {"y.test.": "127.7.0.2", "x.test.": "127.7.0.3"}
THREE_ZONES = {**ZONE, **{zone: {"ns." + zone: address} for zone, address in OTHERS.items()}}
NO_REACHABLE, NETWORK_ERROR = 22, 23
WILD = "198.18.100.42"
Begin = Callable[..., Daemon]


def truth(heard: Heard) -> dns.message.Message:
    return heard.truth("z.test.")


def other_truths() -> dict[str, Callable[[Heard], dns.message.Message]]:
    return {address: lambda heard, zone=zone: heard.truth(zone) for zone, address in OTHERS.items()}


def questions(packets: list[Packet]) -> list[Packet]:
    return [packet for packet in packets if packet.transport == "udp" and packet.target_port == 53]


def outcomes(replies: list[dns.message.Message | None]) -> Counter[str]:
    return Counter(" ".join(rdatas(reply)) or "%s %s" % (reply.rcode(), ede(reply)) if reply else "none"
                   for reply in replies)


def bound(daemon: Daemon) -> dict[int, str]:
    """The UDP ports of 49152 and above that the kernel lists in the daemon's namespace, each with its peer."""
    found = {}
    for table in ("udp", "udp6"):
        for line in Path("/proc/%d/net/%s" % (daemon.pid, table)).read_text().splitlines()[1:]:
            _, local, peer = line.split()[:3]
            if int(local.split(":")[1], 16) >= 49152:
                found[int(local.split(":")[1], 16)] = peer
    return found


def looks_closed(peer: str) -> bool:
    """Connected to a place on this machine where nobody is."""
    return peer in ("0100007F:0001", "00000000000000000000000001000000:0001")


# --- changes while running ---


class Changer(threading.Thread):
    """Changes range and exclusions every 250 ms; remembers what was allowed from when on."""

    def __init__(self, daemon: Daemon):
        super().__init__(daemon=True)
        self.daemon_, self.stopping, self.allowed = daemon, threading.Event(), []

    def run(self) -> None:
        chance = random.Random(7)
        while not self.stopping.wait(0.25):
            first = 49152 + chance.randrange(4) * 2048
            barred = 51000 + chance.randrange(100) * 100
            self.daemon_.control("ports-change", range="%d-65535" % first, include="50000-62000",
                                 exclude="%d-%d" % (barred, barred + 999))
            self.daemon_.control("ports-change", include="%d-%d" % (51000, 61999), exclude="%d-%d" % (barred, barred + 999))
            self.allowed.append((time.time(), first, barred))

    def finish(self) -> None:
        self.stopping.set()
        self.join()


@pytest.mark.parametrize("ports", [{}, {"lend": "reserved", "pool": 200}], ids=["fresh", "reserved"])
def test_changes_under_load_lose_no_query(start: Callable[..., Daemon], ports: dict[str, Any]):
    daemon = start(workers=2, ports=ports)
    changer = Changer(daemon)
    with Crowd(200) as crowd, Capture() as capture:
        changer.start()
        replies = crowd.ask_all([("n%d.wild.lab" % n, "A") for n in range(9000)])
        changer.finish()
    assert outcomes(replies) == {WILD: 9000} and len(changer.allowed) >= 3
    seen = 0
    for (since, first, barred), (until, _, _) in zip(changer.allowed, changer.allowed[1:]):
        # The next change begins 0.25 s after this one was answered; who was lent a port before may send a moment after.
        for packet in questions(capture.packets()):
            if since + 0.15 < packet.at < min(until, since + 0.25):
                seen += 1
                assert packet.source_port >= first and not barred <= packet.source_port <= barred + 999
    assert seen > 300
    daemon.check_alive()


def test_a_change_that_makes_no_sense(start: Callable[..., Daemon]):
    daemon = start()
    for change, words in (({}, "nothing to change"), ({"range": "9-8"}, "FIRST-LAST"), ({"exclude": "1-x"}, "1-x"),
                          ({"exclude": "49152-65535"}, "0 usable ports"), ({"include": "no-such-service"}, "service")):
        with pytest.raises(ControlError, match=re.escape(words)):
            daemon.control("ports-change", **change)
    assert not daemon.control("ports")["changed"]


def test_a_dry_run_changes_nothing(start: Callable[..., Daemon]):
    daemon = start()
    before = daemon.control("ports")["usable"]
    tried = daemon.control("ports-change", exclude="60100-60199", dry_run=True)
    assert tried["before"]["usable"] == before and tried["after"]["usable"] == before - 100
    assert tried["after"]["away"]["excluded"] == 100 and tried["after"]["bits"] < tried["before"]["bits"]
    few = daemon.control("ports-change", range="60000-60009", dry_run=True)["lines"]
    assert any(line["level"] == "warning" and "that is few" in line["text"] for line in few)
    assert daemon.control("ports")["usable"] == before
    daemon.control("ports-change", exclude="60100-60199")
    assert daemon.control("ports")["usable"] == before - 100, daemon.control("ports")
    assert daemon.control("ports")["changed"]
    daemon.control("reload")
    assert daemon.control("ports")["usable"] == before and not daemon.control("ports")["changed"]


def test_what_others_hold_is_not_usable(start: Callable[..., Daemon]):
    """Listeners at the start, and those that come later."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as early, socket.socket() as tcp, \
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as late:
        early.bind(("127.0.0.9", 60001))
        tcp.bind(("0.0.0.0", 60002))
        tcp.listen()
        daemon = start()
        assert daemon.control("port", port=60001)["why_not"] == daemon.control("port", port=60002)["why_not"] \
            == "held by another program"
        assert daemon.control("port", port=60003)["usable"]
        late.bind(("::1", 60003))
        wait_until(lambda: not daemon.control("port", port=60003)["usable"], 20)
    wait_until(lambda: daemon.control("port", port=60001)["usable"], 20)


# --- reserved ports ---


@pytest.mark.parametrize("workers", [1, 2])
def test_reserved_ports_are_held_and_used(start: Callable[..., Daemon], workers: int):
    daemon = start(workers=workers, ports={"lend": "reserved", "pool": 64, "uses": 0, "age": 0},
                   resolver={"ipv6": False})
    assert daemon.control("status")["ports"]["held"] == 64
    held = bound(daemon)
    with Crowd(20) as crowd, Capture() as capture:
        replies = crowd.ask_all([("h%d.wild.lab" % n, "A") for n in range(3000)])
    assert outcomes(replies) == {WILD: len(replies)}
    used = Counter(packet.source_port for packet in questions(capture.packets()))
    assert set(used) <= set(held) and len(used) == 64 and max(used.values()) < 5 * min(used.values())
    # Soon after the last exchange all look closed again.
    wait_until(lambda: all(map(looks_closed, bound(daemon).values())))
    assert set(bound(daemon)) == set(held)


def test_both_families_are_held(start: Callable[..., Daemon]):
    daemon = start(ports={"lend": "reserved", "pool": 40})
    with Crowd(20) as crowd, Capture() as capture:
        crowd.ask_all([("f%d.wild.lab" % n, "A") for n in range(1000)])
    used = {":" in packet.source: packet.source_port for packet in questions(capture.packets())}
    assert set(used) == {False, True} and daemon.control("status")["ports"]["held"] == len(bound(daemon)) == 80


def test_reserved_ports_wear_out(start: Callable[..., Daemon]):
    daemon = start(ports={"lend": "reserved", "pool": 20, "uses": 10})
    with Crowd(10) as crowd, Capture() as capture:
        crowd.ask_all([("w%d.wild.lab" % n, "A") for n in range(2000)])
    used = Counter(packet.source_port for packet in questions(capture.packets()))
    assert len(used) > 150 and daemon.control("status")["ports"]["held"] in (20, 40)
    assert daemon.counters()["loans.failed"] == 0


def test_reserved_ports_follow_the_rules(start: Callable[..., Daemon]):
    daemon = start(ports={"lend": "reserved", "pool": 100})
    daemon.control("ports-change", exclude="49152-58000")
    wait_until(lambda: all(port > 58000 for port in bound(daemon)), 10)
    assert daemon.control("status")["ports"]["held"] in (100, 200)


def test_more_questions_than_reserved_ports(net: Callable[..., Net], begin: Begin):
    """The pool grows by ports drawn for the occasion."""
    world = net(ZONE, {SERVER: lambda heard: (0.2, truth(heard))})
    daemon = begin(world, ports={"lend": "reserved", "pool": 5, "max": 100})
    ask("first.z.test")
    found = at_once([lambda n=n: ask("r%d.z.test" % n) for n in range(20)], 20)
    assert all(rdatas(reply) == [TRUTH] for reply in found)
    counters = daemon.counters()
    assert counters["loans.grown"] > 0 and counters["loans.fresh"] + counters["loans.moored"] > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_one_port_for_all(start: Callable[..., Daemon], workers: int):
    daemon = start(workers=workers, ports={"lend": "reserved", "pool": 0})
    with Crowd(30) as crowd, Capture() as capture:
        replies = crowd.ask_all([("o%d.wild.lab" % n, "A") for n in range(1000)])
    assert outcomes(replies) == {WILD: len(replies)}
    used = {packet.source_port for packet in questions(capture.packets())}
    assert len(used) == 1 and used <= set(bound(daemon)) and daemon.counters()["upstream.mismatched"] == 0
    assert "one port is shared by all" in daemon.log


@pytest.mark.parametrize("pool", [0, 20])
def test_ports_are_held_as_another_user(start: Callable[..., Daemon], pool: int):
    """A port is shared among sockets of one user only, so it has to be bound by the user that the daemon becomes."""
    if "4294967295" not in Path("/proc/self/uid_map").read_text():
        pytest.skip("a user namespace without other users")
    daemon = start(user="nobody", ports={"lend": "reserved", "pool": pool})
    with Crowd(5) as crowd:
        replies = crowd.ask_all([("u%d.wild.lab" % n, "A") for n in range(50)])
    assert outcomes(replies) == {WILD: len(replies)}
    assert daemon.counters()["loans.reserved"] >= len(replies)


# --- when ports run out ---


def test_a_queue_behind_the_limit_of_loans(net: Callable[..., Net], begin: Begin):
    """With 4 loans at once, 40 questions wait their turn, and all are answered."""
    world = net(ZONE, {SERVER: lambda heard: (0.05, truth(heard))})
    daemon = begin(world, ports={"pool": 4, "max": 16})
    ask("first.z.test")
    found = at_once([lambda n=n: timed(ask, "q%d.z.test" % n) for n in range(40)], 40)
    counters = daemon.counters()
    answered = [reply for reply, _ in found if rdatas(reply) == [TRUTH]]
    assert len(answered) == 40 or counters["loans.crowded"] > 0
    assert max(took for _, took in found) < 5 * SLOWER
    assert daemon.control("status")["ports"]["max"] == 16


def test_who_waits_in_vain_is_told(net: Callable[..., Net], begin: Begin):
    """Deaf servers hold all loans; who gets none in time hears so, and the rest of the world is served again soon."""
    deaf = {"127.8.0.%d" % n: lambda heard: None for n in range(1, 9)}
    zones = {"d%d.test." % n: {"ns.d%d.test." % n: "127.8.0.%d" % n} for n in range(1, 9)}
    world = net({**zones, **ZONE}, {SERVER: truth, **deaf})
    daemon = begin(world, ports={"pool": 4, "max": 8})
    ask("warm.z.test")
    found = at_once([lambda n=n: ask("x%d.d%d.test" % (n, 1 + n % 8)) for n in range(120)], 120)
    assert {reply.rcode() for reply in found} == {SERVFAIL}
    assert all(set(ede(reply)) & {NO_REACHABLE, NETWORK_ERROR} for reply in found)
    counters = daemon.counters()
    assert counters["loans.queued"] > 0 and counters["loans.shed"] + counters["loans.crowded"] > 0
    assert daemon.log.count("ports are short") == 1 and "ports.max" in daemon.log
    assert rdatas(ask("after.z.test")) == [TRUTH]


def test_one_deaf_server_does_not_hold_all(net: Callable[..., Net], begin: Begin):
    """While hundreds of questions wait for it, others are answered at once."""
    world = net({**THREE_ZONES, "deaf.test.": {"ns.deaf.test.": "127.8.0.1"}},
                {SERVER: truth, **other_truths(), "127.8.0.1": lambda heard: None})
    daemon = begin(world, ports={"pool": 20, "max": 40})
    for zone in THREE_ZONES:
        ask("warm." + zone)
    slow = threading.Thread(target=at_once, args=([lambda n=n: ask("y%d.deaf.test" % n) for n in range(60)], 60))
    slow.start()
    time.sleep(0.2)
    found = [[timed(ask, "quick%d.%s" % (n, zone)) for n in range(10)] for zone in THREE_ZONES]
    assert sum(sorted(took for _, took in zone)[-2] < 0.3 * SLOWER and all(rdatas(reply) == [TRUTH] for reply, _ in zone)
               for zone in found) >= 2, found
    slow.join()
    assert daemon.counters()["loans.crowded"] > 0


def test_a_late_reply_teaches_the_time_it_took(net: Callable[..., Net], begin: Begin):
    """The first question times out after 376 ms; the reply after 700 ms is not taken, but the next question waits."""
    world = net(ZONE, {SERVER: lambda heard: (0.7, truth(heard))})
    daemon = begin(world)
    ask("one.z.test")
    wait_until(lambda: daemon.counters()["loans.late"] > 0, 3)
    before = world.count(SERVER)
    reply = ask("two.z.test")
    assert rdatas(reply) == [TRUTH] and world.count(SERVER) == before + 1
    assert wait_until(lambda: daemon.control("status")["ports"]["lingering"] == 0, 5)


def test_a_forged_late_reply_teaches_nothing(net: Callable[..., Net], begin: Begin):
    lingering: list[Heard] = []
    world = net(ZONE, {SERVER: lambda heard: lingering.append(heard)})
    daemon = begin(world)
    asking = threading.Thread(target=ask, args=("gone.z.test",))
    asking.start()
    wait_until(lambda: lingering)
    wait_until(lambda: daemon.control("status")["ports"]["lingering"] > 0)
    heard = lingering[0]
    wire = bytearray(heard.truth("z.test.").to_wire())
    wire[0] ^= 0xFF
    world.sockets[SERVER].sendto(bytes(wire), heard.peer)
    asking.join()
    assert daemon.counters()["loans.late"] == 0


# --- what a review found ---


def udp_pages(daemon: Daemon) -> int:
    """The kernel's memory for UDP of the whole machine; each namespace's sockets count."""
    return int(re.search(r"UDP: inuse \d+ mem (\d+)", Path("/proc/%d/net/sockstat" % daemon.pid).read_text()).group(1))


def test_idle_held_ports_keep_nothing(net: Callable[..., Net], begin: Begin):
    """What a server sends after its reply would stay in the kernel for as long as the port is idle."""
    def flood(heard: Heard) -> Any:
        if heard.tcp:
            return truth(heard)
        wire = truth(heard).to_wire()
        world.sockets[SERVER].sendto(wire, heard.peer)
        for _ in range(100):
            world.sockets[SERVER].sendto(bytes(1200), heard.peer)

    world = net(ZONE, {SERVER: flood})
    daemon = begin(world, workers=2, ports={"lend": "reserved", "pool": 400})
    before = udp_pages(daemon)
    at_once([lambda n=n: ask("m%d.z.test" % n) for n in range(300)], 10)
    wait_until(lambda: udp_pages(daemon) - before < 2000)


def test_a_deaf_zone_leaves_room_for_lookups(net: Callable[..., Net], begin: Begin):
    """With one worker, and the default limits, more questions for a deaf zone than lookups can run."""
    zones = {**THREE_ZONES, "deaf.test.": {"ns%d.deaf.test." % n: "127.8.0.%d" % n for n in (1, 2, 3)}}
    world = net(zones, {SERVER: truth, **other_truths(),
                        **{"127.8.0.%d" % n: (lambda heard: None) for n in (1, 2, 3)}})
    daemon = begin(world, ports={})
    for zone in THREE_ZONES:
        ask("warm." + zone)
    # Made before: while the first of them wait still, the last have to come.
    wires = [dns.message.make_query("s%d.deaf.test" % n, "A").to_wire() for n in range(6000)]
    stop = threading.Event()

    def storm() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", 53))
            for n, wire in enumerate(wires):
                sock.send(wire)
                if n % 50 == 0:
                    time.sleep(0.002)
        stop.set()

    thread = threading.Thread(target=storm)
    thread.start()
    stop.wait(20)
    found = [[ask("well%d.%s" % (n, zone)) for n in range(15)] for zone in THREE_ZONES]
    thread.join()
    assert sum(all(rdatas(reply) == [TRUTH] for reply in zone) for zone in found) >= 2, list(map(outcomes, found))
    assert daemon.counters()["loans.crowded"] > 0


def test_a_crowd_is_not_remembered(net: Callable[..., Net], begin: Begin):
    world = net(ZONE, {SERVER: lambda heard: (0.3, truth(heard))})
    daemon = begin(world, ports={"pool": 8, "max": 8})
    names = ["c%d.z.test" % n for n in range(24)]
    first = at_once([lambda name=name: ask(name) for name in names], 24)
    assert daemon.counters()["loans.crowded"] > 0
    failed = [name for name, reply in zip(names, first) if reply.rcode() == SERVFAIL]
    time.sleep(0.5)
    for name in failed[:5]:
        assert rdatas(ask(name)) == [TRUTH]


def test_every_worker_may_lend(net: Callable[..., Net], begin: Begin):
    daemon = begin(net(ZONE, {SERVER: truth}), workers=4, ports={"pool": 1, "max": 1})
    found = [timed(ask, "e%d.z.test" % n) for n in range(12)]
    assert all(rdatas(reply) == [TRUTH] for reply, _ in found) and median(took for _, took in found) < 0.5 * SLOWER
    assert daemon.control("status")["ports"]["max"] == 4


def test_a_narrowed_range_leaves_ports_for_tcp(net: Callable[..., Net], begin: Begin):
    daemon = begin(net(ZONE, {SERVER: truth}), ports={"lend": "reserved", "pool": 300}, resolver={"ipv6": False})
    ask("one.z.test")
    daemon.control("ports-change", range="50000-50099")
    wait_until(lambda: daemon.control("ports")["held"] <= 88, 15)
    found = daemon.control("ports")
    assert found["usable"] - found["held"] >= 12 and found["among"] == found["held"]


def test_a_slow_server_at_the_one_port(net: Callable[..., Net], begin: Begin):
    """Slower than the first try, and UDP alone: its replies are late, not forged."""
    def slow(heard: Heard) -> Any:
        return None if heard.tcp else (0.5, truth(heard))

    daemon = begin(net(ZONE, {SERVER: slow}), ports={"lend": "reserved", "pool": 0})
    for n in range(4):
        assert rdatas(ask("slow%d.z.test" % n)) == [TRUTH]
    assert daemon.counters()["upstream.mismatched"] == 0 and daemon.counters()["loans.late"] > 0


def test_too_few_ports_make_questions_wait(net: Callable[..., Net], begin: Begin):
    """Eight ports, 24 questions at once: our own loans are in the way, and come back."""
    daemon = begin(net(ZONE, {SERVER: lambda heard: (0.02, truth(heard))}), ports={"range": "50000-50007", "pool": 8})
    ask("first.z.test")
    found = at_once([lambda n=n: ask("w%d.z.test" % n) for n in range(24)], 24)
    assert outcomes(found) == {TRUTH: 24} and daemon.counters()["loans.queued"] > 0


@pytest.mark.parametrize("change", [{"range": "50000-60000", "dry_run": "true"}, {"exclude": 50001, "range": "50000-60000"},
                                    {"include": ["53"]}])
def test_a_change_of_the_wrong_kind(start: Callable[..., Daemon], change: dict[str, Any]):
    daemon = start()
    with pytest.raises(ControlError, match="must be strings"):
        daemon.control("ports-change", **change)
    assert not daemon.control("ports")["changed"]


def test_ports_that_need_a_privilege(tmp_path: Path):
    """An ordinary user's berthd does not count them."""
    daemon = Daemon(tmp_path / "low", {"ports": {"range": "1-2000", "include": ["1-2000"]}, "listen": ["127.0.0.1@5300"]})
    daemon.arguments = ["--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service", "--",
                        str((daemon.program).resolve()), *daemon.arguments]
    daemon.program = Path("/usr/bin/setpriv")
    daemon.start()
    try:
        assert daemon.control("ports")["away"]["privileged"] == 1023
        assert "CAP_NET_BIND_SERVICE" in daemon.control("port", port=77)["why_not"]
    finally:
        daemon.finish()


# --- told before ---


def test_check_says_what_the_pool_is_worth(start: Callable[..., Daemon]):
    daemon = start(ports={"range": "1024-65535", "exclude": ["60000-60099", "mdns"], "include": ["ntp, 51820"]})
    found = daemon.control("ports")
    assert found["away"]["registered"] > 4000 and found["away"]["excluded"] == 101
    assert daemon.control("port", port=51820)["usable"] and not daemon.control("port", port=51821)["usable"]
    assert "known clashes" in daemon.control("port", port=51821)["why_not"]
    assert {line["level"] for line in found["lines"]} <= {"good", "note", "warning"}
    assert any("usable" in line["text"] for line in found["lines"])
    assert any("ip_local_port_range" in line["text"] for line in found["lines"])


def test_audit_draws_are_sound(start: Callable[..., Daemon]):
    daemon = start(ports={"exclude": ["50000-50999"]})
    draws = daemon.control("audit")["draws"]
    assert draws["count"] >= 16 * draws["ports"] > 100000 and draws["p"] > 1e-6
    assert abs(draws["serial"]) < 6 / draws["count"] ** 0.5
