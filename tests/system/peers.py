"""Resolvers beside berthd, each as Debian has it, told alike: one thread, the lab's root, no rate limits; validation with
the lab's key, or none. For comparisons inside a lab. Each listens on an address of its own in 127/8, port 53."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdata

START_S = 20.0

UNBOUND = """\
server:
    interface: {address}
    num-threads: 1
    do-daemonize: no
    username: ""
    chroot: ""
    pidfile: ""
    directory: "{place}"
    use-syslog: no
    {validation}
    root-hints: "{hints}"
    access-control: 127.0.0.0/8 allow
    edns-buffer-size: 1232
    outgoing-range: 4096
    num-queries-per-thread: 2048
    incoming-num-tcp: 100
    msg-cache-size: 64m
    rrset-cache-size: 128m
    do-not-query-localhost: yes
remote-control:
    control-enable: no
"""
KRESD = """\
net.listen('{address}', 53, {{ kind = 'dns' }})
{validation}
modules = {{ 'hints > iterate' }}
hints.root_file('{hints}')
cache.size = 200 * MB
"""
RECURSOR = """\
local-address={address}
local-port=53
config-dir={place}
socket-dir={place}
hint-file={hints}
{validation}
threads=1
dont-query=127.0.0.0/8
allow-from=127.0.0.0/8
query-local-address=0.0.0.0, ::
quiet=yes
security-poll-suffix=
write-pid=no
disable-syslog=yes
max-negative-ttl=3600
"""
# From version 5 on its settings are YAML; those of old are read only where it is told to.
RECURSOR_YAML = """\
incoming:
  listen: ['{address}:53']
  allow_from: [127.0.0.0/8]
outgoing:
  dont_query: [127.0.0.0/8]
  source_address: [0.0.0.0, '::']
recursor:
  config_dir: {place}
  socket_dir: {place}
  hint_file: {hints}
  threads: 1
  security_poll_suffix: ''
  write_pid: false
recordcache:
  max_negative_ttl: 3600
