"""Does berthd begin, change and end as its user may expect, and do the control socket and `berth` tell the truth?"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, Callable, Iterator

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from support import (BUILD, HERE, IN_TIME_S, IS_SANITIZED, SLOWER, START_S, ControlError, Crowd, Daemon, ask, at_once, ede,
                     expected_rows, rdatas, timed, wait_until)

LAB = ["--names", 300, "--root-zone", Path(__file__).with_name("tlds.zone")]

REFUSED, SERVFAIL, NOERROR = dns.rcode.REFUSED, dns.rcode.SERVFAIL, dns.rcode.NOERROR
EDE_PROHIBITED = 18
CAP_NET_BIND_SERVICE = 1 << 10
FIRST, LAST = 49152, 65535
# Several daemons run at once, each on an address of its own.
THERE, ELSEWHERE = "127.0.0.2", "127.0.0.3"


def run_berthd(*arguments: str | Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*before, str(BUILD / "berthd"), *map(str, arguments)], capture_output=True, text=True,
                          timeout=START_S)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a start that failed has to say, beside what the log says before."""
    lines = [line for line in done.stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\d .*: |<\d>", line)]
    assert done.returncode == 1 and len(lines) == 1, done
    assert lines[0].startswith("berthd: ")
    return lines[0]


def configured(directory: Path, **config: Any) -> Path:
    daemon = Daemon(directory, config)
    return daemon.file


def berth(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BUILD / "berth"), "--socket", str(daemon.socket), *arguments], capture_output=True,
                          text=True, timeout=30)


def berth_json(daemon: Daemon, *arguments: str, status: int = 0) -> Any:
    done = berth(daemon, "--json", *arguments)
    assert (done.returncode, done.stderr) == (status, ""), done
    return json.loads(done.stdout)


# --- no configuration ---


def test_no_configuration_at_all(tmp_path: Path):
    """Port 53, 127.0.0.1 and ::1, built-in hints, the default control socket."""
    # /run of this test's own, as the daemon makes a folder there; the lab's mounts are private.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    try:
        daemon = Daemon(tmp_path, None).start()
        # The lab's root is not the one whose keys berthd brings along: what it says is bogus, unless one checks oneself.
        bogus = ask("www.nodata.lab")
        assert (bogus.rcode(), ede(bogus)) == (dns.rcode.SERVFAIL, [9]), bogus
        unchecked = dns.flags.RD | dns.flags.CD
        assert rdatas(ask("www.nodata.lab", flags=unchecked)) == ["198.18.100.2"]
        assert rdatas(ask("www.nodata.lab", where="::1", flags=unchecked)) == ["198.18.100.2"]
        status = daemon.control("status")
        assert status["listen"] == ["127.0.0.1@53", "::1@53"] and status["workers"] == os.cpu_count()
        assert status["ports"]["range"] == "49152-65535" and status["ports"]["pool"] == 2500
        assert json.loads(subprocess.run([str(BUILD / "berth"), "--json", "status"], capture_output=True).stdout)["pid"] \
            == daemon.pid
        daemon.finish()
        assert not daemon.socket.exists()
    finally:
        subprocess.run(["umount", "/run"], check=True)


# --- starts that fail ---


@pytest.mark.parametrize("text, line, words", [
    ("listen: [127.0.0.1]\nportz: 1\n", 2, "did you mean ports"),
    ("ports:\n  range: 60000-50000\n", 2, "ports.range"),
    ("ports:\n  exclude: [\"49152-65535\"]\n", 2, "leaves no port"),
    ("ports:\n  pool: many\n", 2, "ports.pool"),
    ("listen: [1.2.3.4.5]\n", 1, "listen"),
    ("\n\nworkers: -1\n", 3, "workers"),
    ("cache: {memory: 1}\n", 1, "cache.memory"),
    ("access:\n  allow: [\"10.0.0.0/99\"]\n", 2, "access.allow"),
    ("log: {level: loud}\n", 1, "log.level"),
    ("resolver: {root-hints: /does/not/exist}\n", 1, "root-hints"),
    ("resolver: {minimise: perhaps}\n", 1, "minimise"),
    ("listen: [127.0.0.1\n", None, ""),
    ("listen: 127.0.0.1\x01\n", None, ""),
    ("{" * 100, None, ""),
])
def test_errors_in_the_configuration(tmp_path: Path, text: str, line: int | None, words: str):
    file = tmp_path / "berthd.yaml"
    file.write_text(text)
    for arguments in (("-c", file), ("-c", file, "--check")):
        said = complaint(run_berthd(*arguments))
        assert str(file) in said and words in said
        assert line is None or "%s:%d:" % (file, line) in said
    checked = subprocess.run([str(BUILD / "berth"), "check", str(file)], capture_output=True, text=True, timeout=START_S)
    assert checked.returncode == 1 and str(file) in checked.stderr + checked.stdout


