"""The command `berth` against a control server that says what doc/control.md promises, or something worse.

The folder with the binary comes from BERTH_BUILD.
"""

import contextlib
import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import termios
import threading
import time

import pytest

BUILD = os.environ.get("BERTH_BUILD")
pytestmark = pytest.mark.skipif(not BUILD, reason="BERTH_BUILD (the folder with berth) is not set")

PORTS = {"range": "49152-65535", "usable": 16384, "pool": 2500, "idle": 2497, "lent": 3, "grown": 0, "moorable": 11848}
LOAN = {"port": 60054, "server": "192.0.2.1@53", "transport": "udp", "question": "www.example. A",
        "at": 1790000000.123456, "took_us": 14100, "outcome": "reply"}
ANSWER = {"name": "www.example.", "type": "A", "rcode": "NOERROR", "flags": ["ra", "ad"], "elapsed_us": 42500,
          "answer": [{"name": "www.example.", "ttl_s": 300, "type": "CNAME", "data": "web.hosting.example."},
                     {"name": "web.hosting.example.", "ttl_s": 60, "type": "A", "data": "192.0.2.7"}],
          "authority": []}


def step(after_us, event, text, depth=0, **more):
    return {"after_us": after_us, "depth": depth, "event": event, "text": text, **more}


def exchange(port, server, transport="udp", **more):
    return {"port": port, "server": server, "transport": transport, **more}


STORY = [
    step(20, "cache", "nothing is known below the root"),
    step(110, "ask", "", **exchange(60054, "198.51.100.4@53", question="example. NS")),
    step(14210, "reply", "example. has 2 servers", **exchange(60054, "198.51.100.4@53", rtt_us=14100, kind="referral")),
    step(14260, "address", "looking for the address of ns1.hosting.example."),
    step(14300, "ask", "", 1, **exchange(51877, "2001:db8::53@53", question="ns1.hosting.example. A")),
    step(15900, "timeout", "no reply", 1, **exchange(51877, "2001:db8::53@53")),
    step(16100, "tcp", "asking again over TCP", 1),
    step(16200, "ask", "", 1, **exchange(49222, "192.0.2.53@53", "tcp", question="ns1.hosting.example. A")),
    step(20100, "reply", "192.0.2.9", 1, **exchange(49222, "192.0.2.53@53", "tcp", rtt_us=3900, kind="answer")),
    step(20300, "ask", "", **exchange(64001, "192.0.2.9@53", question="www.example. A")),
    step(40300, "reply", "2 records", **exchange(64001, "192.0.2.9@53", rtt_us=20000, kind="answer")),
    step(42500, "answer", "NOERROR, 2 records"),
]

AWAY = {"excluded": 100, "reserved": 0, "held": 2, "registered": 0, "clashing": 10}
POOL = {"lend": "fresh", "range": "49152-65535", "usable": 16384, "pool": 2500, "max": 10000, "idle": 2497, "held": 0,
        "lent": 3, "lingering": 2, "waiting": 1, "grown": 0, "moorable": 11848, "among": 16384, "away": AWAY}
PORTS_REPLY = dict(POOL, changed=False, others={"held": 212, "top_held": 180, "top": "mallory"}, counters={
    "loans": 123456, "loans.moored": 80000, "loans.fresh": 43456, "loans.reserved": 0, "loans.queued": 7, "loans.shed": 2,
    "loans.crowded": 0, "loans.late": 5, "loans.grown": 0, "loans.failed": 0, "ports.taken": 3, "ports.denied": 0,
    "ports.nofiles": 0, "ports.nobufs": 0}, lines=[
    {"level": "good", "text": "16384 ports are usable"}, {"level": "warning", "text": "descriptors are short, " * 8}])
SET = {"range": "49152-65535", "usable": 16374, "bits": 13.999, "away": dict(AWAY, excluded=0), "exclude": ["5353"],
       "include": []}
CHANGE = {"dry_run": True, "before": SET, "after": dict(SET, usable=16274, bits=13.99, away=AWAY,
                                                       exclude=["5353", "60100-60199"]),
          "lines": [{"level": "good", "text": "all is well"}, {"level": "warning", "text": "these are few"}]}
AUDIT = dict(POOL, upstream={"upstream.udp": 900, "upstream.tcp": 100, "upstream.letters": 12000, "upstream.cookies": 250},
             lost={"ports.taken": 3, "ports.denied": 0, "ports.nofiles": 0, "ports.nobufs": 0},
             limits={"mismatches": 3, "within_s": 60, "tcp_only_s": 60},
             draws={"count": 262144, "ports": 16384, "chi_square": 16400.5, "degrees": 16383, "p": 0.46, "serial": 0.001})

REPLIES = {
    "ports": PORTS_REPLY,
    "ports-change": CHANGE,
    "audit": AUDIT,
    "status": {"version": "0.1", "pid": 4711, "uptime_s": 93784, "workers": 2,
               "listen": ["127.0.0.1@53", "::1@53"], "ports": PORTS, "validation": "off"},
    "stats": {"uptime_s": 120, "counters": {"queries.udp": 1234567, "queries.tcp": 0, "lookups": 12, "lookups.shed": 1},
              "help": {"queries.udp": "queries that came over UDP", "lookups": "lookups run"},
              "ports": PORTS, "cache": {"entries": 10, "bytes": 20480, "limit_bytes": 268435456}},
    "port": {"port": 60054, "usable": True, "loans": [LOAN, dict(LOAN, outcome="timeout", transport="tcp")],
             "taken_by_other": False, "pid": 4711},
    "query": ANSWER,
    "why": dict(ANSWER, story=STORY, story_left_out=2),
    "reload": {"reloaded": True},
}


class Server:
    """Answers each line with what `reply` makes of the request: an object, bytes, or None for silence."""

    def __init__(self, path, reply):
        self.path, self.reply, self.requests = str(path), reply, []
        self.stop = threading.Event()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(8)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer, contextlib.suppress(ConnectionResetError):  # by a client that was ended
                self.serve(peer)

    def serve(self, peer):
        for line in peer.makefile("rb"):
            request = json.loads(line)
            self.requests.append(request)
            reply = self.reply(request)
            if reply is None:
                self.stop.wait(20)
                return
            try:
                peer.sendall(reply if isinstance(reply, bytes) else json.dumps(reply).encode() + b"\n")
            except OSError:
                return
            if isinstance(reply, bytes):
                return

    def close(self):
        """Closed under the thread, the socket's number could be the next server's by the time that it accepts."""
        self.stop.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.socket.close()


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(reply=lambda request: REPLIES[request["cmd"]]):
        servers.append(Server(tmp_path / "control", reply))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def berth(tmp_path):
    def run(*args, env=None, binary="berth", **more):
        variables = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC",
                     "BERTH_SOCKET": str(tmp_path / "control"), **(env or {})}
        return subprocess.run([os.path.join(BUILD, binary), *args], env=variables, text=True, timeout=60,
                              capture_output=True, **more)

    return run


def good(done):
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


# --- each verb, as text and as JSON ---


@pytest.mark.parametrize("cmd, args", [("status", []), ("stats", []), ("reload", []), ("query", ["www.example"]),
                                       ("why", ["www.example"]), ("ports", [])])
