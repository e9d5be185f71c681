"""Schedules, jitter, Retry-After, 410 and the end of a delivery."""

from __future__ import annotations

import pytest

from hookplane.config.subscription import CircuitConfig, RetryConfig, TransformConfig
from hookplane.store.delivery_store import DeliveryState
from support.http.scripted_egress import NEVER, Reply
from support.planes.dispatcher import HOUR, World, subscription, url

DEFAULT = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The default schedule in seconds."""
NO_CIRCUIT = CircuitConfig(failures=1000)


async def test_the_whole_default_schedule_over_75_hours(world: World) -> None:
    retry = RetryConfig(schedule=tuple(s * 1000 for s in DEFAULT), jitter_percent=10)
    shop = subscription(retry=retry, circuit=NO_CIRCUIT, disable_after=0)
    world.egress.scripts[url()] = lambda _: NEVER
    await world.subscribe(shop)
    await world.start_worker(shop)
    event = await world.publish()
    status = await world.until_status(shop, lambda s: s.dead, patience=90 * HOUR, step=600)
    assert world.events == [event] * 10
    for n, pause in enumerate(DEFAULT):
        gap = (world.egress.sent[n + 1].at - world.egress.sent[n].at) / 1000 - 15
        assert pause - 0.001 <= gap <= pause * 1.1 + 0.01
    assert [row.attempt.number for row in await world.attempts(shop)] == list(range(1, 11))
    assert status.counters.dead == 1
    assert status.retrying == 0


async def test_a_failure_then_success(world: World) -> None:
    shop = await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: Reply(503 if len(world.egress.sent) == 1 else 204)
    await world.start()
    event = await world.publish()
    status = await world.until_status(shop, lambda s: s.retrying)
    assert status.next_due - world.egress.sent[0].at == 5_010
    status = await world.until_status(shop, lambda s: s.counters.delivered)
    assert (status.retrying, status.pending, status.counters.attempts) == (0, 0, 2)
    assert status.state.failing_since == 0
    assert world.activity.failed_lines == [
        ("default/shop", event, "503 Service Unavailable", 1, 3, 5_000)
    ]
    assert world.activity.delivered_lines == [("default/shop", event, 204, 2)]


@pytest.mark.parametrize(("text", "pause"), [("17", 17), ("0", 1), ("-1", 1), ("1000000000", 3600)])
async def test_retry_after_pauses_the_subscription(world: World, text: str, pause: int) -> None:
    shop = subscription(retry=RetryConfig(schedule=(100,) * 5 + (4_000_000,), jitter_percent=0))
    await world.subscribe(shop)
    world.egress.scripts[url()] = lambda _: (
        Reply(429, retry_after=text) if len(world.egress.sent) == 1 else Reply()
    )
    await world.start_worker(shop)
    await world.publish()
    await world.until(lambda: world.egress.sent)
    await world.until_status(shop, lambda s: s.retrying)
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 2, 2 * HOUR, 1)
    gap = world.egress.sent[1].at - world.egress.sent[0].at
    assert pause * 1000 <= gap - 10 <= pause * 1000 + 20


async def test_410_disables_and_the_event_stays(world: World) -> None:
    log = await world.operational()
    shop = await world.subscribe(subscription(retry=RetryConfig(schedule=())))
    world.egress.scripts[url()] = lambda _: Reply(410)
    await world.start()
    event = await world.publish()
    status = await world.until_status(shop, lambda s: s.state.disabled_at)
    assert (status.retrying, status.dead) == (1, 0)
    assert "410" in status.state.disabled_reason
    assert (world.activity.stopped, len(world.activity.failed_lines)) == (1, 1)
    await world.publish()
    await world.until_status(shop, lambda s: s.pending == 1)
    told = await world.until(lambda: world.store.read_log(log, 0, 10))
    assert [entry.type for entry in told] == ["hookplane.subscription.disabled"]
    assert world.events == [event]
    world.egress.scripts.clear()
    await world.store.request_resume(shop.uid)
    await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert (await world.status(shop)).state.disabled_at == 0


async def test_a_disabled_one_that_is_made_again_delivers_what_it_kept(world: World) -> None:
    """Who deletes it and applies it anew has mended the target."""
    shop = await world.subscribe(subscription(retry=RetryConfig(schedule=())))
    world.egress.scripts[url()] = lambda _: Reply(410)
    await world.start()
    first = await world.publish()
    await world.until_status(shop, lambda s: s.state.disabled_at)
    second = await world.publish()
    world.egress.scripts.clear()
    again = await world.make_again(shop, "again")
    status = await world.until_status(again, lambda s: s.counters.delivered == 2)
    assert (status.state.disabled_at, status.state.disabled_reason) == (0, "")
    assert set(world.events) == {first, second}


async def test_disabled_after_no_success_for_too_long(world: World) -> None:
    retry = RetryConfig(schedule=(600_000,) * 20, jitter_percent=0)
    shop = subscription(retry=retry, circuit=NO_CIRCUIT, disable_after=3_600_000)
    await world.subscribe(shop)
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start_worker(shop)
    await world.publish_many(2)
    status = await world.until_status(shop, lambda s: s.state.disabled_at, 2 * HOUR, 10)
    assert "no success since" in status.state.disabled_reason
    assert "500 Internal Server Error" in status.state.disabled_reason
    assert status.retrying == 2
    assert len(world.egress.sent) == 14  # both at 0, 10, … 60 minutes; one of them may be under way
    assert world.activity.notes[-1][1] == "Disabled"


async def test_one_failing_event_alone_disables_nothing(world: World) -> None:
    retry = RetryConfig(schedule=(600_000,) * 20, jitter_percent=0)
    shop = subscription(retry=retry, circuit=NO_CIRCUIT, disable_after=3_600_000)
    await world.subscribe(shop)
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start_worker(shop)
    await world.publish()
    status = await world.until_status(shop, lambda s: s.dead, 10 * HOUR, 60)
    assert status.state.disabled_at == 0
    assert len(world.egress.sent) == 21


async def test_a_delivery_dies_and_is_told_of(world: World) -> None:
    log = await world.operational()
    shop = await world.subscribe(subscription())
    watcher = subscription("watcher", (log,), operational=True)
    world.egress.scripts[url()] = world.egress.scripts[url("watcher")] = lambda _: Reply(500)
    await world.subscribe(watcher)
    await world.start()
    event = await world.publish()
    status = await world.until_status(shop, lambda s: s.dead)
    assert status.recent_failures[0].event_id == event
    assert world.activity.failed_lines[-1][-1] is None or len(world.activity.failed_lines) > 3
    await world.until_status(watcher, lambda s: s.dead)
    told = await world.store.read_log(log, 0, 10)
    assert [entry.type for entry in told] == ["hookplane.delivery.dead"]


async def test_an_event_dies_when_its_schedule_ends_even_if_it_is_held(world: World) -> None:
    retry = RetryConfig(schedule=(1_000, 1_000), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry))
    world.egress.scripts[url()] = lambda _: Reply(503, retry_after="3600")
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.dead, 120)
    assert len(world.egress.sent) == 1
    row = (await world.deliveries(shop, DeliveryState.DEAD))[0]
    assert row.error == "503 Service Unavailable; then held back until the schedule had ended"


async def test_a_transform_that_fails_makes_the_delivery_dead(world: World) -> None:
    transform = TransformConfig(cel='{"text": event.body.missing}')
    shop = await world.subscribe(subscription(transform=transform))
    await world.start()
    await world.publish()
    status = await world.until_status(shop, lambda s: s.dead)
    assert (status.pending, status.counters.dead, status.counters.attempts) == (0, 1, 0)
    assert not world.egress.sent
    row = (await world.deliveries(shop, DeliveryState.DEAD))[0]
    assert row.error.startswith("transform failed: ")