def test_files_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "large").write_bytes(b"# \n" * 1000000)
    for name in ("missing", ".", "binary", "large"):
        assert str(tmp_path / name) in complaint(run_berthd("-c", tmp_path / name)) or name == "."


def test_bad_root_hints(tmp_path: Path):
    (tmp_path / "hints").write_text("this is no zone file\n")
    said = complaint(run_berthd("-c", configured(tmp_path, resolver={"root-hints": tmp_path / "hints"})))
    assert str(tmp_path / "hints") in said


def test_unknown_arguments():
    assert run_berthd("--nonsense").returncode == 2 and run_berthd("file.yaml").returncode == 2
    assert run_berthd("--help").returncode == 0 and "berthd" in run_berthd("--version").stdout


@pytest.mark.parametrize("kind, transport", [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
def test_address_in_use(tmp_path: Path, kind: int, transport: str):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((THERE, 53))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        said = complaint(run_berthd("-c", configured(tmp_path, listen=[THERE])))
    assert THERE + "@53" in said and transport in said and "another program" in said


@pytest.mark.parametrize("workers", [1, 2])
def test_second_daemon_on_the_same_address(start: Callable[..., Daemon], tmp_path: Path, workers: int):
    first = start(listen=[THERE], workers=workers)
    assert "another program listens there (`berth port 53` tells which)" in complaint(
        run_berthd("-c", configured(tmp_path / "second", listen=[THERE], workers=workers)))
    assert ask("www.nodata.lab", where=THERE).rcode() == NOERROR and first.process.poll() is None


def test_privileged_port_without_rights(tmp_path: Path):
    said = complaint(run_berthd("-c", configured(tmp_path, listen=[THERE]), before=(
        "setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service", "--")))
    assert "CAP_NET_BIND_SERVICE" in said and THERE + "@53" in said


def test_address_of_another_machine(tmp_path: Path):
    for address in ("192.0.2.200", "2001:db8:99::1"):
        assert "does not have that address" in complaint(run_berthd("-c", configured(tmp_path, listen=[address])))


def test_unknown_user(tmp_path: Path):
    assert "no such user" in complaint(run_berthd("-c", configured(tmp_path, listen=[THERE], user="nobody-of-that-name")))


# --- privileges ---


def _tasks(daemon: Daemon) -> list[dict[str, str]]:
    files = Path("/proc/%d/task" % daemon.pid).glob("*/status")
    return [dict(line.split(":\t", 1) for line in file.read_text().splitlines() if ":\t" in line) for file in files]


@pytest.mark.parametrize("user", [None, "nobody"])
def test_no_rights_are_kept_but_one(start: Callable[..., Daemon], user: str | None):
    if user and "4294967295" not in Path("/proc/self/uid_map").read_text():
        pytest.skip("a user namespace without other users")
    daemon = start(listen=[THERE], **({"user": user} if user else {}))
    tasks = _tasks(daemon)
    assert len(tasks) >= 3  # main and two workers
    for task in tasks:
        for key in ("CapEff", "CapPrm"):
            assert int(task[key], 16) & ~CAP_NET_BIND_SERVICE == 0, task[key]
        assert int(task["CapInh"], 16) == int(task["CapAmb"], 16) == 0 and task["NoNewPrivs"] == "1"
        assert user is None or set(task["Uid"].split()) == {"65534"}
    assert ask("www.nodata.lab", where=THERE).rcode() == NOERROR


# --- a crowd ---


def watched(daemon: Daemon) -> list[bool]:
    """Of each of its UDP sockets on port 53: does an epoll wait for it?"""
    place = Path("/proc/%d" % daemon.pid)
    rows = [line.split() for line in (place / "net/udp").read_text().splitlines()[1:]]
    inodes = {"socket:[%s]" % row[9] for row in rows if row[1].endswith(":0035")}
    ends = {}
    for fd in (place / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            ends[int(fd.name)] = os.readlink(fd)
    polls = [place / "fdinfo" / str(fd) for fd, end in ends.items() if end == "anon_inode:[eventpoll]"]
    waited = {int(fd) for poll in polls for fd in re.findall(r"^tfd: +(\d+)", poll.read_text(), re.M)}
    return [fd in waited for fd, end in ends.items() if end in inodes]


def test_a_socket_is_not_watched_while_a_crowd_is_answered(start: Callable[..., Daemon], tmp_path: Path):
    """Each answer that leaves would have epoll look (decision 27); and afterwards the socket is watched as before."""
    daemon = start(listen=[THERE], workers=1)
    (tmp_path / "names").write_text("www.nodata.lab 1\n")
    assert watched(daemon) == [True]
    for _ in range(2):
        crowd = [str(BUILD / "bench/flood"), THERE, "53", str(tmp_path / "names"), "5000000", "64"]
        with subprocess.Popen(crowd, stdout=subprocess.DEVNULL) as flood:
            try:
                wait_until(lambda: watched(daemon) == [False], 10 * SLOWER, 0)
            finally:
                flood.kill()
        wait_until(lambda: watched(daemon) == [True])
        assert rdatas(ask("www.nodata.lab", where=THERE)) == ["198.18.100.2"]


# --- the end ---


@contextmanager
def load(where: str, names: list[str]) -> Iterator[list[int]]:
    """Questions without end from 32 sockets; yields a list that grows by the number of answers of each round."""
    stop, answered = threading.Event(), []

    def run() -> None:
        with Crowd(32, where, 0.3) as crowd:
            while not stop.is_set():
                try:
                    answered.append(len([r for r in crowd.ask_all([(name, "A") for name in names]) if r is not None]))
                except OSError:
                    return  # the daemon has ended: port unreachable

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield answered
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_end_when_idle(start: Callable[..., Daemon], number: int):
    daemon = start(listen=[THERE])
    daemon.process.send_signal(number)
    assert daemon.finish() < 3 * SLOWER
    assert not daemon.socket.exists()


@pytest.mark.parametrize("turn", range(3))
def test_end_under_load(start: Callable[..., Daemon], turn: int):
    """Lookups under way, answers on their way between workers, open connections, ports lent: all is let go."""
    daemon = start(listen=[THERE])
    names = [row.name for row in expected_rows() if row.rcode != "SERVFAIL"][:200]
    names += ["n%d-%d.alldead.lab" % (turn, n) for n in range(20)]
    with ExitStack() as stack:
        stack.enter_context(load(THERE, names))
        for n in range(20):
            sock = stack.enter_context(socket.create_connection((THERE, 53), timeout=5))
            wire = dns.message.make_query("t%d.alldead.lab" % n, "A").to_wire()
            sock.sendall(len(wire).to_bytes(2, "big") + wire)
            control = stack.enter_context(socket.socket(socket.AF_UNIX))
            control.connect(str(daemon.socket))
            control.sendall(b'{"cmd": "why", "name": "w%d.alldead.lab"}\n' % n)
        wait_until(lambda: daemon.control("status")["ports"]["lent"] > 0)
        assert daemon.finish() < 3 * SLOWER


def test_end_by_the_control_socket(start: Callable[..., Daemon]):
    daemon = start(listen=[THERE])
    assert daemon.control("stop") == {"stopping": True}
    assert daemon.process.wait(2 * SLOWER) == 0


def test_end_at_any_moment(tmp_path: Path):
    """SIGTERM on the heels of SIGHUP and of requests that every worker has to see: they are under way at the end."""

    def end(n: int) -> None:
        daemon = Daemon(tmp_path / str(n), {"listen": ["127.0.1.%d" % (n + 1)], "ports": {"pool": 10}}).start()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(daemon.socket))
            sock.sendall(b'{"cmd": "status"}\n{"cmd": "stats"}\n{"cmd": "port", "port": 60054}\n' * 20)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.finish()

    at_once([lambda n=n: end(n) for n in range(40)], 4)


# --- reload ---


def test_reload_under_load_loses_nothing(start: Callable[..., Daemon]):
    daemon = start(listen=[THERE])
    rows = [row for row in expected_rows() if row.rcode != "SERVFAIL"] * 6
    stop = threading.Event()

    def reload() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            daemon.write({"listen": [THERE], "ports": {"exclude": ["%d-%d" % (50000 + n, 60000 + n)]}})
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(0.03)

    thread = threading.Thread(target=reload)
    thread.start()
    with Crowd(50, THERE) as crowd:
        replies = crowd.ask_all([(row.name, row.rrtype) for row in rows])
    stop.set()
    thread.join()
    wrong = [(row, reply) for row, reply in zip(rows, replies, strict=True)
             if reply is None or (dns.rcode.to_text(reply.rcode()), ",".join(rdatas(reply, row.rrtype))) != (row.rcode, row.rdatas)]
    assert not wrong, wrong[:3]
    assert "configuration reloaded" in daemon.log and "not reloaded" not in daemon.log


def test_reload_during_a_reload_is_not_lost(start: Callable[..., Daemon]):
    """What was written before the last SIGHUP holds in the end."""
    daemon = start(listen=[THERE])
    for n in range(40):
        daemon.write({"listen": [THERE], "ports": {"exclude": ["%d-60000" % (50000 + n)]}})
        daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.control("ports")["away"]["excluded"] == 60001 - 50039)
    assert "not reloaded" not in daemon.log


def lent_ports() -> list[int]:
    """Ports with a UDP question to a deaf server on its way, as the kernel sees them."""
    deaf = {"%08X:0035" % int.from_bytes(socket.inet_aton("203.0.113.%d" % n), "little") for n in (101, 102, 103)}
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return [int(fields[1].split(":")[1], 16) for fields in lines if fields[2] in deaf]


@contextmanager
def slow_questions(where: str, stem: str) -> Iterator[None]:
    """Questions that keep ports lent for some seconds, answered before the block ends."""
    names = ["%s%d.alldead.lab" % (stem, n) for n in range(8)]
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(at_once([lambda n=n: ask(n, where=where) for n in names])))
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert {reply.rcode() for reply in found} == {SERVFAIL} and len(found) == len(names)