def test_json_is_the_reply(serve, berth, cmd, args):
    serve()
    assert json.loads(good(berth(cmd, *args, "--json"))) == REPLIES[cmd]


def test_status(serve, berth):
    serve()
    out = good(berth("status"))
    assert out.splitlines()[0] == "berthd 0.1, process 4711, up for 26 h 3 min"
    for words in ("127.0.0.1@53, ::1@53", "16,384 usable of 49152-65535", "11,848 of them", "2,500 sockets, 3 lent now"):
        assert words in out


@pytest.mark.parametrize("seconds, words", [(0.7123, "0.7 s"), (0, "0.0 s"), (7.0, "7 s"), (59.4, "59 s"),
                                            (61.5, "1 min 1 s"), (-1, "?"), (1e300, "104166666 days 16 h")])
def test_time_since_the_start(serve, berth, seconds, words):
    serve(lambda request: dict(REPLIES[request["cmd"]], uptime_s=seconds))
    assert good(berth("status")).splitlines()[0].endswith(", up for " + words)
    assert good(berth("stats")).splitlines()[-1] == "counted for " + words


def test_one_of_each_is_no_plural(serve, berth):
    one = {"usable": 1, "pool": 1, "max": 1, "held": 1, "among": 1}
    serve(lambda request: dict(REPLIES[request["cmd"]], ports=dict(PORTS, pool=1)) if request["cmd"] == "status" else
          dict(REPLIES[request["cmd"]], lost={"ports.taken": 1}, upstream={"upstream.udp": 1}, **one))
    assert "pool        1 socket, 3 lent" in good(berth("status"))
    out = good(berth("ports"))
    assert "usable      1 port; a" in out and "1 socket, 2,497 of them idle; 1 port held ahead; at most 1 loan at once" in out
    out = good(berth("audit"))
    assert "on average of 1 question;" in out and "lost         1 draw taken" in out


# --- on a terminal ---


