"""How tails are followed when reads fail, and when nobody tells of what is new."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hookplane.errors import StoreUnavailable
from hookplane.store.notifications import Topic
from hookplane_dispatcher.reading.log_reader import FEW, SMALL_BYTES
from support.planes.dispatcher import LOG_READS, World, subscription


async def test_a_tail_whose_read_failed_is_read_again_soon(world: World) -> None:
    shop = await world.subscribe(subscription())
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)

    def fail(name: str, _: tuple[Any, ...]) -> None:
        if name in LOG_READS:
            raise StoreUnavailable("away")

    world.watched.fail = fail
    event = await world.publish()
    await asyncio.sleep(0.3)
    world.watched.fail = lambda _name, _arguments: None
    await world.until(lambda: event in world.events, patience=1)


async def test_contents_come_with_the_log_when_they_are_few_and_small(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=64))
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    calls = world.count_calls()
    for _ in range(3):
        await world.publish()
        await asyncio.sleep(1)
    assert (calls["read_events"], calls["read_log"], calls["read_contents"]) == (3, 0, 0)
    await world.publish(body=b"x" * (SMALL_BYTES + 1))
    await asyncio.sleep(1)
    assert (calls["read_events"], calls["read_log"], calls["read_contents"]) == (4, 0, 1)
    world.watched.delays["read_events"] = 1.0
    await world.publish_many(3 * FEW)
    await world.until_status(shop, lambda s: s.counters.delivered == 5 + 3 * FEW)
    assert calls["read_events"] == 5
    assert calls["read_log"] > 0
    assert len(world.events) == len(set(world.events)) == 5 + 3 * FEW


@pytest.mark.parametrize("away", [False, True], ids=["", "the store is away at first"])
async def test_what_nobody_told_of_is_found(world: World, away: bool) -> None:
    await world.endpoint("other")
    shop = await world.subscribe(subscription(endpoints=("orders", "other")))
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    failed: list[str] = []

    def fail(name: str, _: tuple[Any, ...]) -> None:
        if name == "bounds" and away and len(failed) < 3:
            failed.append(name)
            raise StoreUnavailable("away")

    world.watched.fail = fail
    world.watched.unheard.add(Topic.EVENTS)
    event = await world.publish("other")
    await world.until(lambda: event in world.events, patience=25)
    assert len(failed) == 3 * away
