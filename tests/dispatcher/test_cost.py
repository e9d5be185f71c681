"""What an event costs a dispatcher, counted and not timed: calls to the store, each of which is a
hand-over to a thread or a round trip, and looks at the clock, by which workers that woke are told.
The bounds are what was counted, and a quarter more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import pytest

from hookplane.config.subscription import SubscriptionConfig
from support.planes.dispatcher import World, subscription

ROUND: Final = 20.0
"""Seconds after which all is at rest."""
DRIVEN: Final = ("append", "subscription_stats")
"""What the tests themselves call."""
LOOKS: Final = 4
"""At the clock, for each event that comes alone."""


async def at_rest(world: World, targets: int) -> list[SubscriptionConfig]:
    """So many endpoints with a subscription each, to which one event was delivered."""
    names = [f"e{number}" for number in range(targets)]
    await world.endpoint(*names)
    made = [await world.subscribe(subscription(f"of-{x}", endpoints=(x,))) for x in names]
    await world.start()
    await publish(world, targets)
    await asyncio.sleep(ROUND)
    return made


async def publish(world: World, targets: int, pause: float = 0.0) -> None:
    """One event to each endpoint; `pause`: seconds after each of them."""
    for number in range(targets):
        await world.publish(f"e{number}")
        await asyncio.sleep(pause)


def own(calls: Counter[str]) -> Counter[str]:
    """Those that a dispatcher makes."""
    return Counter({name: count for name, count in calls.items() if name not in DRIVEN})


async def all_delivered(world: World, readers: list[SubscriptionConfig], each: int) -> None:
    for reader in readers:
        await world.until_status(reader, lambda s: s.counters.delivered == each)


@pytest.mark.parametrize(("targets", "each"), [(1, 50), (20, 5), (200, 1)])
async def test_an_event_that_comes_alone(world: World, targets: int, each: int) -> None:
    """Ten a second: read with its content, and its outcome, whoever it is for."""
    readers = await at_rest(world, targets)
    calls, before, begun = world.count_calls(), world.clock.readings, world.loop.time()
    for _ in range(each):
        await publish(world, targets, 0.1)
    await all_delivered(world, readers, 1 + each)
    events, seconds = targets * each, world.loop.time() - begun
    assert calls["flush"] <= events
    assert "read_contents" not in calls
    polls = 1 + seconds / world.settings.poll_seconds
    reads = calls["read_log"] + calls["read_events"]
    assert reads <= events + polls  # a poll can see what is being read just then
    assert own(calls).total() <= 2 * events + 2 * polls + 2 * seconds
    assert world.clock.readings - before <= LOOKS * events * 1.25


@pytest.mark.parametrize(("targets", "each", "flushes"), [(1, 300, 25), (20, 15, 40)])
async def test_events_that_come_together_are_settled_together(
    world: World, targets: int, each: int, flushes: int
) -> None:
    readers = await at_rest(world, targets)
    calls, before = world.count_calls(), world.clock.readings
    await asyncio.gather(*(publish(world, targets) for _ in range(each)))
    await all_delivered(world, readers, 1 + each)
    assert calls["flush"] <= flushes
    assert world.clock.readings - before <= 2 * targets * each


async def test_who_has_nothing_to_do_costs_nothing(world: World) -> None:
    """An hour of 50 endpoints and subscriptions: a look for events that nobody told of, for all of
    them together, and for configuration."""
    await at_rest(world, 50)
    calls, before, hour = world.count_calls(), world.clock.readings, 3600
    await asyncio.sleep(hour)
    polls = hour / world.settings.poll_seconds
    assert calls.pop("bounds") <= polls + 1
    assert "read_log" not in calls
    assert calls.pop("load_config", 0) <= hour
    assert own(calls).total() <= polls, calls
    assert world.clock.readings - before <= hour
