"""Does berth find who holds a port: every kind of socket, other users, namespaces and cgroups, beside what ss finds?"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from net import Net, sh
from support import BUILD, SLOWER, Daemon, wait_until

pytestmark = [pytest.mark.skipif("BERTH_BUILD" not in os.environ, reason="BERTH_BUILD (the folder with berth) is not set"),
              pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and other users take root")]
NOBODY = 65534
ID = "0123456789abcdef" * 4
ZONE, SERVER = {"port.test.": {"ns.port.test.": "127.7.0.1"}}, "127.7.0.1"


def told(*words: Any, **more: Any) -> str:
    done = subprocess.run([str(more.pop("program", BUILD / "berth")), *map(str, words)], capture_output=True, text=True,
                          timeout=60 * SLOWER, **more)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def told_json(*words: Any, **more: Any) -> Any:
    return json.loads(told("--json", *words, **more))


def look(port: int, *words: str, **more: Any) -> dict[str, Any]:
    [found] = told_json("port", port, *words, **more)["ports"]
    return found


def holder_at(port: int, *words: str, **more: Any) -> dict[str, Any]:
    """The only one in our namespace: on a machine that tests other things as well, others may have holders too."""
    [holder] = [one for one in look(port, *words, **more)["holders"] if one["namespace"]["ours"]]
    return holder


def pids_of(holder: dict[str, Any]) -> set[int]:
    return {process["pid"] for process in holder["processes"]}


def bound(port: int, kind: int = socket.SOCK_DGRAM, host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
    sock.bind((host, port))
    return sock


@contextmanager
def program(code: str, *before: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the code, says so, and stays until it is told to end."""
    whole = "import os, socket, sys\n%s\nprint('ready', flush=True)\nsys.stdin.read()" % code
    with subprocess.Popen([*before, "/usr/bin/python3", "-c", whole], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, cwd="/", **more) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.stdin.close()


UDP = "sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(('127.0.0.1', %d))"


# --- kinds ---


@pytest.fixture
def sockets(namespace: None) -> Iterator[list[socket.socket]]:
    """One of every kind; the last connection has ended on its listener's side."""
    opened = [bound(50001), bound(50002, host="::1"), bound(50003), bound(50004, host="::1"), bound(50005, host="0.0.0.0"),
              bound(50006, host="::")]
    opened[2].connect(("127.0.0.1", 53))
    opened[3].connect(("::1", 53))
    for number, host in enumerate(("127.0.0.1", "::1", "0.0.0.0", "::")):
        listener = bound(50010 + number, socket.SOCK_STREAM, host)
        listener.listen(5)
        # From ports of their own: an ephemeral one may be the next to these.
        here = host if number < 2 else "127.0.0.1"
        client = socket.create_connection((here, 50010 + number), source_address=(here, 40010 + number))
        opened += [listener, client, listener.accept()[0]]
    opened[-1].close()
    opened[-2].close()
    yield opened
    for sock in opened:
        sock.close()


SS_STATES = {"UNCONN": "unconnected", "ESTAB": "connected", "LISTEN": "listening", "TIME-WAIT": "time-wait"}


def plain(address: str) -> str:
    """ss writes 127.0.0.1:53, [::1]:53, *:53 and leaves the interface in; berth 127.0.0.1@53."""
    host, _, port = address.replace("%lo", "").rpartition(":")
    return "%s@%s" % (host.strip("[]").replace("*", "::").replace("::ffff:", ""), port)


def seen_by_ss() -> set[tuple[str, str, str, str, frozenset[int]]]:
    lines = subprocess.run(["ss", "-HOtuanp"], capture_output=True, text=True, check=True).stdout.splitlines()
    seen = set()
    for transport, state, _, _, local, peer, *users in (line.split() for line in lines):
        pids = frozenset(map(int, re.findall(r"pid=(\d+)", " ".join(users))))
        seen.add((transport, SS_STATES[state], plain(local), "" if peer.endswith(":*") else plain(peer), pids))
    return seen


def seen_by_berth(ports: set[str]) -> set[tuple[str, str, str, str, frozenset[int]]]:
    found = told_json("port", *sorted(ports), "--everywhere")["ports"]
    return {(one["transport"], one["state"], one["local"].replace("::ffff:", ""),
             (one["peer"] or "").replace("::ffff:", ""), frozenset(pids_of(one)))
            for port in found for one in port["holders"] if one["namespace"]["ours"]}