def told_while_lent(daemon: Daemon) -> tuple[dict[str, Any], str] | None:
    """What `berth port` says of a port that is lent, as JSON and as text; None where the loan has ended meanwhile."""
    for port in lent_ports()[-1:]:
        told = berth_json(daemon, "port", str(port))["ports"][0]["berthd"]
        text = berth(daemon, "port", str(port)).stdout
        return (told, text) if "lent" in told and "alldead.lab" in text else None
    return None


def test_a_port_while_it_is_lent_and_afterwards(start: Callable[..., Daemon]):
    """`berth port N`, also when N is excluded meanwhile: the loan ends in peace, and there is none after it."""
    daemon = start(listen=[THERE])
    with slow_questions(THERE, "lent"):
        told, text = wait_until(lambda: told_while_lent(daemon))
        excluded = wait_until(lent_ports)
        daemon.write({"listen": [THERE], "ports": {"exclude": [str(p) for p in excluded]}})
        daemon.hang_up()
        after = [daemon.control("port", port=p) for p in excluded]
    loan, port = told["lent"], told["port"]
    assert loan["port"] == port and loan["outcome"] == "lent" and loan["transport"] == "udp"
    assert re.match(r"203\.0\.113\.10[123]@53$", loan["server"]) and loan["question"].endswith("alldead.lab. A")
    assert abs(loan["at"] - time.time()) < 60
    assert str(port) in text and "alldead.lab" in text
    for reply in after:
        assert not reply["usable"] and "ports.exclude" in reply["why_not"]
    # A port stays lent for two seconds after its question has timed out, should the reply come after all.
    wait_until(lambda: daemon.control("status")["ports"]["lent"] == 0)
    for p in excluded:
        reply = daemon.control("port", port=p)
        assert "lent" not in reply and reply["loans"][0]["outcome"] in ("timeout", "canceled", "reply")
    text = berth(daemon, "port", str(excluded[0])).stdout
    assert "timeout" in text and "exclude" in text


