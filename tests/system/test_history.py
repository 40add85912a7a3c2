"""Does berthd keep what its ports did, and does nothing else suffer when it cannot?"""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

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


def test_who_may_read_it(start: Callable[..., Daemon]):
    daemon = start()
    ask_some(3)
    wait_until(lambda: history(daemon)["loans"] > 0)
    for file in daemon.directory.glob("history.db*"):
        assert file.stat().st_mode & 0o777 & ~0o640 == 0, file
