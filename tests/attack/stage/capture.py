"""Decides what is seen of the packets that pass a host's interface.

    with Capture(ground.S) as capture: ...
    capture.packets                     IPv4 and IPv6 packets that came in, without their Ethernet headers
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from .ground import Host
from .shut import PREFIX

ETH_P_ALL, HEAD = 3, 14
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58


@dataclass(frozen=True)
class Packet:
    source: str
    target: str
    protocol: int
    source_port: int
    target_port: int
    payload: bytes


class Capture:
    def __init__(self, host: Host, interface: str = "up"):
        self.packets: list[Packet] = []
        with host.entered():
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._sock.bind((PREFIX + interface, ETH_P_ALL))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._sock.settimeout(0.05)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Capture":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._sock.close()

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                frame, where = self._sock.recvfrom(65536)
            except TimeoutError:
                continue
            if where[2] != socket.PACKET_OUTGOING:
                self._take(frame)

    def _take(self, frame: bytes) -> None:
        ip = frame[HEAD:]
        if frame[12:14] == b"\x08\0":
            protocol, head, source, target = ip[9], (ip[0] & 15) * 4, ip[12:16], ip[16:20]
        elif frame[12:14] == b"\x86\xdd":
            protocol, head, source, target = ip[6], 40, ip[8:24], ip[24:40]
        else:
            return
        ports = (0, 0)
        if protocol in (TCP, UDP):
            ports = int.from_bytes(ip[head:head + 2], "big"), int.from_bytes(ip[head + 2:head + 4], "big")
        payload = ip[head + (8 if protocol == UDP else 0):]
        self.packets.append(Packet(str(ip_address(source)), str(ip_address(target)), protocol, *ports, payload))