def test_excluded_ports_are_not_lent_any_more(start: Callable[..., Daemon]):
    daemon = start(listen=[THERE])
    daemon.write({"listen": [THERE], "ports": {"exclude": ["49152-65499"]}})
    daemon.hang_up()
    assert daemon.control("status")["ports"]["usable"] == 36
    before = daemon.counters()["loans"]
    at_once([lambda n=n: ask("x%d.wild.lab" % n, where=THERE) for n in range(100)], 10)
    lent = {loan["at"] for port in range(65500, 65536) for loan in daemon.control("port", port=port)["loans"]}
    assert daemon.counters()["loans"] - before >= 100 and len(lent) >= 100


def test_more_questions_than_ports(start: Callable[..., Daemon]):
    """With 36 ports, 60 questions to deaf servers: some fail for want of a port, none hangs, all is let go."""
    daemon = start(listen=[THERE], ports={"exclude": ["49152-65499"], "pool": 20})
    found = at_once([lambda n=n: timed(ask, "few%d.alldead.lab" % n, where=THERE) for n in range(60)], 60)
    assert {reply.rcode() for reply, _ in found} == {SERVFAIL}
    assert median(took for _, took in found) < 5 and max(took for _, took in found) < IN_TIME_S
    assert rdatas(ask("www.wild.lab", where=THERE)) == ["198.18.100.2"]
    wait_until(lambda: daemon.control("status")["ports"]["lent"] == 0)


