"""Suspending, resuming, circuits, rates: when something may start."""

from __future__ import annotations

import asyncio

from hookplane.config.base import RateLimit
from hookplane.config.subscription import CircuitConfig, RetryConfig
from hookplane.signatures.signing import SigningConfig
from hookplane.store.delivery_store import CircuitState
from support.http.scripted_egress import Reply
from support.planes.dispatcher import HOUR, World, subscription, url


async def test_suspended_keeps_events_and_stops_clocks(world: World) -> None:
    retry = RetryConfig(schedule=(60_000,), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry))
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    first = await world.publish()
    due = (await world.until_status(shop, lambda s: s.retrying)).next_due
    shop = await world.change(shop, suspended=True)
    paused = await world.until_status(shop, lambda s: s.state.paused_at)
    second = await world.publish()
    await world.until(lambda: world.loop.time() > 400)
    assert world.events == [first]
    world.egress.scripts.clear()
    await world.change(shop, suspended=False)
    status = await world.until_status(shop, lambda s: not s.state.paused_at)
    shift = status.next_due - due
    assert abs(shift - (world.clock.now() - paused.state.paused_at)) < 2_000
    await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert world.events == [first, second, first]
    assert world.egress.sent[-1].at >= due + shift


async def test_a_pause_outlives_a_crash(world: World) -> None:
    retry = RetryConfig(schedule=(60_000,), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry))
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.retrying)
    shop = await world.change(shop, suspended=True)
    await world.until_status(shop, lambda s: s.state.paused_at)
    await world.crash()
    await world.until(lambda: world.loop.time() > 500)
    world.egress.scripts.clear()
    await world.change(shop, suspended=False)
    await world.start()
    status = await world.until_status(shop, lambda s: s.counters.delivered)
    assert status.dead == 0
    assert world.egress.sent[1].at - world.egress.sent[0].at > 500_000


async def test_not_ready_keeps_events(world: World) -> None:
    shop = subscription(not_ready="Secret is missing", target=None)
    await world.subscribe(shop)
    await world.start()
    event = await world.publish()
    await world.until_status(shop, lambda s: s.pending == 1 and s.state.paused_at)
    await world.subscribe(subscription())
    await world.until(lambda: world.events == [event])


async def test_what_nothing_can_be_sent_with_is_told_and_keeps_events(world: World) -> None:
    shop = await world.subscribe(subscription(signing=SigningConfig()))
    other = await world.subscribe(subscription("other"))
    dispatcher = await world.start()
    event = await world.publish()
    await world.until_status(other, lambda s: s.counters.delivered == 1)
    await world.until_status(shop, lambda s: s.pending == 1 and s.state.paused_at)
    assert dispatcher.refused == {shop.uid: "there is no key to sign with"}
    await world.subscribe(subscription())
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert world.events == [event, event]
    assert dispatcher.refused == {}


async def test_the_circuit_opens_probes_and_closes(world: World) -> None:
    retry = RetryConfig(schedule=(10_000_000,), jitter_percent=0)
    shop = subscription(
        retry=retry,
        max_in_flight=1,
        circuit=CircuitConfig(failures=3, probe_every=30_000, probe_at_most_every=100_000),
    )
    await world.subscribe(shop)
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start_worker(shop)
    ids = await world.publish_many(8)
    status = await world.until_status(shop, lambda s: s.state.circuit is CircuitState.OPEN)
    assert (status.retrying, status.pending) == (3, 5)
    told = ("default/shop", "CircuitOpen", "last answer: 500 Internal Server Error")
    assert told in world.activity.notes
    await world.until(lambda: len(world.egress.sent) == 7, HOUR, 1)
    gaps = [b.at - a.at for a, b in zip(world.egress.sent[2:], world.egress.sent[3:], strict=False)]
    assert [round(gap / 1000) for gap in gaps] == [30, 60, 100, 100]
    assert [sent.event for sent in world.egress.sent[3:]] == ids[3:7]  # each with another event
    probes = [row.attempt for row in await world.attempts(shop)][3:]
    assert {probe.number for probe in probes} == {0}
    assert (await world.status(shop)).pending == 5
    world.egress.scripts.clear()
    status = await world.until_status(shop, lambda s: s.counters.delivered == 5, HOUR, 1)
    assert status.state.circuit is CircuitState.CLOSED
    assert (status.retrying, status.pending) == (3, 0)


