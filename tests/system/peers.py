"""Resolvers beside berthd, each as Debian has it, told alike: one thread, the lab's root, no rate limits; validation with
the lab's key, or none. For comparisons inside a lab. Each listens on an address of its own in 127/8, port 53."""

from __future__ import annotations

import os
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
BERTHD = """\
listen: [{address}]
workers: 1
resolver: {{root-hints: "{hints}"}}
dnssec: {validation}
control: {{socket: "{place}/control"}}
history: {{loans: false}}
log: {{level: warning}}
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


class Peer:
    """One of them, running: start() returns when it has answered."""

    patience_s = 1.0  # with the probe

    def __init__(self, name: str, place: Path, hints: Path, key: Path | None = None):
        self.name, self.place = name, place / name.replace(" ", "-").lower()
        self.address = PEERS[name][5]
        self.hints, self.key = hints, key
        self.process: subprocess.Popen[Any] | None = None

    def start(self, probe: str = "a.root-servers.net.") -> "Peer":
        _, _, file_name, text, arguments, _ = PEERS[self.name]
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        words = {"address": self.address, "place": self.place, "hints": self.hints, "file": self.place / file_name,
                 "validation": self._validation()}
        (self.place / file_name).write_text(text.format(**words))
        if self.name == "BIND":  # it listens only where an interface says that it has the address
            subprocess.run(["ip", "addr", "add", self.address + "/32", "dev", "lo"], check=False, capture_output=True)
        with (self.place / "log").open("wb") as log:
            self.process = subprocess.Popen([path_of(self.name), *(word.format(**words) for word in arguments)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.place)
        deadline = time.monotonic() + START_S
        while not self._answers(probe):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("%s does not answer: %s" % (self.name, self.log[-2000:]))
        return self

    def _validation(self) -> str:
        if self.key is None:
            return VALIDATION.get(self.name, ("",))[0].format()
        flags, protocol, algorithm, *data = self.key.read_text().split()[3:]
        key_data = '%s %s %s "%s"' % (flags, protocol, algorithm, "".join(data))
        lua = self.place / "anchors.lua"
        lua.write_text("clearTA('.')\naddTA('.', \"%s\")\n" % self._root_ds())
        return VALIDATION[self.name][1].format(key=self.key, key_data=key_data, lua=lua)

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