def test_a_port_of_another_program(start: Callable[..., Daemon]):
    """It is drawn, found taken, and passed over; `berth port` says so."""
    daemon = start(listen=[THERE], ports={"exclude": ["49152-65531"]})
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # both families
        sock.bind(("::", 65533))
        for n in range(200):  # of four ports each question draws one
            assert rdatas(ask("y%d.wild.lab" % n, where=THERE)) == ["198.18.100.42"]
            if daemon.counters()["ports.taken"] > 0:
                break
        told = daemon.control("port", port=65533)
        # The keeper looks every 5 s, and may have found it before a question drew it.
        assert daemon.counters()["ports.taken"] >= 1 and told["taken_by_other"] \
            or told["why_not"] == "held by another program"
    assert daemon.control("port", port=65533)["loans"] == []


def test_reload_changes_who_may_ask(start: Callable[..., Daemon]):
    daemon = start(listen=[THERE])
    assert ask("www.wild.lab", where=THERE).rcode() == NOERROR
    daemon.write({"listen": [THERE], "access": {"allow": ["10.0.0.0/8"]}})
    daemon.hang_up()
    for tcp in (False, True):
        reply = ask("www.wild.lab", where=THERE, tcp=tcp)
        assert reply.rcode() == REFUSED and ede(reply) == [EDE_PROHIBITED] and not reply.answer
    daemon.write({"listen": [THERE], "access": {"allow": ["127.0.0.0/8"]}})
    daemon.hang_up()
    assert ask("www.wild.lab", where=THERE).rcode() == NOERROR


def test_reload_changes_the_log_level(start: Callable[..., Daemon]):
    daemon = start(listen=[THERE])
    daemon.write({"listen": [THERE], "log": {"level": "error"}})
    assert berth(daemon, "reload").returncode == 0
    quiet = len(daemon.log)
    assert berth(daemon, "reload").returncode == 0
    assert len(daemon.log) == quiet
    daemon.write({"listen": [THERE], "log": {"level": "notice"}})
    assert berth(daemon, "reload").returncode == 0
    wait_until(lambda: "reloaded" in daemon.log[quiet:])


def test_reload_says_what_needs_a_restart(start: Callable[..., Daemon]):
    daemon = start(listen=[THERE])
    daemon.write({"listen": [ELSEWHERE], "workers": 1})
    daemon.hang_up()
    assert "listen: has changed" in daemon.log and "workers:" in daemon.log
    assert ask("www.wild.lab", where=THERE).rcode() == NOERROR


@pytest.mark.parametrize("text, words", [("portz: 1\n", "portz"), ("ports: {range: 9-1}\n", "ports.range"),
                                         (None, "cannot be read")])