def on_terminal(tmp_path, columns, *args):
    """The lines that a command draws on a terminal of so many columns, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    env = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm", "BERTH_SOCKET": str(tmp_path / "control")}
    text = b""
    with subprocess.Popen([os.path.join(BUILD, "berth"), *args], stdout=theirs, env=env) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while part := os.read(ours, 65536):
                text += part
        assert process.wait(10) == 0
    os.close(ours)
    return re.sub("\x1b\\[[0-9;]*m", "", text.decode()).replace("\r", "").splitlines()


LONG = "words that go on and on, as words of a server may do, " * 3


@pytest.mark.parametrize("args", [["status"], ["stats"], ["why", "x"], ["query", "x"], ["help"], ["ports"], ["audit"],
                                  ["port", "51820"], ["port", "60054-60056", "53"], *(["help", verb] for verb in (
                                      "port", "ports", "audit", "service", "query", "why", "stats", "status", "reload",
                                      "check", "help"))])
def test_lines_break_between_words(serve, berth, tmp_path, args):
    story = [*STORY, dict(STORY[1], text=LONG), step(50000, "budget", LONG, 2)]
    replies = {"why": {"story": story, "ede": [{"code": 22, "text": LONG}]}, "stats": {"help": {"lookups": LONG}},
               "status": {"listen": ["192.0.2.%d@53" % n for n in range(20)]},
               "port": {"loans": [], "usable": False, "why_not": LONG}}
    answer = [{"name": "x.", "ttl_s": 5, "type": "TXT", "data": LONG + "two  spaces"}]
    serve(lambda request: {**REPLIES[request["cmd"]], **replies.get(request["cmd"], {}),
                           **({"answer": answer} if request["cmd"] in ("why", "query") else {})})
    piped, drawn = good(berth(*args)), on_terminal(tmp_path, 80, *args)
    assert all(len(line) <= 80 or str(tmp_path) in line for line in drawn)
    assert " ".join(drawn).split() == piped.split()
    assert args[0] != "query" or "two  spaces" in piped


def test_wide_terminals_have_the_story_in_columns(serve, berth, tmp_path):
    serve()
    assert on_terminal(tmp_path, 150, "why", "x") == good(berth("why", "x")).splitlines()


@pytest.mark.parametrize("name", ["a.example", "a." + "long-label." * 8 + "example"])
def test_loans_on_a_terminal(serve, tmp_path, name):
    loan = dict(LOAN, question=name + ". A")
    serve(lambda request: {"port": 60054, "usable": True, "loans": [loan, dict(loan, server="2001:db8::53@53",
                                                                              outcome="timeout", transport="tcp")]})
    lines = on_terminal(tmp_path, 80, "port", "60054")
    text = " ".join(" ".join(lines).split())
    assert "reply after 14.1 ms: %s. A, asked of 192.0.2.1@53" % name in text
    assert "timeout, tcp after 14.1 ms: %s. A, asked of 2001:db8::53@53" % name in text
    assert all(len(line) <= 80 or name in line for line in lines)
    wide = on_terminal(tmp_path, 200, "port", "60054")
    assert any(re.split("  +", line.strip())[:2] == ["lent at", "question"] for line in wide)


def test_stats_are_grouped_and_aligned(serve, berth):
    serve()
    lines = good(berth("stats")).splitlines()
    assert lines[:7] == [
        "queries",
        "  queries.udp                 1,234,567  queries that came over UDP",
        "  queries.tcp                         0",
        "",
        "lookups",
        "  lookups                            12  lookups run",
        "  lookups.shed                        1",
    ]
    assert lines[-1] == "counted for 2 min 0 s"


def test_reload(serve, berth):
    serve()
    assert good(berth("reload")) == "berthd has read its configuration again\n"


def test_reload_of_a_wrong_file(serve, berth):
    serve(lambda request: {"error": "b.yaml:3: colour: there is no such key"})
    done = berth("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "berth: b.yaml:3: colour: there is no such key\n"
    done = berth("reload", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {"error": "b.yaml:3: colour: there is no such key"}


def test_query(serve, berth):
    server = serve()
    assert good(berth("query", "www.example", "a")).splitlines() == [
        "www.example.             300  CNAME  web.hosting.example.",
        "web.hosting.example.      60  A      192.0.2.7",
        "",
        "NOERROR  flags ra ad  in 42.5 ms",
    ]
    assert server.requests == [{"cmd": "query", "name": "www.example.", "type": "A"}]


@pytest.mark.parametrize("name, sent", [("example", "example."), ("example.", "example."), (".", "."),
                                        ("a\\.", "a\\.."), ("a\\\\.", "a\\\\."), ("münchen", "münchen.")])
def test_names_become_absolute(serve, berth, name, sent):
    server = serve()
    good(berth("query", "--", name))
    assert server.requests[0]["name"] == sent


@pytest.mark.parametrize("rcode, code", [("NOERROR", 0), ("NXDOMAIN", 0), ("SERVFAIL", 1), ("REFUSED", 1)])
def test_exit_code_of_an_answer(serve, berth, rcode, code):
    serve(lambda request: dict(REPLIES[request["cmd"]], rcode=rcode, answer=[],
                               ede=[{"code": 6, "text": "signature expired"}]))
    for args in (["query", "x"], ["why", "x"], ["query", "x", "--json"], ["why", "x", "--json"]):
        assert berth(*args).returncode == code
    out = berth("query", "x").stdout
    lack = {"NOERROR": "no record of", "NXDOMAIN": "no such name:"}.get(rcode, "no answer for")
    assert lack + " www.example. A" in out
    assert "because  signature expired (EDE 6)" in out


def test_why(serve, berth):
    server = serve()
    out = good(berth("why", "--fresh", "www.example")).splitlines()
    assert server.requests == [{"cmd": "why", "name": "www.example.", "type": "A", "fresh": True}]
    assert out[0] == "www.example. A, asked afresh"
    assert out[2] == "     0.0 ms  cache    nothing is known below the root"
    asks = [line for line in out if " ask " in line]
    assert "example. NS" in asks[0] and "port 60054 → 198.51.100.4@53" in asks[0]
    assert "after 14.1 ms" in next(line for line in out if "← 198.51.100.4@53" in line)
    assert len({line.index("port ") for line in out if "port " in line and " ms  " in line}) == 1, "one column"
    assert "192.0.2.53@53 tcp" in asks[2]
    assert any("no reply" in line and "port 51877 × 2001:db8::53@53" in line for line in out)
    assert "            and 2 more steps that were not kept" in out
    assert "4 questions to 4 servers, from 4 borrowed ports." in out
    assert out[-1] == "NOERROR  flags ra ad  in 42.5 ms"


def test_why_from_the_cache_and_without_utf8(serve, berth):
    serve(lambda request: dict(ANSWER, story=STORY[:1] + STORY[-1:], story_left_out=0))
    assert "No server was asked." in good(berth("why", "www.example"))


def test_arrows_without_utf8(serve, berth):
    serve()
    out = good(berth("why", "www.example", env={"LC_ALL": "C"}))
    assert "port 60054 -> 198.51.100.4@53" in out and out.isascii()


# --- ports ---


def test_port_with_loans(serve, berth):
    server = serve()
    out = good(berth("port", "60054"))
    assert server.requests == [{"cmd": "port", "port": 60054}]
    assert out.startswith("Port 60054\n")
    assert "Dynamic, 49152-65535 (RFC 6335)" in out
    assert "may lend it; not lent now" in out
    assert "2026-09-21 14:13:20.123  www.example. A  192.0.2.1@53    14.1 ms  reply\n" in out
    assert "timeout, tcp\n" in out


def test_port_lent_now(serve, berth):
    lent = {key: LOAN[key] for key in LOAN if key != "took_us"} | {"outcome": "lent"}
    serve(lambda request: {"port": 60054, "usable": True, "lent": lent, "loans": [], "taken_by_other": False, "pid": 1})
    out = good(berth("port", "60054"))
    assert "lent now: it asks 192.0.2.1@53 for www.example. A over udp, since 2026-09-21 14:13:20.123" in out


def test_port_that_berthd_does_not_lend(serve, berth):
    serve(lambda request: {"port": 53, "usable": False, "why_not": "outside ports.range", "loans": [],
                           "taken_by_other": False, "pid": 1})
    out = good(berth("port", "53"))
    assert "does not lend it: outside ports.range" in out
    assert "System, 0-1023" in out and "domain, on UDP and TCP" in out


def port_reply(**more):
    return lambda request: {"port": request["port"], "usable": True, "loans": [], "taken_by_other": False, "held": False,
                            "pid": 1, **more}


def test_port_that_the_pool_holds(serve, berth):
    server = serve(port_reply(held=True, loans=[LOAN]))
    assert "  berthd   held by berthd's pool, idle now\n" in good(berth("port", "60054"))
    assert good(berth("port", "60054", "60055")).splitlines()[1].endswith("  held by berthd's pool, idle now")
    server.reply = port_reply(held=True, usable=False, why_not="excluded by ports.exclude")
    assert "held by berthd's pool, idle now; to be let go: excluded by" in good(berth("port", "60054"))


def test_port_that_another_program_took_just_now(serve, berth, namespace):
    server = serve(port_reply())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        number = str(held.getsockname()[1])
        news = "; another program holds it, and berthd finds out within 5 s\n"
        assert news in good(berth("port", number))
        server.reply = port_reply(held=True)
        assert "finds out" not in good(berth("port", number)), "it is berthd that holds it"
        server.reply = port_reply(usable=False, why_not="held by another program")
        assert "  does not lend it: held by another program\n" in good(berth("port", number)).replace("berthd ", "")
    assert "another program; it is free now, and berthd finds out within 5 s" in good(berth("port", number))
    server.reply = port_reply(usable=False, why_not="reserved by net.ipv4.ip_local_reserved_ports")
    out = good(berth("port", number))
    assert "; not in ip_local_reserved_ports" in out and "not in that list any more, and berthd finds out within 5 s" in out
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind(("127.0.0.1", 0))
        server.reply = port_reply()
        assert "finds out" not in good(berth("port", str(held.getsockname()[1]))), "TCP is no matter to the pool"


def test_port_without_berthd(berth, tmp_path):
    out = good(berth("port", "60054"))
    assert "ip_local_port_range" in out
    assert f"not running: nobody answers at {tmp_path}/control" in out
    document = json.loads(good(berth("port", "60054", "--json")))
    assert document["berthd"]["running"] is False
    assert document["berthd"]["error"].startswith("berthd does not answer at ")
    [port] = document["ports"]
    assert (port["port"], port["class"], port["class_range"], port["berthd"]) == (60054, "Dynamic", "49152-65535", None)
    assert set(port) == {"port", "class", "class_range", "services", "known_uses", "service", "here", "kernel", "berthd", "verdict",
                         "holders", "searched"}
    assert set(port["kernel"]) == {"local_range", "in_local_range", "reserved"}


@pytest.mark.parametrize("kind, word", [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
def test_port_that_somebody_holds(berth, namespace, kind, word):
    with socket.socket(socket.AF_INET, kind) as held:
        held.bind(("127.0.0.1", 0))
        number = str(held.getsockname()[1])
        out = good(berth("port", number))
        assert f"{word} held on IPv4" in out
        here = json.loads(good(berth("port", number, "--json")))["ports"][0]["here"]
        assert here[word.lower()]["ipv4"] == "held"
    assert json.loads(good(berth("port", number, "--json")))["ports"][0]["here"][word.lower()]["ipv4"] == "free"


def test_ports_in_a_range(serve, berth):
    server = serve()
    lines = good(berth("port", "60054-60056", "53")).splitlines()
    assert [request["port"] for request in server.requests] == [60054, 60055, 60056, 53]
    assert len(lines) == 5 and lines[1].startswith("60054  Dynamic  -")
    assert lines[4].split()[:3] == ["53", "System", "domain"]
    assert len(json.loads(good(berth("port", "60054-60056", "--json")))["ports"]) == 3


def test_port_with_services(berth):
    """What the registry has, not what this machine's /etc/services has: http over UDP is in the one alone."""
    out = good(berth("port", "80"))
    assert "service  http, on UDP and TCP (RFC 9110), on SCTP (RFC 9260); also www, www-http\n" in out
    assert "service  none is registered\n" in good(berth("port", "24"))
    [port] = json.loads(good(berth("port", "853", "--json")))["ports"]
    assert port["known_uses"] == [] and port["services"] == [
        {"name": "domain-s", "port": 853, "transports": ["tcp"], "rfc": 7858, "alias": False},
        {"name": "domain-s", "port": 853, "transports": ["udp"], "rfc": 9250, "alias": False}]