async def test_events_that_the_target_does_not_take_hold_up_no_others(world: World) -> None:
    retry = RetryConfig(schedule=(5_000, 300_000, 7_200_000, 86_400_000), jitter_percent=0)
    shop = await world.subscribe(subscription(retry=retry, disable_after=0))
    world.egress.scripts[url()] = lambda sent: Reply(400 if b"bad" in sent.body else 200)
    await world.start()
    for n in range(12):
        await world.publish(body={"bad": n})
    await world.until_status(shop, lambda s: s.retrying == 12)
    await world.publish_many(1_000)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 1_000, 60)
    assert (status.state.circuit, status.retrying) == (CircuitState.CLOSED, 12)


async def test_an_answer_to_a_probe_that_speaks_of_its_event_alone_closes_the_circuit(
    world: World,
) -> None:
    circuit = CircuitConfig(failures=1, probe_every=30_000)
    shop = await world.subscribe(subscription(circuit=circuit, disable_after=0))
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    await world.publish(body={"bad": 1})
    await world.until_status(shop, lambda s: s.state.circuit is CircuitState.OPEN)
    world.egress.scripts[url()] = lambda sent: Reply(422 if b"bad" in sent.body else 200)
    await world.publish()
    status = await world.until_status(shop, lambda s: s.counters.delivered == 1, 40)
    assert status.state.circuit is CircuitState.CLOSED


async def test_one_event_that_breaks_the_target_is_not_all_that_it_is_probed_with(
    world: World,
) -> None:
    retry = RetryConfig(schedule=(5_000, 86_400_000), jitter_percent=0)
    circuit = CircuitConfig(failures=2, probe_every=30_000)
    shop = await world.subscribe(subscription(retry=retry, circuit=circuit, disable_after=0))
    world.egress.scripts[url()] = lambda sent: Reply(500 if b"bad" in sent.body else 200)
    await world.start()
    for n in range(2):
        await world.publish(body={"bad": n})
    await world.until_status(shop, lambda s: s.state.circuit is CircuitState.OPEN)
    await world.publish_many(100)
    await world.until_status(shop, lambda s: s.counters.delivered == 100, 200)


async def test_what_was_refused_for_good_goes_last_after_a_resume(world: World) -> None:
    shop = await world.subscribe(subscription(max_in_flight=4))
    gone = await world.publish()
    world.egress.scripts[url()] = lambda sent: Reply(410 if sent.event == gone else 200)
    await world.start()
    await world.publish_many(40)
    await world.until_status(shop, lambda s: s.state.disabled_at)
    await world.crash()  # another process must know it, too
    await world.start()
    await world.store.request_resume(shop.uid)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 40)
    assert status.retrying == 1
    await world.until_status(shop, lambda s: s.state.disabled_at and s.state.resume_seen == 1)
    assert world.events.count(gone) == 2


async def test_probes_use_up_neither_attempts_nor_schedule_of_a_retry(world: World) -> None:
    retry = RetryConfig(schedule=(1_000, 50_000_000), jitter_percent=0)
    shop = subscription(retry=retry, circuit=CircuitConfig(failures=1, probe_every=1_000))
    await world.subscribe(shop)
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start_worker(shop)
    await world.publish()
    await world.until(lambda: len(world.egress.sent) == 6, HOUR, 1)
    await world.until_status(shop, lambda s: s.counters.attempts == 6)
    status = await world.status(shop)
    assert (status.retrying, status.recent_failures[0].attempts) == (1, 1)


