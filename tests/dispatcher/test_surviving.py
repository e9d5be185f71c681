"""Crashes, lost ownership, a store that is away, slow targets, stopping."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from hookplane.errors import OwnedElsewhere, StoreUnavailable, StoreUnfit, UnknownObject
from hookplane.store.delivery_store import DeliveryState
from support.http.scripted_egress import NEVER, Reply
from support.planes.dispatcher import LOG_READS, World, subscription, url


@pytest.mark.parametrize("seed", range(5))
async def test_after_crashes_all_is_delivered_and_only_what_was_in_flight_twice(
    world: World,
) -> None:
    shop = await world.subscribe(subscription(max_in_flight=8))
    world.egress.scripts[url()] = lambda _: Reply(after=world.random.uniform(0.001, 0.3))
    ids: list[str] = []
    crashes = 6
    for _ in range(crashes):
        await world.start()
        ids += await world.publish_many(40)
        await asyncio.sleep(world.random.uniform(0, 1))
        await world.crash()
    await world.start()
    status = await world.until_status(shop, lambda s: s.counters.delivered >= len(ids))
    assert set(world.events) == set(ids)
    assert len(world.events) - len(ids) <= crashes * 8
    assert (status.pending, status.counters.delivered) == (0, len(ids))


async def test_one_that_hangs_gets_a_row_and_the_cursor_passes(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=4))
    await world.start()
    slow = await world.publish()
    world.egress.scripts[url()] = lambda sent: Reply(after=12 if sent.event == slow else 0.01)
    await world.publish_many(20)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 20, 5)
    assert (status.sending, status.pending) == (1, 0)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 21, 15)
    assert (status.sending, status.retrying) == (0, 0)
    assert len(world.egress.sent) == 21


async def test_what_was_sending_at_a_crash_is_sent_again_at_once(world: World) -> None:
    shop = await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: NEVER
    await world.start()
    event = await world.publish()
    await world.until_status(shop, lambda s: s.sending)
    await world.crash()
    world.egress.scripts.clear()
    await world.start()
    await world.until_status(shop, lambda s: s.counters.delivered, 3)
    assert world.events == [event, event]


@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), StoreUnfit("no right"), UnknownObject("x"), KeyError("y")]
)
async def test_whatever_the_store_answers_is_over_when_it_is_over(
    world: World, error: Exception
) -> None:
    """While nothing happens only those who look for news see it."""
    shop = await world.subscribe(subscription())
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    asked: Counter[str] = Counter()

    def fail(name: str, _: tuple[Any, ...]) -> None:
        asked[name] += 1
        if name in ("bounds", "load_config"):
            raise error

    world.watched.fail = fail
    await asyncio.sleep(20)
    world.watched.fail = lambda *_: None
    assert min(asked["bounds"], asked["load_config"]) >= 2
    event = await world.publish()
    await world.until(lambda: event in world.events, 15)
    await world.subscribe(subscription("other"))
    await asyncio.sleep(5)
    event = await world.publish()
    await world.until(lambda: url("other") in {x.url for x in world.egress.sent}, 15)


async def test_a_dead_target_slows_nobody(world: World) -> None:
    shops = [subscription(f"shop{n}") for n in range(20)]
    for shop in shops:
        await world.subscribe(shop)
    world.egress.scripts[url("shop0")] = lambda _: NEVER
    await world.start()
    for _ in range(10):
        await world.publish_many(10)
        await asyncio.sleep(0.1)
    healthy = [sent for sent in world.egress.sent if sent.url != url("shop0")]
    await world.until(
        lambda: sum(s.url != url("shop0") for s in world.egress.sent) == 1900, 1, 0.01
    )
    assert len(healthy) > 1500
    assert sum(sent.url == url("shop0") for sent in world.egress.sent) == 16


async def test_an_owner_that_was_replaced_starts_over(world: World) -> None:
    shop = await world.subscribe(subscription())
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    await world.store.claim(shop.uid)
    event = await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert world.events.count(event) == 2
    assert "StaleOwner" in {note[1] for note in world.activity.notes}


async def test_a_store_that_is_away_stops_sending_at_the_bound(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=5))
    await world.start()
    away = True

    def fail(name: str, _: tuple[Any, ...]) -> None:
        if away and name == "flush":
            raise StoreUnavailable("away")

    world.watched.fail = fail
    ids = await world.publish_many(30)
    await asyncio.sleep(60)
    assert len(world.egress.sent) == 5
    away = False
    await world.until_status(shop, lambda s: s.counters.delivered == 30)
    assert sorted(world.events) == ids


def fail_reads(world: World, times: int) -> list[int]:
    """The next so many reads of logs and contents fail; how many are left to fail."""
    left = [times]

    def fail(name: str, _: tuple[Any, ...]) -> None:
        if name in {"read_contents", *LOG_READS} and left[0]:
            left[0] -= 1
            raise StoreUnavailable("away")

    world.watched.fail = fail
    return left


async def test_reads_that_fail_are_tried_again(world: World) -> None:
    await world.subscribe(subscription())
    await world.start()
    left = fail_reads(world, 3)
    ids = await world.publish_many(5)
    await world.until(lambda: sorted(world.events) == ids)
    assert left == [0]


async def test_stopping_finishes_what_is_under_way(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=3))
    world.egress.scripts[url()] = lambda _: Reply(after=0.8)
    dispatcher = await world.start()
    await world.publish_many(10)
    await world.until(lambda: len(world.egress.sent) == 3)
    await dispatcher.stop(5_000)
    status = await world.status(shop)
    assert (status.counters.delivered, status.pending) == (3, 7)
    assert len(world.egress.sent) == 3
    assert not dispatcher.ready


async def test_stopping_waits_no_longer_than_the_grace(world: World) -> None:
    shop = await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: NEVER
    dispatcher = await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.sending)
    begun = world.loop.time()
    await dispatcher.stop(2_000)
    assert world.loop.time() - begun <= 2.1
    assert (await world.rows(shop))[0].state is DeliveryState.SENDING


async def test_start_from_the_past_and_endpoints_that_join_and_leave(world: World) -> None:
    await world.endpoint("users")
    early = await world.publish("orders")
    await world.publish("users")
    shop = await world.subscribe(subscription(start_from="Earliest"))
    await world.start()
    await world.until(lambda: world.events == [early])
    both = await world.change(shop, endpoints=("orders", "users"))
    joined = await world.until(lambda: world.dispatcher and world.dispatcher.version)
    assert joined
    await asyncio.sleep(1)
    later = await world.publish("users")
    await world.until(lambda: world.events == [early, later])
    only = await world.change(both, endpoints=("users",))
    await asyncio.sleep(1)
    await world.publish("orders")
    last = await world.publish("users")
    await world.until(lambda: world.events == [early, later, last])
    await world.until_status(only, lambda s: s.counters.delivered == 3)


async def test_a_laggard_reads_on_its_own_and_catches_up(world: World) -> None:
    slow = await world.subscribe(subscription("slow", suspended=True))
    fast = await world.subscribe(subscription("fast"))
    await world.start()
    for _ in range(10):
        await world.publish_many(600)
    await world.until_status(fast, lambda s: s.counters.delivered == 6_000)
    await world.change(slow, suspended=False)
    await world.until_status(slow, lambda s: s.counters.delivered == 6_000)


async def test_a_deleted_subscription_sends_no_more(world: World) -> None:
    from hookplane.store.config_store import ConfigChange, ConfigKind

    shop = await world.subscribe(subscription())
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    await world.store.apply_config(ConfigChange(deletes=((ConfigKind.SUBSCRIPTION, "shop"),)))
    await asyncio.sleep(2)
    await world.publish()
    await asyncio.sleep(60)
    assert len(world.egress.sent) == 1


async def test_a_drain_that_runs_out_of_time_keeps_what_the_others_did(world: World) -> None:
    slow = await world.subscribe(subscription("slow"))
    fast = await world.subscribe(subscription("fast"))
    world.egress.scripts[url("slow")] = lambda _: NEVER
    world.egress.scripts[url("fast")] = lambda _: Reply(after=0.5)
    dispatcher = await world.start()
    event = await world.publish()
    await world.until(lambda: len(world.egress.sent) == 2)
    begun = world.loop.time()
    await dispatcher.stop(2_000)
    assert 1.9 <= world.loop.time() - begun <= 2.1
    assert (await world.status(fast)).counters.delivered == 1
    assert world.egress.under_way == 0
    assert world.registry.get_sample_value("hookplane_in_flight") == 0
    world.egress.scripts.clear()
    await world.start()
    await world.until_status(slow, lambda s: s.counters.delivered == 1)
    assert [(x.url, x.event) for x in world.egress.sent[2:]] == [(url("slow"), event)]


async def test_an_attempt_that_outlives_its_subscription_ends_quietly(world: World) -> None:
    from hookplane.store.config_store import ConfigChange, ConfigKind

    shop = await world.subscribe(subscription())
    other = await world.subscribe(subscription("other"))
    world.egress.scripts[url()] = lambda _: Reply(after=5)
    await world.start()
    await world.publish()
    await world.until(lambda: len(world.egress.sent) == 2)
    change = ConfigChange(deletes=((ConfigKind.SUBSCRIPTION, shop.uid),))
    await world.store.apply_config(change)
    await asyncio.sleep(30)
    assert world.egress.under_way == 0
    assert world.registry.get_sample_value("hookplane_in_flight") == 0
    notes = [x for x in world.activity.notes if x[1] == "WorkerFailed"]
    assert notes == []
    await world.publish()
    await world.until_status(other, lambda s: s.counters.delivered == 2)
    assert len(world.egress.sent) == 3


async def test_retries_whose_contents_cannot_be_read_are_tried_again(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=1))
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    ids = await world.publish_many(3)
    await world.until_status(shop, lambda s: s.retrying == 3)
    await world.crash()
    left = fail_reads(world, 3)
    world.egress.scripts.clear()
    await world.start()
    await world.until_status(shop, lambda s: s.counters.delivered == 3, 120)
    assert left == [0]
    assert sorted(world.events) == sorted(ids * 2)


async def test_one_that_another_process_owns_keeps_nobody_from_stopping(world: World) -> None:
    def fail(name: str, _: tuple[Any, ...]) -> None:
        if name == "claim":
            raise OwnedElsewhere("by another process")

    world.watched.fail = fail
    await world.subscribe(subscription())
    await world.start()
    await asyncio.sleep(30)
    begun = world.loop.time()
    await world.stop(3_600_000)
    assert world.loop.time() - begun < 60


async def test_an_attempt_that_is_cut_off_before_its_first_step_gives_all_back(
    world: World,
) -> None:
    """As when the store tells in the same moment that somebody else owns everything now."""
    await world.subscribe(subscription())
    await world.start()
    await world.publish()
    await world.until(lambda: world.in_flight, step=0)
    await world.crash()
    assert (world.in_use, world.in_flight, world.events) == (0, 0, [])
