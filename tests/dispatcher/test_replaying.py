"""Replay jobs: by id, by range, by state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hookplane.config.subscription import RetryConfig
from hookplane.errors import StoreUnavailable
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.listings import JUDGED
from hookplane.store.maintenance import Retention
from support.clocks.virtual import START
from support.http.scripted_egress import Reply
from support.planes.dispatcher import World, subscription, url


async def test_by_ids_with_a_header_and_past_the_filter(world: World) -> None:
    shop = await world.subscribe(subscription(types=("order.*",)))
    await world.start()
    one = await world.publish()
    two = await world.publish(type="user.created")
    await world.until_status(shop, lambda s: s.counters.filtered + s.counters.delivered == 2)
    await world.replay("again", shop, ids=(one, two), states=frozenset())
    job = await world.finished("again")
    assert (job.matched, job.delivered, job.failed) == (2, 2, 0)
    assert world.events == [one, one, two]
    assert {s.headers["hookplane-replay"] for s in world.egress.sent[1:]} == {"default/again"}
    assert "hookplane-replay" not in world.egress.sent[0].headers


@pytest.mark.parametrize("comes_back", [False, True])
async def test_what_expired_when_its_endpoint_left(world: World, comes_back: bool) -> None:
    """But for what was under way and succeeded."""
    shop = await world.subscribe(subscription(max_in_flight=2))
    read = shop.endpoints
    world.egress.scripts[url()] = lambda _: Reply(after=10)
    await world.start()
    ids = await world.publish_many(5)
    await world.until(lambda: len(world.egress.sent) == 2)
    shop = await world.change(shop, endpoints=())
    await world.until_status(shop, lambda s: s.counters.attempts == 2)
    if comes_back:
        shop = await world.change(shop, endpoints=read)
    world.egress.scripts.clear()
    expired = frozenset({DeliveryState.EXPIRED})
    await world.replay("expired", shop, received_from=START, states=expired)
    job = await world.finished("expired")
    assert (job.matched, job.delivered, job.failed) == (3, 3, 0)
    assert sorted(world.events) == ids
    assert (await world.status(shop)).counters.expired == 5


async def test_the_dead_of_a_range_within_half_the_slots(world: World) -> None:
    retry = RetryConfig(schedule=())
    shop = await world.subscribe(subscription(retry=retry, max_in_flight=8))
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    ids = await world.publish_many(9)
    await world.until_status(shop, lambda s: s.dead == 9)
    world.egress.sent.clear()
    world.egress.most_under_way = 0
    world.egress.scripts.clear()
    await world.replay("dead", shop, received_from=START)
    job = await world.finished("dead")
    assert (job.matched, job.delivered, job.failed) == (9, 9, 0)
    assert sorted(world.events) == ids
    assert world.egress.most_under_way <= 4
    status = await world.status(shop)
    assert (status.dead, status.retrying) == (0, 0)


async def test_everything_of_a_range_while_new_events_come(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=4))
    await world.start()
    await world.publish_many(50)
    await world.until_status(shop, lambda s: s.counters.delivered == 50)
    await world.replay(
        "all", shop, received_from=START, states=frozenset({DeliveryState.DELIVERED})
    )
    await world.publish_many(50)
    job = await world.finished("all")
    assert (job.matched, job.delivered) == (50, 50)
    await world.until_status(shop, lambda s: s.counters.delivered == 150)


async def test_a_retrying_one_becomes_due_now(world: World) -> None:
    retry = RetryConfig(schedule=(86_400_000,), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry))
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    event = await world.publish()
    await world.until_status(shop, lambda s: s.retrying)
    world.egress.scripts.clear()
    await world.replay("now", shop, ids=(event,), states=frozenset())
    job = await world.finished("now")
    assert (job.matched, job.delivered) == (1, 1)
    assert world.events == [event, event]


async def test_one_that_fails_again_is_an_ordinary_retry_and_then_counts_as_failed(
    world: World,
) -> None:
    shop = await world.subscribe(subscription(max_in_flight=2))
    await world.start()
    ids = await world.publish_many(4)
    await world.until_status(shop, lambda s: s.counters.delivered == 4)
    world.egress.scripts[url()] = lambda sent: Reply(500 if sent.event == ids[0] else 200)
    await world.replay("some", shop, ids=tuple(ids), states=frozenset())
    await world.until_status(shop, lambda s: s.counters.delivered == 7, 3)
    job = await world.finished("some")
    assert (job.matched, job.delivered, job.failed) == (4, 3, 1)
    assert world.events.count(ids[0]) == 4
    assert (await world.status(shop)).dead == 1


async def test_no_replay_sends_what_is_another_s(world: World) -> None:
    """Whatever is asked for, and whatever the filter says of types."""
    shop = await world.subscribe(subscription(types=("order.*",), keys=("cus_1", "cus_1/*")))
    await world.start()
    await world.publish(key="cus_1")
    ids = [await world.publish(type="user.new", key=key) for key in ("cus_1/a", "cus_2", "")]
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    await world.until_status(shop, lambda s: s.counters.filtered == 3)
    await world.replay("ids", shop, ids=tuple(ids), states=frozenset())
    job = await world.finished("ids")
    assert (job.matched, job.delivered) == (1, 1)
    assert world.events[1:] == ids[:1]
    await world.replay("all", shop, received_from=0, states=frozenset(DeliveryState))
    assert (await world.finished("all")).matched == 2
    assert not {ids[1], ids[2]} & set(world.events)


async def test_a_crash_in_the_middle_loses_none(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=4))
    await world.start()
    ids = await world.publish_many(30)
    await world.until_status(shop, lambda s: s.counters.delivered == 30)
    world.egress.sent.clear()
    await world.replay("all", shop, ids=tuple(ids), states=frozenset())
    await world.until(lambda: len(world.egress.sent) > 10, step=0.001)
    await world.crash()
    await world.start()
    job = await world.finished("all")
    assert (job.matched, job.delivered, job.failed) == (30, 30, 0)
    assert set(world.events) == set(ids)
    assert len(world.events) <= 34


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
async def test_a_page_that_fails_or_takes_long_delays_the_replay_alone(
    world: World, seconds: float
) -> None:
    shop = await world.subscribe(subscription())
    await world.start()
    event = await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    asked: list[str] = []

    def fail(name: str, _: tuple[Any, ...]) -> None:
        if name == "replay_page":
            asked.append(name)
            if not seconds:
                raise StoreUnavailable("statement timeout")

    world.watched.fail = fail
    world.watched.delays["replay_page"] = seconds
    await world.replay("again", shop, ids=(event,), states=frozenset())
    await world.until(lambda: asked)
    await world.publish_many(20)
    await world.until_status(shop, lambda s: s.counters.delivered == 21, 3)
    await asyncio.sleep(600)
    assert len(asked) < 30
    world.watched.fail = lambda _name, _arguments: None
    await world.until_status(shop, lambda s: s.counters.delivered == 22, 4000)
    assert (await world.finished("again")).delivered == 1


async def test_a_replay_that_retention_overtakes_ends(world: World) -> None:
    retry = RetryConfig(schedule=(3_600_000,), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry))
    await world.publish_many(4)
    await world.start()
    await world.until_status(shop, lambda s: s.counters.delivered == 4)
    world.egress.scripts[url()] = lambda _: Reply(500)
    delivered = frozenset({DeliveryState.DELIVERED})
    await world.replay("again", shop, states=delivered)
    await world.until_status(shop, lambda s: s.retrying == 4)
    await world.crash()
    await world.store.expire(Retention(1, 1 << 40, 1 << 40), world.clock.now())
    world.egress.scripts.clear()
    await world.start()
    job = await world.finished("again")
    assert (job.matched, job.delivered, job.failed) == (4, 0, 4)
    counters = (await world.status(shop)).counters
    assert (counters.delivered, counters.expired) == (4, 0)


async def test_a_replay_passes_over_what_it_does_not_want(world: World) -> None:
    shop = await world.subscribe(subscription(types=("order.created",)))
    await world.start()
    first = await world.publish()
    await asyncio.gather(*[world.publish(type="other") for _ in range(JUDGED + 50)])
    last = await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 2)
    world.egress.sent.clear()
    await world.replay("again", shop, states=frozenset({DeliveryState.DELIVERED}))
    job = await world.finished("again")
    assert (job.matched, job.delivered) == (2, 2)
    assert {sent.event for sent in world.egress.sent} == {first, last}
