"""What a subscription does from an event's arrival to its end, on the real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from hookplane.config.subscription import RetryConfig
from hookplane.errors import StoreUnavailable
from hookplane.process.membership import Membership
from hookplane.process.rendezvous import owner_of
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.process_registry import Presence, Role
from hookplane.tracing import Step
from support.http.scripted_egress import Reply
from support.planes.dispatcher import World, subscription, url

T = TypeVar("T")


async def test_events_are_delivered_and_the_cursor_follows(world: World) -> None:
    shop = await world.subscribe(subscription())
    await world.start()
    ids = await world.publish_many(100)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 100)
    assert sorted(world.events) == sorted(ids)
    assert (status.pending, status.sending, status.retrying, status.dead) == (0, 0, 0, 0)
    assert status.state.last_success_code == 200
    assert world.egress.most_under_way <= 16
    assert {s.url for s in world.egress.sent} == {url()}
    rows = await world.deliveries(shop, DeliveryState.DELIVERED)
    assert len(rows) == 100
    await world.stop()


async def test_a_stop_while_a_worker_still_claims_is_heard(world: World) -> None:
    await world.subscribe(subscription())
    dispatcher = await world.start()
    began = world.loop.time()
    await dispatcher.stop(grace=3_600_000)
    assert world.loop.time() - began < 1  # virtual seconds: the grace was not waited out


class RecordingTracer:
    """Remembers the spans that ended, and how long each took in virtual seconds."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.spans: list[tuple[Step, str, str, float]] = []

    async def trace(self, step: Step, event_id: str, subject: str, work: Awaitable[T]) -> T:
        began = self._world.clock.monotonic()
        result = await work
        self.spans.append(
            (step, event_id, subject, round(self._world.clock.monotonic() - began, 3))
        )
        return result


async def test_an_attempt_is_a_span_of_its_event(world: World) -> None:
    tracer = RecordingTracer(world)
    shop = await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: Reply(after=3)
    await world.start(tracer=tracer)
    event = await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert tracer.spans == [(Step.ATTEMPT, event, "default/shop", 3.0)]
    await world.stop()


@asynccontextmanager
async def two_dispatchers(world: World) -> AsyncIterator[Membership]:
    """Starts a dispatcher, and gives the membership of another one that has not joined yet. The
    other one delivers nothing; once it has joined, `shop` is its subscription."""
    presence = Presence(ready=True, version=1)
    own, other = (
        Membership(world.store, Role.DISPATCHER, name, world.clock, lambda: presence)
        for name in ("a", "e")
    )
    assert owner_of("shop", ["a", "e"]) == "e"
    await own.start()
    try:
        await world.start(own)
        own.beat_soon()
        yield other
    finally:
        await other.stop()
        await own.stop()


async def test_what_is_ours_again_waits_for_what_is_under_way(world: World) -> None:
    """As when another dispatcher comes and goes within an attempt."""
    shop = await world.subscribe(subscription(max_in_flight=2))
    world.egress.scripts[url()] = lambda _: Reply(after=5)
    async with two_dispatchers(world) as other:
        events = await world.publish_many(2)
        await world.until(lambda: len(world.events) == 2)
        await asyncio.sleep(2)
        for _ in range(2):
            await other.start()
            await asyncio.sleep(0.3)
            await other.stop()
            await asyncio.sleep(0.3)
        events.append(await world.publish())
        await world.until_status(shop, lambda s: s.counters.delivered == 3, 30)
    assert sorted(world.events) == sorted(events)


async def test_what_went_away_again_is_handed_over_soon(world: World) -> None:
    """The other one came, went and stays now: the first release still hangs."""
    await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: Reply(after=25)
    told: list[str] = []
    async with two_dispatchers(world) as other:
        await world.publish()
        await world.until(lambda: world.events)
        await other.start()
        await asyncio.sleep(0.3)
        await other.stop()
        await asyncio.sleep(0.3)
        world.watched.fail = lambda name, _: told.append(name)
        await other.start()
        await world.until(lambda: "release" in told, patience=4)


async def test_what_is_refused_while_it_is_handed_over_is_let_go_of(world: World) -> None:
    """Its endpoint is made again, so a flush is refused, though nobody else owns it."""
    await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: Reply(after=25)
    async with two_dispatchers(world) as other:
        await world.publish()
        await world.until(lambda: world.events)
        await world.make_endpoint_again("orders", "orders-again")
        await other.start()
        await world.until(lambda: "StaleOwner" in {note[1] for note in world.activity.notes}, 30)
        await asyncio.sleep(10)
        assert (await world.store.claim("shop", other.process)).epoch


async def test_what_was_claimed_in_vain_while_it_is_handed_over_is_let_go_of(world: World) -> None:
    """It claims for the endpoint that was made again, finds that what it knows is of no use, and is
    to stop at that moment."""
    shop = await world.subscribe(subscription())
    async with two_dispatchers(world) as other:
        await world.publish()
        await world.until_status(shop, lambda s: s.counters.delivered == 1)
        await world.make_endpoint_again("orders", "orders-again", shop)
        await world.until(lambda: "StaleOwner" in {note[1] for note in world.activity.notes}, 30)
        await other.start()
        await asyncio.sleep(10)
        assert (await world.store.claim("shop", other.process)).epoch


@pytest.mark.parametrize("status", [200, 500])
async def test_what_is_under_way_at_an_endpoint_that_leaves_is_counted_once(
    world: World, status: int
) -> None:
    later = RetryConfig(schedule=(10_000_000,), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=later))
    world.egress.scripts[url()] = lambda _: Reply(status, after=0.5)
    await world.start()
    await world.publish_many(3)
    await world.until(lambda: len(world.egress.sent) == 3)
    shop = await world.change(shop, endpoints=())
    await asyncio.sleep(30)
    counted = await world.status(shop)
    assert (counted.counters.expired, counted.counters.delivered) == (3, 0)
    assert counted.retrying == counted.sending == 0


class Calls:
    """Counts calls of one name, and lets the first ones fail."""

    def __init__(self, name: str, failing: int) -> None:
        self._name = name
        self._failing = failing
        self.count = 0

    def note(self, name: str, *_: object) -> None:
        if name == self._name:
            self.count += 1
            if self.count <= self._failing:
                raise StoreUnavailable("away")


async def test_letting_go_outlives_a_store_that_is_away(world: World) -> None:
    """As long as the process lives nobody else gets what it has not released."""
    shop = await world.subscribe(subscription())
    async with two_dispatchers(world) as other:
        await world.publish()
        await world.until_status(shop, lambda s: s.counters.delivered == 1)
        releases = Calls("release", failing=3)
        world.watched.fail = releases.note
        await other.start()
        await asyncio.sleep(60)
        assert releases.count == 4


async def test_a_claim_whose_answer_was_lost_is_let_go_of(world: World) -> None:
    claims, releases = Calls("claim", failing=1), Calls("release", failing=0)
    world.watched.lose, world.watched.fail = claims.note, releases.note
    await world.subscribe(subscription())
    async with two_dispatchers(world) as other:
        await world.until(lambda: claims.count == 1)
        await other.start()
        await asyncio.sleep(60)
        assert (claims.count, releases.count) == (2, 1)


async def test_a_store_that_is_away_keeps_no_process_from_ending(world: World) -> None:
    shop = await world.subscribe(subscription())
    dispatcher = await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    await asyncio.sleep(10)
    world.watched.fail = Calls("release", failing=1_000_000).note
    began = world.loop.time()
    await dispatcher.stop(grace=3_600_000)
    assert world.loop.time() - began < 1
