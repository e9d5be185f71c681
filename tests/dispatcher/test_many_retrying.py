"""More deliveries fail than memory holds: the others go on, and none of them is forgotten."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hookplane.config.subscription import RetryConfig, SubscriptionConfig
from hookplane.store.delivery_store import DeliveryState, ReplayPhase
from hookplane_dispatcher.settings import DispatcherSettings
from support.http.scripted_egress import Reply, Sent
from support.planes.dispatcher import World, subscription, url

ROWS = 20
POISON = 150
GOOD = 60
EVERY = RetryConfig(schedule=(60_000,) * 20, jitter_percent=0)


def refuse_poison(sent: Sent) -> Reply:
    return Reply(400 if b"poison" in sent.body else 200)


async def poison(world: World) -> SubscriptionConfig:
    """More events that are refused than memory has room for, each of them tried once."""
    world.settings = DispatcherSettings(rows=ROWS)
    shop: SubscriptionConfig = subscription(retry=EVERY, disable_after=0)
    await world.subscribe(shop)
    world.egress.scripts[url()] = refuse_poison
    await world.start()
    for n in range(POISON):
        await world.publish(body={"poison": n})
    await world.until_status(shop, lambda s: s.retrying == POISON)
    return shop


async def test_good_events_go_on_beside_many_that_fail(world: World) -> None:
    shop = await poison(world)
    published = world.clock.now()
    good = set(await world.publish_many(GOOD))
    await world.until_status(shop, lambda s: s.counters.delivered == GOOD)
    late = [x for x in world.egress.sent if x.event in good and x.at > published + 5_000]
    assert not late


async def test_each_that_fails_is_tried_when_it_is_due(world: World) -> None:
    shop = await poison(world)
    read: list[int] = []
    world.watched.fail = lambda name, given: read.append(given[2]) if name == "waiting" else None
    await world.until_status(shop, lambda s: s.counters.attempts >= 4 * POISON)
    tries: dict[str, list[int]] = {}
    for sent in world.egress.sent:
        tries.setdefault(sent.event, []).append(sent.at)
    gaps = [b - a for times in tries.values() for a, b in pairwise(times)]
    assert min(gaps) >= 60_000
    assert max(gaps) < 70_000
    assert len(read) >= POISON // ROWS
    assert max(read) <= ROWS  # rows that are asked for at once


@pytest.mark.parametrize("strict", [False, True])
async def test_after_a_crash_all_of_them_arrive_once_the_target_heals(
    world: World, strict: bool
) -> None:
    shop = await poison(world)
    await world.publish_many(GOOD)
    await world.crash()
    if strict:
        shop = await world.change(shop, strict=True)
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply()
    status = await world.until_status(shop, lambda s: s.counters.delivered == POISON + GOOD)
    assert (status.pending, status.sending, status.retrying) == (0, 0, 0)
    assert len(await world.deliveries(shop, DeliveryState.DELIVERED)) == POISON + GOOD


async def test_all_of_them_die_by_their_schedule(world: World) -> None:
    shop = await poison(world)
    await world.stop()
    await world.change(shop, suspended=True)
    await world.start()
    shop = await world.change(shop, suspended=False)
    status = await world.until_status(shop, lambda s: s.dead == POISON, patience=3_000)
    assert (status.retrying, status.counters.dead) == (0, POISON)


async def test_a_replay_takes_what_is_in_the_store_alone(world: World) -> None:
    shop = await poison(world)
    world.egress.scripts[url()] = lambda _: Reply()
    start = world.clock.now()
    await world.replay("hurry", shop, states=frozenset({DeliveryState.RETRYING}))
    status = await world.until_status(shop, lambda s: s.counters.delivered == POISON, 50)
    assert world.clock.now() < start + 50_000  # before any is due
    (job,) = await world.store.replays()
    assert (job.matched, job.delivered, status.retrying) == (POISON, POISON, 0)


@pytest.mark.parametrize("also", [frozenset(), frozenset({DeliveryState.DELIVERED})])
async def test_two_replays_of_what_is_in_the_store_alone_deliver_each_event_once(
    world: World, also: frozenset[DeliveryState]
) -> None:
    shop = await poison(world)
    wanted = frozenset({DeliveryState.RETRYING, DeliveryState.DEAD}) | also
    await world.replay("first", shop, states=wanted)
    await world.until_status(shop, lambda s: s.counters.attempts >= 2 * POISON, 50)
    await world.replay("second", shop, states=wanted)
    await world.until(lambda: _is_exhausted(world, "second"))
    world.egress.scripts[url()] = lambda _: Reply()
    sent = len(world.egress.sent)
    await world.until_status(shop, lambda s: s.counters.delivered == POISON)
    assert len(world.egress.sent) - sent == POISON
    jobs = await world.store.replays()
    assert {job.uid: (job.phase, job.matched, job.delivered) for job in jobs} == {
        "first": (ReplayPhase.COMPLETE, POISON, POISON),
        "second": (ReplayPhase.COMPLETE, 0, 0),
    }


async def _is_exhausted(world: World, uid: str) -> bool:
    return any(job.exhausted for job in await world.store.replays() if job.uid == uid)