def test_finds_what_ss_finds(sockets: list[socket.socket]):
    by_ss = seen_by_ss()
    assert len(by_ss) == 17 and {one[1] for one in by_ss} == set(SS_STATES.values())
    assert seen_by_berth({one[2].rpartition("@")[2] for one in by_ss}) == by_ss
    rows = told_json("holders")["holders"]
    ours = [row for row in rows if row["namespace"]["ours"]]
    [mine] = [row for row in ours if row["process"]]
    [kernel] = [row for row in ours if not row["process"]]
    assert (mine["udp"], mine["listening"], mine["tcp"]) == (6, 4, 6) and mine["process"]["pid"] == os.getpid()
    assert mine["ports"] == ["40010-40012", "50001-50006", "50010-50013"] and mine["port_count"] == 13
    assert (kernel["tcp"], kernel["found"]) == (1, "kernel")


def listed(*command: str) -> list[list[str]]:
    done = subprocess.run(command, capture_output=True, text=True)  # what they complain of is no concern of ours
    return [line.split() for line in done.stdout.splitlines()]


def seen_by_lsof() -> set[tuple[str, str, int]]:
    rows = [row for row in listed("lsof", "-nP", "-i") if row[0] != "COMMAND"]
    return {(row[7].lower(), row[8].split("->")[0].rpartition(":")[2], int(row[1])) for row in rows}


def seen_by_netstat() -> set[tuple[str, str, int]]:
    rows = [row for row in listed("netstat", "-tuanp") if row[0][:3] in ("tcp", "udp") and "/" in row[-1]]
    return {(row[0][:3], row[3].rpartition(":")[2], int(row[-1].partition("/")[0])) for row in rows}


def seen_by_fuser(transport: str, port: str) -> set[tuple[str, str, int]]:
    """It finds a listener's port, and a client's, by the local number."""
    words = [word for row in listed("fuser", "-n", transport, port) for word in row]
    return {(transport, port, int(word)) for word in words if word.isdigit()}


@pytest.mark.parametrize("name", ["lsof", "netstat", "fuser"])
def test_finds_what_others_find(sockets: list[socket.socket], name: str):
    if shutil.which(name) is None:
        pytest.skip("%s is not installed" % name)
    ports = {one[2].rpartition("@")[2]: one[0] for one in seen_by_ss()}
    theirs = seen_by_lsof() if name == "lsof" else seen_by_netstat() if name == "netstat" else \
        {one for port, transport in ports.items() for one in seen_by_fuser(transport, port)}
    ours = {(transport, local.rpartition("@")[2], pid)
            for transport, _, local, _, pids in seen_by_berth(set(ports)) for pid in pids}
    assert len(theirs) >= 10 and theirs <= ours, theirs - ours


def test_each_page_says_what_is_there(sockets: list[socket.socket]):
    def page(port: int) -> str:
        return told("port", port)

    here = "(pid %d, user root)" % os.getpid()
    assert re.search(r"verdict  \S+ \(pid %d, user root\) hears everybody here on 127.0.0.1: for this machine alone\n" %
                     os.getpid(), page(50001))
    assert "an ephemeral port of" in page(50003) and here + ", connected to 127.0.0.1@53: unremarkable\n" in page(50003)
    out = page(50010)
    assert "listens here on 127.0.0.1" in out and "TCP 127.0.0.1@50010, listening; 0 of 5 connections wait\n" in out
    assert "accepted by the listener of this port (likely)" in out and ", pid %d, user root, runs since 20" % os.getpid() in out
    assert "listens here on every address" in page(50012)
    assert "TCP ::@50013, listening" in page(50013) and "TIME" not in page(50012)
    assert "verdict  free: take it" in page(50020)  # another namespace of this machine may have it


def test_a_process_is_told_once_for_all_its_sockets(namespace: None):
    with ExitStack() as stack:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            sock = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((address, 50025))
        out = told("port", 50025)
    assert out.count("\n  holder ") == 1 and out.count(", pid %d, user root, runs since" % os.getpid()) == 1
    assert "UDP 127.0.0.1@50025, unconnected (2 such sockets)\n" in out and "UDP ::1@50025, unconnected\n" in out


def test_time_wait_is_the_kernels(namespace: None):
    with bound(50030, socket.SOCK_STREAM) as listener:
        listener.listen(1)
        with socket.create_connection(("127.0.0.1", 50030)):
            listener.accept()[0].close()
    found = look(50030)
    assert found["verdict"]["key"] == "ended" and found["here"]["tcp"]["ipv4"] == "held"
    [holder] = found["holders"]
    assert (holder["state"], holder["kernel_state"], holder["found"], holder["processes"]) == (
        "time-wait", "TIME_WAIT", "kernel", [])


