"""Decides the attack on the generator: ports and IDs seen at a server the attacker owns, to tell the next ones.

The attacker asks for names of its own zone, sees a million pairs of port and ID in the order they were drawn, and looks
for what chance does not do: uneven ports and IDs, values that hang together with those before, and bits that a short
shift register would make (Berlekamp and Massey), as those of xoshiro, LFSRs and Mersenne twisters are.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import Any

from stage import chance
from stage.attack import Attack, Result, Scene
from stage.authority import Authority
from stage.targets import BUILD, Berthd, Kresd, Target, Unbound

PAIRS, PAIRS_SHORT = 1_000_000, 60_000
NAMES = 200_000  # TTL 0: no name is asked twice within a second, which some keep an answer for anyhow
BLOCK, LONG_BLOCK = 640, 45_000  # registers of up to 296 bits, and with one long block those of 19,937
SHORTFALL = 24  # chance goes that far once in 4^24 blocks
WINDOW = 4  # a draw that meets a lent port is repeated, which shifts all that follows: so few at once
LAGS = (1, 2, 3, 8)
KERNEL_PORTS = 60999 - 32768 + 1  # ip_local_port_range


def prepare(servers: Authority) -> None:
    servers.plan("g", 1, 0, 0, 300)


def collect(scene: Scene, count: int) -> list[tuple[int, int]]:
    names = scene.ground.place / "names"
    names.write_text("".join("g%07d.g100 1\n" % number for number in range(NAMES)))
    flood = scene.ground.A.start(BUILD / "bench" / "flood", scene.ground.R.address, 53, names, count, WINDOW,
                                 stdout=subprocess.PIPE)
    json.loads(flood.communicate(timeout=280)[0])
    scene.servers.stop()
    return [(port, ident) for port, ident, _, _, tcp, _ in scene.servers.notes() if not tcp]


def cells_of(target: Target, seen: int) -> int:
    """How many ports are equally likely: what berthd says it has, the kernel's range, or, where nobody says, as many as
    were seen; there are so many pairs that none is missing."""
    if isinstance(target, Berthd):
        return target.control("stats")["ports"]["usable"]
    return KERNEL_PORTS if isinstance(target, Kresd) else seen


def test_evenness(target: Target, pairs: list[tuple[int, int]]) -> dict[str, float]:
    ports, idents = Counter(port for port, _ in pairs), Counter(ident for _, ident in pairs)
    cells = cells_of(target, len(ports))
    return {"ports": chance.chi_square(ports.values(), cells), "IDs": chance.chi_square(idents.values(), 65536)}


def test_serial(pairs: list[tuple[int, int]]) -> dict[str, float]:
    ports, idents = [port for port, _ in pairs], [ident for _, ident in pairs]
    found = {"port and ID": chance.correlation(ports, idents)}
    for lag in LAGS:
        found["port after %d" % lag] = chance.correlation(ports[lag:], ports[:-lag])
        found["ID after %d" % lag] = chance.correlation(idents[lag:], idents[:-lag])
    return found


def test_linearity(pairs: list[tuple[int, int]], blocks: int) -> int:
    """The largest shortfall of any bit in any block."""
    worst = 0
    for which, width in ((0, 14), (1, 16)):
        for position in range(width):
            bits = [pair[which] >> position & 1 for pair in pairs[:blocks * BLOCK]]
            worst = max([worst, *(chance.shortfall(bits[at:at + BLOCK]) for at in range(0, len(bits) - BLOCK + 1, BLOCK))])
    for which in (0, 1):
        if len(pairs) >= LONG_BLOCK:
            worst = max(worst, chance.shortfall([pair[which] & 1 for pair in pairs[:LONG_BLOCK]]))
    return worst


def run(scene: Scene) -> Result:
    pairs = collect(scene, scene.size(PAIRS, PAIRS_SHORT))
    zs = {**test_evenness(scene.target, pairs), **test_serial(pairs)}
    gap = test_linearity(pairs, scene.size(40, 40))
    caught = ["%s (z = %.0f)" % (name, z) for name, z in zs.items() if abs(z) > chance.LIMIT]
    if gap >= SHORTFALL:
        caught.append("linear bits (%d short of chance)" % gap)
    worst = max(zs, key=lambda name: abs(zs[name]))
    text = "%d pairs, %d ports: " % (len(pairs), len({port for port, _ in pairs}))
    text += "caught by " + ", ".join(caught) if caught else "no test notices anything (largest |z| %.1f)" % abs(zs[worst])
    numbers: dict[str, Any] = {"pairs": len(pairs), "z": zs, "shortfall": gap}
    return Result(bool(caught), text, numbers)


ATTACK = Attack(
    name="generator",
    title="a million pairs of port and ID, to tell the next",
    reference="Klein 2007 (CVE-2007-2926, CVE-2007-3898); Herzberg and Shulman 2012",
    defence="every port and ID comes from the kernel's CSPRNG (getrandom), drawn without bias",
    weakness="xoshiro256+ instead",
    prepare=prepare,
    run=run,
    servers=Authority,
    shipped=lambda: Berthd(workers=1),
    weakened=lambda: Berthd("xoshiro", workers=1),
    peers=[lambda: Unbound("num-threads: 1"), Kresd],
    false_alarm="11 tests of |z| > 6 (2e-9 each) and 1,200 blocks with 4^-24 each: below 1e-7",
)
