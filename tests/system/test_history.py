"""Does berthd keep what its ports did, and does nothing else suffer when it cannot?"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from net import Net
from support import BUILD, SLOWER, Daemon, ask, wait_until

LAB = ["--names", 20, "--root-zone", Path(__file__).with_name("tlds.zone")]

SERVER = "127.7.0.1"
ZONE = {"port.test.": {"ns.port.test.": SERVER}}
RECORDS = {"www.port.test.": {"A": "192.0.2.7"}}
NOBODY = pwd.getpwnam("nobody")


def tool(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BUILD / "berth"), "--socket", str(daemon.socket), *words], capture_output=True, text=True,
                          timeout=60 * SLOWER)


def rows(file: Path, sql: str) -> list[Any]:
    with sqlite3.connect("file:%s?mode=ro" % file, uri=True) as db:
        return db.execute(sql).fetchall()


def history(daemon: Daemon) -> dict[str, Any]:
    return daemon.control("status")["history"]


def ask_some(count: int = 20) -> None:
    for n in range(count):
        ask("www%d.glued.lab" % n)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may pass, as pytest's own is not: the lab's process ids come again, so it is drawn."""
    folder = Path(tempfile.mkdtemp(prefix="berth-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_loans_are_kept_over_restarts(start: Callable[..., Daemon]):
    daemon = start()
    ask_some()
    wait_until(lambda: history(daemon)["loans"] >= 3)
    state = history(daemon)
    assert (state["state"], state["file"]) == ("on", str(daemon.directory / "history.db"))
    ask("one-more.glued.lab")  # and at once the end: it must not be lost
    daemon.finish()
    kept = rows(daemon.directory / "history.db", "select sum(count), sum(lost) from loans")[0]
    assert kept[0] > state["loans"] and kept[1] == 0
    daemon.start()
    assert history(daemon)["loans"] == kept[0]


def test_every_loan_is_there_once(start: Callable[..., Daemon]):
    """What the counters call lent is in the file, no more and no less."""
    daemon = start()
    ask_some(100)
    daemon.control("query", name="www.dead.lab.", type="A")  # lingers, and ends late
    time.sleep(1.2)
    counters = daemon.counters()
    daemon.finish()
    count, lost = rows(daemon.directory / "history.db", "select sum(count), sum(lost) from loans")[0]
    assert (count, lost) == (counters["loans"], 0)


def test_off_means_no_file(start: Callable[..., Daemon]):
    daemon = start(history={"loans": False})
    ask_some(3)
    assert history(daemon) == {"state": "off"}
    assert not (Path("/var/lib/berth/history.db").exists() and os.environ.get("BERTH_LAB") is None)
    assert not list(daemon.directory.glob("history*"))


def no_history(daemon: Daemon, words: str) -> None:
    """It says so once, and answers."""
    ask_some(3)
    state = history(daemon)
    assert state["state"] == "none" and words in state["why"], state
    assert daemon.log.count("no history is kept") == 1
    daemon.check_alive()


@pytest.mark.parametrize("content, words", [
    (b"this is no database\n" * 400, "broken"),
    (b"SQLite format 3\0" + os.urandom(9000), "broken"),
], ids=["garbage", "scribbled"])
def test_a_broken_file_is_left_alone(start: Callable[..., Daemon], tmp_path: Path, content: bytes, words: str):
    file = tmp_path / "h.db"
    file.write_bytes(content)
    daemon = start(history={"file": str(file)})
    no_history(daemon, words)
    daemon.finish()
    assert file.read_bytes() == content


def test_a_stranger_s_and_a_newer_file_are_left_alone(start: Callable[..., Daemon], tmp_path: Path):
    for name, sql, words in (("a", "create table cookies (a)", "another program"),
                             ("b", "pragma application_id = 1114797160; pragma user_version = 9; create table loans (a)",
                              "newer berthd")):
        file = tmp_path / name
        with sqlite3.connect(file) as db:
            db.executescript(sql)
        before = file.read_bytes()
        daemon = start(history={"file": str(file)})
        no_history(daemon, words)
        daemon.finish()
        assert file.read_bytes() == before


def test_a_folder_that_cannot_be_made(start: Callable[..., Daemon]):
    no_history(start(history={"file": "/proc/berth/history.db"}), "/proc/berth/history.db")


def test_two_daemons_one_file(start: Callable[..., Daemon], tmp_path: Path):
    file = str(tmp_path / "h.db")
    first = start(history={"file": file})
    second = start(listen=["127.0.0.2"], history={"file": file})
    assert "another berthd writes it" in history(second)["why"]
    ask_some(5)
    wait_until(lambda: history(first)["loans"] > 0)
    second.finish()
    assert history(first)["state"] == "on"


def test_a_full_disk_ends_the_history_alone(start: Callable[..., Daemon], tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    # The lab has a mount namespace of its own.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=True)
    try:
        daemon = start(history={"file": str(disk / "h.db"), "size": "64M"})
        ask("www.glued.lab")
        wait_until(lambda: history(daemon)["loans"] > 0)
        (disk / "filler").write_bytes(b"")
        with open(disk / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass
        for n in range(200):
            ask("full%d.glued.lab" % n)
            if n % 20 == 0:
                time.sleep(0.3)
            if history(daemon)["state"] == "stopped":
                break
        wait_until(lambda: history(daemon)["state"] == "stopped")
        assert daemon.log.count("the disk is full") == 1
        daemon.check_alive()
        (disk / "filler").unlink()
        daemon.finish()
        daemon.start()
        assert history(daemon)["state"] == "on"
        daemon.finish()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_killed_in_the_middle(start: Callable[..., Daemon]):
    daemon = start()
    ask_some()
    wait_until(lambda: history(daemon)["loans"] > 0)
    before = history(daemon)["loans"]
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait()
    daemon.process = None
    daemon.start()
    assert history(daemon)["loans"] >= before


def test_a_changed_history_needs_a_restart(start: Callable[..., Daemon], tmp_path: Path):
    daemon = start()
    daemon.write({"history": {"loans": False}})
    warnings = daemon.control("reload")["warnings"]
    assert any(line.startswith("history has changed") for line in warnings), warnings


def test_the_folder_is_the_user_s(start: Callable[..., Daemon], public: Path):
    """What berthd becomes after its start has to be able to write there."""
    daemon = start(user="nobody", history={"file": public / "made" / "deep" / "history.db"})
    ask_some(3)
    wait_until(lambda: history(daemon)["loans"] > 0)
    folder = (public / "made" / "deep").stat()
    assert folder.st_uid == NOBODY.pw_uid and folder.st_mode & 0o022 == 0


def test_who_may_read_it(start: Callable[..., Daemon]):
    daemon = start()
    ask_some(3)
    wait_until(lambda: history(daemon)["loans"] > 0)
    for file in daemon.directory.glob("history.db*"):
        assert file.stat().st_mode & 0o777 & ~0o640 == 0, file


# --- looking back ---


def told_json(daemon: Daemon, *words: str) -> Any:
    done = tool(daemon, "--json", *words)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def a_loan(daemon: Daemon) -> dict[str, Any]:
    ask_some(5)
    wait_until(lambda: history(daemon)["loans"] > 0)
    return told_json(daemon, "port", "1-65535", "--since", "1m")["loans"][0]


def test_the_past_of_a_port(start: Callable[..., Daemon]):
    daemon = start()
    loan = a_loan(daemon)
    port = str(loan["port"])
    minute = time.strftime("%Y-%m-%dT%H:%M", time.localtime(loan["at"]))
    for words in (["--since", "1h"], ["--at", minute], ["--at", minute.partition("T")[2]]):
        past = told_json(daemon, "port", port, *words)
        assert loan in past["loans"] and past["loans_in_all"] == len(past["loans"]), words
        assert past["file"] == str(daemon.directory / "history.db")
    assert told_json(daemon, "port", port, "--at", "2020-01-01")["loans"] == []
    assert [one["port"] for one in told_json(daemon, "port", "1-65535", "--since", "1m")["loans"]] != []
    out = tool(daemon, "port", port, "--since", "1h").stdout
    assert loan["question"] in out and loan["server"] in out and "loan begun" in out or "loans begun" in out
    # And without berthd, from where it would be.
    daemon.finish()
    env = dict(os.environ, XDG_STATE_HOME=str(daemon.directory / "state"))
    done = subprocess.run([str(BUILD / "berth"), "--socket", "/nowhere", "port", port, "--since", "1h"], env=env,
                          capture_output=True, text=True)
    assert done.returncode in (0, 1) and ("there is no history" in done.stderr or "/var/lib/berth" in done.stdout)


@pytest.mark.parametrize("words, complaint", [
    (["--at", "noon"], "is not a moment of the past"),
    (["--since", "2099-01-01"], "is not a moment of the past"),
    (["--at", "14:02", "--since", "1h"], "name one"),
])
def test_moments_that_are_none(start: Callable[..., Daemon], words: list[str], complaint: str):
    done = tool(start(), "port", "60054", *words)
    assert done.returncode == 2 and complaint in done.stderr


def test_who_may_not_read_is_told(start: Callable[..., Daemon], tmp_path: Path):
    daemon = start()
    a_loan(daemon)
    file = daemon.directory / "history.db"
    for folder in [daemon.directory, *daemon.directory.parents]:
        if str(folder).startswith("/tmp"):
            folder.chmod(0o755)
    code = subprocess.run(
        # Nobody's user and group may own this machine's own history, which some berthd left here: these own nothing.
        ["setpriv", "--reuid", "60123", "--clear-groups", "--regid", "60123", str(BUILD / "berth"),
         "--socket", "/nowhere", "port", "60054", "--since", "1h"],
        env={"XDG_STATE_HOME": str(tmp_path), "PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert code.returncode == 1 and ("no history" in code.stderr or "may not be read" in code.stderr), code
    assert file.exists()


def test_the_verdict_knows_the_last_loan(start: Callable[..., Daemon]):
    daemon = start()
    loan = a_loan(daemon)
    page = told_json(daemon, "port", str(loan["port"]))["ports"][0]
    assert page["berthd"]["loan_count"] >= 1 and page["berthd"]["loans_since"] <= loan["at"] + 0.001
    assert "berthd lent it for" in page["verdict"]["text"] and " ago; " in page["verdict"]["text"], page["verdict"]
    assert "by hand on Windows" in tool(daemon, "port", "60054", "--by-hand").stdout
    assert "netstat -ano | findstr :60054" in tool(daemon, "port", "60054", "--by-hand").stdout


# --- the machine's ports ---


def holdings(daemon: Daemon, port: int) -> list[dict[str, Any]]:
    return told_json(daemon, "port", str(port), "--since", "1h")["holdings"]


def test_who_held_a_port(start: Callable[..., Daemon], public: Path):
    daemon = start(history={"watch": True, "file": public / "history.db"})
    tcp, udp = 20124, 20123
    listener = socket.create_server(("127.0.0.1", tcp))
    waiting = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    waiting.bind(("127.0.0.1", udp))
    client = socket.create_connection(("127.0.0.1", tcp), source_address=("127.0.0.1", 40123))
    accepted, _ = listener.accept()
    wait_until(lambda: holdings(daemon, udp), 60 * SLOWER)  # it rests fifty times as long as it looks
    for port, transport, state in ((tcp, "tcp", "listening"), (udp, "udp", "unconnected"),
                                   (client.getsockname()[1], "tcp", "connected")):
        [one] = holdings(daemon, port)  # of the listener's port one: not what it accepted
        assert (one["transport"], one["state"], one["until"], one["end"]) == (transport, state, None, "held still"), one
        assert one["pid"] == os.getpid() and "python" in one["who"] or "pytest" in one["who"], one
    ask_some(50)
    waiting.close()
    end_s = time.time()
    wait_until(lambda: holdings(daemon, udp)[0]["until"], 10 * SLOWER)
    [one] = holdings(daemon, udp)
    assert one["end"] == "ended" and abs(one["until"] - end_s) < 2 * SLOWER
    # One that is gone before the next list is known by its end alone.
    brief = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    brief.bind(("127.0.0.1", 0))
    port = brief.getsockname()[1]
    brief.connect(("127.0.0.1", 9))
    brief.close()
    wait_until(lambda: holdings(daemon, port), 15 * SLOWER)
    assert holdings(daemon, port)[0]["since_before"]
    # berthd's own loans are not holders: none of its servers is anybody's peer.
    everything = told_json(daemon, "port", "1-65535", "--since", "1h")
    servers = {one["server"] for one in everything["loans"]}
    assert servers and not servers & {one["peer"] for one in everything["holdings"]}
    daemon.finish()
    daemon.start()
    assert holdings(daemon, tcp)[-1]["end"] == "watch ended"
    for one in (listener, client, accepted):
        one.close()
    daemon.finish()


def test_the_scout_keeps_two_rights_and_ends_with_berthd(start: Callable[..., Daemon], public: Path):
    daemon = start(history={"watch": True, "file": public / "history.db"})
    children = Path("/proc/%d/task/%d/children" % (daemon.pid, daemon.pid)).read_text().split()
    assert len(children) == 1
    status = Path("/proc/%s/status" % children[0]).read_text()
    rights = int([line for line in status.splitlines() if line.startswith("CapEff")][0].split()[1], 16)
    assert rights & ~(1 << 19 | 1 << 2) == 0  # CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH
    descriptors = sorted(map(int, os.listdir("/proc/%s/fd" % children[0])))
    assert descriptors == [0, 1, 2, 3]
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait()
    daemon.process = None
    wait_until(lambda: not Path("/proc/%s" % children[0]).exists()
               or "Z" in Path("/proc/%s/stat" % children[0]).read_text().split(")")[-1].split()[0])


# --- the map ---


def test_the_map_has_every_kind(start: Callable[..., Daemon]):
    daemon = start(ports={"lend": "reserved", "pool": 40})
    # None where berthd holds one: to its pool a map gives the cell.
    listener = socket.create_server(("127.0.0.1", 20124))
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 20123))
    bound.connect(("127.0.0.1", 9))
    client = socket.create_connection(listener.getsockname(), source_address=("127.0.0.1", 40124))
    ask_some(5)
    seen = told_json(daemon, "map")
    assert seen["berthd"] and sum(seen["counts"].values()) == 65536

    def state_of(port: int) -> str:
        for state, ranges in seen["ports"].items():
            if any(int(one.split("-")[0]) <= port <= int(one.split("-")[-1]) for one in ranges):
                return state
        return "free"

    assert state_of(53) == "listening" and state_of(listener.getsockname()[1]) == "listening"
    assert state_of(20123) == "held" and state_of(client.getsockname()[1]) == "ephemeral"
    assert seen["counts"]["berthd's pool"] + seen["counts"]["lent now"] >= 40
    udp = told_json(daemon, "map", "--udp", "1-30000")
    assert "20123" in udp["ports"]["held"] and (udp["first"], udp["last"]) == (1, 30000)
    assert "20123" not in told_json(daemon, "map", "--tcp", "1-30000")["ports"]["held"]
    out = tool(daemon, "map", "20100-20163").stdout
    assert "a cell is 1 port" in out and "20100  " + "." * 23 + "hL" in out, out
    for one in (listener, bound, client):
        one.close()
    fresh = start(listen=["127.0.0.2"])
    ask("fresh.glued.lab", where="127.0.0.2")
    assert told_json(fresh, "map")["counts"]["lent recently"] >= 1


@pytest.mark.parametrize("words, complaint", [
    (["60054"], "is not a range of ports"), (["a-b"], "is not a range of ports"), (["1-9", "2-8"], "one word too many"),
    (["--watch", "soon"], "is not a time between two looks"), (["--listening"], "--listening belongs to berth holders"),
])
def test_maps_that_are_none(start: Callable[..., Daemon], words: list[str], complaint: str):
    done = tool(start(), "map", *words)
    assert done.returncode == 2 and complaint in done.stderr, done


def in_tmux(daemon: Daemon, columns: int, rows: int, word: str, *words: str) -> list[str]:
    """What a terminal of that size shows, once the word is there; the view must end with q."""
    server = ["tmux", "-S", str(daemon.directory / "tmux"), "-f", "/dev/null"]
    command = " ".join([str(BUILD / "berth"), "--socket", str(daemon.socket), *words])
    subprocess.run([*server, "new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows), command],
                   check=True, env=dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color"))
    try:
        def screen() -> str:
            shown = subprocess.run([*server, "capture-pane", "-p", "-t", "t"], capture_output=True, text=True, check=True,
                                   env=dict(os.environ, LC_ALL="C.UTF-8")).stdout
            return shown if word in shown else ""

        wait_until(screen)
        time.sleep(1.2)  # and two more looks
        shown = wait_until(screen)
        subprocess.run([*server, "send-keys", "-t", "t", "q"], check=True)
        wait_until(lambda: subprocess.run([*server, "has-session", "-t", "t"], capture_output=True).returncode != 0)
    finally:
        subprocess.run([*server, "kill-server"], capture_output=True)
    return shown.split("\n")


@pytest.mark.parametrize("columns, rows", [(80, 24), (150, 50), (40, 12)])
def test_the_map_live_fits_the_terminal(start: Callable[..., Daemon], columns: int, rows: int):
    daemon = start()
    shown = in_tmux(daemon, columns, rows, "listening", "map", "--watch", "0.5")
    picture = [line for line in shown if "\u2580" in line]
    assert shown[0].startswith("Ports 0-65535") and picture, shown
    assert max(map(len, picture)) <= columns and len(picture) <= rows - 5
    assert picture[0].startswith("    0  ") and len({len(line) for line in picture}) == 1
    assert any("listening" in line for line in shown)


def test_the_holders_live(start: Callable[..., Daemon]):
    daemon = start()
    shown = in_tmux(daemon, 120, 20, "berthd", "holders", "--watch", "0.5")
    assert shown[0].startswith("Who holds ports") and any("berthd" in line for line in shown), shown
    first = subprocess.Popen([str(BUILD / "berth"), "holders", "--watch", "0.2"], stdout=subprocess.PIPE, text=True)
    lines = [json.loads(first.stdout.readline()) for _ in range(2)]
    first.terminate()
    first.wait()
    assert all("holders" in line for line in lines)


# --- names and registries ---


def test_a_newer_registry_of_the_user(tmp_path: Path):
    env = dict(os.environ, XDG_STATE_HOME=str(tmp_path), HOME=str(tmp_path))

    def berth(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["setpriv", "--reuid", str(NOBODY.pw_uid), "--clear-groups", "--regid", str(NOBODY.pw_gid),
                               str(BUILD / "berth"), "--socket", "/nowhere", *words], env=env, capture_output=True, text=True)

    for folder in [tmp_path, *tmp_path.parents]:
        if str(folder).startswith("/tmp"):
            folder.chmod(0o755)
    os.chown(tmp_path, NOBODY.pw_uid, NOBODY.pw_gid)
    source = tmp_path / "new.csv"
    source.write_text("Service Name,Port Number,Transport Protocol,Description,Reference,Assignment Notes,Modification Date\n"
                      "domain,53,udp,Names of all things,[RFC1035],,2031-02-03\nnewthing,60054,udp,What is new,,,\n")
    source.chmod(0o644)
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("this,is,no registry\n")
    wrong.chmod(0o644)
    assert json.loads(berth("--json", "registry").stdout)["file"] is None
    before = berth("service", "newthing")
    assert before.returncode == 1
    done = berth("registry", "import", str(source))
    assert done.returncode == 0 and "2031-02-03" in done.stdout and str(tmp_path) in done.stdout, done
    refused = berth("registry", "import", str(wrong))
    assert refused.returncode == 1 and "nothing was changed" in refused.stderr and refused.stderr.count("\n") == 1
    assert "What is new" in berth("service", "newthing").stdout
    page = json.loads(berth("--json", "port", "60054").stdout)["ports"][0]
    assert page["services"][0]["description"] == "What is new"
    assert "Names of all things" in berth("port", ":domain").stdout
    kept = tmp_path / "berth" / "registry"
    kept.write_bytes(kept.read_bytes()[:-1])
    broken = json.loads(berth("--json", "registry").stdout)
    assert broken["file"] is None and "import it again" in broken["trouble"]
    assert berth("registry", "forget").returncode == 0 and not kept.exists()
    assert berth("registry", "forget").returncode == 1


def test_names_for_ports(start: Callable[..., Daemon]):
    shared = start()

    def ports(*words: str) -> list[int]:
        return [one["port"] for one in told_json(shared, "port", *words)["ports"]]

    assert ports(":domain") == [53] and ports("domain") == [53] and ports(":443") == [443]
    assert ports("http-alt") == [591, 8008, 8080] and len(ports("x11")) == 64
    done = tool(shared, "port", ":domian")
    assert done.returncode == 2 and "did you mean domain?" in done.stderr


def test_a_private_service_of_the_services_file(start: Callable[..., Daemon], public: Path):
    """The lab has a mount namespace of its own: the machine's file stays as it is."""
    shared = start()
    mine = public / "services"
    mine.write_text(Path("/etc/services").read_text() + "mine-alone 60123/udp mine-alias\n" + "x" * 100000 + "\n")
    subprocess.run(["mount", "--bind", str(mine), "/etc/services"], check=True)
    try:
        assert "60123" in tool(shared, "service", "mine-alone").stdout
        assert "60123" in tool(shared, "service", "mine-alias").stdout
        assert [one["port"] for one in told_json(shared, "port", ":mine-alias")["ports"]] == [60123]
        assert "mine-alone, on UDP alone" in tool(shared, "port", "60123").stdout
    finally:
        subprocess.run(["umount", "/etc/services"], check=True)


def test_a_reader_in_the_page_leaves_the_writers_locks(start: Callable[..., Daemon]):
    """Closing any descriptor of a file drops the locks that its process has on it (fcntl(2))."""
    daemon = start(web={"listen": ["127.0.0.1@8053"], "votes": "none"})
    ask_some(5)
    wait_until(lambda: history(daemon)["loans"] > 0)
    inodes = {":%d" % (daemon.directory / name).stat().st_ino for name in ("history.db", "history.db-shm")}
    def locks() -> set[str]:
        """Both are locked by POSIX's locks of this process for as long as SQLite has them open."""
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return {row[5][row[5].rindex(":"):] for row in rows if row[1] == "POSIX" and row[5][row[5].rindex(":"):] in inodes}
    assert locks() == inodes
    for _ in range(3):
        with urllib.request.urlopen("http://127.0.0.1:8053/api/v1/history/53", timeout=10 * SLOWER) as reply:
            assert "loans" in json.load(reply)
    assert locks() == inodes


def test_the_end_waits_for_no_scout(start: Callable[..., Daemon], public: Path):
    """The process that finds owners may hang: SIGSTOP stands for a file system that does not answer."""
    daemon = start(history={"watch": True, "file": public / "made" / "history.db"}, user="nobody")
    scout = int(Path("/proc/%d/task/%d/children" % (daemon.pid, daemon.pid)).read_text().split()[0])
    assert Path("/proc/%d/status" % scout).read_text().split("Uid:")[1].split()[0] == str(NOBODY.pw_uid)
    os.kill(scout, signal.SIGSTOP)
    with socket.create_server(("127.0.0.1", 4711)):
        time.sleep(3)  # it is asked for the owner
        assert daemon.finish() < 1 * SLOWER
    wait_until(lambda: not Path("/proc/%d" % scout).exists())


@pytest.mark.parametrize("web", [{"listen": ["127.0.0.1@8053"]}, {"listen": []}], ids=["page", "no page"])
def test_the_folder_of_history_and_votes(start: Callable[..., Daemon], public: Path, web: dict[str, Any]):
    """Made once, for both: of the daemon's user, and for its group to pass."""
    folder = public / "made"
    daemon = start(history={"file": folder / "history.db"}, web={**web, "votes": folder / "votes.db"}, user="nobody")
    state = folder.stat()
    assert (state.st_uid, state.st_mode & 0o7777) == (NOBODY.pw_uid, 0o2751)
    if web["listen"]:
        request = urllib.request.Request("http://127.0.0.1:8053/api/v1/vote", b'{"port": 53, "face": "yes"}', {
            "Content-Type": "application/json", "Origin": "http://127.0.0.1:8053"})
        with urllib.request.urlopen(request, timeout=10 * SLOWER) as reply:
            assert json.load(reply)["mine"] == "yes"
        votes = (folder / "votes.db").stat()
        assert (votes.st_uid, votes.st_mode & 0o7777) == (NOBODY.pw_uid, 0o640)


def test_what_is_kept_no_more_is_told_no_more(start: Callable[..., Daemon]):
    """The file of before stays where it is, for who may read files; the page is silent of it."""
    page = {"listen": ["127.0.0.1@8053"], "votes": "none"}
    def told(port: int = 52000) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen("http://127.0.0.1:8053/api/v1/history/%d" % port, timeout=10 * SLOWER) as reply:
                return reply.status, json.load(reply)["loans"]
        except urllib.error.HTTPError as error:
            return error.code, None
    daemon = start(web=page, workers=1, ports={"range": "52000-52003", "pool": 2})
    ask_some(20)
    wait_until(lambda: any(told(port)[1] for port in range(52000, 52004)))
    daemon.finish()
    file = daemon.directory / "history.db"
    daemon = start(web=page, history={"loans": False, "file": file})
    assert told() == (404, None)
    daemon.finish()
    start(web=page, history={"loans": False, "watch": True, "file": file})
    assert told() == (200, [])
