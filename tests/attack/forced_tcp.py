"""Decides the attack on what a defence leads to: three wrong guesses move a server to TCP, and TCP can be had out of.

Forged packets in the name of a busy server move its questions to TCP. Each connection takes a port, and whoever closes
first keeps it in TIME_WAIT for a minute: a few hundred questions a second use up any range, for UDP as well.
"""

from __future__ import annotations

from kaminsky import Pace, finish, race
from stage.attack import Attack, Result, Scene
from stage.authority import Authority
from stage.targets import Berthd

RANGE = (50000, 50999)
CONFIG = {"range": "%d-%d" % RANGE}


def prepare(servers: Authority) -> None:
    servers.plan("victim", 1, 300, 10, 120)


def run(scene: Scene) -> Result:
    pace = Pace(RANGE, 65536, scene.size(15_000, 3000), 1000, 20, 4)
    numbers = finish(scene, race(scene, pace))
    lost = numbers["asked"] - numbers["answered"] + numbers["servfail"]
    text = "%d of %d questions lost (%d asked over UDP, %d over TCP)" % (lost, numbers["asked"], numbers["udp"], numbers["tcp"])
    return Result(lost > numbers["asked"] // 100, text, {"lost": lost, **numbers})


ATTACK = Attack(
    name="forced-tcp",
    title="forged packets move a server to TCP until the ports are gone",
    reference="RFC 7766 section 6.2; ports in TIME_WAIT (RFC 1337)",
    defence="questions over TCP share connections, and those end with a reset and leave their port free",
    weakness="a connection for each question, which ends in TIME_WAIT",
    prepare=prepare,
    run=run,
    servers=Authority,
    shipped=lambda: Berthd(ports=CONFIG),
    weakened=lambda: Berthd("lingering", ports=CONFIG),
    no_peers="they do not move a server to TCP",
    false_alarm="the first three of some hundred packets that meet a lent port decide; that fewer do has a chance below "
                "1e-30",
)
