"""Decides which names each work asks for, from what the lab knows the answers to."""

from __future__ import annotations

import random
from pathlib import Path

HOT_NAMES = 1000
MIX_COUNT, ZIPF = 40_000, 1.0
MISSING_COUNT = {False: 20_000, True: 10_000}  # by whether the lab is signed
# Many at first: what a heap gives back once it has worked would else be larger than what is measured, and what has one size
# and fills with use (berthd's ledger of the last 65,536 loans) would count as cache.
MEMORY_COUNT, MEMORY_WARM = 40_000, 80_000


def write(lab: Path, place: Path) -> dict[str, Path]:
    """{work: file of its names}. cold: each once; hot: the first of them; beside: the rest. memory and memory-warm are one
    A record each, all in one zone (a wildcard's, so that the lab need not list them)."""
    signed = (lab / "root.key").exists()
    cold = _existing(lab)
    dice = random.Random(7)
    weights = [1 / rank ** ZIPF for rank in range(1, len(cold) + 1)]
    zones = sorted({".".join(name.split(".")[-2:]) for name in cold})
    hot = min(HOT_NAMES, len(cold) // 2)
    what = {"cold": cold, "hot": cold[:hot], "beside": cold[hot:],
            "mix": dice.choices(cold, weights, k=MIX_COUNT),
            "missing": ["nx%d.%s" % (n, dice.choice(zones)) for n in range(MISSING_COUNT[signed])],
            "memory-warm": ["w%d.wild.lab" % n for n in range(MEMORY_WARM)],
            "memory": ["m%d.wild.lab" % n for n in range(MEMORY_COUNT)]}
    place.mkdir(parents=True, exist_ok=True)
    for work, names in what.items():
        (place / work).write_text("".join("%s 1\n" % name for name in names))
    return {work: place / work for work in what}


def _existing(lab: Path) -> list[str]:
    names = []
    for line in (lab / "expected.tsv").read_text().splitlines():
        name, rtype, rcode = (line.split("\t") + ["", ""])[:3]
        if not line.startswith("#") and rtype == "A" and rcode == "NOERROR" and not name.rstrip(".").endswith(".lab"):
            names.append(name.rstrip("."))
    return names


def count(path: Path) -> int:
    return path.read_text().count("\n")


def slices(path: Path, size: int, most: int) -> list[Path]:
    """The list's first parts of that size, each in a file beside it; of a list that is too short the whole."""
    names = path.read_text().splitlines(keepends=True)
    parts = [names[i * size:(i + 1) * size] for i in range(max(1, min(most, len(names) // size)))]
    out = [path.with_name("%s-%d" % (path.name, number)) for number in range(len(parts))]
    for one, part in zip(out, parts):
        one.write_text("".join(part))
    return out


def hit_rate(path: Path) -> float:
    """How many of the questions were asked before, from the list itself."""
    names = path.read_text().split("\n")[:-1]
    return 1 - len(set(names)) / len(names)