def test_bound_and_silent(namespace: None):
    """ss of Debian 12 does not list it at all."""
    with bound(50040, socket.SOCK_STREAM), bound(50040, socket.SOCK_STREAM, "::1"):
        found = look(50040)
        if found["verdict"]["key"] == "unlisted":
            assert tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 8)
            pytest.skip("this kernel does not list bound TCP sockets that are silent (Linux 6.8 does)")
        assert {(one["state"], one["family"]) for one in found["holders"]} == {("inactive", "ipv4"), ("inactive", "ipv6")}
        assert all(pids_of(one) == {os.getpid()} for one in found["holders"]) and found["verdict"]["key"] == "inactive"


def test_queues(namespace: None):
    with bound(50050) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(b"x" * 100, ("127.0.0.1", 50050))
        assert holder_at(50050)["receive_queue"] >= 100
        assert re.search(r"UDP 127.0.0.1@50050, unconnected; \d{3,} bytes to be read, 0 to be sent", told("port", 50050))
        sock.recv(100)
        assert holder_at(50050)["receive_queue"] == 0


def test_an_ipv4_peer_of_an_ipv6_socket(namespace: None):
    """A mapped address does not stand in the way of an IPv6 bind: it must not be taken for free."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::ffff:127.0.0.1", 50055))
        sock.connect(("::ffff:127.0.0.1", 53))
        holder = holder_at(50055)
        assert (holder["family"], holder["state"]) == ("ipv6", "connected") and pids_of(holder) == {os.getpid()}


# --- processes ---


def test_who_inherited_it_holds_it(namespace: None):
    with bound(50060) as sock, program("", pass_fds=(sock.fileno(),)) as child:
        assert pids_of(holder_at(50060)) == {os.getpid(), child.pid}
        assert "and 1 more, user root)" in told("port", 50060)


def test_one_of_thousands(namespace: None):
    """Descriptors out of order, holes, files between, and the socket wanted anywhere."""
    code = """
import random, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (8000, 8000))
socks = []
for port in range(40000, 45000):
    socks.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)); socks[-1].bind(('127.0.0.1', port))
