"""What one ownership does while its store is away, and how it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from hookplane.errors import StoreUnavailable
from support.http.scripted_egress import NEVER, Reply
from support.planes.dispatcher import LOG_READS, World, subscription, url

ALL = frozenset({"claim", "flush", "resume_requested", "running_replays", *LOG_READS})


def _without(world: World, names: frozenset[str], calls: Counter[str] | None = None) -> None:
    """`calls`: where they are counted by name."""

    def fail(name: str, _: tuple[Any, ...]) -> None:
        if calls is not None:
            calls[name] += 1
        if name in names:
            raise StoreUnavailable("away")

    world.watched.fail = fail


@pytest.mark.parametrize("endpoints", [("orders",), ("orders", "users"), ("orders", "nowhere"), ()])
@pytest.mark.parametrize(
    "away",
    [frozenset({name}) for name in sorted(ALL - LOG_READS)] + [LOG_READS] + [ALL, frozenset()],
)
@pytest.mark.parametrize("stopping", [False, True])
async def test_no_state_keeps_the_process_busy(
    world: World, away: frozenset[str], endpoints: tuple[str, ...], *, stopping: bool
) -> None:
    await world.endpoint("users")
    shop = await world.subscribe(subscription())
    worker = await world.start_worker(shop)
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    _without(world, away - LOG_READS)
    await world.publish()
    await world.until(lambda: len(world.egress.sent) == 2)
    _without(world, away)
    worker.configure(shop.model_copy(update={"endpoints": endpoints}))
    if stopping:
        worker.stop()
    before = world.clock.readings
    await asyncio.sleep(10)
    assert world.clock.readings - before < 500


@pytest.mark.parametrize("stopping", [False, True])
async def test_a_search_by_key_that_fails_keeps_no_process_busy(
    world: World, *, stopping: bool
) -> None:
    """A request is under way, so one that stops does not end at once."""
    await world.endpoint("users")
    shop = await world.subscribe(subscription(by_key=True, endpoints=("orders", "users")))
    worker = await world.start_worker(shop)
    world.egress.scripts[url()] = lambda _: NEVER
    for _ in range(3):
        await world.publish(key="a")
    await world.until_status(shop, lambda s: s.pending == 2)
    calls: Counter[str] = Counter()
    _without(world, frozenset({"stranded_keys"}), calls)
    worker.configure(shop.model_copy(update={"endpoints": ("orders",)}))
    await world.until(lambda: calls["stranded_keys"])
    if stopping:
        worker.stop()
    before = world.clock.readings
    await asyncio.sleep(10)
    assert world.clock.readings - before < 500


async def _released(world: World) -> None:
    """Waits until the store is told that the subscription is free."""
    told: list[str] = []
    world.watched.fail = lambda name, _: told.append(name)
    await world.until(lambda: "release" in told, patience=2)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("tried_before", [0.0, 5.0])
async def test_a_hand_over_does_not_wait_for_what_hangs(
    world: World, tried_before: float, *, strict: bool
) -> None:
    """The next owner goes on at once, in order, and only what hung comes twice."""
    shop = await world.subscribe(subscription(strict=strict))
    world.egress.scripts[url()] = lambda _: NEVER
    worker = await world.start_worker(shop)
    event = await world.publish()
    await world.until(lambda: world.egress.sent)
    await asyncio.sleep(tried_before)
    worker.stop()
    await _released(world)
    world.egress.scripts.clear()
    later = await world.publish()
    await world.start_worker(shop)
    await world.until_status(shop, lambda s: s.counters.delivered == 2, 2)
    assert sorted(world.events) == [event, event, later]
    assert world.events.index(later) == 2 or not strict


async def test_a_hand_over_lets_what_is_quick_end(world: World) -> None:
    shop = await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: Reply(after=0.8)
    worker = await world.start_worker(shop)
    await world.publish_many(4)
    await world.until(lambda: len(world.egress.sent) == 4)
    worker.stop()
    await _released(world)
    assert (await world.status(shop)).counters.delivered == 4


async def test_a_hand_over_does_not_wait_for_a_page_of_a_replay(world: World) -> None:
    shop = await world.subscribe(subscription())
    worker = await world.start_worker(shop)
    event = await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    world.watched.delays["replay_page"] = 3600
    await world.replay("again", shop, ids=(event,), states=frozenset())
    worker.look_soon()
    await asyncio.sleep(1)
    worker.stop()
    await _released(world)
