"""What a seed draws: rounds, each of which is the same whatever came before it."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from support.chaos.actions import CLUSTER, NETWORK, USERS, Action

HOLDS: Final = (1.0, 3.0, 5.0, 15.0, 45.0, 75.0)
"""How long it stays broken, in seconds."""


@dataclass(frozen=True)
class Deed:
    """What is by chance in it comes from a seed of its own."""

    name: str
    seed: int


@dataclass(frozen=True)
class Round:
    """Troubles of the network begin, things happen, and some time later all is mended."""

    number: int
    troubles: tuple[Deed, ...]
    deeds: tuple[Deed, ...]
    """In their order."""
    seconds: float

    @property
    def kinds(self) -> frozenset[str]:
        """What went wrong; what users do is nothing wrong."""
        return frozenset(x.name for x in (*self.troubles, *self.deeds) if x.name not in USERS)


def draw_round(
    seed: int, number: int, without: Collection[str] = (), longest: float = 75.0
) -> Round:
    """`without`: what is left out; `longest`: seconds that something stays broken at most."""
    chance = random.Random(f"{seed}/{number}")
    alone = chance.random() < 0.5
    network = chance.random() < 0.6
    troubles = _draw(chance, [x for x in NETWORK if x not in without], not network, alone)
    others = network and (alone or chance.random() < 0.5)
    cluster = [] if others else _weighted(chance, CLUSTER, without, 1)
    people = _weighted(chance, USERS, without, chance.randint(1, 5))
    deeds = [*cluster, *people]
    chance.shuffle(deeds)
    seconds = chance.choice([x for x in HOLDS if x <= longest])
    return Round(number, _seeded(chance, troubles), _seeded(chance, deeds), seconds)


def _draw(chance: random.Random, names: Sequence[str], none: bool, alone: bool) -> list[str]:
    if none or not names:
        return []
    return chance.sample(names, min(len(names), 1 if alone else chance.randint(1, 3)))


def _weighted(
    chance: random.Random, table: dict[str, Action], without: Collection[str], count: int
) -> list[str]:
    names = [x for x in table if x not in without]
    if not names:
        return []
    return chance.choices(names, [table[x].weight for x in names], k=count)


def _seeded(chance: random.Random, names: Sequence[str]) -> tuple[Deed, ...]:
    return tuple(Deed(x, chance.randrange(1 << 32)) for x in names)
