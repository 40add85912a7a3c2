"""Decides what an attack is and what its verdict means.

Each attack is a module with one or more `Attack`s; tests/attack/table.py lists them. `run` mounts the attack on a
ground against a target that runs there and says whether it succeeded, with the numbers it saw. As shipped it must
not succeed; weakened it must, or the attack is no test. What the peers make of it is only written down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from .authority import Authority
from .ground import Ground
from .targets import Target
from .zones import Servers


@dataclass
class Result:
    succeeded: bool
    text: str  # one line for the table
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass
class Scene:
    """What `run` gets: the ground with the servers and the target, all running, and how long it may take."""

    ground: Ground
    servers: Servers | Authority
    target: Target
    full: bool

    def size(self, full: int, short: int) -> int:
        return full if self.full else short


@dataclass
class Attack:
    name: str
    title: str
    reference: str
    defence: str
    weakness: str  # what the weakened build lacks
    prepare: Callable[[Any], None]  # gives the servers their zones, before anything runs
    run: Callable[[Scene], Result]
    shipped: Callable[[], Target]
    weakened: Callable[[], Target]
    servers: Callable[[Ground, bool], Servers | Authority] = Servers
    peers: list[Callable[[], Target]] = field(default_factory=list)
    no_peers: str = ""  # why the columns of the peers are empty
    false_alarm: str = ""  # how likely a wrong verdict is, where chance has a say
    change_ground: Callable[[Ground], None] | None = None  # more hosts, other links
    ipv6: bool = False
    is_short: bool = True  # it has a part in the short form


@dataclass
class Verdict:
    """One column of one row."""

    attack: str
    column: str
    succeeded: bool | None  # None: it did not run
    text: str
    numbers: dict[str, Any]
    seconds: float
    is_right: bool
    mounts: int = 1  # which mount this was of: there is a second, and a third, where the first went wrong

    @property
    def again(self) -> str:
        return " (mount %d: the first went wrong)" % self.mounts if self.mounts > 1 else ""
