"""Decides how IP packets and their fragments are written, for raw sockets that take whole packets.

The senders of Python are as bound as those of C: `RawSender` opens its socket inside a host of the ground, which
refuses where the bench did not make the network, and sends only to the ground's addresses.
"""

from __future__ import annotations

import socket
import struct
from functools import cache
from ipaddress import ip_address, ip_network

from .ground import Host
from .shut import NotShutOff

UDP, ICMP, FRAGMENT6 = 17, 1, 44
GROUND = [ip_network("198.18.0.0/15"), ip_network("2001:db8::/32")]


def ones_sum(data: bytes) -> int:
    """The one's complement sum of RFC 1071, not complemented."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def udp(source: str, target: str, ports: tuple[int, int], payload: bytes) -> bytes:
    """A UDP datagram with its checksum, without IP header."""
    length = 8 + len(payload)
    one, two = ip_address(source).packed, ip_address(target).packed
    pseudo = one + two + (struct.pack("!BBH", 0, UDP, length) if len(one) == 4 else struct.pack("!IHBB", length, 0, 0, UDP))
    head = struct.pack("!4H", *ports, length, 0)
    check = 0xFFFF - ones_sum(pseudo + head + payload)
    return head[:6] + struct.pack("!H", check or 0xFFFF) + payload


def packet(source: str, target: str, protocol: int, payload: bytes, ident: int = 1, offset: int = 0,
           more: bool = False) -> bytes:
    """An IP packet, or a fragment of one: `offset` in bytes, a multiple of 8."""
    one, two = ip_address(source).packed, ip_address(target).packed
    if len(one) == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident & 0xFFFF, offset // 8 | (0x2000 if more else 0),
                           64, protocol, 0)
        return head + one + two + payload  # the kernel adds the checksum
    if offset or more:
        payload = struct.pack("!BBHI", protocol, 0, offset | more, ident) + payload
        protocol = FRAGMENT6
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + one + two + payload


@cache
def target_of(packed: bytes) -> str:
    """The address in words, if it is one of the ground."""
    target = ip_address(packed)
    if not any(target in net for net in GROUND):
        raise NotShutOff("%s is no address of the ground" % target)
    return str(target)


class RawSender:
    """Sends whole packets from a host, with whatever source they name."""

    def __init__(self, host: Host):
        self._sock = {4: host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
                      6: host.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)}

    def send(self, data: bytes | bytearray) -> None:
        version = data[0] >> 4
        target = target_of(bytes(data[16:20] if version == 4 else data[24:40]))
        self._sock[version].sendto(data, (target, 0))

    def close(self) -> None:
        for sock in self._sock.values():
            sock.close()
