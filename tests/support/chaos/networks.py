"""What networks and busy servers do to what the operators ask."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from support.chaos.world import World
from support.kubernetes.api_proxy import (
    Effect,
    answers,
    empty,
    half,
    hang,
    html,
    lose_answer,
    reset,
    silence,
    slow,
    too_many,
)

EVERYTHING: Final = ""
READS: Final = "^GET"
WATCHES: Final = "watch=(true|1)"
WRITES: Final = "^(POST|PUT|PATCH|DELETE)"
LEASES: Final = "/leases"
STATUSES: Final = "^PATCH .*/status"


@dataclass(frozen=True)
class Trouble:
    """What befalls some of the requests of some replicas."""

    effect: Effect
    where: tuple[str, ...] = (EVERYTHING, READS, WATCHES, WRITES, LEASES, STATUSES)
    """One of these is drawn."""


TROUBLES: Final = {
    "silent watches": Trouble(silence, (WATCHES,)),
    "no answer": Trouble(hang),
    "resets": Trouble(reset),
    "lost answers": Trouble(lose_answer, (WRITES, STATUSES, LEASES)),
    "half answers": Trouble(half),
    "slow": Trouble(slow(2.0)),
    "401": Trouble(answers(401)),
    "403": Trouble(answers(403)),
    "404": Trouble(answers(404), (WATCHES, STATUSES)),
    "409": Trouble(answers(409), (WRITES, STATUSES, LEASES)),
    "410": Trouble(answers(410), (READS, WATCHES)),
    "429": Trouble(too_many()),
    "500": Trouble(answers(500)),
    "503": Trouble(answers(503)),
    "504": Trouble(answers(504)),
    "HTML": Trouble(html()),
    "HTML of a 503": Trouble(html(503)),
    "empty": Trouble(empty()),
    "204": Trouble(empty(204)),
}


def begin(world: World, name: str, chance: random.Random) -> None:
    """Until the world is mended."""
    trouble = TROUBLES[name]
    where, whom = chance.choice(trouble.where), chance.choice(["leader", "both"])
    replicas = world.replicas if whom == "both" else (world.leader(),)
    for replica in replicas:
        rule = replica.proxy.add(where, trouble.effect)
        if chance.random() < 0.5:
            replica.proxy.cut()
        world.mends.append(lambda proxy=replica.proxy, rule=rule: proxy.remove(rule))  # type: ignore[misc]
