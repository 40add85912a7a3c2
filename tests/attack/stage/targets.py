"""Decides how each resolver is configured and started for an attack: berthd as shipped, weakened, and its peers.

The peers run as they come from Debian but for what the ground demands: the root's address, listening on R, and no validation
unless the attack is on that.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from . import wire
from .ground import Ground, wait_until

BUILD = Path(os.environ.get("BERTH_BUILD", "build"))
WEAK = Path(os.environ.get("BERTH_ATTACK_BUILD", "build-attack")) / "tests" / "attack"
CLIENTS = ["198.18.0.0/15", "2001:db8::/32"]
START_S = 15.0


class Missing(Exception):
    """A target cannot be had here; the text says why."""


def tool(name: str) -> Path:
    """A C program of the bench."""
    return WEAK / name


class Target:
    """One resolver, to be started once on a ground."""

    column = ""
    program = ""
    weak = ""  # which weakened build it is

    def __init__(self) -> None:
        self.ground: Ground | None = None
        self.process: subprocess.Popen[Any] | None = None

    def prepare(self, ground: Ground, hints: Path) -> list[str]:
        """Writes the configuration and returns the command."""
        raise NotImplementedError

    def settle(self) -> None:
        """What is to be done on R before the start."""

    def start(self, ground: Ground, hints: Path) -> "Target":
        self.ground = ground
        self.log_file = ground.place / (self.column + ".log")
        self.settle()
        command = self.prepare(ground, hints)
        with self.log_file.open("ab") as log:
            self.process = ground.R.start(*command, stdout=log, stderr=log)
        try:
            wait_until(self._is_up, START_S, 0.05)
        except TimeoutError:
            raise RuntimeError("%s does not answer: %s" % (self.column, self.log[-2000:])) from None
        return self

    def _is_up(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError("%s ended by itself: %s" % (self.column, self.log[-2000:]))
        return self.ask("a.root.", patience_s=1.0) is not None

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, name: str, qtype: int = wire.A, patience_s: float = 6.0) -> bytes | None:
        """One question from C; the reply, or None."""
        with self.ground.C.socket() as sock:
            sock.settimeout(patience_s)
            sock.connect((self.ground.R.address, 53))
            ident = int.from_bytes(os.urandom(2), "big")
            try:
                sock.send(wire.query(name, qtype, ident))
                while True:
                    reply = sock.recv(4096)
                    if reply[:2] == ident.to_bytes(2, "big"):
                        return reply
            except OSError:
                time.sleep(0.02)  # nothing listens yet, or it is too slow
                return None

    def counters(self) -> dict[str, int]:
        """What the target counts itself; empty where it does not tell."""
        return {}


def to_yaml(value: dict[str, Any], indent: str = "") -> str:
    lines = []
    for key, entry in value.items():
        if isinstance(entry, dict):
            lines.append("%s%s:\n%s" % (indent, key, to_yaml(entry, indent + "  ")))
        elif isinstance(entry, list):
            lines.append("%s%s: [%s]\n" % (indent, key, ", ".join('"%s"' % one for one in entry)))
        else:
            lines.append("%s%s: %s\n" % (indent, key, str(entry).lower() if isinstance(entry, bool) else entry))
    return "".join(lines)


class Berthd(Target):
    """berthd; `weak` names a weakened build (tests/attack/weak), the rest is laid over its configuration."""

    program = "berthd"

    def __init__(self, weak: str = "", **config: Any):
        super().__init__()
        self.weak, self.config = weak, config
        self.column = "weakened" if weak else "shipped"

    def prepare(self, ground: Ground, hints: Path) -> list[str]:
        program = WEAK / ("berthd-" + self.weak) if self.weak else BUILD / "berthd"
        if not program.exists():
            raise Missing("%s is not built" % program.name)
        self.control_socket = ground.place / "control"
        whole: dict[str, Any] = {"listen": [ground.R.address], "workers": 2, "access": {"allow": CLIENTS},
                                 "control": {"socket": str(self.control_socket)},
                                 "history": {"file": str(ground.place / "history.db")}, "web": {"listen": []}}
        whole.update({key: entry for key, entry in self.config.items() if key != "resolver"})
        whole["resolver"] = {"root-hints": str(hints), **self.config.get("resolver", {})}
        whole["dnssec"] = {"validate": False, **self.config.get("dnssec", {})}
        file = ground.place / "berthd.yaml"
        file.write_text(to_yaml(whole))
        return [str(program), "-c", str(file)]

    def control(self, cmd: str, **more: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(self.control_socket))
            sock.sendall(json.dumps({"cmd": cmd, **more}).encode() + b"\n")
            return json.loads(sock.makefile("rb").readline())

    def counters(self) -> dict[str, int]:
        return self.control("stats")["counters"]


def find(program: str, package: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        raise Missing("%s is not installed" % package)
    return path


class Unbound(Target):
    column, program = "Unbound", "unbound"

    def __init__(self, *options: str):
        super().__init__()
        self.options = options

    def prepare(self, ground: Ground, hints: Path) -> list[str]:
        path = find("unbound", "unbound")
        lines = ["interface: " + ground.R.address, "num-threads: 2", "outgoing-range: 4096", "so-reuseport: yes",
                 'module-config: "iterator"', "root-hints: %s" % hints, 'username: ""', 'chroot: ""', 'pidfile: ""',
                 "use-syslog: no", "do-daemonize: no", 'directory: ""', *self.options]
        lines += ["access-control: %s allow" % net for net in CLIENTS]
        file = ground.place / "unbound.conf"
        file.write_text("server:\n" + "".join("    %s\n" % line for line in lines))
        return [path, "-d", "-c", str(file)]


class Kresd(Target):
    column, program = "Knot Resolver", "kresd"

    def __init__(self, port_range: str = "", lines: list[str] = []):  # noqa: B006
        super().__init__()
        self.port_range = port_range  # it lets the kernel choose
        self.lines = lines

    def settle(self) -> None:
        if self.port_range:
            self.ground.R.sysctl("net.ipv4.ip_local_port_range", self.port_range)

    def prepare(self, ground: Ground, hints: Path) -> list[str]:
        path = find("kresd", "knot-resolver")
        place = ground.place / "kresd"
        place.mkdir()
        file = ground.place / "kresd.conf"
        file.write_text("net.listen('%s', 53, { kind = 'dns' })\ntrust_anchors.remove('.')\nmodules = { 'hints > iterate' }\n"
                        "hints.root_file('%s')\ncache.size = 64 * MB\n" % (ground.R.address, hints)
                        + "".join(line + "\n" for line in self.lines))
        return [path, "-n", "-c", str(file), str(place)]


def version(program: str) -> str:
    """What a peer says of itself, for the report."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        return "not installed"
    done = subprocess.run([path, "-V"], capture_output=True, text=True)
    words = (done.stdout + done.stderr).split("\n")[0].split()
    return words[-1] if words else "?"
