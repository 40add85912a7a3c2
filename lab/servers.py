"""Decides how NSD is configured, started, waited for and ended: one process a level.

The configuration is written at build time; what a run writes (states, lists) goes to DIR/run, which
namespace.py makes private to the run.
"""

import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import addresses

LEVELS = list(addresses.LISTENERS)
STOP_DEADLINE_S = 5
# Reading a zone takes a fraction of a millisecond; this is generous for a busy machine.
START_DEADLINE_S = 30
START_DEADLINE_S_PER_ZONE = 0.005

# No rate limits, no privileges to drop (a user namespace knows no other user than 0), no files outside
# the lab. confine-to-zone: each zone answers as if it were alone on its server, so that a referral
# carries no address from a zone of somebody else. database: old versions would keep a copy on disk.
SERVER_CONF = """\
server:
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{directory}/zones"
    database: ""
    zonefiles-write: 0
    pidfile: ""
    xfrdfile: ""
    xfrdir: "{directory}/run"
    zonelistfile: "{directory}/run/{level}.zonelist"
    do-ip4: yes
    do-ip6: yes
    verbosity: 1
    hide-version: yes
    confine-to-zone: yes
    tcp-count: 1000
    tcp-query-count: 0
    rrl-size: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    answer-cookie: {cookie}
{ip_addresses}
remote-control:
    control-enable: no
"""

ZONE_CONF = """\
zone:
    name: "{name}"
    zonefile: "{file}"
"""


class StartError(Exception):
    """The servers did not come up; the text says why and where to look."""


def write_configuration(directory, level, zone_files):
    """Writes DIR/nsd/<level>.conf for zones given as {name: file below DIR/zones}."""
    lines = ["    ip-address: %s" % a for a in addresses.flat(addresses.LISTENERS[level])]
    text = SERVER_CONF.format(
        directory=directory, level=level, ip_addresses="\n".join(lines),
        # The servers of the special zones know DNS cookies (RFC 7873), so that a resolver meets both kinds.
        cookie="yes" if level == "special" else "no")
    zones = [ZONE_CONF.format(name=name or ".", file=file) for name, file in zone_files.items()]
    (directory / "nsd" / (level + ".conf")).write_text(text + "".join(zones))


def find_program(name, package):
    """The path of a program; Debian keeps some outside an ordinary user's PATH."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise StartError("the program %s is missing: install the Debian package %s" % (name, package))
    return path


class Servers:
    """The server processes of one run. Use as `with Servers(directory) as servers: servers.start(lab)`."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.processes = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, lab):
        """Starts everything and returns when each NSD has answered."""
        nsd = find_program("nsd", "nsd")
        deaf = str(Path(__file__).with_name("deaf.py"))
        self._spawn("deaf", [sys.executable, deaf, *addresses.flat(addresses.DEAF)])
        for level in LEVELS:
            self._spawn(level, [nsd, "-d", "-c", str(self.directory / "nsd" / (level + ".conf"))])
        for level in LEVELS:
            seconds = START_DEADLINE_S + START_DEADLINE_S_PER_ZONE * lab["counts"]["zones"]
            self._wait_for(level, lab["probes"][level], seconds)

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self.processes = {}

    def log(self, level):
        return self.directory / "log" / (level + ".log")

    def _spawn(self, level, command):
        # A session of its own: the interrupt key is for the user's command, not for the servers.
        with self._open_log(level) as log:
            self.processes[level] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def _open_log(self, level):
        try:
            return self.log(level).open("wb")
        except OSError as error:
            raise StartError("cannot write %s: %s. Run the lab as the user who built it, or build another" % (
                error.filename, error.strerror)) from error

    def _wait_for(self, level, probe, seconds):
        deadline = time.monotonic() + seconds
        while not has_answer(probe["address"], probe["zone"]):
            if self.processes[level].poll() is not None:
                raise StartError("the NSD of level %s ended by itself%s" % (level, self._log_tail(level)))
            if time.monotonic() > deadline:
                raise StartError("the NSD of level %s does not answer after %d s%s" % (
                    level, seconds, self._log_tail(level)))

    def _log_tail(self, level):
        lines = self.log(level).read_text(errors="replace").splitlines()[-5:]
        return "; the end of %s says:\n%s" % (self.log(level), "\n".join("    " + line for line in lines) or "    nothing")


def has_answer(address, zone, patience_s=0.1):
    """Does a server give the SOA of a zone over UDP?"""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    labels = b"".join(bytes([len(label)]) + label.encode() for label in zone.split(".") if label)
    question = struct.pack("!6H", 0x4C42, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 6, 1)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience_s)
        try:
            sock.connect((address, 53))
            sock.send(question)
            reply = sock.recv(4096)
        except OSError:
            # Nothing is listening yet, or nothing came back.
            time.sleep(0.02)
            return False
    flags, _, answers = struct.unpack_from("!3H", reply, 2)
    return flags & 0xF == 0 and answers > 0
