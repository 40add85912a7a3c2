"""Decides the amplification by repetition: servers that make the resolver ask again, and clients that do.

Replies that ask for another try (truncated, FORMERR, BADVERS, BADCOOKIE), over and over; servers that never answer while a client
insists; a flood of names nobody asked before, for a server that is dead; a crowd of clients whose answer is held back, so
that all of it leaves in one burst. Counted are packets at the servers, or replies at the clients.
"""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from typing import Callable

from stage import wire
from stage.attack import Attack, Result, Scene
from stage.bill import judge, limit
from stage.capture import UDP, Capture
from stage.targets import Berthd, Kresd, Unbound
from stage.zones import Asked, Servers

PEERS = [Unbound, Kresd]
MAX_PORTS = 400  # lent at once, here: so that the flood of the short form is more
WINDOW_S = 0.25  # no question to an unknown server is given up sooner
HELD_S = 1.0


def silent(asked: Asked) -> None:
    """Says nothing."""


# Asked again, as the server wants it.


def plain(asked: Asked, rcode: int) -> bytes:
    """Without OPT, as who never heard of EDNS says it."""
    return wire.response(replace(asked.q, edns=False), rcode=rcode)


def closed(asked: Asked) -> None:
    """Over UDP: come by TCP; there: gone."""
    if asked.tcp:
        asked.sock.shutdown(socket.SHUT_RDWR)
    else:
        asked.send(wire.response(asked.q, flags=wire.AA | wire.TC))


MANNERS: dict[str, Callable[[Asked], bytes]] = {
    "TC": lambda asked: wire.response(asked.q, flags=wire.AA | wire.TC),
    "FORMERR": lambda asked: wire.response(asked.q, rcode=wire.FORMERR),
    "FORMERR without EDNS": lambda asked: plain(asked, wire.FORMERR),
    "BADVERS": lambda asked: wire.response(asked.q, rcode=wire.BADVERS),
    "BADCOOKIE": lambda asked: wire.response(asked.q, rcode=wire.BADCOOKIE, cookie=(asked.q.cookie[:8] or b"c" * 8) + b"s" * 8),
    "SERVFAIL": lambda asked: wire.response(asked.q, rcode=wire.SERVFAIL),
}


def prepare_resend(servers: Servers) -> None:
    for number, reply in enumerate(MANNERS.values()):
        servers.add("manner-%d." % number, speech=lambda asked, reply=reply: asked.send(reply(asked)))
    servers.add("closed.", speech=closed)


def run_resend(scene: Scene) -> Result:
    # Of one address: so many tries, each perhaps twice, over UDP and TCP.
    bound, counts = 2 * limit("LIMIT_TRIES_PER_ADDRESS"), {}
    for manner, zone in zip([*MANNERS, "TC, then no TCP"], scene.servers.zones):
        counts[manner] = judge(scene, ["www." + wire.text(zone.owner)], bound, [zone.address], True).numbers
    worst = max(numbers["victim"] for numbers in counts.values())
    text = ", ".join("%s: %d" % (manner, numbers["victim"]) for manner, numbers in counts.items())
    return Result(worst > bound, "packets to the server for one question: %s; allowed: %d" % (text, bound), counts)


# A dead server, and a client that asks the same again and again.


def prepare_insist(servers: Servers) -> None:
    servers.add("dead.", speech=silent)


def run_insist(scene: Scene) -> Result:
    bound, zone = limit("LIMIT_TRIES_PER_ADDRESS"), scene.servers.zones[0]
    count, asked = 0, scene.size(10, 5)
    for _ in range(asked):
        scene.target.ask("www.dead.", patience_s=6.0)
        count = len(zone.asked)
        if count > bound and not scene.full:
            break
    text = "%d packets to a dead server for %d questions one after the other; allowed: %d" % (count, asked, bound)
    return Result(count > bound, text, {"victim": count})


# PRSD: a flood of random names.


def busiest(times: list[float]) -> int:
    """The most of them within one window."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while at - times[first] > WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    return most


def run_flood(scene: Scene) -> Result:
    zone, count = scene.servers.zones[0], 2000
    bound = MAX_PORTS // limit("LIMIT_SERVER_SHARE") + 2
    with scene.ground.C.socket() as sock:
        sock.connect((scene.ground.R.address, 53))
        for number in range(count):
            sock.send(wire.query("r%d.dead." % number, ident=number))
            if number % 50 == 0:
                time.sleep(0.01)
        time.sleep(scene.size(10, 2))
    times = [asked.at for asked in list(zone.asked)]
    most = busiest(times)
    text = "%d packets to a dead server for %d questions, %d of them within %.0f ms; allowed: %d at once" % (
        len(times), count, most, WINDOW_S * 1e3, bound)
    return Result(most > bound, text, {"victim": len(times), "at once": most})


# DNSBomb: the answer is held back while a crowd gathers.


def prepare_hoard(servers: Servers) -> None:
    servers.add("slow.", delay_s=HELD_S)


def run_hoard(scene: Scene) -> Result:
    count, bound, client = scene.size(5000, 3000), limit("LIMIT_WAITERS"), scene.ground.C
    with Capture(client) as capture, client.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.connect((scene.ground.R.address, 53))
        for number in range(count):
            sock.send(wire.query("www.slow.", ident=number))
            if number % 50 == 0:
                time.sleep(0.005)
        time.sleep(HELD_S + scene.size(3, 1))
    replies = [p.payload for p in capture.packets if p.protocol == UDP and p.source_port == 53 and len(p.payload) > 12]
    burst = sum(wire.rcode(payload) == wire.NOERROR for payload in replies)
    text = "%d of %d identical questions were held and answered in one burst, %d refused; allowed: %d" % (
        burst, count, len(replies) - burst, bound)
    return Result(burst > bound, text, {"burst": burst, "replies": len(replies)})


ATTACKS = [
    Attack("resend", "servers that ask for another try each time", "RFC 6891 (FORMERR, BADVERS); RFC 7873 (BADCOOKIE); RFC 7766 (TC)",
           "three tries at one address for one question", "a zone's servers are asked without end", prepare_resend, run_resend,
           Berthd, lambda: Berthd("tireless"), peers=PEERS),
    Attack("insist", "a client that asks for a name of a dead server again and again", "RFC 9520 (failures are cached)",
           "a failure is remembered", "failures are forgotten", prepare_insist, run_insist, Berthd, lambda: Berthd("forgetful"),
           peers=PEERS),
    Attack("flood", "random names in a zone whose server is dead", "pseudo-random subdomains (water torture), seen since 2014",
           "one server may have a quarter of the ports that are lent at once; it has one try where it was always silent", "ports.max is no limit", prepare_insist, run_flood,
           lambda: Berthd(ports={"pool": MAX_PORTS // 4, "max": MAX_PORTS}), lambda: Berthd("unlimited", ports={"pool": MAX_PORTS // 4, "max": MAX_PORTS}), peers=PEERS),
    Attack("hoard", "identical questions whose answer is held back and leaves in one burst", "Li et al. 2024 (DNSBomb); CVE-2024-33655",
           "512 clients wait for one look-up, more are refused at once", "any number may wait", prepare_hoard, run_hoard, Berthd,
           lambda: Berthd("hospitable"), peers=PEERS),
]