def test_port_with_known_uses(berth):
    lines = good(berth("port", "60054")).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  known    60023-60081  UDP          Windows DNS Server: "))
    assert lines[at + 1].split()[:3] == ["60000-61000", "UDP", "mosh:"] and lines[at + 1].index("mosh") == 37
    assert lines[at - 1].startswith("  berthd   not running"), "what berthd does is not looked for below them"
    assert lines[-1].startswith("           any dynamic port: Windows DNS Server, Windows, "), "one line for the whole range"
    assert not any("49152-65535" in line for line in lines[at:])
    [port] = json.loads(good(berth("port", "51820", "--json")))["ports"]
    first = port["known_uses"][0]
    assert (first["who"], first["ports"], first["transports"], first["clash"]) == ("WireGuard", "51820", ["udp"], True)
    assert all(use["source"] for use in port["known_uses"])
    assert not any(use["clash"] for use in port["known_uses"][1:])
    assert good(berth("port", "51820", "443")).splitlines()[1].split()[:3] == ["51820", "Dynamic", "(WireGuard)"]


def test_service(berth):
    lines = good(berth("service", "HTTPS", "x11", "853", "gds_db", "airplay")).splitlines()
    assert [line.split() for line in lines] == [
        ["service", "port", "on", "note"],
        ["https", "443", "UDP", "and", "TCP", "RFC", "9110"],
        ["https", "443", "SCTP", "RFC", "9260"],
        ["x11", "6000-6063", "UDP", "and", "TCP"],
        ["domain-s", "853", "TCP", "RFC", "7858"],
        ["domain-s", "853", "UDP", "RFC", "9250"],
        ["gds_db", "3050", "UDP", "and", "TCP", "a", "second", "name"],
        ["airplay", "-", "UDP", "and", "TCP"]]
    assert len({line.index(word) for line, word in zip(lines, ["port", "443", "443", "6000"])}) == 1
    document = json.loads(good(berth("service", "x11", "--json")))
    assert document["registry"] == "2026-08-17"
    assert [row["port"] for row in document["services"][0]["found"]] == list(range(6000, 6064))


@pytest.mark.parametrize("word, told", [
    ("domian", "did you mean domain?"), ("wireguard", "WireGuard is known to use 51820 on UDP"),
    ("entirely-else", "nothing is registered as"), ("24", "nothing is registered as"), ("", "nothing is registered as"),
    ("\x1b[2J", "nothing is registered as")])
def test_service_that_is_none(berth, word, told):
    done = berth("service", "--", word, "domain")
    assert done.returncode == 1 and told in done.stderr and "\x1b" not in done.stderr
    assert done.stdout.splitlines()[1].split() == ["domain", "53", "UDP", "and", "TCP"]
    found = json.loads(berth("service", "--json", "--", word).stdout)["services"][0]["found"]
    assert found == []


def test_service_without_a_name(berth):
    done = berth("service")
    assert (done.returncode, done.stdout) == (2, "") and "no service to look up" in done.stderr


def test_all_ports_in_one_go(berth):
    begin = time.monotonic()
    lines = good(berth("port", "1-65535")).splitlines()
    assert len(lines) == 65535 + 3
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("word", ["0", "65536", "-1", "9-8", "x", "", "1-99999", "1.5", "\x1b[2J"])
def test_words_that_are_no_port(berth, word):
    done = berth("port", "--", word)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a port; write a number of 1 to 65535" in done.stderr
    assert "\x1b" not in done.stderr


# --- the pool ---


def test_pool(serve, berth):
    server = serve()
    lines = good(berth("ports")).splitlines()
    assert server.requests == [{"cmd": "ports"}]
    said = {line[:14].strip() or "...": line[14:] for line in lines}
    assert said["lending"].startswith("fresh: a port is drawn for each question")
    assert (said["range"], said["usable"]) == (
        "49152-65535", "16,384 ports; a question's is one of 16,384, 14.0 bits to guess")
    away = lines.index("  taken away  100 excluded by ports.exclude")
    assert lines[away + 1:away + 3] == [" " * 14 + "2 held by another program", " " * 14 + "10 on the list of known clashes"]
    assert said["pool"] == "2,500 sockets, 2,497 of them idle; 0 ports held ahead; at most 10,000 loans at once"
    assert said["now"] == "3 lent, 2 more wait for a late reply, 0 beyond the pool; 1 waiting for a port"
    assert said["others"] == "212 UDP ports are held by other programs, most (180) by mallory"
    assert said["lent so far"] == "123,456: 80,000 on re-moored sockets, 43,456 on fresh ones, 0 held ahead"
    for words in ("7 queued: had to wait", "2 shed: given up", "5 late: the reply", "none grown, crowded, failed"):
        assert any(line.startswith(" " * 14 + words) for line in lines), words
    assert said["draws lost"] == "3 taken: the port was another program's (EADDRINUSE)"
    assert lines[-2:] == ["  good        16384 ports are usable", "  warning     " + ("descriptors are short, " * 8).strip()]


def test_pool_in_other_states(serve, berth):
    reply = dict(PORTS_REPLY)
    serve(lambda request: reply)
    reply.update(lend="reserved", among=2500, changed=True, away={}, others={"held": 0, "top_held": 0, "top": ""}, counters={})
    out = good(berth("ports"))
    assert "reserved: 2,500 ports are held, and one of them is drawn" in out and "one of 2,500, 11.3 bits" in out
    assert "lasts until the next reload or restart" in out and "taken away  none" in out
    reply.update(others=None)
    assert "others      not known: the kernel's table of sockets cannot be read\n" in good(berth("ports"))
    assert "no other program holds a UDP port" in out and "none taken, denied, nofiles, nobufs" in out
    reply.update(among=1)
    assert "one port is held, and shared by all questions" in good(berth("ports"))


def test_change_that_is_tried(serve, berth):
    server = serve()
    out = good(berth("ports", "exclude", "60100-60199", "mdns", "--dry-run"))
    assert server.requests == [{"cmd": "ports-change", "exclude": "60100-60199,mdns", "dry_run": True}]
    rows = {line[2:29].strip(): line[29:].split() for line in out.splitlines()[:6]}
    assert rows[""] == ["before", "after"] and rows["range"] == ["49152-65535", "49152-65535"]
    assert rows["usable"] == ["16,374", "16,274", "-100"] and rows["bits"] == ["14.00", "13.99", "-0.01"]
    assert rows["excluded"] == ["0", "100", "+100"] and rows["held by other programs"] == ["2", "2"]
    assert "Nothing was changed. It would last until the next reload or restart of berthd." in out
    assert out.endswith("\n  ports:\n    exclude: [5353, 60100-60199]\n")
    assert "\nwarning  these are few\n" in out and "all is well" not in out
    assert json.loads(good(berth("ports", "exclude", "9", "--dry-run", "--json"))) == CHANGE


@pytest.mark.parametrize("args, sent, after, kept", [
    (["include", "9,10"], {"include": "9,10"}, {"include": ["9-10"], "exclude": []}, ["exclude: []", "include: [9-10]"]),
    (["range", "1024-65535"], {"range": "1024-65535"}, {"range": "1024-65535"}, ["range: 1024-65535"])])
