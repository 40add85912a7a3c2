"""Decides how ports are probed from outside, and what is learnt of each: an ICMP error, an answer, or nothing.

    prober = Prober(ground.A, ground.R.address)
    found = prober.silent(range(49152, 65536))       ports that gave no ICMP error: somebody listens there
    prober.answers                                   datagrams that came back; there should be none

The kernel of the probed host limits its ICMP errors; `speak_freely` lifts that, so that silence means an open port and
nothing else. An attacker needs more time for the same, that is all.
"""

from __future__ import annotations

import re
import socket
from typing import Iterable

from . import wire
from .ground import Host

ROOM = 96 << 20  # for 65,535 ICMP errors at once
PATIENCE_S = 0.1
ROUNDS = 3  # a probe may get lost
PROBE = wire.query("probe.", flags=wire.QR, edns=False)  # a reply to nothing: who listens does not answer it
SO_RCVBUFFORCE = 33


def speak_freely(host: Host) -> None:
    """ICMP errors without limits. Both the limit for each peer and the global one go by the mask."""
    host.sysctl("net.ipv4.icmp_ratemask", 0)
    host.sysctl("net.ipv6.icmp.ratelimit", 0)
    host.run("sh", "-c", "echo 255 >/proc/sys/net/ipv6/icmp/ratemask")


def open_ports(host: Host) -> dict[int, set[int]]:
    """The truth: the UDP ports of 1024 and above that are bound on a host, by family."""
    found = {}
    for family, file in ((4, "/proc/net/udp"), (6, "/proc/net/udp6")):
        local = re.findall(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) ", host.run("cat", file), re.M)
        found[family] = {int(port, 16) for port in local} - set(range(1024))
    return found


def unreachable_port(packet: bytes) -> int | None:
    """The port that an ICMP error says nobody listens on, from what a raw socket gives: IPv4 with its header, IPv6
    without."""
    if packet[0] >> 4 == 4 and len(packet) >= 52 and packet[20:22] == b"\3\3":
        return int.from_bytes(packet[50:52], "big")
    if packet[:2] == b"\1\4" and len(packet) >= 52:
        return int.from_bytes(packet[50:52], "big")
    return None


class Listener:
    """ICMP errors that come to a host."""

    def __init__(self, host: Host, family: int = 4):
        kind = (socket.AF_INET, socket.IPPROTO_ICMP) if family == 4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
        self.sock = host.socket(kind[0], socket.SOCK_RAW, kind[1])
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)

    def unreachable(self, patience_s: float = PATIENCE_S) -> set[int]:
        """The ports of all errors that are there, until none comes for a while."""
        found = set()
        self.sock.settimeout(patience_s)
        while True:
            try:
                found.add(unreachable_port(self.sock.recv(512)))
            except TimeoutError:
                return found - {None}

    def close(self) -> None:
        self.sock.close()


class Prober:
    """Probes from a host's own address."""

    def __init__(self, host: Host, target: str):
        family = 6 if ":" in target else 4
        self.target = target
        self.listener = Listener(host, family)
        self.answers: list[bytes] = []
        self._sock = host.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        self._sock.bind(("", 0))

    def silent(self, ports: Iterable[int]) -> set[int]:
        left = set(ports)
        for _ in range(ROUNDS):
            for port in left:
                self._sock.sendto(PROBE, (self.target, port))
            left -= self.listener.unreachable()
            if not left:
                break
        self._take_answers()
        return left

    def _take_answers(self) -> None:
        self._sock.setblocking(False)
        try:
            while True:
                self.answers.append(self._sock.recv(512))
        except BlockingIOError:
            self._sock.setblocking(True)

    def close(self) -> None:
        self.listener.close()
        self._sock.close()
