"""No worker waits for something that never comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from hookplane.config.base import RateLimit
from hookplane.config.subscription import CircuitConfig, RetryConfig
from hookplane.store.delivery_store import CircuitState
from support.clocks.virtual import VirtualClock
from support.http.scripted_egress import Reply, Sent
from support.planes.dispatcher import World, subscription, url

RETRY = RetryConfig(schedule=(500, 2_000, 8_000), jitter_percent=0)


async def crash_with_rows_above_the_cursor(world: World, first: str) -> None:
    """The first event is under way and has no row yet; those behind it are to be retried."""
    world.egress.scripts[url()] = lambda sent: (
        Reply(after=30) if sent.event == first else Reply(500)
    )
    await world.until(lambda: len(world.egress.sent) >= 4)
    await asyncio.sleep(0.3)
    await world.crash()
    await asyncio.sleep(10)
    world.egress.scripts.clear()
    world.egress.sent.clear()


async def test_retries_after_a_crash_leave_room_for_what_comes_before_them(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=2, retry=RETRY))
    events = await world.publish_many(4)
    await world.start()
    await crash_with_rows_above_the_cursor(world, events[0])
    await world.start()
    await world.until_status(shop, lambda s: s.counters.delivered == len(events), 20)
    assert Counter(world.events) == Counter(events)


async def test_order_that_is_asked_for_later_holds_for_what_was_tried_before(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=2, retry=RETRY))
    events = await world.publish_many(4)
    await world.start()
    await crash_with_rows_above_the_cursor(world, events[0])
    await world.change(shop, strict=True)
    await world.start()
    await world.until_status(shop, lambda s: s.counters.delivered == len(events), 20)
    assert world.events == events


@pytest.mark.parametrize(
    "changes", [{"max_in_flight": 2}, {"rate": RateLimit(tokens=20, per=1_000, burst=1)}]
)
async def test_new_events_take_turns_with_retries_that_are_due(
    world: World, changes: dict[str, Any]
) -> None:
    retry = RetryConfig(schedule=(60_000,), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry, **changes))
    world.egress.scripts[url()] = lambda _: Reply(400, after=0.05)
    await world.start()
    await world.publish_many(100)
    await world.until_status(shop, lambda s: s.retrying == 100)
    world.egress.scripts[url()] = lambda _: Reply(after=0.05)
    world.egress.sent.clear()
    await world.until(lambda: len(world.egress.sent) > 10)
    new = await world.publish_many(10)
    await world.until_status(shop, lambda s: s.counters.delivered == 110)
    places = [world.events.index(x) for x in new]
    assert max(places) < 50, places


async def test_a_limit_of_one_at_a_time_set_while_many_wait_for_a_probe(world: World) -> None:
    """The probe began first and fails last; what was delivered meanwhile waits for it."""
    retry = RetryConfig(schedule=(60_000,), jitter_percent=0)
    circuit = CircuitConfig(failures=1, probe_every=1_000)
    shop = await world.subscribe(subscription(max_in_flight=8, retry=retry, circuit=circuit))
    slow, failing = await world.publish_many(2)
    replies = {slow: [Reply(after=4)], failing: [Reply(500)]}

    def answer(sent: Sent) -> Reply:
        left = replies.get(sent.event)
        return left.pop() if left else Reply()

    world.egress.scripts[url()] = answer
    await world.start()
    await world.until_status(shop, lambda s: s.state.circuit is CircuitState.OPEN)
    probe = await world.publish()
    replies[probe] = [Reply(500, after=9)]
    await world.until_status(shop, lambda s: s.state.circuit is CircuitState.CLOSED)
    more = await world.publish_many(6)
    await asyncio.sleep(1)
    await world.change(shop, max_in_flight=1)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 3 + len(more), 90)
    assert (status.pending, status.retrying) == (0, 0)


async def test_what_ended_in_an_endpoint_that_is_left_gives_its_slot_back(world: World) -> None:
    await world.endpoint("users")
    shop = await world.subscribe(subscription(endpoints=("orders", "users"), max_in_flight=3))
    first, *others = await world.publish_many(3)
    world.egress.scripts[url()] = lambda sent: Reply(after=0.9 if sent.event == first else 0.01)
    await world.start()
    await world.until(lambda: len(world.egress.sent) == 1 + len(others))
    await asyncio.sleep(0.2)
    await world.change(shop, endpoints=("users",))
    await asyncio.sleep(2)
    world.egress.most_under_way = 0
    world.egress.scripts[url()] = lambda _: Reply(after=0.5)
    await world.publish_many(6, "users")
    await asyncio.sleep(0.4)
    assert world.egress.most_under_way == 3


class EarlyTimers(VirtualClock):
    """Timers fire a little before their time, as those of asyncio may, and time passes with each
    look at the clock."""

    _at = 0.0
    _early = 0.0

    def monotonic(self) -> float:
        now = super().monotonic()
        self._early = 0.01 if now != self._at else max(self._early - 0.001, 0)
        self._at = now
        return now - self._early


async def test_a_timer_that_is_early_loses_no_turn(world: World) -> None:
    world.clock = EarlyTimers(world.loop)
    rate = RateLimit(tokens=5, per=1_000, burst=1)
    shop = await world.subscribe(subscription(rate=rate, strict=True))
    await world.publish_many(50)
    await world.start_worker(shop)  # nothing but the worker itself wakes it
    await world.until_status(shop, lambda s: s.counters.delivered == 50, 60)