def test_change(serve, berth, args, sent, after, kept):
    server = serve(lambda request: {"dry_run": False, "before": SET, "after": dict(SET, **after)})
    out = good(berth("ports", *args))
    assert server.requests == [{"cmd": "ports-change", "dry_run": False, **sent}]
    assert "Changed, until the next reload or restart of berthd." in out
    assert out.splitlines()[-len(kept):] == ["    " + line for line in kept]


def test_change_that_is_none_or_refused(serve, berth):
    reply = {"dry_run": False, "before": SET, "after": SET}
    serve(lambda request: reply)
    assert good(berth("ports", "exclude", "5353")).endswith("\nThat changed nothing.\n")
    reply = {"error": '"boo" is no registered service; did you mean doom?'}
    done = berth("ports", "exclude", "boo")
    assert (done.returncode, done.stderr) == (1, 'berth: "boo" is no registered service; did you mean doom?\n')


# --- the pool, live ---


class Busy:
    """A berthd that lends 500 ports more each time it is looked at, and has a mismatch the third time."""

    def __init__(self):
        self.looks = 0

    def __call__(self, request):
        assert request == {"cmd": "stats"}
        self.looks += 1
        return {"uptime_s": self.looks, "counters": {"loans": 500 * self.looks, "loans.failed": self.looks,
                                                              "upstream.mismatched": self.looks // 3},
                "ports": dict(POOL, lent=self.looks)}


def watch(tmp_path, *args, **more):
    return subprocess.Popen([os.path.join(BUILD, "berth"), "ports", "--watch", *args], text=True, stderr=subprocess.PIPE,
                            env={"LC_ALL": "C.UTF-8", "TZ": "UTC", "BERTH_SOCKET": str(tmp_path / "control"),
                                 **more.pop("env", {})}, **more)


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(5)


def test_watch_without_a_terminal(serve, tmp_path):
    serve(Busy())
    with watch(tmp_path, "0.2", stdout=subprocess.PIPE) as process:
        lines = [process.stdout.readline().split() for _ in range(3)]
        assert end(process) == -signal.SIGTERM
    for number, words in enumerate(lines, 2):
        found = dict(zip(words[2::2], words[3::2]))
        assert set(found) == {"loans_per_s", "lent", "waiting", "mismatches_per_s", "failed", "lingering", "usable"}
        assert int(found["failed"]) == number and int(found["lent"]) == number and found["usable"] == "16384"
        assert 100 < float(found["loans_per_s"]) <= 2500 and (float(found["mismatches_per_s"]) > 0) == (number == 3)


def test_watch_as_json(serve, tmp_path):
    serve(Busy())
    with watch(tmp_path, "--json", "0.1", stdout=subprocess.PIPE) as process:
        found = [json.loads(process.stdout.readline()) for _ in range(2)]
        end(process)
    assert [one["lent"] for one in found] == [one["failed"] for one in found] == [2, 3] and found[0]["ports"]["usable"] == 16384
    assert 0.09 < found[1]["at"] - found[0]["at"] < 2


def test_watch_without_berthd(serve, berth, tmp_path):
    assert "start it, or name its socket" in berth("ports", "--watch").stderr
    server = serve(Busy())
    with watch(tmp_path, "0.1", stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        server.reply = lambda request: b""
        assert process.wait(5) == 1 and "closed the connection" in process.stderr.read()


class Terminal:
    """A terminal of 80 columns with `berth ports --watch` on it."""

    def __init__(self, tmp_path, columns=80, rows=24, **env):
        self.ours, theirs = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(theirs)
        self.text = ""
        self.process = watch(tmp_path, "0.1", stdin=theirs, stdout=theirs, env={"TERM": "xterm", **env},
                             start_new_session=True)
        self.theirs = theirs

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def read(self, until="", seconds=5):
        """What is written until these words are, or for so long."""
        begin, deadline = len(self.text), time.monotonic() + seconds
        while time.monotonic() < deadline and not (until and until in self.text[begin:]):
            if select.select([self.ours], [], [], 0.05)[0]:
                self.text += os.read(self.ours, 65536).decode(errors="replace")
        assert not until or until in self.text[begin:], self.text[begin:]
        return self.text[begin:]

    def picture(self):
        """The rows of the next whole picture, without colours."""
        text = self.read("\x1b[H") + self.read("\x1b[K\x1b[J")
        last = text[:text.rindex("\x1b[K\x1b[J")]
        return re.split("\x1b\\[K\r+\n", re.sub("\x1b\\[[0-9;]*m", "", last[last.rindex("\x1b[H") + 3:]))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def start(*args, **env):
        opened.append(Terminal(tmp_path, *args, **env))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_watch_on_a_terminal(serve, terminal):
    serve(Busy())
    screen = terminal()
    screen.read("\x1b[J")
    assert screen.text.startswith("\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H")
    screen.read("peak")
    screen.read(seconds=0.3)
    rows = screen.picture()
    assert rows[0].startswith("The ports of berthd  every 0.1 s; up ")
    words = {row[2:16].strip(): row[16:] for row in rows}
    assert re.match(r" +[1-9][0-9,]+  +[▁-█]+  peak [1-9][0-9,]+$", words["loans/s"]), rows
    assert re.match(r" +[0-9]+  +[▁-█]+  peak [0-9]+$", words["lent now"])
    assert re.match(r"█▁+  [0-9]+ of 10,000 loans$", words["in use"])
    assert "16,384 usable of 49152-65535, lent fresh" in words["ports"] and "2 wait for a late reply" in words["besides"]
    assert re.match(r"[0-9,]+ lent, 0 queued, 0 shed, [1-9][0-9]* failed, 0 crowded out$", words["in all"])
    assert max(map(len, rows)) <= 80
    assert "\x1b[36m" in screen.text


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)])
def test_watch_gives_the_terminal_back(serve, terminal, number, code):
    serve(Busy())
    screen = terminal()
    screen.read("\x1b[J")
    assert termios.tcgetattr(screen.theirs)[3] & termios.ECHO == 0
    assert end(screen.process, number) == code
    assert screen.read("\x1b[?1049l").endswith("\x1b[?7h\x1b[?25h\x1b[?1049l")
    assert termios.tcgetattr(screen.theirs) == screen.before


def test_watch_ends_with_q_and_lives_through_a_stop(serve, terminal):
    serve(Busy())
    screen = terminal()
    screen.read("\x1b[J")
    screen.process.send_signal(signal.SIGTSTP)
    screen.read("\x1b[?1049l")
    assert termios.tcgetattr(screen.theirs) == screen.before
    os.waitpid(screen.process.pid, os.WUNTRACED)  # until it is stopped
    screen.process.send_signal(signal.SIGCONT)
    screen.read("\x1b[?1049h")
    screen.read("\x1b[J")
    os.write(screen.ours, b"xq")
    assert screen.process.wait(5) == 0
    assert screen.read("\x1b[?1049l") and termios.tcgetattr(screen.theirs) == screen.before


