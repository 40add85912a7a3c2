"""Decides how a NAT stands between the resolver and everybody else, and what it makes of ports.

    Attack(..., change_ground=insert_nat)       host N between R and the router
    masquerade(ground.N, "fully-random")        Linux's own NAT; it keeps ports where it can, or draws new ones
    Sequential(ground)                          one that counts up, as many home routers do

Linux has no NAT that counts up. This one takes the resolver's questions out of a TUN device, gives each the next port,
and puts them back; replies come the same way. It lives as long as the ground.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import threading
from ipaddress import ip_address
from pathlib import Path

from . import ip, shut
from .ground import Ground, Host
from .targets import Missing, find

NUMBER = 5  # of the network between N and the router
OUTSIDE = "198.18.6.1"  # what the sequential NAT's questions come from
FIRST, LAST = 20000, 60000
TUN_SET, TUN_FLAGS = 0x400454CA, 0x1001  # IFF_TUN, IFF_NO_PI
TUN = Path("/dev/net/tun")
RULES = """
table ip bench {
	chain out {
		type nat hook postrouting priority 100;
		oifname "%sup" ip saddr %s masquerade %s
	}
}
"""


def insert_nat(ground: Ground) -> None:
    resolver, router = ground.R, ground.G
    router.run("ip", "link", "del", shut.PREFIX + "R")
    inner = ground.add_host("N")
    inner.sysctl("net.ipv4.ip_forward", 1)
    ground.attach(resolver, inner, 1)
    ground.attach(inner, router, NUMBER)
    for network in ("198.18.1.0/24", OUTSIDE):
        router.run("ip", "route", "add", network, "via", inner.address)


def masquerade(host: Host, how: str) -> None:
    """For questions of the resolver, in place of what there was; clients reach it as before."""
    nft = find("nft", "nftables")
    host.run(nft, "-f", "-", input="flush ruleset\n" + RULES % (shut.PREFIX, "198.18.1.1", how))


class Sequential:
    def __init__(self, ground: Ground):
        self.ground, self.host = ground, ground.N
        self.inside = ip_address(ground.R.address).packed
        self.outside = ip_address(OUTSIDE).packed
        self.back: dict[int, int] = {}  # from a port of ours to the resolver's
        self.next = FIRST
        self._open()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        ground.on_close(self.close)
        self._thread.start()

    def _open(self) -> None:
        device = shut.PREFIX + "tun"
        with self.host.entered():
            try:
                self.fd = os.open(self._device_file(), os.O_RDWR | os.O_CLOEXEC)
                fcntl.ioctl(self.fd, TUN_SET, struct.pack("16sH", device.encode(), TUN_FLAGS))
            except OSError as error:
                raise Missing("no TUN device can be had: %s" % error) from None
        run = self.host.run
        run("ip", "link", "set", device, "up")
        run("ip", "route", "add", OUTSIDE, "dev", device)
        run("ip", "route", "add", "default", "dev", device, "table", 100)
        run("ip", "rule", "add", "iif", shut.PREFIX + "R", "ipproto", "udp", "dport", 53, "lookup", 100)

    def _device_file(self) -> Path:
        if TUN.exists():
            return TUN
        own = self.ground.place / "tun"
        os.mknod(own, 0o20600, os.makedev(10, 200))
        return own

    def _serve(self) -> None:
        while not self._stop.is_set():
            if select.select([self.fd], [], [], 0.05)[0]:
                packet = bytearray(os.read(self.fd, 65536))
                if len(packet) >= 28 and packet[0] == 0x45 and packet[9] == ip.UDP:
                    self._translate(packet)

    def _translate(self, packet: bytearray) -> None:
        source, target = int.from_bytes(packet[20:22], "big"), int.from_bytes(packet[22:24], "big")
        if packet[12:16] == self.inside:
            packet[12:16] = self.outside
            packet[20:22] = self._port(source).to_bytes(2, "big")
        elif packet[16:20] == self.outside and target in self.back:
            packet[16:20] = self.inside
            packet[22:24] = self.back[target].to_bytes(2, "big")
        else:
            return
        packet[26:28] = b"\0\0"  # no UDP checksum: IPv4 allows that
        packet[10:12] = b"\0\0"
        packet[10:12] = (0xFFFF - ip.ones_sum(bytes(packet[:20]))).to_bytes(2, "big")
        os.write(self.fd, packet)

    def _port(self, inner: int) -> int:
        """The next one, for each question: none of them shares one with another."""
        given = self.next
        self.back[given] = inner
        self.next = given + 1 if given < LAST else FIRST
        return given

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self.fd)
