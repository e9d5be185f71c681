"""An event costs those whom it concerns. Others are not woken; their cursors follow together."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import StoreUnavailable
from hookplane.secret import Secret
from hookplane.signatures.signing import SigningConfig, SigningScheme
from hookplane.store.delivery_store import Counters
from hookplane.store.sqlite.folder import DATABASE_FILE
from support.http.scripted_egress import Reply
from support.planes.dispatcher import LOG_READS, World, subscription, url
from support.planes.store import lose

ROUND = 6.0
"""Seconds in which cursors have followed."""


async def crowd(world: World, size: int) -> SubscriptionConfig:
    """One subscription to what is published, and so many to something else; one event has come."""
    for number in range(size):
        other = "order.refunded" if number % 2 else "user.*"
        await world.subscribe(subscription(f"other-{number}", types=(other,)))
    shop = await world.subscribe(subscription(types=("order.created",)))
    await world.start()
    await publish_and_wait(world, shop, 1)
    await asyncio.sleep(ROUND)
    return shop


async def publish_and_wait(world: World, config: SubscriptionConfig, delivered: int) -> None:
    await world.publish()
    await world.until_status(config, lambda s: s.counters.delivered == delivered)


async def filtered(world: World, name: str) -> tuple[int, int]:
    """How many, and how many are pending."""
    (status,) = await world.store.subscription_stats([name])
    return status.counters.filtered, status.pending


@pytest.mark.parametrize("size", [5, 200])
async def test_the_work_for_an_event_does_not_grow_with_those_who_do_not_want_it(
    world: World, size: int
) -> None:
    """Looks at the clock tell how often workers woke up."""
    shop = await crowd(world, size)
    calls, before = world.count_calls(), world.clock.readings
    for delivered in range(2, 7):
        await publish_and_wait(world, shop, delivered)
    assert calls["flush"] <= 5
    assert sum(calls[name] for name in LOG_READS) <= 12
    assert "read_contents" not in calls
    assert calls["pass_over"] <= 1
    assert world.clock.readings - before < 5 * 40


@pytest.mark.parametrize("size", [5, 200])
async def test_the_work_for_an_event_does_not_grow_with_those_who_want_another_key(
    world: World, size: int
) -> None:
    """All want the same types; the key alone tells them apart."""
    for number in range(size):
        await world.subscribe(
            subscription(f"other-{number}", types=("order.*",), keys=(f"cus_{number}",))
        )
    shop = await world.subscribe(subscription(types=("order.*",), keys=("cus_4711", "eu/*")))
    await world.start()
    await world.publish(key="cus_4711")
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    await asyncio.sleep(ROUND)
    calls, before = world.count_calls(), world.clock.readings
    for delivered, key in enumerate(("cus_4711", "eu/1", "eu/2", "cus_4711", "eu/3"), 2):
        await world.publish(key=key)
        await world.until_status(shop, lambda s: s.counters.delivered == delivered)  # noqa: B023
    assert calls["flush"] <= 5
    assert sum(calls[name] for name in LOG_READS) <= 12
    assert "read_contents" not in calls
    assert calls["pass_over"] <= 1
    assert world.clock.readings - before < 5 * 40


async def test_other_keys_and_events_without_one_are_filtered(world: World) -> None:
    shop = await world.subscribe(subscription(keys=("cus_1",)))
    await world.start()
    wanted = await world.publish(key="cus_1")
    for key in ("cus_2", "", "cus_11"):
        await world.publish(key=key)
    last = await world.publish(key="cus_1")
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert world.events == [wanted, last]
    assert (status.counters.filtered, status.pending) == (3, 0)
    assert world.egress.sent[0].headers["hookplane-key"] == "cus_1"


async def test_other_keys_count_for_what_no_cursor_has_passed(world: World) -> None:
    shop = await world.subscribe(subscription(keys=("cus_1",), suspended=True))
    await world.start()
    await world.publish(key="cus_1")
    second = await world.publish(key="cus_2")
    await asyncio.sleep(ROUND)
    await world.change(shop, suspended=False, keys=("cus_2",))
    await world.until_status(shop, lambda s: s.pending == 0)
    assert world.events == [second]


async def test_an_expression_sees_the_key(world: World) -> None:
    shop = await world.subscribe(subscription(filter_cel='event.key == "cus_1"'))
    await world.start()
    await world.publish()
    wanted = await world.publish(key="cus_1")
    await world.until_status(shop, lambda s: s.pending == 0)
    assert world.events == [wanted]


async def test_many_cursors_follow_in_one_call(world: World) -> None:
    await crowd(world, 100)
    calls = world.count_calls()
    for _ in range(3):
        await world.publish()
    await asyncio.sleep(ROUND)
    assert (calls["pass_over"], calls["claim"]) == (1, 0)
    assert {await filtered(world, f"other-{number}") for number in range(100)} == {(4, 0)}


async def test_a_round_takes_up_where_the_last_one_ended(world: World) -> None:
    """More subscriptions than one transaction moves."""
    await crowd(world, 600)
    calls = world.count_calls()
    await world.publish()
    await asyncio.sleep(ROUND)
    assert calls["pass_over"] == 2
    assert {await filtered(world, f"other-{number}") for number in range(600)} == {(2, 0)}


async def test_what_passed_goes_with_the_next_flush(world: World) -> None:
    shop = await crowd(world, 0)
    calls = world.count_calls()
    for type_ in ("user.created", "user.deleted", "order.created"):
        await world.publish(type=type_)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert (status.counters.filtered, status.pending) == (2, 0)
    assert calls["pass_over"] == 0


async def test_an_answer_that_is_lost_counts_nothing_twice(world: World) -> None:
    shop = await crowd(world, 3)
    lost: list[str] = []

    def lose(name: str) -> None:
        if name == "pass_over" and len(lost) < 3:
            lost.append(name)
            raise StoreUnavailable("the answer is lost")

    world.watched.lose = lose
    await world.publish()
    await asyncio.sleep(2 * ROUND)
    assert len(lost) == 3
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 3)
    await asyncio.sleep(ROUND)
    assert {await filtered(world, f"other-{number}") for number in range(3)} == {(3, 0)}


async def test_a_flush_waits_for_cursors_that_are_on_their_way(world: World) -> None:
    """Else it would move the cursor past events that nobody counts."""
    shop = await crowd(world, 0)
    await world.publish(type="user.created")
    world.watched.delays["pass_over"] = 3.0
    await asyncio.sleep(5.5)
    event = await world.publish()
    await world.until(lambda: event in world.events, patience=1)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert status.counters == Counters(delivered=2, filtered=1, attempts=2)


async def test_a_crash_before_cursors_followed_skips_and_counts_nothing_twice(
    world: World,
) -> None:
    shop = await crowd(world, 3)
    for type_ in ("order.created", "user.created", "order.refunded"):
        await world.publish(type=type_)
    await world.until_status(shop, lambda s: s.counters.delivered == 2)
    await world.crash()
    await world.publish()
    await world.start()
    await world.until_status(shop, lambda s: s.counters.delivered == 3)
    await asyncio.sleep(ROUND)
    assert await filtered(world, "shop") == (2, 0)
    assert await filtered(world, "other-0") == (4, 0)
    assert await filtered(world, "other-1") == (4, 0)


async def test_cursors_have_followed_when_a_dispatcher_stops(world: World) -> None:
    shop = await crowd(world, 3)
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 2)
    await world.stop()
    assert {await filtered(world, f"other-{number}") for number in range(3)} == {(2, 0)}


async def test_one_that_was_taken_over_is_claimed_anew(world: World) -> None:
    await crowd(world, 2)
    await world.store.claim("other-0")
    await world.publish()
    await asyncio.sleep(2 * ROUND)
    assert [x for x in world.activity.notes if x[1] == "StaleOwner"]
    assert await filtered(world, "other-0") == (2, 0)
    assert await filtered(world, "other-1") == (2, 0)


async def test_a_new_filter_counts_for_what_comes_from_then_on(world: World) -> None:
    shop = await crowd(world, 0)
    await world.publish(type="user.created")
    await asyncio.sleep(ROUND)
    await world.change(shop, types=("user.*",))
    await asyncio.sleep(1.0)
    await world.publish()
    event = await world.publish(type="user.created")
    await world.until(lambda: len(world.events) == 2, patience=1)
    assert world.events[-1] == event
    await asyncio.sleep(ROUND)
    assert await filtered(world, "shop") == (2, 0)


async def test_a_new_filter_counts_for_what_no_cursor_has_passed(world: World) -> None:
    """Here: what came while nothing was sent."""
    shop = await crowd(world, 0)
    await world.change(shop, suspended=True)
    await asyncio.sleep(1.0)
    between = [await world.publish(type="user.created") for _ in range(3)]
    await asyncio.sleep(2 * ROUND)
    assert await filtered(world, "shop") == (0, 3)
    await world.change(shop, suspended=False, types=("user.*",))
    await world.until(lambda: world.events[1:] == between)


async def test_a_new_filter_reads_again_what_passed_behind_one_that_hangs(world: World) -> None:
    """In strict order the cursor waits for it, and so does all that was of no concern."""
    shop = await world.subscribe(subscription(types=("order.*",), strict=True))
    world.egress.scripts[url()] = lambda _: Reply(after=8.0)
    await world.start()
    first = await world.publish()
    await world.until(lambda: world.egress.sent)
    passed = await world.publish(type="user.created")
    await world.publish(type="order.refunded")
    await asyncio.sleep(2.0)
    await world.change(shop, types=("user.*",))
    await world.until_status(shop, lambda s: s.pending == 0)
    assert world.events == [first, passed]
    assert (await world.status(shop)).counters.filtered == 1


async def test_one_that_has_no_slot_is_woken_when_it_has(world: World) -> None:
    world.egress.scripts[url()] = lambda _: Reply(after=2.0)
    shop = await world.subscribe(subscription(types=("order.*",), max_in_flight=1))
    await world.start()
    for type_ in ("order.created", "user.created") * 20:
        await world.publish(type=type_)
    await world.until_status(shop, lambda s: s.counters.delivered == 20)
    await asyncio.sleep(ROUND)
    assert await filtered(world, "shop") == (20, 0)


async def test_a_hole_in_the_log_concerns_everybody(world: World, tmp_path: Path) -> None:
    """Those who wanted none of what is missing count it as expired as well."""
    await crowd(world, 2)
    world.watched.delays |= dict.fromkeys(LOG_READS, 2.0)
    gone = [await world.publish() for _ in range(3)][:2]
    await lose(world.store, tmp_path / "data", *gone)
    await asyncio.sleep(3 * ROUND)
    (status,) = await world.store.subscription_stats(["other-0"])
    assert (status.counters.expired, status.counters.filtered, status.pending) == (2, 2, 0)


async def test_subscriptions_for_which_nothing_comes_cost_nothing(world: World) -> None:
    """One statement in a minute asks for all what people asked of them."""
    await crowd(world, 100)
    calls, before = world.count_calls(), world.clock.readings
    await asyncio.sleep(600)
    assert 9 <= calls["asked"] <= 10
    assert set(calls) == {"asked", "bounds", "load_config"}
    assert world.clock.readings - before == calls["asked"]


@pytest.mark.parametrize("lost", [False, True])
async def test_a_resume_is_seen_though_its_wake_up_is_lost(
    world: World, tmp_path: Path, *, lost: bool
) -> None:
    """At the latest when the dispatcher looks for all."""
    shop = await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: Reply(410)
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.state.disabled_at)
    world.egress.scripts.clear()
    if lost:
        with closing(sqlite3.connect(tmp_path / "data" / DATABASE_FILE)) as db, db:
            db.execute("update subscription set resume_requested = 1")
    else:
        await world.store.request_resume("shop")
    await world.until_status(shop, lambda s: s.counters.delivered == 1, patience=62 if lost else 1)


async def test_one_that_is_idle_follows_a_clock_that_was_set_right(world: World) -> None:
    """Its first event after that carries the time of day."""
    keys = SigningConfig(scheme=SigningScheme.STANDARD, keys=(Secret("whsec_" + "QUJD" * 8),))
    shop = await world.subscribe(subscription(signing=keys))
    await world.start()
    await publish_and_wait(world, shop, 1)
    world.clock.shift = 3_600_000
    await asyncio.sleep(300)
    await publish_and_wait(world, shop, 2)
    timestamp = int(world.egress.sent[-1].headers["webhook-timestamp"])
    assert abs(timestamp - world.clock.now() / 1000) < 5
