"""Many workers, random targets, crashes: every delivery is in exactly one state, and ends."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from hookplane.config.base import RateLimit
from hookplane.config.subscription import CircuitConfig, RetryConfig, SubscriptionConfig
from hookplane.store.delivery_store import DeliveryState
from support.http.scripted_egress import Reply, Script
from support.planes.dispatcher import World, subscription, url

FINAL = {DeliveryState.DELIVERED, DeliveryState.FILTERED, DeliveryState.DEAD}
PATIENCE = 30_000
"""Seconds: a target that fails so often is probed every five minutes."""
STATUSES = (200, 200, 200, 200, 500, 503, 404, 301, 429)


def shop(name: str, chance: random.Random) -> SubscriptionConfig:
    config: SubscriptionConfig = subscription(
        name,
        chance.choice([("orders",), ("users",), ("orders", "users")]),
        types=chance.choice([(), ("order.*",), ("*.created",)]),
        filter_cel=chance.choice([None, "event.body.n % 3 != 0", "event.body.even"]),
        strict=chance.random() < 0.3,
        max_in_flight=chance.choice([1, 4, 16]),
        retry=RetryConfig(schedule=(500, 2_000, 8_000), jitter_percent=20),
        circuit=CircuitConfig(failures=chance.choice([3, 50]), probe_every=2_000),
        disable_after=0,
    )
    return config


def target(chance: random.Random, bad_until: float, world: World) -> Script:
    def answer(_: object) -> Reply:
        after = chance.choice([0.001, 0.01, 0.2, 3.0])
        if world.loop.time() < bad_until and chance.random() < 0.7:
            return Reply(500, after)
        return Reply(chance.choice(STATUSES), after, retry_after="1")

    return answer


async def live(world: World, *, changing: bool) -> None:
    """A dozen subscriptions with events, crashes and, if asked for, changes of what they say."""
    chance = world.random
    await world.endpoint("users")
    shops = [await world.subscribe(shop(f"shop{n}", chance)) for n in range(12)]
    for config in shops:
        world.egress.scripts[url(config.name)] = target(chance, chance.choice([0, 30]), world)
    events: dict[str, Counter[str]] = {"orders": Counter(), "users": Counter()}
    await world.start()
    for _ in range(12):
        for _ in range(chance.randrange(20)):
            endpoint = chance.choice(list(events))
            body = {"n": chance.randrange(100), "even": chance.random() < 0.5}
            kind = chance.choice(["order.created", "order.paid", "user.created"])
            events[endpoint][await world.publish(endpoint, kind, body)] += 1
        await asyncio.sleep(chance.uniform(0, 3))
        if changing:
            shops = [await changed(world, config) for config in shops]
        if chance.random() < 0.4:
            await world.crash()
            await world.start()
    shops = [await world.change(config, suspended=False) for config in shops]
    for config in shops:
        await check(world, config, set().union(*(events[e] for e in config.endpoints)))


async def changed(world: World, config: SubscriptionConfig) -> SubscriptionConfig:
    """Mostly as it was."""
    chance = world.random
    if chance.random() < 0.7:
        return config
    other = shop(config.name, chance)
    names = ("types", "filter_cel", "strict", "max_in_flight", "circuit")
    picked = chance.choice(names)
    rate = chance.choice([None, RateLimit(tokens=10, per=1_000, burst=2)])
    suspended = chance.random() < 0.2
    fields = {picked: getattr(other, picked), "rate": rate, "suspended": suspended}
    return await world.change(config, **fields)


@pytest.mark.parametrize("seed", range(4))
async def test_every_event_ends_in_exactly_one_state(world: World) -> None:
    await live(world, changing=False)


@pytest.mark.parametrize("seed", range(4))
async def test_so_it_does_whatever_is_changed_meanwhile(world: World) -> None:
    await live(world, changing=True)


async def check(world: World, config: SubscriptionConfig, events: set[str]) -> None:
    status = await world.until_status(
        config, lambda s: s.pending + s.sending + s.retrying == 0, PATIENCE, 30
    )
    rows = await world.deliveries(config)
    assert len(rows) == len(events)
    assert {row.entry.event_id for row in rows} == events
    assert {row.state for row in rows} <= FINAL
    states = Counter(row.state for row in rows)
    counted = status.counters
    assert counted.delivered == states[DeliveryState.DELIVERED]
    assert counted.dead == states[DeliveryState.DEAD] == status.dead
    assert counted.filtered == states[DeliveryState.FILTERED]
    attempts = await world.attempts(config)
    assert len(attempts) == counted.attempts
    assert sum(row.attempt.success for row in attempts) == counted.delivered