def test_bad_file_at_reload(start: Callable[..., Daemon], text: str | None, words: str):
    daemon = start(listen=[THERE])
    if text is None:
        daemon.file.unlink()
    else:
        daemon.file.write_text(text)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "not reloaded, going on as before" in daemon.log)
    assert words in daemon.log and str(daemon.file) in daemon.log
    done = berth(daemon, "reload")
    assert done.returncode == 1 and words in done.stderr and str(daemon.file) in done.stderr
    with pytest.raises(ControlError, match=re.escape(words)):
        daemon.control("reload")
    assert ask("www.wild.lab", where=THERE).rcode() == NOERROR
    daemon.write({"listen": [THERE]})
    assert daemon.control("reload") == {"reloaded": True, "warnings": []}


# --- the control socket ---


def test_control_socket_is_for_owner_and_group(start: Callable[..., Daemon]):
    daemon = start(listen=[THERE])
    assert daemon.socket.stat().st_mode & 0o7777 == 0o660


def test_stale_control_socket_is_replaced(start: Callable[..., Daemon], tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "stale"))
    daemon = Daemon(tmp_path / "d", {"listen": [THERE], "control": {"socket": tmp_path / "stale"}})
    daemon.socket = tmp_path / "stale"
    assert daemon.start().control("status")["pid"] == daemon.pid
    daemon.finish()
    assert not daemon.socket.exists()


def test_killed_daemon_starts_again(start: Callable[..., Daemon], tmp_path: Path):
    daemon = Daemon(tmp_path / "d", {"listen": [THERE]}).start()
    daemon.process.kill()
    daemon.process.wait()
    assert daemon.socket.exists()
    assert daemon.start().control("status")["pid"] == daemon.pid
    daemon.finish()


def test_second_daemon_on_the_same_control_socket(start: Callable[..., Daemon], tmp_path: Path):
    first = start(listen=[THERE])
    said = complaint(run_berthd("-c", configured(tmp_path / "second", listen=[ELSEWHERE],
                                                 control={"socket": first.socket})))
    assert "another berthd answers there" in said and str(first.socket) in said
    assert first.control("status")["pid"] == first.pid


def test_file_in_the_place_of_the_control_socket_is_kept(tmp_path: Path):
    (tmp_path / "letter").write_text("mine")
    said = complaint(run_berthd("-c", configured(tmp_path, listen=[THERE], control={"socket": tmp_path / "letter"})))
    assert str(tmp_path / "letter") in said and (tmp_path / "letter").read_text() == "mine"


def _control_says(daemon: Daemon, data: bytes, lines: int = 1) -> list[bytes]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5 * SLOWER)
        sock.connect(str(daemon.socket))
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            stream = sock.makefile("rb")
            return [line for line in (stream.readline() for _ in range(lines)) if line]
        except OSError:
            return []


@pytest.mark.parametrize("data", [
    b"\n", b"hello\n", b"{}\n", b"[]\n", b"null\n", b"7\n", b'"status"\n', b'{"cmd": 7}\n', b'{"cmd": "nonsense"}\n',
    b'{"cmd": "status", "cmd": "stop"}\n', b'{"cmd": "port"}\n', b'{"cmd": "port", "port": "60054"}\n',
    b'{"cmd": "port", "port": 0}\n', b'{"cmd": "port", "port": 65536}\n', b'{"cmd": "port", "port": -1}\n',
    b'{"cmd": "port", "port": 99999999999999999999}\n', b'{"cmd": "query"}\n', b'{"cmd": "query", "name": 7}\n',
    b'{"cmd": "query", "name": ""}\n', b'{"cmd": "query", "name": "a..b"}\n', b'{"cmd": "query", "name": "' + b"x" * 64 + b'"}\n',
    b'{"cmd": "query", "name": "' + b"x." * 200 + b'"}\n', b'{"cmd": "query", "name": "x", "type": "NONSENSE"}\n',
    b'{"cmd": "query", "name": "x", "type": "AXFR"}\n', b'{"cmd": "why", "name": "x", "type": "TYPE99999"}\n',
    b"[" * 4000 + b"\n", b'{"a":' * 700 + b"\n", b"\xff\xfe\0\n", b'{"cmd": "status\0"}\n', b'{"cmd": "' + b"\xc0\x80" + b'"}\n',
], ids=lambda data: repr(data[:24]))
def test_nonsense_on_the_control_socket(shared: Daemon, data: bytes):
    replies = _control_says(shared, data)
    assert len(replies) == 1 and json.loads(replies[0])["error"]
    assert shared.control("status")["pid"] == shared.pid