async def test_an_open_circuit_outlives_a_crash(world: World) -> None:
    shop = subscription(circuit=CircuitConfig(failures=1, probe_every=300_000))
    await world.subscribe(shop)
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    await world.publish()
    status = await world.until_status(shop, lambda s: s.state.circuit is CircuitState.OPEN)
    await world.crash()
    await world.start()
    await world.publish()
    await world.until(lambda: len(world.egress.sent) > 1)
    assert world.egress.sent[1].at >= status.state.blocked_until


async def test_resuming_closes_the_circuit_at_once(world: World) -> None:
    shop = subscription(circuit=CircuitConfig(failures=1, probe_every=300_000))
    await world.subscribe(shop)
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.state.circuit is CircuitState.OPEN)
    world.egress.scripts.clear()
    await world.store.request_resume(shop.uid)
    await world.until_status(shop, lambda s: s.counters.delivered, 30)


async def test_after_a_resume_what_failed_is_tried_at_once(world: World) -> None:
    """What fails again then waits by its schedule, and the attempts so far count."""
    shop = await world.subscribe(subscription(retry=RetryConfig(schedule=(3_600_000,) * 2)))
    world.egress.scripts[url()] = lambda _: Reply(400)
    await world.start()
    await world.publish_many(3)
    await world.until_status(shop, lambda s: s.retrying == 3)
    await world.store.request_resume(shop.uid)
    await world.until_status(shop, lambda s: s.counters.attempts == 6, 30)
    await asyncio.sleep(1_000)
    assert len(world.egress.sent) == 6
    assert {x.attempts for x in await world.rows(shop)} == {2}


async def test_resuming_a_disabled_one_tries_at_once_what_had_failed(world: World) -> None:
    shop = await world.subscribe(subscription(retry=RetryConfig(schedule=(3_600_000,) * 2)))
    world.egress.scripts[url()] = lambda _: Reply(400)
    await world.start()
    await world.publish_many(3)
    await world.until_status(shop, lambda s: s.retrying == 3)
    world.egress.scripts[url()] = lambda _: Reply(410)
    await world.publish()
    await world.until_status(shop, lambda s: s.state.disabled_at)
    await asyncio.sleep(600)
    world.egress.scripts.clear()
    await world.store.request_resume(shop.uid)
    await world.until_status(shop, lambda s: s.counters.delivered == 4, 30)


async def test_the_rate_is_kept(world: World) -> None:
    shop = await world.subscribe(subscription(rate=RateLimit(tokens=5, per=1_000, burst=5)))
    await world.start()
    await world.publish_many(40)
    await world.until(lambda: len(world.egress.sent) == 40)
    times = [sent.at for sent in world.egress.sent]
    for n, at in enumerate(times):
        assert sum(at <= other < at + 1_000 for other in times[n:]) <= 10
    assert times[-1] - times[0] >= 6_900
    await world.until_status(shop, lambda s: s.counters.delivered == 40)


async def test_a_new_rate_counts_at_once(world: World) -> None:
    shop = subscription(rate=RateLimit(tokens=1, per=3_600_000, burst=1))
    await world.subscribe(shop)
    await world.start()
    await world.publish_many(3)
    await world.until(lambda: world.egress.sent)
    await world.change(shop, rate=None)
    await world.until(lambda: len(world.egress.sent) == 3)


async def test_what_was_suspended_and_never_failed_does_not_count_as_failing(world: World) -> None:
    shop = await world.subscribe(subscription(suspended=True))
    await world.start()
    await world.until_status(shop, lambda s: s.state.paused_at)
    await world.until(lambda: world.loop.time() > 100)
    shop = await world.change(shop, suspended=False)
    status = await world.until_status(shop, lambda s: not s.state.paused_at)
    assert status.state.failing_since == 0
