"""Do `berth ports` and `berth audit` and a real berthd understand each other, and does a reflector tell the truth?"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Callable

import dns.message

from net import Heard, Net
from support import BUILD, SLOWER, Daemon, ask, wait_until

LAB = ["--names", 20, "--root-zone", Path(__file__).with_name("tlds.zone")]

ZONE, SERVER = {"port.test.": {"ns.port.test.": "127.7.0.1"}}, "127.7.0.1"
Begin = Callable[..., Daemon]


def told(daemon: Daemon, *words: str) -> str:
    done = subprocess.run([str(BUILD / "berth"), "--socket", str(daemon.socket), *words], capture_output=True, text=True,
                          timeout=60 * SLOWER)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def told_json(daemon: Daemon, *words: str) -> Any:
    return json.loads(told(daemon, "--json", *words))


# --- the set ---


def test_changes_add_up_and_move_no_other_port(start: Callable[..., Daemon]):
    daemon = start(ports={"exclude": ["mdns"]})
    away = told_json(daemon, "ports")["away"]
    for n in range(20):  # each leaves memory behind that the next one must not take for ports
        told(daemon, "ports", "include", "1-65535", "--dry-run")
        change = told_json(daemon, "ports", "exclude", "%d-%d" % (60100 + 10 * n, 60104 + 10 * n))
        assert change["after"]["exclude"] == ["5353"] + ["%d-%d" % (60100 + 10 * i, 60104 + 10 * i) for i in range(n + 1)]
        assert change["before"]["usable"] - change["after"]["usable"] == 5 and change["after"]["include"] == []
    assert told_json(daemon, "ports")["away"] == dict(away, excluded=100)
    change = told_json(daemon, "ports", "include", "60100-60299, 51820")["after"]
    assert (change["exclude"], change["include"]) == (["5353"], ["51820", "60100-60299"])
    assert "lasts until the next reload or restart" in told(daemon, "ports")


def test_the_lines_that_keep_a_change_do(start: Callable[..., Daemon]):
    daemon = start()
    out = told(daemon, "ports", "exclude", "60100-60199", "mdns", "https")
    told(daemon, "ports", "range", "50000-62000")
    usable = told_json(daemon, "ports")["usable"]
    kept = re.search(r"^    exclude: \[(.*)\]$", out, re.M)[1].split(", ")
    assert kept == ["443", "5353", "60100-60199"]
    daemon.write({"ports": {"range": "50000-62000", "exclude": kept}})
    told(daemon, "reload")
    now = told_json(daemon, "ports")
    assert (now["usable"], now["changed"], now["among"]) == (usable, False, usable)


def test_ports_and_audit_of_each_way_to_lend(start: Callable[..., Daemon]):
    for ports, among in (({"lend": "reserved", "pool": 64}, 64), ({"lend": "reserved", "pool": 0}, 1), ({}, None)):
        daemon = start(ports=ports)
        ask("www.glued.lab")
        pool, audit = told_json(daemon, "ports"), told_json(daemon, "audit")
        assert pool["among"] == audit["among"] == (among or pool["usable"])
        assert told(daemon, "ports").startswith("The ports of berthd\n") and pool["waiting"] == 0
        assert audit["worth"]["case_bits"] > 3
        # Of a good generator one look in 4,000 finds something.
        assert sum(told_json(daemon, "audit")["worth"]["draws"] == "chance" for _ in range(4)) >= 3
        assert sum("they look like chance" in told(daemon, "audit") for _ in range(4)) >= 3
        daemon.finish()


# --- a reflector ---


def reflector(*, sequential: bool = False) -> Callable[[Heard], dns.message.Message]:
    """What a server in the Internet would answer, behind a NAT that keeps the ports, or behind one that counts."""
    heard_so_far: list[Heard] = []

    def speech(heard: Heard) -> dns.message.Message:
        heard_so_far.append(heard)
        port = 2000 + len(heard_so_far) if sequential else heard.port
        return heard.answer('"127.0.0.1@%d"' % port, ttl=0) if heard.rrtype == "TXT" else heard.denial("port.test.")

    return speech


def test_reflector_without_a_nat(net: Callable[..., Net], begin: Begin):
    world = net(ZONE, {SERVER: reflector()})
    daemon = begin(world)
    out = told(daemon, "audit", "--reflector", "port.test", "--count", "200")
    assert "over IPv4    200 questions, seen from 127.0.0.1\n" in out
    assert "kept: each arrived from the port that berthd lent" in out and "bits left    14.0 from the port" in out
    names = [one.name for one in world.at(SERVER) if one.rrtype == "TXT"]
    assert len(set(names)) == 200 and len(names) <= 200 + daemon.repeats()
    assert not any(one.tcp for one in world.at(SERVER))
    assert world.count("127.5.0.1") < 10, "the root is not asked for each of them"


def test_reflector_behind_a_nat_that_counts(net: Callable[..., Net], begin: Begin):
    daemon = begin(net(ZONE, {SERVER: reflector(sequential=True)}))
    [family] = told_json(daemon, "audit", "--reflector", "port.test.", "--count", "64")["families"]
    assert (family["ports"], family["count"], family["kept"], family["distinct"]) == ("sequential", 64, 0, 64)
    assert family["bits"] < 2 and family["address"] == "127.0.0.1"


# --- live ---


def test_watch_sees_what_is_lent(net: Callable[..., Net], begin: Begin):
    """A question to a server that is silent is a port that is out."""
    daemon = begin(net(ZONE, {SERVER: lambda heard: None}))
    command = [str(BUILD / "berth"), "--socket", str(daemon.socket), "ports", "--watch", "0.1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        assert json.loads(watch.stdout.readline())["lent"] == 0
        asking = subprocess.Popen([str(BUILD / "berth"), "--socket", str(daemon.socket), "query", "x.port.test"],
                                  stdout=subprocess.DEVNULL)
        seen: list[dict[str, Any]] = []
        wait_until(lambda: seen.append(json.loads(watch.stdout.readline())) or
                   any(one["lent"] for one in seen) and any(one["loans_per_s"] > 0 for one in seen), 8 * SLOWER)
        asking.wait(20)
        watch.terminate()