@pytest.mark.parametrize("data", [b"x" * 4097, b"x" * 100000, bytes(10 << 20), b'{"cmd": "status"', b""],
                         ids=["4097 bytes", "100 kB", "10 MiB of zeros", "half a line", "nothing"])
def test_lines_that_do_not_end(shared: Daemon, data: bytes):
    before = shared.memory_kib()
    assert [json.loads(line).keys() for line in _control_says(shared, data)] in ([], [{"error": None}.keys()])
    assert shared.control("status")["pid"] == shared.pid
    assert IS_SANITIZED or shared.memory_kib() - before < 4096


def test_many_requests_on_one_connection(shared: Daemon):
    replies = _control_says(shared, b'{"cmd": "port", "port": 60054}\n' * 1000, 1000)
    assert len(replies) == 1000 and {json.loads(line)["port"] for line in replies} == {60054}


def test_many_control_clients(shared: Daemon):
    """The places run out, not the daemon: when the others are gone there is room again."""
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(shared.socket))
        assert ask("www.nodata.lab").rcode() == NOERROR
    wait_until(lambda: _control_says(shared, b'{"cmd": "status"}\n'))


def test_control_client_that_goes_away(shared: Daemon):
    for n in range(20):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(shared.socket))
            sock.sendall(b'{"cmd": "why", "name": "gone%d.alldead.lab"}\n' % n + b'{"cmd": "stats"}\n' * 5)
    shared.check_alive()


# --- berth and the daemon ---