logging:
  quiet: true
  disable_syslog: true
{validation}
"""
# The product as a user has it, history and web page included; only its files are kept together.
BERTHD = """\
listen: [{address}]
workers: 1
resolver: {{root-hints: "{hints}"}}
dnssec: {validation}
control: {{socket: "{place}/control"}}
history: {{file: "{place}/history.db"}}
"""
BIND = """\
options {{
    directory "{place}";
    listen-on {{ {address}; }};
    listen-on-v6 {{ none; }};
    allow-query {{ 127.0.0.0/8; }};
    allow-recursion {{ 127.0.0.0/8; }};
    recursive-clients 4000;
    empty-zones-enable no;
    pid-file none;
    session-keyfile none;
    lock-file none;
    edns-udp-size 1232;
    max-udp-size 1232;
    max-cache-size 200m;
    {validation}
zone "." {{ type hint; file "{hints}"; }};
controls {{ }};
"""

# What stands for {validation}: without and with the key of the lab's root.
VALIDATION = {
    "berthd": ("{{validate: false}}", '{{builtin: false, rollover: false, anchors: ["{key}"]}}'),
    "Unbound": ('module-config: "iterator"', 'module-config: "validator iterator"\n    trust-anchor-file: "{key}"'),
    "Knot Resolver": ("trust_anchors.remove('.')", "trust_anchors.remove('.')\ntrust_anchors.add_file('{key}', true)"),
    "PowerDNS Recursor": ("dnssec=off", "dnssec=validate\nlua-config-file={lua}"),
    "PowerDNS Recursor 5": ("dnssec:\n  validation: off",
                            "dnssec:\n  validation: validate\n  trustanchors:\n    - {{name: ., dsrecords: ['{ds}']}}"),
    "BIND": ("dnssec-validation no;\n}};", "dnssec-validation yes;\n}};\ntrust-anchors {{ . static-key {key_data}; }};"),
}

# name in tables: (program, Debian package, configuration's file, its text, command after the program, address)
PEERS = {
    "berthd": ("berthd", "", "berthd.yaml", BERTHD, ["-c", "{file}"], "127.0.0.1"),
    "Unbound": ("unbound", "unbound", "unbound.conf", UNBOUND, ["-d", "-c", "{file}"], "127.0.0.2"),
    "Knot Resolver": ("kresd", "knot-resolver", "kresd.conf", KRESD, ["-n", "-c", "{file}", "{place}"], "127.0.0.3"),
    "PowerDNS Recursor": ("pdns_recursor", "pdns-recursor", "recursor.conf", RECURSOR, ["--config-dir={place}"], "127.0.0.4"),
    "BIND": ("named", "bind9", "named.conf", BIND, ["-g", "-n", "1", "-c", "{file}"], "127.0.0.5"),
}


# What stands in for an entry above from a version on: the file, its text, the entry of VALIDATION.
LATER = {
    ("PowerDNS Recursor", (5, 0)): ("recursor.yml", RECURSOR_YAML, "PowerDNS Recursor 5"),
    ("BIND", (9, 20)): ("named.conf", BIND.replace("    lock-file none;\n", ""), "BIND"),
}


def path_of(name: str) -> str | None:
    """Where the program is; None where it is not installed."""
    program = PEERS[name][0]
    if name == "berthd":
        return str(Path(os.environ.get("BERTH_BUILD", "build")).resolve() / program)
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def version(name: str) -> str:
    package = PEERS[name][1]
    if not package:
        return "this tree"
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False)
    return done.stdout or "?"


def settings(name: str) -> tuple[str, str, tuple[str, str]]:
    """The name of its configuration's file, the text with {words} to fill, and what stands for {validation}."""
    _, _, file_name, text, _, _ = PEERS[name]
    key = name
    for (whose, since), later in LATER.items():
        if whose == name and _number(name) >= since:
            file_name, text, key = later
    return file_name, text, VALIDATION[key]


@functools.cache
def _number(name: str) -> tuple[int, int]:
    """The version that the program tells, 9.20; (0, 0) where it tells none."""
    option = "-v" if name == "BIND" else "--version"
    done = subprocess.run([path_of(name) or "false", option], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)\.(\d+)", done.stdout + done.stderr)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


class Peer:
    """One of them, running: start() returns when it has answered."""

    patience_s = 1.0  # with the probe
    core: int | None = None  # where it has to stay; None: anywhere

    def __init__(self, name: str, place: Path, hints: Path, key: Path | None = None):
        self.name, self.place = name, place / name.replace(" ", "-").lower()
        self.address = PEERS[name][5]
        self.hints, self.key = hints, key
        self.process: subprocess.Popen[Any] | None = None

    def start(self, probe: str = "a.root-servers.net.") -> "Peer":
        self.prepare()
        self.launch()
        deadline = time.monotonic() + START_S
        while not self._answers(probe):
            self.require_alive(deadline)
        return self

    def prepare(self) -> None:
        """Writes its configuration into a new folder."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        file_name, text, _ = settings(self.name)
        (self.place / file_name).write_text(text.format(**self._words(), validation=self._validation()))
        if self.name == "BIND":  # it listens only where an interface says that it has the address
            subprocess.run(["ip", "addr", "add", self.address + "/32", "dev", "lo"], check=False, capture_output=True)

    def launch(self) -> None:
        """Starts the process, and does not wait for an answer."""
        command = [path_of(self.name), *(word.format(**self._words()) for word in PEERS[self.name][4])]
        with (self.place / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.place,
                                            preexec_fn=self._stay if self.core is not None else None)

    def require_alive(self, deadline: float) -> None:
        if self.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("%s does not answer: %s" % (self.name, self.log[-2000:]))

    def _stay(self) -> None:
        os.sched_setaffinity(0, {self.core})

    def _words(self) -> dict[str, Any]:
        return {"address": self.address, "place": self.place, "hints": self.hints, "file": self.place / settings(self.name)[0]}

    def _validation(self) -> str:
        off, on = settings(self.name)[2]
        if self.key is None:
            return off.format()
        flags, protocol, algorithm, *data = self.key.read_text().split()[3:]
        key_data = '%s %s %s "%s"' % (flags, protocol, algorithm, "".join(data))
        lua = self.place / "anchors.lua"
        lua.write_text("clearTA('.')\naddTA('.', \"%s\")\n" % self._root_ds())
        return on.format(key=self.key, key_data=key_data, lua=lua, ds=self._root_ds())

    def _root_ds(self) -> str:
        key = dns.rdata.from_text("IN", "DNSKEY", self.key.read_text().split("DNSKEY")[1].strip())
        return dns.dnssec.make_ds(dns.name.root, key, "SHA256").to_text()

    @property
    def log(self) -> str:
        return (self.place / "log").read_text(errors="replace")

    def _answers(self, probe: str) -> bool:
        try:
            dns.query.udp(dns.message.make_query(probe, "A"), self.address, timeout=self.patience_s)
            return True
        except (OSError, dns.exception.DNSException):
            time.sleep(self.patience_s / 20)
            return False

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