def test_watch_waits_for_berthd_to_come_back(serve, terminal):
    server, busy = serve(Busy()), Busy()
    screen = terminal()
    screen.read("peak 2")
    server.reply = lambda request: b""
    screen.read("closed the connection without a reply")
    server.reply = busy
    screen.read("draws lost")
    assert "loans/s               -" in "\n".join(screen.picture()) or busy.looks > 1
    assert "-" not in screen.picture()[2][16:26], "no negative rate, though berthd began to count anew"


@pytest.mark.parametrize("columns, rows", [(120, 24), (40, 24), (20, 10), (80, 5), (80, 1)])
def test_watch_fits_the_terminal(serve, terminal, columns, rows):
    serve(Busy())
    screen = terminal(columns, rows)
    screen.read("peak" if columns > 50 and rows > 2 else "\x1b[J")
    screen.read(seconds=0.3)
    picture = screen.picture()
    assert len(picture) == min(rows, 13)
    sparks = [row for row in picture if "peak" in row]
    assert {len(row) <= columns for row in sparks} <= {True} and bool(sparks) == (columns > 50 and rows > 2)
    screen.resize(100, 24)
    screen.process.send_signal(signal.SIGWINCH)
    screen.read("draws lost")
    assert screen.process.poll() is None


def test_watch_without_colours_or_blocks(serve, terminal):
    serve(Busy())
    screen = terminal(80, 24, NO_COLOR="1", LC_ALL="C")
    screen.read("peak")
    screen.read(seconds=0.3)
    assert not re.search("\x1b\\[[0-9;]*m", screen.text) and screen.text.isascii()
    assert re.search(r"loans/s .* [.:=+*#@-]+  peak", screen.text)


def test_watch_on_a_terminal_that_cannot_redraw(serve, terminal):
    serve(Busy())
    screen = terminal(80, 24, TERM="dumb")
    screen.read("loans_per_s")
    assert "\x1b" not in screen.text


# --- the audit ---


def test_audit(serve, berth):
    """2^30 replies: ln 2 times that is 744 million packets, 30 hours at 7,000 a second (RFC 5452 section 7)."""
    server = serve()
    out = good(berth("audit"))
    assert server.requests == [{"cmd": "audit"}]
    assert "  port         14.0 bits: one of 16,384 for each question\n" in out
    assert "  case (0x20)  12.0 bits: the letters of a question's name, on average of 1,000 questions" in out
    assert "  cookie       64.0 bits more for 25.0 % of the questions" in out
    rows = [re.split("  +", line.strip()) for line in out.splitlines() if re.match("  (port, ID|and )", line)]
    assert rows == [["port, ID", "30.0", "744 million", "30 h", "4.1 h", "12 min"],
                    ["and case", "42.0", "3.0e12", "14 years", "706 days", "35 days"],
                    ["and cookie", "106.0", "5.6e31", "2.5e20 years", "3.6e19 years", "1.8e18 years"]]
    assert "1 - (1 - R W / (P I))^(T / W)" in out
    assert "3 within 60 s and the server is asked over TCP alone for 60 s" in out
    assert "at the ID alone an even chance takes 11 days, at ID and case 118 years, however" in out
    assert "chi-square has p = 0.4600" in out and "\n               they look like chance\n" in out
    assert "lost         3 draws taken by other programs" in out
    assert "taken away   100 excluded by ports.exclude, 2 held by another program, 10 on the list" in out


def test_audit_as_json(serve, berth):
    serve()
    document = json.loads(good(berth("audit", "--json")))
    worth = document.pop("worth")
    assert document == AUDIT
    assert (worth["port_bits"], worth["id_bits"], worth["case_bits"], worth["cookie_share"]) == (14, 16, 12, 0.25)
    assert [cost["bits"] for cost in worth["costs"]] == [30, 42, 106]
    assert abs(worth["costs"][0]["time_s"]["7000"] - 106323) < 1 and abs(worth["costs"][0]["packets"] - 744261117) < 1000
    assert abs(worth["capped_time_s"]["id"] / 86400 - 10.515) < 0.001 and worth["draws"] == "chance"


@pytest.mark.parametrize("draws, words, key", [
    ({"p": 1e-9}, "NOT CHANCE: some ports come more often", "uneven"), ({"p": 0.99999}, "NOT CHANCE: more even", "too even"),
    ({"serial": -0.3}, "NOT CHANCE: each draw follows", "linked"), ({"ports": 1}, "nothing to draw from", "none")])
def test_audit_of_draws_that_are_not_chance(serve, berth, draws, words, key):
    serve(lambda request: dict(AUDIT, draws=dict(AUDIT["draws"], **draws)))
    out = good(berth("audit"))
    assert words in out and ("one look in some 4,000 says so" in out) == (key != "none")
    assert json.loads(good(berth("audit", "--json")))["worth"]["draws"] == key


def test_audit_without_cookies(serve, berth):
    serve(lambda request: dict(AUDIT, upstream=dict(AUDIT["upstream"], **{"upstream.cookies": 0})))
    assert "\n  and cookie " not in good(berth("audit"))
    costs = json.loads(good(berth("audit", "--json")))["worth"]["costs"]
    assert [cost["guess"] for cost in costs] == ["port, ID", "port, ID, case"]


def test_audit_before_the_first_question(serve, berth):
    serve(lambda request: dict(AUDIT, upstream={}, among=1))
    out = good(berth("audit"))
    assert "port         0.0 bits: one of 1 " in out and "not known yet: no question was sent" in out
    assert "and case" not in out and "ID and case" not in out


# --- a reflector ---


class Reflector:
    """A berthd whose questions pass a NAT: `nat` makes of the port lent the port seen."""

    def __init__(self, nat, address="192.0.2.9", form='"%s@%d"'):
        self.nat, self.address, self.form, self.names = nat, address, form, []

    def __call__(self, request):
        if request["cmd"] == "ports":
            return PORTS_REPLY
        assert (request["cmd"], request["type"]) == ("why", "TXT")
        self.names.append(request["name"])
        lent = random.randrange(49152, 65536)
        seen = self.nat(len(self.names), lent)
        story = [step(1, "ask", "", **exchange(50000, "198.51.100.4@53", question="x. NS")),
                 step(2, "reply", "", **exchange(50000, "198.51.100.4@53", kind="referral")),
                 step(3, "ask", "", **exchange(lent, "192.0.2.53@53", question=request["name"] + " TXT")),
                 step(4, "reply", "", **exchange(lent, "192.0.2.53@53", kind="answer")), step(5, "answer", "NOERROR")]
        return {"name": request["name"], "type": "TXT", "rcode": "NOERROR", "story": story, "answer": [
            {"name": request["name"], "ttl_s": 0, "type": "TXT", "data": self.form % (self.address, seen)}]}


def random_port(number, lent):
    return random.randrange(1024, 65536)


@pytest.mark.parametrize("nat, kind, words, low, high", [
    (lambda number, lent: lent, "kept", "kept: each arrived from the port that berthd lent", 14, 14),
    (lambda number, lent: lent if number % 20 else 1024, "mostly kept", "kept, 244 of 256", 14, 14),
    (lambda number, lent: 4711, "fixed", "LOST: a NAT sends every question from port 4711", 0, 0),
    (lambda number, lent: 1024 + 3 * number, "sequential", "nine of ten lie within 3 of the one before", 1.5, 1.6),
    (lambda number, lent: 1024 + random.randrange(64), "random", "replaced at random", 5.5, 6.5),
    # Judged by ports that come twice: half a pair is expected of 256 draws, fifteen would be needed to say 11 bits.
    (random_port, "random", "replaced at random", 11, 16.1)])
