"""Does the cache outlive a restart, and does a file that is something else stay what it is?"""

from __future__ import annotations

import subprocess
from typing import Callable

from support import BUILD, Daemon, ask, rdatas, wait_until

LAB = ["--names", 20]


def tool(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BUILD / "berth"), "--socket", str(daemon.socket), *words], capture_output=True, text=True)


def upstream(daemon: Daemon) -> int:
    return daemon.counters()["upstream.udp"]


def test_a_restart_keeps_the_cache(start: Callable[..., Daemon]):
    daemon = start()
    file = daemon.directory / "kept" / "cache"
    file.parent.mkdir()
    daemon.finish()
    daemon = start(cache={"snapshot": file})
    answer = rdatas(ask("www.nodata.lab"))
    assert answer and upstream(daemon) > 0
    daemon.finish()
    assert file.stat().st_mode & 0o077 == 0
    daemon.start()
    wait_until(lambda: "are back" in daemon.log)
    assert rdatas(ask("www.nodata.lab")) == answer and upstream(daemon) == 0


def test_a_folder_that_is_not_there_is_not_made(start: Callable[..., Daemon]):
    daemon = start()
    folder = daemon.directory / "slip"
    daemon.finish()
    daemon = start(cache={"snapshot": folder / "cache"})
    assert "warning: cache.snapshot: there is no directory %s; make it, or name another file" % folder in daemon.log
    assert "%s/cache: its directory is not there; make it, or name another file" % folder in tool(daemon, "cache", "save").stderr
    daemon.finish()
    assert not folder.exists()


def test_saved_when_asked(start: Callable[..., Daemon]):
    daemon = start()
    assert "cache.snapshot names no file" in tool(daemon, "cache", "save").stderr
    file = daemon.directory / "cache"
    daemon.finish()
    daemon = start(cache={"snapshot": file})
    ask("www.nodata.lab")
    done = tool(daemon, "cache", "save")
    assert done.returncode == 0 and "records" in done.stdout and file.stat().st_size > 100


def test_a_file_of_another_kind_stays(start: Callable[..., Daemon]):
    daemon = start()
    file = daemon.directory / "letters"
    file.write_text("dear reader\n")
    daemon.finish()
    daemon = start(cache={"snapshot": file})
    wait_until(lambda: "is no snapshot of a cache" in daemon.log)
    assert rdatas(ask("www.nodata.lab"))
    assert "move it away" in tool(daemon, "cache", "save").stderr
    daemon.finish()
    assert file.read_text() == "dear reader\n"
