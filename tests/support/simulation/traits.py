"""What a seed is like: how long it takes, what happens in it, and what its subscriptions are."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from hookplane.config.base import RateLimit
from hookplane.config.subscription import CircuitConfig, RetryConfig, SubscriptionConfig
from support.planes.dispatcher import subscription
from support.simulation.targets import EventClass

SECONDS: Final = (180.0, 360.0, 360.0, 720.0, 1_800.0)
ACTIONS: Final = (10, 20, 60)
SCHEDULES: Final = ((500, 2_000, 8_000), (5_000, 60_000, 600_000), (30_000,) * 9)
SHORT_SCHEDULE: Final = (100, 200)
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

    def draw_class(self, chance: random.Random) -> EventClass:
        """What targets make of a new event."""
        drawn = chance.random()
        if drawn < self.poison:
            return EventClass.POISON
        return EventClass.GONE if drawn < self.poison + self.gone else EventClass.GOOD

    def draw_subscription(self, name: str, chance: random.Random) -> SubscriptionConfig:
        """Events that are gone hold the head of a strict subscription for ever, and poison holds it
        until its schedule ends, both by design: neither may hide what must not hold it."""
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
        return config
