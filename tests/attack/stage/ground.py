"""Decides what the network of an attack looks like: hosts, each a network namespace, joined by veth pairs.

    with Ground() as ground:                     hosts R (resolver), A (attacker), S (servers), C (client), G (router)
        ground.R.run("ip", "route")              a command in R
        with ground.A.entered(): ...             what this thread opens now belongs to A

Every host has a link of its own to the router, so that nothing is on the same link as the resolver but the router, and
ICMP errors pass a real interface with the kernel's limits. Source addresses are not checked anywhere: this is the
network that lets forged packets through.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

from . import shut

CLONE_NEWNET = 0x40000000
END_S = 5.0

# All addresses lie in 198.18.0.0/15 (RFC 2544) and 2001:db8::/32 (RFC 3849); the senders refuse others.
HOSTS = {"R": 1, "A": 2, "S": 3, "C": 4}
ROOT, ROOT6 = "198.18.3.53", "2001:db8:3::53"
SERVERS = "198.18.64.0/18"  # all of it is S: a server for each zone that wants one
SERVERS6 = "2001:db8:64::/64"

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what + ": " + os.strerror(ctypes.get_errno()))


def server_address(number: int) -> str:
    """Address number 0, 1, ... of S."""
    return "198.18.%d.%d" % (64 + number // 250, 1 + number % 250)


def server_address6(number: int) -> str:
    return "2001:db8:64::%x" % (1 + number)


class Host:
    """One network namespace. It lives as long as the object and the processes in it."""

    def __init__(self, name: str):
        shut.check_empty()  # before the first namespace is made, and in each one that is made
        self.name, self.address, self.address6 = name, "", ""
        self.processes: list[subprocess.Popen[Any]] = []
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _checked(_libc.unshare(CLONE_NEWNET), "unshare")
        self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _checked(_libc.setns(home, CLONE_NEWNET), "setns")
        os.close(home)
        self.run("ip", "link", "set", "lo", "up")
        self.sysctl("net.ipv4.conf.all.rp_filter", 0)
        self.sysctl("net.ipv4.conf.default.rp_filter", 0)
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)  # a second of silence at the start of every attack

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread opens in here belong to the host, and stay so."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _checked(_libc.setns(self.fd, CLONE_NEWNET), "setns")
        try:
            shut.check_empty()
            yield
        finally:
            _checked(_libc.setns(home, CLONE_NEWNET), "setns")
            os.close(home)

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM, protocol: int = 0) -> socket.socket:
        with self.entered():
            return socket.socket(family, kind, protocol)

    def _inside(self, command: tuple[Any, ...]) -> list[str]:
        return ["nsenter", "--net=/proc/self/fd/%d" % self.fd, "--", *map(str, command)]

    def run(self, *command: Any, check: bool = True, **more: Any) -> str:
        """Runs a command to its end and returns what it printed."""
        done = subprocess.run(self._inside(command), pass_fds=[self.fd], capture_output=True, text=True, **more)
        if check and done.returncode != 0:
            raise RuntimeError("%s in %s: %s" % (command[0], self.name, (done.stderr or done.stdout).strip()))
        return done.stdout

    def start(self, *command: Any, **more: Any) -> subprocess.Popen[Any]:
        """Starts a command that ends with the host at the latest."""
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("text", True)
        process = subprocess.Popen(self._inside(command), pass_fds=[self.fd], **more)
        self.processes.append(process)
        return process

    def sysctl(self, key: str, value: Any) -> None:
        self.run("sysctl", "-qw", "%s=%s" % (key, value))

    def close(self) -> None:
        running = [process for process in self.processes if process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            end(process)
        os.close(self.fd)


def end(process: subprocess.Popen[Any], patience_s: float = END_S) -> int:
    """Asks a process to end, waits, and makes it."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class Ground:
    """The hosts of one attack, and a directory for its files."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.closers: list[Callable[[], Any]] = []
        self._place = tempfile.TemporaryDirectory(prefix="berth-attack-")
        self.place = Path(self._place.name)

    def __enter__(self) -> "Ground":
        try:
            router = self.add_host("G")
            router.sysctl("net.ipv4.ip_forward", 1)
            router.sysctl("net.ipv6.conf.all.forwarding", 1)
            for name, number in HOSTS.items():
                self.attach(self.add_host(name), router, number)
            self._give_servers(router)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        for close in reversed(self.closers):
            close()
        for host in self.hosts.values():
            host.close()
        self._place.cleanup()

    def __getattr__(self, name: str) -> Host:
        try:
            return self.__dict__["hosts"][name]
        except KeyError:
            raise AttributeError(name) from None

    def add_host(self, name: str) -> Host:
        self.hosts[name] = Host(name)
        return self.hosts[name]

    def on_close(self, close: Callable[[], Any]) -> None:
        """Something to be ended before the hosts go."""
        self.closers.append(close)

    def join(self, one: Host, two: Host, names: tuple[str, str]) -> None:
        """A veth pair: interface names[0] in one, names[1] in two. Both are up, without addresses."""
        one_name, two_name = (shut.PREFIX + name for name in names)
        other = "/proc/self/fd/%d" % two.fd
        command = ["ip", "link", "add", one_name, "type", "veth", "peer", "name", two_name, "netns", other]
        subprocess.run(one._inside(tuple(command)), pass_fds=[one.fd, two.fd], check=True)
        one.run("ip", "link", "set", one_name, "up")
        two.run("ip", "link", "set", two_name, "up")

    def attach(self, host: Host, router: Host, number: int) -> None:
        """Gives the host network 198.18.number.0/24, the router at .254, and its way out."""
        self.join(host, router, ("up", host.name))
        host.address, host.address6 = "198.18.%d.1" % number, "2001:db8:%d::1" % number
        for where, interface, last in ((host, "up", ("1", "1")), (router, host.name, ("254", "254"))):
            self.give(where, interface, "198.18.%d.%s/24" % (number, last[0]), "2001:db8:%d::%s/64" % (number, last[1]))
        host.run("ip", "route", "add", "default", "via", "198.18.%d.254" % number)
        host.run("ip", "-6", "route", "add", "default", "via", "2001:db8:%d::254" % number)

    def give(self, host: Host, interface: str, *addresses: str) -> None:
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            host.run("ip", "addr", "add", address, "dev", shut.PREFIX + interface, *nodad)

    def _give_servers(self, router: Host) -> None:
        servers = self.hosts["S"]
        self.give(servers, "up", ROOT + "/24", ROOT6 + "/64")
        servers.run("ip", "route", "add", "local", SERVERS, "dev", "lo")
        servers.run("ip", "-6", "route", "add", "local", SERVERS6, "dev", "lo")
        servers.sysctl("net.ipv6.ip_nonlocal_bind", 1)
        router.run("ip", "route", "add", SERVERS, "via", servers.address)
        router.run("ip", "-6", "route", "add", SERVERS6, "via", servers.address6)


def wait_until(check: Callable[[], Any], patience_s: float = 10.0, step_s: float = 0.01) -> Any:
    """The first true result of the check; TimeoutError when there is none in time."""
    deadline = time.monotonic() + patience_s
    while not (found := check()):
        if time.monotonic() > deadline:
            raise TimeoutError("nothing after %.1f s" % patience_s)
        time.sleep(step_s)
    return found