def test_reflector(serve, berth, nat, kind, words, low, high):
    reflector = Reflector(nat)
    serve(reflector)
    out = " ".join(good(berth("audit", "--reflector", "port.example")).split())
    assert len(set(reflector.names)) == 256 and all(re.fullmatch("[0-9a-f]{16}[.]port[.]example[.]", name)
                                                    for name in reflector.names)
    assert "256 questions below port.example" in out and "256 questions, seen from 192.0.2.9 " in out and words in out
    assert low < 13 < high or ("what helps" in out) == (high < 13)  # between the two chance decides
    document = json.loads(good(berth("audit", "--reflector", "port.example.", "--count", "256", "--json")))
    [family] = document["families"]
    assert (family["ports"], family["count"], family["family"], document["lent_bits"]) == (kind, 256, "ipv4", 14)
    assert low <= family["bits"] <= high and family["bits_at_least"] <= family["bits"]


def test_reflector_of_both_families_and_other_forms(serve, berth):
    four, six = Reflector(lambda number, lent: 1024 + number, form='"%s %d"'), Reflector(
        lambda number, lent: lent, "2001:db8::9", '"%s" "%d"')
    calls = []

    def reply(request):
        calls.append(request)
        if request["cmd"] == "ports":
            return PORTS_REPLY
        return (four, six, lambda request: {"name": request["name"], "type": "TXT", "rcode": "SERVFAIL", "answer": []})[
            len(calls) % 3](request)

    serve(reply)
    out = good(berth("audit", "--reflector", "port.example", "--count", "60"))
    assert "over IPv4    20 questions, seen from 192.0.2.9\n" in out and "REPLACED IN SEQUENCE" in out
    assert "over IPv6    20 questions, seen from 2001:db8::9\n" in out and "kept: each arrived" in out
    assert "0 over TCP, 0 from a cache or joined with others, 20 without an answer" in out
    assert "TXT gave SERVFAIL, and not ADDRESS@PORT" in out


@pytest.mark.parametrize("answer, words", [
    ({"rcode": "NXDOMAIN", "answer": []}, "TXT gave NXDOMAIN, and not ADDRESS@PORT"),
    ({"answer": [{"type": "TXT", "data": '"hello"'}]}, 'TXT gave NOERROR, "hello", and not ADDRESS@PORT'),
    ({"answer": [{"type": "TXT", "data": '"192.0.2.1"'}]}, "and not ADDRESS@PORT"),
    ({"answer": [{"type": "TXT", "data": '"192.0.2.1@0"'}]}, "and not ADDRESS@PORT"),
    ({"answer": [{"type": "TXT", "data": '"192.0.2.1@70000"'}]}, "and not ADDRESS@PORT"),
    ({"answer": [{"type": "TXT", "data": '"' + "1" * 5000 + '@53"'}]}, "and not ADDRESS@PORT")])
def test_reflector_that_is_none(serve, berth, answer, words):
    """It is not asked 256 times."""
    server = serve(lambda request: PORTS_REPLY if request["cmd"] == "ports" else {
        "name": request["name"], "type": "TXT", "rcode": "NOERROR", "story": [], **answer})
    done = berth("audit", "--reflector", "port.example")
    assert (done.returncode, done.stdout) == (1, "") and words in done.stderr and len(server.requests) == 9


def test_reflector_over_tcp_shows_nothing(serve, berth):
    reflector = Reflector(lambda number, lent: lent)

    def reply(request):
        found = reflector(request)
        for event in found.get("story", []):
            event["transport"] = "tcp"
        return found

    serve(reply)
    done = berth("audit", "--reflector", "port.example", "--count", "16")
    assert done.returncode == 1 and "only 0 told a port: the others went over TCP" in done.stderr


# --- servers that fail ---

FAILURES = [["status"], ["stats"], ["reload"], ["query", "x"], ["why", "x"], ["ports"], ["ports", "exclude", "9"],
            ["audit"], ["audit", "--reflector", "x"]]