for i in range(500, 5000, 7): socks[i].close()
for i in range(1000): os.open('/dev/null', os.O_RDONLY)
%s
"""
    shuffle = "for i in range(100, 4000): os.dup2(socks[i].fileno(), 7999) if i % 7 != 3 else None"
    for more in ("", shuffle):
        with program(code % more) as process:
            for port in (40000, 40001, 40499, 42345, 44000, 44999):
                if (port - 40500) % 7 == 0 and port >= 40500:
                    continue
                assert pids_of(holder_at(port)) == {process.pid}, port
            [row] = told_json("holders", "--process", process.pid)["holders"]
            assert row["udp"] == row["port_count"] == 5000 - len(range(500, 5000, 7))


def test_hostile_words(namespace: None):
    """What a program calls itself, and its arguments, must drive neither the terminal nor JSON."""
    rename = "import ctypes; ctypes.CDLL(None).prctl(15, b'\\x1b]0;x\\x07\\xff) S 1 2', 0, 0, 0)"
    with program("%s\n%s" % (rename, UDP % 50070)) as process:
        for out in (told("port", 50070), told("holders"), told("port", 50070, 50071)):
            assert "\x1b" not in out and "\x07" not in out and "\\x1b]0;x\\x07" in out
        [found] = holder_at(50070)["processes"]
        assert (found["pid"], found["name"]) == (process.pid, "\\x1b]0;x\\x07\\xff) S 1 2") and found["since"] > 0
    with program(UDP % 50070 + "\n# \x1b[2J\u202e\n") as process:
        command = holder_at(50070)["processes"][0]["command"]
        assert "\\x1b[2J\\u202e" in command and "\x1b" not in told("port", 50070)


def test_processes_that_come_and_go(namespace: None):
    """/proc changes while it is read: never an error, and what stays is always found."""
    churn = "import subprocess\nwhile True: [p.wait() for p in [subprocess.Popen(['true']) for _ in range(20)]]"
    with subprocess.Popen([sys.executable, "-c", churn], process_group=0) as busy, bound(50080):
        try:
            for _ in range(15):
                assert pids_of(holder_at(50080)) == {os.getpid()}
                rows = told_json("holders", "--process", os.getpid())["holders"]
                assert [row["ports"] for row in rows] == [["50080"]]
        finally:
            os.killpg(busy.pid, signal.SIGKILL)


# --- users ---


@pytest.fixture
def public_berth() -> Iterator[Path]:
    """Where another user may run it."""
    place = Path(tempfile.mkdtemp(prefix="berth-inspect."))
    place.chmod(0o755)
    shutil.copy(BUILD / "berth", place)
    yield place / "berth"
    shutil.rmtree(place)


def test_another_user(namespace: None, public_berth: Path):
    with program(UDP % 50090, user=NOBODY, group=NOBODY) as process, bound(50091):
        holder = holder_at(50090)
        assert (holder["uid"], pids_of(holder)) == (NOBODY, {process.pid})
        assert "(pid %d, user nobody)" % process.pid in told("port", 50090)
        # As that user: the own is found, root's is not, and it says what root would add.
        as_nobody: dict[str, Any] = {"program": public_berth, "user": NOBODY, "group": NOBODY, "extra_groups": [],
                                     "env": dict(os.environ, BERTH_SOCKET="/nonexistent"), "cwd": "/"}
        assert pids_of(holder_at(50090, **as_nobody)) == {process.pid}
        found = look(50091, **as_nobody)
        assert [(one["found"], one["user"], one["processes"]) for one in found["holders"]] == [("denied", "root", [])]
        assert found["searched"]["processes_denied"] and found["searched"]["namespaces_denied"]
        out = told("port", 50091, **as_nobody)
        assert "a process of user root hears everybody here" in out and "root would see it" in out
        assert "root would look into those too" in out
        out = told("holders", **as_nobody)
        assert re.search(r"^\(not permitted\) +- +root .* 50091$", out, re.M) and "50090" in out


# --- network namespaces ---


def test_an_unnamed_namespace(namespace: None):
    with program(UDP % 50100, "unshare", "-n") as process:
        wait_until(lambda: Path("/proc/%d/comm" % process.pid).read_text() == "python3\n")
        found = look(50100)
        [holder] = [one for one in found["holders"] if pids_of(one) == {process.pid}]
        assert found["verdict"]["key"] == "free" and "in another network namespace, " in found["verdict"]["text"]
        assert holder["namespace"]["pid"] == process.pid
        assert holder["namespace"]["id"] == os.stat("/proc/%d/ns/net" % process.pid).st_ino
        assert found["here"]["udp"]["ipv4"] == "free" and not holder["namespace"]["ours"]
        assert "in network namespace %d, pid %d lives in it\n" % (holder["namespace"]["id"], process.pid) in told("port", 50100)
        with bound(50100):  # where ours has a holder, asking all processes takes a word
            assert {process.pid} not in map(pids_of, look(50100)["holders"]) and "--everywhere" in told("port", 50100)
            both = look(50100, "--everywhere")["holders"]
            assert [one["namespace"]["ours"] for one in both][:2] == [True, False]
            assert pids_of(both[0]) == {os.getpid()} and {process.pid} in map(pids_of, both[1:])


def test_a_named_namespace(namespace: None):
    """Nobody but its holder lives there, and that one lives elsewhere: only the name leads to it."""
    name = "berth-test-%d" % os.getpid()
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("ip netns add: " + done.stderr.strip())
    leave = """
import ctypes
libc, home = ctypes.CDLL(None, use_errno=True), os.open('/proc/self/ns/net', os.O_RDONLY)
assert libc.setns(os.open('/run/netns/%s', os.O_RDONLY), 0) == 0
%s
assert libc.setns(home, 0) == 0
""" % (name, UDP.replace("127.0.0.1", "0.0.0.0") % 50110)
    try:
        with program(leave) as process, bound(50110):
            holders = [one for one in look(50110)["holders"] if one["namespace"]["name"] in (None, name)]
            assert [one["namespace"]["name"] for one in holders] == [None, name]
            assert [pids_of(one) for one in holders] == [{os.getpid()}, {process.pid}]
            rows = told_json("holders", "--process", process.pid)["holders"]
            assert [(row["namespace"]["name"], row["ports"]) for row in rows] == [(name, ["50110"])]
            assert re.search(r"netns %s\b.* 50110$" % name[:20], told("holders"), re.M)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


# --- cgroups ---


@pytest.fixture
def cgroup() -> Iterator[Callable[[str], Path]]:
    """cgroup(name) makes one below a cgroup of the test's own, with version 2."""
    made: list[Path] = []
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    roots = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    if not roots:
        pytest.skip("no cgroup v2 is mounted")

    def make(name: str) -> Path:
        made.append(roots[0] / ("berth-test-%d-%d" % (os.getpid(), len(made))))
        try:
            (made[-1] / name).mkdir(parents=True)
        except OSError as error:
            pytest.skip("no cgroup can be made: %s" % error)
        made.append(made.pop() / name)
        return made[-1]

    yield make
    for path in made:
        wait_until(lambda: not (path / "cgroup.procs").read_text())
        path.rmdir()
        path.parent.rmdir()


