"""Types, CEL filters, transforms and headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from hookplane.config.subscription import HttpTargetConfig, TransformConfig
from hookplane.evaluation.strikes import FIRST_HOLD, STRIKES
from hookplane.filters.cel import Program
from hookplane.filters.event import EventView
from hookplane.secret import Secret
from hookplane.signatures.signing import SigningConfig, SigningScheme
from hookplane.store.delivery_store import DeliveryState
from hookplane_dispatcher.reading.log_tail import PAGE
from support.expressions import BAD, ENDLESS
from support.http.scripted_egress import Reply
from support.planes.dispatcher import World, subscription, url

WHY = "it took too much again and again; simplify it"


async def test_types_and_expressions_and_what_fails(world: World) -> None:
    shop = subscription(types=("order.*",), filter_cel="event.body.amount > 10")
    await world.subscribe(shop)
    await world.start()
    await world.publish(type="user.created", body={"amount": 99})
    wanted = [await world.publish(body={"amount": 11})]
    wanted.append(await world.publish(body=b'{"amount": 11, "name": "Ann \\ud83d", "n": NaN}'))
    await world.publish(body={"amount": 1})
    await world.publish(body={"no": "amount"})
    await world.publish(body=b'{"amount": 11')
    await world.publish(body=b"\xff\xfe", content_type="text/plain")
    status = await world.until_status(shop, lambda s: s.counters.filtered == 5)
    assert world.events == wanted
    assert (status.counters.filter_errors, status.pending) == (3, 0)


async def test_a_filter_that_fails_names_an_event_until_it_is_another_one(world: World) -> None:
    shop = await world.subscribe(subscription(filter_cel="event.body.n == 1"))
    await world.start()
    await world.publish(body={"n": 1})
    bad = await world.publish(body={"m": 1})
    status = await world.until_status(shop, lambda s: s.counters.filter_errors == 1)
    state = status.state
    assert (state.filter_failed_event, state.filter_failed_error) == (
        bad,
        'NOT_FOUND: Key not found in map : "n"',
    )
    await world.stop()
    await world.subscribe(subscription(filter_cel="has(event.body.n)"))
    await world.start()
    await world.until_status(shop, lambda s: not s.state.filter_failed)


async def test_a_filter_that_runs_away_costs_its_own_event_alone(world: World) -> None:
    """In the event loop it would stop health, heartbeats and all deliveries for minutes, and then
    do the same to the next owner."""
    bad = await world.subscribe(subscription("bad", filter_cel=ENDLESS))
    good = await world.subscribe(subscription("good"))
    await world.start()
    await world.publish(body=BAD)
    wanted = await world.publish(body={"s": "b"})
    await world.until_status(good, lambda s: s.counters.delivered == 2)
    status = await world.until_status(bad, lambda s: s.counters.delivered == 1)
    assert world.events.count(wanted) == 2
    assert (status.counters.filter_errors, status.pending) == (1, 0)
    assert "took longer than 0.3 s of CPU" in str(world.activity.notes)


async def test_a_filter_that_runs_away_again_and_again_waits_and_says_so(world: World) -> None:
    operational = await world.operational()
    shop = await world.subscribe(subscription(filter_cel=ENDLESS))
    await world.start()
    for _ in range(STRIKES):
        await world.publish(body=BAD)
    wanted = await world.publish(body={"s": "b"})
    await world.until(lambda: "ExpressionHeld" in str(world.activity.notes))
    held_at = world.loop.time()
    held = (await world.status(shop)).state
    assert (held.held_expression, held.held_because) == ("filter", WHY)
    assert world.events == []
    status = await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert world.events == [wanted]
    assert world.loop.time() - held_at >= FIRST_HOLD - 1
    assert status.counters.filter_errors == STRIKES
    told = await world.store.read_log(operational, 0, 10)
    assert [entry.type for entry in told] == ["hookplane.subscription.expression_held"]
    assert status.state.held_until == 0


async def test_a_hold_outlives_the_dispatcher_and_ends_with_its_text(world: World) -> None:
    shop = await world.subscribe(subscription(filter_cel=ENDLESS))
    await world.start()
    for _ in range(STRIKES):
        await world.publish(body=BAD)
    wanted = await world.publish(body={"s": "b"})
    held = await world.until_status(shop, lambda s: s.state.held_until)
    await world.stop()
    await world.start()
    await asyncio.sleep(FIRST_HOLD / 2)
    status = await world.status(shop)
    assert (status.state.held_until, world.events) == (held.state.held_until, [])
    await world.subscribe(subscription(filter_cel="event.body.s == 'b'"))
    await world.until(lambda: world.events == [wanted])
    status = await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert status.state.held_until == 0
    assert world.loop.time() < FIRST_HOLD


async def test_what_comes_behind_its_key_waits_while_the_filter_may_not_run(world: World) -> None:
    shop = await world.subscribe(subscription(by_key=True))
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(400)
    await world.publish(body={"s": "b"}, key="a")
    behind = await world.publish(body={"s": "b"}, key="a")
    await world.until_status(shop, lambda s: s.retrying == 1 and s.pending == 1)
    await world.change(shop, filter_cel=ENDLESS)
    for _ in range(STRIKES):
        await world.publish(body=BAD)
    await world.until(lambda: "ExpressionHeld" in str(world.activity.notes))
    held_at = world.loop.time()
    world.egress.scripts.clear()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert behind not in world.events
    await world.until(lambda: behind in world.events)
    assert world.loop.time() - held_at >= FIRST_HOLD - 1


async def test_a_transform_that_runs_away_is_dead_and_the_next_event_is_sent(world: World) -> None:
    transform = TransformConfig(cel=ENDLESS)
    shop = await world.subscribe(subscription(transform=transform, strict=True))
    await world.start()
    bad = await world.publish(body=BAD)
    wanted = await world.publish(body={"s": "b"})
    status = await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert world.events == [wanted]
    assert status.counters.dead == 1
    (dead,) = await world.deliveries(shop, DeliveryState.DEAD)
    assert dead.entry.event_id == bad
    assert "transform failed: the expression took longer than 0.3 s of CPU" in dead.error


async def test_a_transform_that_may_not_run_is_tried_again_when_it_may(world: World) -> None:
    shop = await world.subscribe(subscription(transform=TransformConfig(cel=ENDLESS), strict=True))
    await world.start()
    for _ in range(STRIKES):
        await world.publish(body=BAD)
    wanted = await world.publish(body={"s": "b"})
    status = await world.until_status(shop, lambda s: s.state.held_until > 0)
    assert (status.counters.dead, status.counters.attempts) == (STRIKES, 0)
    assert (status.state.held_expression, status.state.held_because) == ("transform", WHY)
    assert status.state.failing_since == 0
    held_at = world.loop.time()
    status = await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert world.events == [wanted]
    assert world.loop.time() - held_at >= FIRST_HOLD - 1
    assert (status.counters.attempts, status.state.held_until) == (1, 0)


async def test_a_rare_match_in_a_long_log(world: World) -> None:
    shop = await world.subscribe(subscription(filter_cel="event.body.n % 100 == 0"))
    await world.start()
    await world.publish_many(300)
    await world.publish_many(300)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 6)
    assert status.counters.filtered == 594


async def test_progress_of_only_filtered_events_is_written_after_5_seconds(world: World) -> None:
    shop = await world.subscribe(subscription(types=("nothing",)))
    await world.start()
    begun = world.loop.time()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.filtered == 1)
    assert 4 <= world.loop.time() - begun <= 6


async def test_a_new_filter_counts_for_what_has_not_started(world: World) -> None:
    shop = await world.subscribe(subscription(types=("nothing.*", "order.*"), suspended=True))
    await world.start()
    await world.publish(type="order.created")
    other = await world.publish(type="user.created")
    await world.change(shop, types=("user.*",), suspended=False)
    await world.until(lambda: world.events == [other])
    await world.until_status(shop, lambda s: s.counters.filtered == 1)


async def test_headers_of_a_delivery(world: World) -> None:
    target = HttpTargetConfig(
        url=Secret(url()), host="shop.test", headers=(("X-Source", Secret("chat")),)
    )
    signing = SigningConfig(
        scheme=SigningScheme.STANDARD, keys=(Secret("whsec_" + "QUJD" * 8), Secret("QUJE" * 8))
    )
    await world.subscribe(subscription(target=target, signing=signing))
    await world.start()
    event = await world.publish(body={"a": 1})
    await world.until(lambda: world.egress.sent)
    headers = world.egress.sent[0].headers
    assert set(headers) == {
        "content-type",
        "hookplane-endpoint",
        "hookplane-event-type",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "x-source",
    }
    assert headers["webhook-id"] == event
    assert headers["webhook-timestamp"] == str(world.egress.sent[0].at // 1000)
    assert len(headers["webhook-signature"].split()) == 2
    assert world.egress.sent[0].body == b'{"a": 1}'


async def test_a_transform_sees_the_event(world: World) -> None:
    expression = (
        '{"id": event.id, "n": event.body.n, "on": event.endpoint, "at": event.receivedTime}'
    )
    await world.subscribe(subscription(transform=TransformConfig(cel=expression)))
    await world.start()
    event = await world.publish(body={"n": 7})
    await world.until(lambda: world.egress.sent)
    sent = world.egress.sent[0]
    assert json.loads(sent.body) == {
        "id": event,
        "n": 7,
        "on": "orders",
        "at": "2027-01-15T08:00:00Z",
    }
    assert sent.headers["content-type"] == "application/json"


POISON = b'"poison"'


@pytest.mark.parametrize(("method", "expected"), [("holds", (1, 0)), ("json", (0, 1))])
async def test_a_fault_about_one_event_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, expected: tuple[int, int]
) -> None:
    """Filter errors, and deliveries that are dead."""
    proper: Callable[[Program, EventView], Any] = getattr(Program, method)

    def fail(program: Program, event: EventView) -> Any:
        if event.body == POISON:
            raise RecursionError("hush-hush")
        return proper(program, event)

    monkeypatch.setattr(Program, method, fail)

    transform = TransformConfig(cel="event.body")
    shop = await world.subscribe(subscription(filter_cel="true", transform=transform))
    await world.start()
    await world.publish(body=POISON)
    wanted = await world.publish()
    status = await world.until_status(shop, lambda s: s.counters.delivered)
    assert world.events == [wanted]
    assert (status.counters.filter_errors, status.counters.dead) == expected
    notes = str(world.activity.notes) + str(await world.deliveries(shop, DeliveryState.DEAD))
    assert "a fault of Hookplane's own (RecursionError at hookplane" in notes
    assert "hush-hush" not in notes


async def test_a_backlog_of_uninteresting_events_is_read_without_pauses(world: World) -> None:
    shop = await world.subscribe(subscription(types=("user.*",), start_from="Earliest"))
    await world.publish_many(6 * PAGE)
    wanted = await world.publish(type="user.created")
    # nothing wakes this worker, and it looks on its own only after days
    await world.start_worker(shop)
    await world.until(lambda: world.events == [wanted], patience=1)


async def test_a_new_filter_counts_for_what_was_read_and_had_no_slot_yet(world: World) -> None:
    world.egress.scripts[url()] = lambda _: Reply(after=5)
    shop = await world.subscribe(subscription(types=("order.*",), max_in_flight=1))
    await world.start()
    first = await world.publish(type="order.created")
    await world.publish(type="order.created")
    await world.until(lambda: world.events == [first])
    await world.change(shop, types=("user.*",))
    other = await world.publish(type="user.created")
    await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert world.events == [first, other]
    assert (await world.status(shop)).counters.filtered == 1


async def test_a_backlog_that_waits_for_a_slot_is_not_read_on(world: World) -> None:
    pages: list[str] = []
    shop = await world.subscribe(subscription(max_in_flight=1, suspended=True))
    world.egress.scripts[url()] = lambda _: Reply(after=1)
    await world.start()
    for _ in range(12):
        await world.publish_many(PAGE)
    await world.stop()
    world.watched.fail = lambda name, _: pages.append(name) if name == "read_log" else None
    await world.start()
    await world.change(shop, suspended=False)
    await world.until_status(shop, lambda s: s.counters.delivered > 20)
    assert len(pages) < 10  # of the 12 that there are, and some are read to follow the log