def fails(berth, args, words, seconds=5):
    begin = time.monotonic()
    done = berth(*args)
    assert time.monotonic() - begin < seconds
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.startswith("berth: ") and done.stderr.count("\n") == 1
    assert words in done.stderr
    done = berth(*args, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert words in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("args", FAILURES)
def test_no_server(berth, args, tmp_path):
    fails(berth, args, f"berthd does not answer at {tmp_path}/control: No such file or directory; "
                       "start it, or name its socket with --socket")


def test_a_socket_without_a_server(berth, tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control"))
    fails(berth, ["status"], "Connection refused; start it")
    assert "not running" in good(berth("port", "60054"))


def test_a_socket_that_may_not_be_opened(berth, serve, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may open everything")
    serve()
    os.chmod(tmp_path / "control", 0)
    fails(berth, ["status"], "Permission denied; be root or in the group that owns it")


def test_a_socket_that_somebody_else_put_there(berth, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    folder = tmp_path / "tmp"
    folder.mkdir()
    for above in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(above, above.stat().st_mode | 0o011)
    os.chmod(folder, 0o1777)
    program = ("import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
               "s.bind(sys.argv[1]); s.listen(); print(flush=True); s.accept()[0].recv(1)")
    with subprocess.Popen(["/usr/bin/python3", "-c", program, str(folder / "control")], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        done = berth("status", "--socket", str(folder / "control"))
        other.kill()
    assert done.returncode == 1
    assert "belongs to another user and lies where everybody may write, so it is not believed" in done.stderr


@pytest.mark.parametrize("args", FAILURES)
def test_silence(serve, berth, args):
    serve(lambda request: None)
    done = berth(*args, "--timeout", "0.3")
    assert done.returncode == 1
    assert "has not replied for 0.3 s; give it longer with --timeout" in done.stderr


def test_port_and_silence(serve, berth):
    serve(lambda request: None)
    done = berth("port", "60054", "--timeout", "0.3")
    assert done.returncode == 1
    assert "cannot be asked: berthd at" in done.stdout and "ip_local_port_range" in done.stdout


@pytest.mark.parametrize("reply, words", [
    (b"", "closed the connection without a reply"),
    (b'{"version":', "closed the connection without a reply"),
    (b"what?\n", "cannot be understood"),
    (b"\n", "cannot be understood"),
    (b"[1]\n", "not a JSON object"),
    (b'{"a": "\xff"}\n', "cannot be understood"),
    (b'{"a": "\\u0000"}\n', "cannot be understood"),
    (b'{"a": 1, "a": 2}\n', "cannot be understood"),
    (b"[" * 100000 + b"\n", "cannot be understood"),
    (b"x" * (5 << 20) + b"\n", "longer than 4 MiB"),
    (b'{"error": 5}\n', "an error without words"),
    (b'{"error": "\\u001b[31mred\\nline"}\n', "\\x1b[31mred\\x0aline"),
])
def test_replies_that_are_none(serve, berth, reply, words):
    serve(lambda request: reply)
    fails(berth, ["status"], words)


@pytest.mark.parametrize("reply", [{}, {"story": 5, "answer": {"a": 1}, "ports": [], "counters": [1], "loans": "x"},
                                   {"story": [1, None, {}], "answer": [1, {}], "flags": [1], "ede": [{}, 2],
                                    "counters": {"": "x", ".": 1e300}, "loans": [1, {"at": -1e300}], "lent": {},
                                    "listen": [[]], "elapsed_us": -5, "uptime_s": 1e300, "name": None}])
@pytest.mark.parametrize("args", FAILURES + [["port", "60054"], ["port", "1", "2"]])
def test_replies_of_another_form(serve, berth, args, reply):
    serve(lambda request: reply)
    done = berth(*args)
    assert done.returncode in (0, 1)
    assert done.stderr == "" or ("--reflector" in args and done.stderr.startswith("berth: "))


def test_nothing_foreign_reaches_the_terminal(serve, berth):
    evil = "\x1b]0;x\x07\x9b31m\u202e\n\r"

    def poison(value):
        if isinstance(value, dict):
            return {key + (evil if "." in key else ""): poison(item) for key, item in value.items()}
        if isinstance(value, list):
            return [poison(item) for item in value]
        return value + evil if isinstance(value, str) else value

    serve(lambda request: poison(REPLIES[request["cmd"]]))
    for args in FAILURES + [["port", "60054"], ["port", "1", "2"]]:
        for more in ([], ["--json"]):
            out = berth(*args, *more).stdout
            assert not set(out) & set("\x1b\x07\x9b\u202e\r"), args


# --- the command line ---


@pytest.mark.parametrize("args, words", [
    ([], "say what to do"),
    (["sing"], 'there is no verb "sing"'),
    (["--loud"], "there is no option --loud"),
    (["status", "--socket"], "--socket needs a value"),
    (["status", "--timeout", "never"], '"never" is not a time to wait'),
    (["status", "--timeout", "nan"], '"nan" is not a time to wait'),
    (["status", "now"], '"now" is one word too many'),
    (["query"], "no name to ask for"),
    (["query", ""], "the name is empty"),
    (["query", "a", "b", "c"], '"c" is one word too many'),
    (["query", "x" * 2000], "the name is longer than any"),
    (["query", "--fresh", "x"], "--fresh belongs to berth why"),
    (["port"], "no port to look at"),
    (["ports", "sell"], '"sell" is none of exclude, include and range'),
    (["ports", "exclude"], "berth ports exclude wants ports"),
    (["ports", "range"], "berth ports range wants one range"),
    (["ports", "range", "1-2", "3-4"], "berth ports range wants one range"),
    (["ports", "--dry-run"], "--dry-run goes with exclude, include and range"),
    (["ports", "--dry-run", "--watch"], "--watch changes nothing"),
    (["ports", "exclude", *["60000-60001"] * 400], "the list is longer than berthd reads"),
    (["ports", "--watch", "soon"], '"soon" is not a time between two looks'),
    (["ports", "--watch=0.01"], '"0.01" is not a time between two looks'),
    (["ports", "--watch", "1", "2"], '"2" is one word too many'),
    (["ports", "--watch=1", "2"], '"2" is one word too many'),
    (["ports", "--fresh"], "--fresh belongs to berth why"),
    (["status", "--watch"], "--watch belongs to berth ports"),
    (["query", "--dry-run", "x"], "--dry-run belongs to berth ports"),
    (["audit", "all"], '"all" is one word too many'),
    (["audit", "--count", "16"], "--count goes with --reflector"),
    (["audit", "--count", "15"], '"15" is not a number of questions; write 16 to 10000'),
    (["audit", "--count", "1e3"], '"1e3" is not a number of questions'),
    (["why", "--reflector", "x", "y"], "--reflector belongs to berth audit"),
    (["check"], "no file to check"),
    (["help", "sing"], 'there is no verb "sing"'),
])
def test_usage(berth, args, words):
    done = berth(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "usage: berth" in done.stderr


def test_help(berth):
    out = good(berth("help"))
    for verb in ("port", "ports", "audit", "query", "why", "stats", "status", "reload", "check", "help"):
        assert f"  berth {verb}" in out
        assert good(berth("help", verb)).startswith(f"berth {verb}")
        assert good(berth(verb, "--help")) == good(berth("help", verb))
        assert json.loads(good(berth("help", verb, "--json")))["verb"] == verb
    assert all(len(line) <= 110 for line in out.splitlines())
    assert good(berth("--help")) == out
    assert good(berth("--version")).startswith("berth ")
    assert "version" in json.loads(good(berth("--version", "--json")))


def test_socket_option_wins(serve, berth, tmp_path):
    serve()
    good(berth("--socket", str(tmp_path / "control"), "status", env={"BERTH_SOCKET": "/nowhere"}))
    assert "/nowhere" in berth("status", env={"BERTH_SOCKET": "/nowhere"}).stderr
    assert "too long" in berth("status", "--socket", "/" + "x" * 200).stderr


def test_output_that_cannot_be_written(serve, berth):
    serve()
    with open("/dev/full", "w") as full:
        done = subprocess.run([os.path.join(BUILD, "berth"), "help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "could not be written" in done.stderr


# --- check ---


@pytest.fixture
def with_daemon(tmp_path):
    """A folder with berth and a berthd that knows one mistake."""
    folder = tmp_path / "bin"
    folder.mkdir()
    with open(os.path.join(BUILD, "berth"), "rb") as source, open(folder / "berth", "wb") as copy:
        copy.write(source.read())
    (folder / "berthd").write_text("#!/bin/sh\n"
                                   '[ "$1 $2" = "--check -c" ] || exit 9\n'
                                   '[ $# = 3 ] || [ "$4" = --json ] || exit 9\n'
                                   'case $3$4 in good) echo fine ;; old*) echo fine ;;\n'
                                   'good--json) echo "warning: odd" >&2; echo "{\\"usable\\":7,\\"bits\\":2.8,\\"lines\\":[]}" ;;\n'
                                   '*) echo "berthd: $3:1: wrong" >&2; exit 1 ;; esac\n')
    for name in ("berth", "berthd"):
        os.chmod(folder / name, stat.S_IRWXU)
    return str(folder / "berth")


def test_check(berth, with_daemon):
    assert good(berth("check", "good", binary=with_daemon)) == "fine\n"
    done = berth("check", "bad", binary=with_daemon)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "berthd: bad:1: wrong\n")
    assert json.loads(good(berth("check", "good", "--json", binary=with_daemon))) == {
        "file": "good", "ok": True, "error": None, "usable": 7, "bits": 2.8, "lines": []}
    done = berth("check", "old", "--json", binary=with_daemon)
    assert done.returncode == 1 and "is it as new as this program?" in json.loads(done.stdout)["error"]
    done = berth("check", "bad", "--json", binary=with_daemon)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {"file": "bad", "ok": False, "error": "berthd: bad:1: wrong"}


def test_check_without_berthd(berth, with_daemon):
    os.unlink(with_daemon + "d")
    for more in ([], ["--json"]):
        done = berth("check", "x", *more, binary=with_daemon, env={"PATH": "/nowhere"})
        assert done.returncode == 1
        assert "berthd was found neither next to this program nor in PATH" in done.stdout + done.stderr