def into(path: Path) -> str:
    return "open('%s/cgroup.procs', 'w').write('0')" % path


def test_a_container(namespace: None, cgroup: Callable[[str], Path]):
    with program("%s\n%s" % (into(cgroup("docker-%s.scope" % ID)), UDP % 50120)) as process:
        holder = holder_at(50120)
        assert holder["found"] == "cgroup" and pids_of(holder) == {process.pid}
        assert (holder["processes"][0]["runtime"], holder["processes"][0]["container"]) == ("docker", ID)
        assert "container docker %s\n" % ID[:12] in told("port", 50120)
        assert "docker %s " % ID[:12] in told("holders", "--process", process.pid)


def test_a_unit_and_its_children(namespace: None, cgroup: Callable[[str], Path]):
    """All of the cgroup that have it are found; a table of thousands is no obstacle."""
    code = "%s\n%s\nos.set_inheritable(sock.fileno(), True)\nimport subprocess\n" % (into(cgroup("web.service")), UDP % 50121)
    child = "child = subprocess.Popen(['sleep', '1000'], close_fds=False)\nimport atexit; atexit.register(child.kill)"
    with program(code + child) as process:
        holder = holder_at(50121)
        assert holder["found"] == "cgroup" and len(pids_of(holder)) == 2 and process.pid in pids_of(holder)
        assert {one["unit"] for one in holder["processes"]} == {"web.service"}


def test_a_socket_that_a_manager_opened(namespace: None, cgroup: Callable[[str], Path]):
    """Socket activation: what systemd has is searched for everywhere."""
    rename = "import ctypes; ctypes.CDLL(None).prctl(15, b'systemd', 0, 0, 0)"
    service = """
import subprocess, atexit
def enter(): %s
child = subprocess.Popen(['sleep', '1000'], close_fds=False, preexec_fn=enter); atexit.register(child.kill)
""" % into(cgroup("web.service"))
    code = [into(cgroup("init.scope")), rename, UDP % 50122, "os.set_inheritable(sock.fileno(), True)", service]
    with program("\n".join(code)) as process:
        holder = holder_at(50122)
        assert holder["found"] == "bisected" and len(pids_of(holder)) == 2
        assert {one["unit"] for one in holder["processes"]} == {"init.scope", "web.service"} and process.pid in pids_of(holder)


def test_a_process_that_moved(namespace: None, cgroup: Callable[[str], Path]):
    """The socket remembers the cgroup that made it, even where nobody is left there."""
    old, new = cgroup("old.service"), cgroup("new.service")
    with program("%s\n%s\n%s" % (into(old), UDP % 50123, into(new))) as process:
        holder = holder_at(50123)
        assert holder["found"] == "bisected" and pids_of(holder) == {process.pid}
        assert holder["processes"][0]["unit"] == "new.service"


# --- pools ---


def test_a_pool_as_windows_has_one(namespace: None):
    hold = """
import random
socks = []
for port in [60054] + random.sample(range(49152, 60000), 5999):
    socks.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)); socks[-1].bind(('0.0.0.0', port))
"""
    with program("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8000, 8000))" + hold) as process, bound(60055):
        found = look(60054)
        assert found["verdict"]["key"] == "foreign-pool" and pids_of(found["holders"][0]) == {process.pid}
        share = int(re.search(r"about (\d+)% of the dynamic range", found["verdict"]["text"])[1])
        assert 5 <= share <= 75  # 36.6 are held; reckoned from 64 that are drawn
        assert look(60055)["verdict"]["key"] == "service", "one socket is no pool"


