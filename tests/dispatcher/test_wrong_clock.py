"""The wall clock leaps: nothing is lost, nothing waits longer than its schedule, nothing dies."""

from __future__ import annotations

import asyncio

import pytest

from hookplane.config.subscription import CircuitConfig, RetryConfig
from hookplane.store.delivery_store import CircuitState, DeliveryState
from hookplane.store.maintenance import Retention
from support.clocks.virtual import START
from support.http.scripted_egress import Reply
from support.planes.dispatcher import World, subscription, url

SECOND = 1_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
YEAR = 365 * DAY
LEAPS = [YEAR, DAY, HOUR, 10 * SECOND, -10 * SECOND, -HOUR, -DAY, -YEAR]
SCHEDULE = RetryConfig(schedule=(5 * SECOND, 60 * SECOND, 120 * SECOND), jitter_percent=0)
TIMES = [0, 5, 65, 185]
"""Seconds after the first attempt at which the others come."""


def make_target_fail(world: World) -> None:
    world.egress.scripts[url()] = lambda _: Reply(500)


def seconds_of_attempts(world: World) -> list[int]:
    times = [sent.at for sent in world.egress.sent]
    return [round((at - times[0]) / 1000) for at in times]


@pytest.mark.parametrize("lasts", [3, 30, 90, 10_000])
@pytest.mark.parametrize("leap", LEAPS)
async def test_a_leap_while_something_waits_changes_no_wait(
    world: World, leap: int, lasts: int
) -> None:
    shop = await world.subscribe(subscription(retry=SCHEDULE))
    make_target_fail(world)
    await world.start()
    await world.publish()
    await world.until(lambda: len(world.egress.sent) == 1)
    world.clock.shift = leap
    await asyncio.sleep(lasts)
    world.clock.shift = 0
    status = await world.until_status(shop, lambda s: s.dead == 1)
    assert (status.counters.attempts, seconds_of_attempts(world)) == (4, TIMES)


@pytest.mark.parametrize("leap", LEAPS)
async def test_what_is_shown_follows_a_clock_that_was_set_right(world: World, leap: int) -> None:
    world.clock.shift = leap
    retry = RetryConfig(schedule=(HOUR,), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry, circuit=CircuitConfig(failures=1)))
    make_target_fail(world)
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.retrying)
    world.clock.shift = 0
    await asyncio.sleep(200)
    status = await world.status(shop)
    assert abs(status.next_due - (START + HOUR)) < 5 * SECOND
    assert abs(status.state.failing_since - START) < 5 * SECOND
    assert START < status.state.blocked_until < START + HOUR
    assert status.state.last_failure <= world.clock.now()


@pytest.mark.parametrize("leap", LEAPS)
async def test_what_a_wrong_clock_stored_keeps_no_successor_waiting(
    world: World, leap: int
) -> None:
    circuit = CircuitConfig(failures=2, probe_every=30 * SECOND, probe_at_most_every=60 * SECOND)
    shop = await world.subscribe(subscription(retry=SCHEDULE, circuit=circuit))
    make_target_fail(world)
    world.clock.shift = leap
    await world.start()
    ids = await world.publish_many(3)
    await world.until_status(shop, lambda s: s.state.circuit is CircuitState.OPEN)
    await world.crash()
    world.clock.shift = 0
    world.egress.scripts.clear()
    await world.start()
    status = await world.until_status(shop, lambda s: s.counters.delivered == 3, 3_700)
    assert (status.dead, set(world.events)) == (0, set(ids))


@pytest.mark.parametrize("leap", LEAPS)
async def test_an_owner_with_a_wrong_clock_ends_nothing(world: World, leap: int) -> None:
    shop = await world.subscribe(subscription(retry=SCHEDULE))
    make_target_fail(world)
    await world.start()
    ids = await world.publish_many(3)
    await world.until_status(shop, lambda s: s.retrying == 3)
    await world.crash()
    world.clock.shift = leap
    await world.start()
    await asyncio.sleep(20)
    assert (await world.status(shop)).retrying == 3
    world.clock.shift = 0
    await asyncio.sleep(40)
    world.egress.scripts.clear()
    status = await world.until_status(shop, lambda s: s.counters.delivered == 3)
    assert (status.dead, set(world.events)) == (0, set(ids))


@pytest.mark.parametrize("leap", LEAPS)
async def test_a_wrong_clock_disables_nothing(world: World, leap: int) -> None:
    retry = RetryConfig(schedule=(SECOND,) * 30, jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry, disable_after=DAY // 2))
    make_target_fail(world)
    await world.start()
    await world.publish_many(4)
    await world.until_status(shop, lambda s: s.state.failed_attempts >= 12)
    await world.crash()
    world.clock.shift = leap
    await world.start()
    await asyncio.sleep(20)
    assert not (await world.status(shop)).state.disabled_at


@pytest.mark.parametrize("leap", LEAPS)
async def test_a_pause_moves_what_is_due_by_the_time_that_passed(world: World, leap: int) -> None:
    shop = await world.subscribe(subscription(retry=SCHEDULE))
    make_target_fail(world)
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.retrying)
    shop = await world.change(shop, suspended=True)
    await world.until_status(shop, lambda s: s.state.paused_at)
    world.clock.shift = leap
    await asyncio.sleep(1_000)
    shop = await world.change(shop, suspended=False)
    await world.until_status(shop, lambda s: not s.state.paused_at)
    resumed = world.loop.time()
    await world.until(lambda: len(world.egress.sent) == 2)
    assert world.loop.time() - resumed < 6


@pytest.mark.parametrize("leap", [-HOUR, -DAY, -YEAR])
async def test_what_a_clock_behind_delivered_is_kept_as_delivered(world: World, leap: int) -> None:
    shop = await world.subscribe(subscription())
    event = await world.publish()
    world.clock.shift = leap
    await world.start()
    await world.until_status(shop, lambda s: s.counters.delivered)
    world.clock.shift = 0
    await world.store.expire(Retention(HOUR // 2, HOUR // 2, 1 << 30), world.clock.now())
    (row,) = await world.deliveries(shop, *DeliveryState)
    assert (row.entry.event_id, row.state) == (event, DeliveryState.DELIVERED)
    (attempt,) = await world.attempts(shop)
    assert attempt.attempt.at == row.entry.received