@pytest.fixture
def told(shared: Daemon) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        done = berth(shared, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    return run


def test_berth_status(shared: Daemon, told: Callable[..., str]):
    text, found = told("status"), berth_json(shared, "status")
    assert found["pid"] == shared.pid and found["listen"] == ["127.0.0.1@53"] and found["workers"] == 2
    assert str(shared.pid) in text and "127.0.0.1" in text
    ports = found["ports"]
    assert set(ports) == {"lend", "range", "usable", "pool", "max", "idle", "held", "lent", "lingering", "waiting",
                          "grown", "moorable"}
    assert ports["pool"] == 2500 and ports["idle"] + ports["lent"] + ports["lingering"] >= 2500
    assert ports["usable"] == 16384 - sum(shared.control("ports")["away"].values())


def test_berth_stats(shared: Daemon, told: Callable[..., str]):
    ask("www.nodata.lab")
    text, found = told("stats"), berth_json(shared, "stats")
    assert found["counters"]["queries.udp"] >= 1 and set(found["counters"]) == set(found["help"])
    assert "queries" in text and found["cache"]["entries"] > 0
    before = shared.counters()
    ask("counted.wild.lab")
    after = shared.counters()
    assert after["queries.udp"] == before["queries.udp"] + 1 and after["answers.sent"] == before["answers.sent"] + 1
    assert after["loans"] == after["loans.moored"] + after["loans.fresh"]


def test_berth_query(shared: Daemon, told: Callable[..., str]):
    assert "198.18.100.2" in told("query", "www.nodata.lab")
    found = berth_json(shared, "query", "c1.alias.lab", "A")
    assert [record["type"] for record in found["answer"]] == ["CNAME"] * 8 + ["A"] and found["rcode"] == "NOERROR"
    assert berth_json(shared, "query", "missing.nodata.lab")["rcode"] == "NXDOMAIN"
    failed = berth_json(shared, "query", "www.alllame.lab", status=1)
    assert failed["rcode"] == "SERVFAIL" and failed["ede"][0]["code"] == 22
    assert len(berth_json(shared, "query", "many.big.lab")["answer"]) == 100


def test_berth_why(shared: Daemon, told: Callable[..., str]):
    text = told("why", "--fresh", "www.glueless.lab")
    for words in ("offsite.lab", "referral", "198.18.100.2"):
        assert words in text, text
    found = berth_json(shared, "why", "--fresh", "www.wild.lab")
    asked = [event for event in found["story"] if event["event"] == "ask"]
    assert len(asked) >= 3
    for event in asked:
        assert FIRST <= event["port"] <= LAST and event["server"].endswith("@53") and event["transport"] == "udp"
        loans = shared.control("port", port=event["port"])["loans"]
        assert any(loan["question"] == event["question"] and loan["server"] == event["server"] for loan in loans)
    times = [event["after_us"] for event in found["story"]]
    assert times == sorted(times) and found["story"][-1]["event"] == "answer"
    assert "cache" in told("why", "www.wild.lab")
    assert "tcp" in told("why", "--fresh", "txt.big.lab", "TXT").lower()
    failed = berth(shared, "why", "loop1.alias.lab")
    assert failed.returncode == 1 and "SERVFAIL" in failed.stdout and "leads nowhere" in failed.stdout


def test_story_of_a_costly_question_is_cut(shared: Daemon):
    found = shared.control("why", name="www.cycle1.lab", fresh=True)
    assert found["rcode"] == "SERVFAIL" and len(found["story"]) <= 256 and found["story_left_out"] >= 0
    assert found["security"] == "unchecked"  # not indeterminate: no trust anchor has to do with it


def test_berth_port(shared: Daemon, told: Callable[..., str]):
    found = berth_json(shared, "port", "60054")["ports"][0]
    assert found["port"] == 60054 and found["berthd"]["usable"] and not found["berthd"]["taken_by_other"]
    assert "60054" in told("port", "60054")
    assert not shared.control("port", port=53)["usable"] and "range" in shared.control("port", port=53)["why_not"]
    assert "53" in told("port", "53") and len(told("port", "60050-60059").splitlines()) >= 10


def test_berth_reload_and_check(shared: Daemon, told: Callable[..., str]):
    assert "configuration" in told("reload") and berth_json(shared, "reload") == {"reloaded": True, "warnings": []}
    assert "good" in told("check", str(shared.file))


@pytest.mark.parametrize("ports, among", [
    ("range: 50000-50099, exclude: [50000-50003]", None), ("range: 50000-50099, lend: reserved, pool: 16", 16),
    ("range: 50000-50099, lend: reserved, pool: 0", 1)])
def test_check_as_json(tmp_path: Path, ports: str, among: int | None):
    file = tmp_path / "berthd.yaml"
    file.write_text("ports: {%s}\n" % ports)
    done = subprocess.run([str(BUILD / "berth"), "check", str(file), "--json"], capture_output=True, text=True,
                          timeout=START_S)
    found = json.loads(done.stdout)
    lines = found["lines"]
    assert (done.returncode, found["file"], found["ok"], found["error"]) == (0, str(file), True, None)
    assert 80 < found["usable"] <= (96 if "exclude" in ports else 100), "but for what others hold on this machine"
    assert found["bits"] == pytest.approx(math.log2(among or found["usable"]))
    assert {line["level"] for line in lines} <= {"good", "note", "warning"}
    assert any(line["level"] == "warning" and "that is few" in line["text"] for line in lines)


def test_check_tells_of_slips(tmp_path: Path):
    file = tmp_path / "berthd.yaml"
    file.write_text("access: {allow: []}\ndnssec: {negative: [{zone: old.test, until: 2020-01-01}, {zone: new.test}]}\n"
                    "ports: {include: [40000, 60001], exclude: [53]}\n")
    done = run_berthd("-c", file, "--check")
    assert done.returncode == 0 and "nobody may ask" in done.stdout
    assert "the time of old.test is over" in done.stdout and "new.test" not in done.stdout
    assert "ports.include: 1 port lies outside of ports.range" in done.stdout


def test_json_without_check():
    done = run_berthd("--json")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "berthd: --json goes with --check\n")


def test_berth_without_a_daemon(tmp_path: Path):
    done = berth(Daemon(tmp_path, {}), "status")
    assert done.returncode == 1 and done.stdout == "" and len(done.stderr.splitlines()) <= 3
    assert str(tmp_path / "control") in done.stderr


def test_alive_after_all(shared: Daemon):
    shared.check_alive()