def test_ports_that_berthd_holds_ahead(net: Callable[..., Net], begin: Callable[..., Daemon]):
    world = net(ZONE, {SERVER: lambda heard: heard.denial("port.test.")})
    sh("ip route add default dev lo")  # without a way out there is nothing to hold ports for
    daemon = begin(world, ports={"lend": "reserved", "pool": 16})
    [row] = told_json("holders", "--process", daemon.pid, "--dynamic")["holders"]
    assert row["process"]["name"] == "berthd" and row["port_count"] >= 16
    first = int(row["ports"][0].partition("-")[0])
    found = look(first, "--socket", str(daemon.socket))
    assert found["verdict"]["key"] == "pool" and found["berthd"]["held"]
    assert found["verdict"]["text"].startswith("held by the DNS pool of berthd (pid %d" % daemon.pid)
    assert all(pids_of(one) == {daemon.pid} for one in found["holders"])


def test_a_port_that_berthd_lends(net: Callable[..., Net], begin: Callable[..., Daemon]):
    daemon = begin(net(ZONE, {SERVER: lambda heard: None}))
    with subprocess.Popen([str(BUILD / "berth"), "--socket", str(daemon.socket), "query", "x.port.test"],
                          stdout=subprocess.DEVNULL):
        def lent() -> Any:
            rows = told_json("holders", "--process", daemon.pid, "--dynamic", "--udp")["holders"]
            ports = [int(port) for row in rows for port in row["ports"] if "-" not in port]
            found = [look(port, "--socket", str(daemon.socket)) for port in ports]
            return next((one for one in found if one["verdict"]["key"] == "lent"), None)

        found = wait_until(lent, 8 * SLOWER)
        assert re.match(r"lent by berthd, to ask 127\.7\.0\.1@53 for \S*port\.test\. \w+, [0-9.]+ m?s ago: unremarkable(; [0-9]+ loans? since .*)?$",
                        found["verdict"]["text"])
        assert [pids_of(one) for one in found["holders"]] == [{daemon.pid}]


# --- berth holders ---


def test_filters_and_order(namespace: None):
    many = "socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]\n" \
           "[sock.bind(('127.0.0.1', 50200 + 2 * i)) for i, sock in enumerate(socks)]"
    with program(many) as process, bound(50300, socket.SOCK_STREAM) as listener, bound(700, socket.SOCK_STREAM) as low, \
            bound(50301) as connected:
        listener.listen(1)
        low.listen(1)
        connected.connect(("127.0.0.1", 53))

        def rows(*words: str) -> list[tuple[int, list[str]]]:
            return [(row["process"]["pid"], row["ports"]) for row in told_json("holders", *words)["holders"]
                    if row["namespace"]["ours"]]

        theirs = [str(50200 + 2 * i) for i in range(20)]
        assert rows() == [(process.pid, theirs), (os.getpid(), ["700", "50300-50301"])]
        assert rows("--dynamic") == [(process.pid, theirs), (os.getpid(), ["50300-50301"])]
        assert rows("--udp") == [(process.pid, theirs), (os.getpid(), ["50301"])]
        assert rows("--listening") == [(process.pid, theirs), (os.getpid(), ["700", "50300"])]
        assert rows("--listening", "--udp") == [(process.pid, theirs)]
        assert rows("--process", str(os.getpid()), "--dynamic") == [(os.getpid(), ["50300-50301"])]
        assert rows("--process", "PYTHON", "--udp", "--listening") == [(process.pid, theirs)]
        assert rows("--process", "no such name") == []
        lines = told("holders", "--udp", "--process", process.pid).splitlines()
        assert lines[0].split() == ["process", "pid", "user", "where", "udp", "listen", "tcp", "ports", "which"]
        assert lines[1].split()[:3] == ["python3", str(process.pid), "root"] and lines[1].split()[4:8] == ["20", "0", "0", "20"]
        assert lines[1].endswith(", ...") and (len(lines) == 2 or lines[2] == "")
    assert told("holders", "--process", "no such name").startswith("Nobody holds such a port.\n")


@pytest.mark.parametrize("words, complaint", [
    (["holders", "443"], "berth port 443"), (["port", "443", "--udp"], "--udp belongs to berth holders"),
    (["holders", "--everywhere"], "--everywhere belongs to berth port"), (["holders", "--process"], "needs a value")])
def test_words_that_are_wrong(words: list[str], complaint: str):
    done = subprocess.run([str(BUILD / "berth"), *words], capture_output=True, text=True)
    assert done.returncode == 2 and complaint in done.stderr and done.stdout == ""
