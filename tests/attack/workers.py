"""Decides the attack on workers that have ports of their own: whoever reaches one worker has fewer ports to guess.

Sixteen clients, each from a port of its own, which is what the kernel deals them out to workers by, and each with a
name of its own, which is what berthd deals them out by. What ports their questions left from is seen at the attacker's
server. If the client tells anything about the port, the mutual information is not nil; and if ports are dealt out in
any way at all, different clients meet on the same port too seldom.
"""

from __future__ import annotations

import subprocess
from collections import Counter, defaultdict

from stage import chance
from stage.attack import Attack, Result, Scene
from stage.authority import Authority
from stage.targets import BUILD, Berthd, Kresd, Unbound

CLIENTS, WORKERS = 16, 8
STEP = 100_000  # name numbers of one client
FIRST_TYPE = 1000  # none that means anything


def prepare(servers: Authority) -> None:
    servers.plan("w", 1, 0, 0, 200)


def questions_of(scene: Scene, client: int, count: int) -> str:
    """berthd's owner of a name is one worker: there the client sticks to one name, and asks for one type of it after the
    other. The peers go by the client's port alone, and are asked for new names."""
    if scene.target.program == "berthd":
        return "".join("w%07d.w100 %d\n" % (client * STEP, FIRST_TYPE + number) for number in range(count))
    return "".join("w%07d.w100 1\n" % (client * STEP + number) for number in range(count))


def run(scene: Scene) -> Result:
    count = scene.size(20_000, 2_500)
    floods = []
    for client in range(CLIENTS):
        names = scene.ground.place / ("names%d" % client)
        names.write_text(questions_of(scene, client, count))
        floods.append(scene.ground.C.start(BUILD / "bench" / "flood", scene.ground.R.address, 53, names, count, 1,
                                           stdout=subprocess.DEVNULL))
    for flood in floods:
        flood.wait(180)
    scene.servers.stop()
    pairs = [(number // STEP, port) for port, _, number, _, tcp, _ in scene.servers.notes() if not tcp]
    return judge(pairs)


def judge(pairs: list[tuple[int, int]]) -> Result:
    groups: dict[int, Counter[int]] = defaultdict(Counter)
    for client, port in pairs:
        groups[client][port] += 1
    ports = len({port for _, port in pairs})
    high, low = chance.information((c, p >> 8) for c, p in pairs), chance.information((c, p & 63) for c, p in pairs)
    meetings = chance.collisions(groups)
    zs = {"high bits": high[1], "low bits": low[1], "meetings": meetings}
    bits = max(high[0], low[0])
    tells = {name: z for name, z in zs.items() if abs(z) > chance.LIMIT}
    text = "%d questions of %d clients from %d ports: " % (len(pairs), len(groups), ports)
    text += "the client tells the port by " + ", ".join("%s (z = %.0f)" % one for one in tells.items()) if tells \
        else "the client tells nothing of the port (largest |z| %.1f)" % max(map(abs, zs.values()))
    return Result(bool(tells), text, {"pairs": len(pairs), "ports": ports, "z": zs, "bits": bits})


ATTACK = Attack(
    name="workers",
    title="ports that tell which worker sent the question",
    reference="CVE-2026-50252",
    defence="one set of ports for all workers",
    weakness="each of 8 workers has an eighth of the ports",
    prepare=prepare,
    run=run,
    servers=Authority,
    shipped=lambda: Berthd(workers=WORKERS),
    weakened=lambda: Berthd("own-ports", workers=WORKERS),
    peers=[lambda: Unbound("num-threads: %d" % WORKERS), Kresd],
    false_alarm="three tests of |z| > 6: below 1e-8",
)
