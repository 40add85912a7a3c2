"""The command `berth` against a control server that says what doc/control.md promises, or something worse.

The folder with the binary comes from BERTH_BUILD.
"""

import json
import os
import socket
import stat
import subprocess
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

REPLIES = {
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
            with peer:
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
        self.stop.set()
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
                                       ("why", ["www.example"])])
def test_json_is_the_reply(serve, berth, cmd, args):
    serve()
    assert json.loads(good(berth(cmd, *args, "--json"))) == REPLIES[cmd]


def test_status(serve, berth):
    serve()
    out = good(berth("status"))
    assert out.splitlines()[0] == "berthd 0.1, process 4711, up for 26 h 3 min"
    for words in ("127.0.0.1@53, ::1@53", "16,384 usable of 49152-65535", "11,848 of them", "2,500 sockets, 3 lent now"):
        assert words in out


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


def test_port_without_berthd(berth, tmp_path):
    out = good(berth("port", "60054"))
    assert "ip_local_port_range" in out
    assert f"not running: nobody answers at {tmp_path}/control" in out
    document = json.loads(good(berth("port", "60054", "--json")))
    assert document["berthd"]["running"] is False
    assert document["berthd"]["error"].startswith("berthd does not answer at ")
    [port] = document["ports"]
    assert (port["port"], port["class"], port["class_range"], port["berthd"]) == (60054, "Dynamic", "49152-65535", None)
    assert set(port) == {"port", "class", "class_range", "services", "known_uses", "service", "here", "kernel", "berthd"}
    assert set(port["kernel"]) == {"local_range", "in_local_range", "reserved"}


@pytest.mark.parametrize("kind, word", [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
def test_port_that_somebody_holds(berth, kind, word):
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
    at = next(i for i, line in enumerate(lines) if line.startswith("  known    Windows DNS Server "))
    assert lines[at].split()[4:6] == ["60023-60081", "UDP"] and lines[at + 1].split()[:2] == ["mosh", "60000-61000"]
    assert len({line.index(word) for line, word in zip(lines[at:], ["60023", "60000"])}) == 1
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


# --- servers that fail ---

FAILURES = [["status"], ["stats"], ["reload"], ["query", "x"], ["why", "x"]]


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
    assert done.returncode in (0, 1) and done.stderr == ""


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
    (["check"], "no file to check"),
    (["help", "sing"], 'there is no verb "sing"'),
])
def test_usage(berth, args, words):
    done = berth(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "usage: berth" in done.stderr


def test_help(berth):
    out = good(berth("help"))
    for verb in ("port", "query", "why", "stats", "status", "reload", "check", "help"):
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
                                   'case $3 in good) echo fine ;; *) echo "berthd: $3:1: wrong" >&2; exit 1 ;; esac\n')
    for name in ("berth", "berthd"):
        os.chmod(folder / name, stat.S_IRWXU)
    return str(folder / "berth")


def test_check(berth, with_daemon):
    assert good(berth("check", "good", binary=with_daemon)) == "fine\n"
    done = berth("check", "bad", binary=with_daemon)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "berthd: bad:1: wrong\n")
    assert json.loads(good(berth("check", "good", "--json", binary=with_daemon))) == {
        "file": "good", "ok": True, "error": None}
    done = berth("check", "bad", "--json", binary=with_daemon)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {"file": "bad", "ok": False, "error": "berthd: bad:1: wrong"}


def test_check_without_berthd(berth, with_daemon):
    os.unlink(with_daemon + "d")
    for more in ([], ["--json"]):
        done = berth("check", "x", *more, binary=with_daemon, env={"PATH": "/nowhere"})
        assert done.returncode == 1
        assert "berthd was found neither next to this program nor in PATH" in done.stdout + done.stderr
