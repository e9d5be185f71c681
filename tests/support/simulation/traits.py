"""What a seed is like: how long it takes, what happens in it, and what its subscriptions are."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Final

from hookplane.config.base import RateLimit
from hookplane.config.subscription import CircuitConfig, RetryConfig, SubscriptionConfig
from support.planes.dispatcher import subscription
from support.simulation.targets import EventClass

SECONDS: Final = (180.0, 360.0, 360.0, 720.0, 1_800.0)
ACTIONS: Final = (10, 20, 60)
SCHEDULES: Final = ((500, 2_000, 8_000), (5_000, 60_000, 600_000), (30_000,) * 9)
SHORT_SCHEDULE: Final = (100, 200)
ROWS: Final = 6
"""Unfinished deliveries in a dispatcher's memory: so few that most seeds have more."""
EVERY: Final = 200
"""One of so many seeds has very many subscriptions, another one very many deliveries that fail."""
PRESENT: Final = 0.55
"""The share of kinds of actions that a seed has: what is never absent hides what it mends."""


@dataclass(frozen=True)
class Traits:
    """Drawn once for a seed, so that seeds differ more than chance alone makes them."""

    seconds: float
    actions: int
    kinds: tuple[str, ...]
    """Which actions there are."""
    poison: float
    """The share of events that are answered 400 each time."""
    gone: float
    """The share that is answered 410 each time."""
    subscriptions: int
    bursts: tuple[int, ...] = (1, 3, 20, 100)
    """How many events are published at once."""
    backlog: int = 0
    """Events at the beginning that are answered 400 each time."""
    rows: int = ROWS
    """Of a subscription that a dispatcher has in memory."""
    check_seconds: float = 20.0
    """How often record and store are compared."""

    @classmethod
    def draw(cls, chance: random.Random, kinds: list[str]) -> Traits:
        """By chance; `publish` is always there."""
        return cls(
            seconds=chance.choice(SECONDS),
            actions=chance.choice(ACTIONS),
            kinds=tuple(x for x in kinds if chance.random() < PRESENT or x == "publish"),
            poison=chance.choice([0.0, 0.0, 0.1, 0.5]),
            gone=chance.choice([0.0, 0.0, 0.0, 0.02]),
            subscriptions=chance.choice([1, 2, 4, 12]),
        )

    def for_seed(self, seed: int) -> Traits:
        """Some seeds are larger than others."""
        return replace(self, **_LARGE.get(seed % EVERY, {}))

    def draw_class(self, chance: random.Random) -> EventClass:
        """What targets make of a new event."""
        drawn = chance.random()
        if drawn < self.poison:
            return EventClass.POISON
        return EventClass.GONE if drawn < self.poison + self.gone else EventClass.GOOD

    def draw_subscription(self, name: str, chance: random.Random) -> SubscriptionConfig:
        """Events that are gone hold the head of a strict subscription for ever, and poison holds it
        until its schedule ends, both by design: neither may hide what must not hold it. By key, one
        that is gone keeps disabling what others need to come to their turn."""
        strict = chance.random() < 0.2 and not self.gone
        schedule = SHORT_SCHEDULE if strict and self.poison else chance.choice(SCHEDULES)
        config: SubscriptionConfig = subscription(
            name,
            chance.choice([("orders",), ("users",), ("orders", "users")]),
            types=chance.choice([(), (), ("order.*",), ("*.created",)]),
            strict=strict,
            max_in_flight=chance.choice([1, 4, 16]),
            rate=chance.choice([None, None, RateLimit(tokens=10, per=1_000, burst=2)]),
            retry=RetryConfig(schedule=schedule, jitter_percent=20),
            circuit=CircuitConfig(failures=chance.choice([3, 10, 50])),
            disable_after=0,
        )
        if self.backlog:
            config = config.model_copy(update=_FAILING)
        is_other = config.strict or self.gone
        by_key = not is_other and random.Random(f"{name} {schedule}").random() < 0.4
        return config.model_copy(update={"by_key": by_key})


_LARGE: Final[dict[int, dict[str, Any]]] = {
    60: {
        "subscriptions": 3_000,
        "seconds": 360.0,
        "actions": 20,
        "bursts": (1, 2),
        "check_seconds": 300.0,
    },
    160: {
        "subscriptions": 2,
        "seconds": 1_800.0,
        "poison": 0.1,
        "gone": 0.0,
        "backlog": 12_000,
        "rows": 200,
        "check_seconds": 60.0,
    },
}
"""Seed, modulo EVERY → what is not drawn."""
_FAILING: Final[dict[str, Any]] = {
    "endpoints": ("orders", "users"),
    "types": (),
    "strict": False,
    "max_in_flight": 16,
    "rate": None,
    "retry": RetryConfig(schedule=(600_000,) * 3, jitter_percent=20),
}
"""Subscriptions of a backlog: all of it is retrying at the same time."""
