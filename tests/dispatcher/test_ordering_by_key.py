"""`ordering: Key`."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Final

import pytest

from hookplane.config.subscription import RetryConfig, SubscriptionConfig, TransformConfig
from hookplane.errors import StoreUnavailable
from hookplane.store.delivery_store import REPLAYABLE, DeliveryState
from hookplane.store.maintenance import Retention
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_dispatcher.worker.tracker import WITHDRAWN_BECAUSE
from support.http.scripted_egress import Reply
from support.planes.dispatcher import World, subscription, url
from support.planes.store import DAY, Owner

NEVER_AGAIN: Final = RetryConfig(schedule=())
HOURLY: Final = RetryConfig(schedule=(3_600_000,), jitter_percent=0)


def by_key(**changes: Any) -> SubscriptionConfig:
    config: SubscriptionConfig = subscription(by_key=True, **changes)
    return config


async def publish(world: World, keys: str) -> dict[str, list[str]]:
    """An event for each letter; a blank: one without a key. Ids by key."""
    ids = defaultdict(list)
    for key in keys:
        ids[key.strip()].append(await world.publish(key=key.strip()))
    return ids


def sent(world: World, ids: list[str]) -> list[str]:
    """Which of these were sent, in that order."""
    return [x for x in world.events if x in ids]


async def test_a_failing_event_holds_those_with_its_key_and_no_others(world: World) -> None:
    shop = await world.subscribe(by_key())
    await world.start()
    bad: list[str] = []
    world.egress.scripts[url()] = lambda x: Reply(400 if not bad or x.event in bad else 200)
    bad += (await publish(world, "a"))["a"]
    await world.until_status(shop, lambda s: s.retrying)
    ids = await publish(world, "abab ac")
    status = await world.until_status(shop, lambda s: s.counters.delivered == 4)
    assert sent(world, ids["b"]) == ids["b"]
    assert sent(world, ids["a"]) == []
    assert (status.retrying, status.pending) == (1, 3)
    bad[:] = ["none"]
    await world.until_status(shop, lambda s: s.counters.delivered == 8)
    assert sent(world, ids["a"]) == ids["a"]


async def test_after_its_death_the_next_with_its_key_goes(world: World) -> None:
    shop = await world.subscribe(by_key())
    await world.start()
    bad: list[str] = []
    world.egress.scripts[url()] = lambda x: Reply(400 if not bad or x.event in bad else 200)
    bad += (await publish(world, "a"))["a"]
    ids = await publish(world, "aa")
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2, 600)
    assert (status.dead, status.pending, status.retrying) == (1, 0, 0)
    assert sent(world, ids["a"]) == ids["a"]


async def test_one_after_the_other_and_different_keys_side_by_side(world: World) -> None:
    shop = await world.subscribe(by_key(max_in_flight=4, suspended=True))
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(after=0.2)
    ids = await publish(world, "aaabbbccc")
    await world.change(shop, suspended=False)
    await world.until_status(shop, lambda s: s.counters.delivered == 9)
    for key in "abc":
        assert sent(world, ids[key]) == ids[key]
    assert world.egress.most_under_way == 3


async def test_events_without_a_key_are_in_no_order(world: World) -> None:
    shop = await world.subscribe(by_key(max_in_flight=4, suspended=True))
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(after=0.2)
    await publish(world, "    ")
    await world.change(shop, suspended=False)
    await world.until_status(shop, lambda s: s.counters.delivered == 4)
    assert world.egress.most_under_way == 4


async def test_a_slow_event_holds_its_key_beyond_a_second(world: World) -> None:
    shop = await world.subscribe(by_key())
    await world.start()
    slow = (await publish(world, "a"))["a"]
    world.egress.scripts[url()] = lambda x: Reply(after=5 if x.event in slow else 0.01)
    ids = await publish(world, "aba")
    status = await world.until_status(shop, lambda s: s.sending == 1 and s.counters.delivered == 1)
    assert sent(world, ids["a"]) == []
    assert status.pending == 2
    await world.until_status(shop, lambda s: s.counters.delivered == 4)
    assert sent(world, ids["a"]) == ids["a"]


async def test_a_crash_forgets_neither_who_fails_nor_who_comes_behind(world: World) -> None:
    shop = await world.subscribe(by_key())
    await world.start()
    world.egress.scripts[url()] = lambda x: Reply(400)
    ids = await publish(world, "aabab")
    await world.until_status(shop, lambda s: s.retrying == 2 and s.pending == 3)
    await world.crash()
    world.egress.sent.clear()
    await world.start()
    world.egress.scripts.clear()
    await world.until_status(shop, lambda s: s.counters.delivered == 5, 600)
    for key in "ab":
        assert sent(world, ids[key]) == ids[key]


async def test_a_crash_after_the_end_of_the_first_strands_nobody(world: World) -> None:
    """The owner dies when the store has the first as done and the next has not begun."""
    shop = await world.subscribe(by_key())
    await world.start()
    world.egress.scripts[url()] = lambda x: Reply(400)
    ids = (await publish(world, "aaa"))["a"]
    await world.until_status(shop, lambda s: s.retrying and s.pending == 2)
    await world.crash()
    owner = Owner(world.store, shop.uid, await world.store.claim(shop.uid))
    await owner.flush(removes=(("orders", 1),))
    world.egress.scripts.clear()
    world.egress.sent.clear()
    await world.start()
    await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert world.events == ids[1:]


async def test_what_is_filtered_or_cannot_be_transformed_holds_nothing(world: World) -> None:
    shop = by_key(filter_cel='event.type != "no"', transform=TransformConfig(cel="event.body.ok"))
    await world.subscribe(shop)
    await world.start()
    first = await world.publish(body={"ok": 1}, key="a")
    await world.publish(body={"bad": 1}, key="a")
    await world.publish(type="no", key="a")
    last = await world.publish(body={"ok": 2}, key="a")
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert world.events == [first, last]
    assert (status.dead, status.counters.filtered, status.pending) == (1, 1, 0)


async def test_probes_of_an_open_circuit_keep_the_order(world: World) -> None:
    patient = RetryConfig(schedule=(5_000, 60_000, 36_000_000), jitter_percent=0)
    shop = await world.subscribe(by_key(retry=patient))
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(500)
    ids = await publish(world, "abcdefghij" * 3)
    await world.until_status(shop, lambda s: s.state.circuit == "Open")
    await asyncio.sleep(900)
    world.egress.scripts.clear()
    world.egress.sent.clear()
    await world.until_status(shop, lambda s: s.counters.delivered == 30, 3_600)
    for key in ids:
        assert sent(world, ids[key]) == ids[key]


async def test_leaving_it_keeps_those_in_order_that_wait_already(world: World) -> None:
    shop = await world.subscribe(by_key())
    await world.start()
    bad: list[str] = []
    world.egress.scripts[url()] = lambda x: Reply(400 if not bad or x.event in bad else 200)
    bad += (await publish(world, "a"))["a"]
    ids = (await publish(world, "aa"))["a"]
    await world.until_status(shop, lambda s: s.pending == 2)
    await world.change(shop, by_key=False)
    free = (await publish(world, "a"))["a"]
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert sent(world, ids) == []
    assert sent(world, free) == free
    bad[:] = ["none"]
    await world.until_status(shop, lambda s: s.counters.delivered == 4)
    assert sent(world, ids) == ids


async def test_more_failing_keys_than_fit_into_memory(world: World) -> None:
    """Whether an event comes behind another is asked of the store when memory does not know."""
    shop = await world.subscribe(by_key(max_in_flight=8))
    world.settings = DispatcherSettings(rows=4)
    await world.start()
    good: set[str] = set()
    world.egress.scripts[url()] = lambda x: Reply(200 if x.event in good else 400)
    keys = "abcdefghijklmnop"
    failing = await publish(world, keys)
    await world.until_status(shop, lambda s: s.retrying == len(keys))
    behind = await publish(world, keys)
    await world.until_status(shop, lambda s: s.pending == len(keys))
    good.update((await publish(world, "xyz"))[""], *failing.values(), *behind.values())
    good.update(*(await publish(world, "xyz")).values())
    await world.until_status(shop, lambda s: s.counters.delivered >= 2 * len(keys), 600)
    for key in keys:
        assert sent(world, failing[key] + behind[key])[-2:] == failing[key] + behind[key]


async def test_a_slow_key_holds_no_other_however_many_wait_for_it(world: World) -> None:
    shop = await world.subscribe(by_key(suspended=True))
    world.settings = DispatcherSettings(rows=4)
    await world.start()
    slow = (await publish(world, "a" * 12))["a"]
    world.egress.scripts[url()] = lambda x: Reply(after=9 if x.event in slow else 0.01)
    ids = await publish(world, "bcbcb")
    await world.change(shop, suspended=False)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 5, 8)
    assert status.pending + status.sending == 12
    assert sent(world, ids["b"]) == ids["b"]
    await world.until_status(shop, lambda s: s.counters.delivered == 17, 400)
    assert sent(world, slow) == slow


async def test_in_a_replay_a_failing_key_holds_no_other(world: World) -> None:
    shop = await world.subscribe(by_key(retry=NEVER_AGAIN, max_in_flight=4))
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(400)
    ids = await publish(world, "aaaaaaaabb")
    await world.until_status(shop, lambda s: s.dead == 10)
    await world.change(shop, retry=HOURLY)
    world.egress.sent.clear()
    world.egress.scripts[url()] = lambda x: Reply(400 if x.event in ids["a"] else 200)
    await world.replay("dead", shop, received_from=0)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2, 30)
    assert sent(world, ids["b"]) == ids["b"]
    assert sent(world, ids["a"]) == ids["a"][:1]
    assert (status.dead, status.retrying, status.pending) == (0, 1, 7)
    world.egress.scripts.clear()
    await world.until_status(shop, lambda s: s.counters.delivered == 10, 4_000)
    assert sent(world, ids["a"])[1:] == ids["a"]
    job = await world.finished("dead")
    assert (job.matched, job.delivered, job.failed) == (10, 10, 0)


@pytest.mark.parametrize("restarts", [False, True])
async def test_what_a_cancelled_replay_still_waited_for_is_what_it_was(
    world: World, restarts: bool
) -> None:
    """Nothing is sent of it, nothing is counted twice, and others with the key go on."""
    shop = await world.subscribe(by_key(retry=NEVER_AGAIN))
    await world.start()
    good = (await publish(world, "aaa"))["a"]
    await world.until_status(shop, lambda s: s.counters.delivered == 3)
    world.egress.scripts[url()] = lambda _: Reply(400)
    bad = (await publish(world, "aa"))["a"]
    await world.until_status(shop, lambda s: s.dead == 2)
    before = {x.entry.event_id: x.state for x in await world.deliveries(shop)}
    await world.change(shop, retry=HOURLY)
    world.egress.sent.clear()
    await world.replay("again", shop, ids=(*good, *bad), states=REPLAYABLE)
    await world.until_status(shop, lambda s: (s.retrying, s.pending) == (1, 4))
    await world.store.cancel_replay("again")
    if restarts:
        await world.crash()
        await world.start()
    late = await world.publish(key="a")
    world.egress.scripts.clear()
    status = await world.until_status(shop, lambda s: s.counters.delivered == 5, 4_000)
    assert sent(world, [*good, *bad, late]) == [good[0], good[0], late]
    assert {x.entry.event_id: x.state for x in await world.deliveries(shop)} == before | {
        late: DeliveryState.DELIVERED
    }
    assert (status.counters.dead, status.dead, status.pending, status.retrying) == (2, 2, 0, 0)
    assert status.counters.filtered == 0
    dead = await world.deliveries(shop, DeliveryState.DEAD)
    assert {x.error for x in dead} == {WITHDRAWN_BECAUSE}


async def test_a_replay_comes_behind_what_the_store_alone_knows(world: World) -> None:
    """Of what fails memory holds a few; what is replayed waits for all of it."""
    shop = await world.subscribe(by_key(retry=HOURLY, types=("order.*",), max_in_flight=8))
    world.settings = DispatcherSettings(rows=4)
    await world.start()
    world.egress.scripts[url()] = lambda x: Reply(400)
    keys = "abcdefghijklmnop"
    failing = await publish(world, keys)
    others = {key: await world.publish(type="other", key=key) for key in keys}
    await world.until_status(shop, lambda s: s.retrying == s.counters.filtered == len(keys))
    world.egress.scripts.clear()
    await world.replay("others", shop, ids=tuple(others.values()), states=frozenset())
    await world.until_status(shop, lambda s: s.pending == len(keys), 60)
    assert not set(others.values()) & set(world.events)
    await world.until_status(shop, lambda s: s.counters.delivered == 2 * len(keys), 4_000)
    job = await world.finished("others")
    assert (job.matched, job.delivered) == (len(keys), len(keys))
    for key in keys:
        assert sent(world, [*failing[key], others[key]])[-2:] == [*failing[key], others[key]]


@pytest.mark.parametrize(
    "change", [{"keys": ("b",)}, {"types": ("other",)}, {"filter_cel": 'event.key != "a"'}]
)
async def test_another_filter_counts_for_those_that_wait(
    world: World, change: dict[str, Any]
) -> None:
    """The first has started, and goes on."""
    shop = await world.subscribe(by_key())
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(400)
    ids = (await publish(world, "aaa"))["a"]
    await world.until_status(shop, lambda s: s.retrying == 1 and s.pending == 2)
    await world.change(shop, **change)
    world.egress.scripts.clear()
    world.egress.sent.clear()
    status = await world.until_status(shop, lambda s: s.counters.filtered == 2, 60)
    assert world.events == ids[:1]
    assert (status.counters.delivered, status.pending, status.retrying) == (1, 0, 0)


async def test_what_retention_removes_holds_its_key_no_longer(world: World) -> None:
    """Though it would have been tried again in an hour."""
    shop = await world.subscribe(by_key(retry=HOURLY))
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(400)
    await world.publish(body=b"x" * 200_000, key="a")
    await world.until_status(shop, lambda s: s.retrying == 1)
    behind = (await publish(world, "aa"))["a"]
    await world.until_status(shop, lambda s: s.pending == 2)
    world.egress.scripts.clear()
    world.egress.sent.clear()
    await world.store.expire(Retention(DAY, DAY, 100_000), world.clock.now())
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2, 30)
    assert world.events == behind
    assert (status.counters.expired, status.retrying, status.pending) == (1, 0, 0)


async def test_a_change_of_the_filter_leaves_nobody_behind(world: World) -> None:
    """It comes just when the one before is done, and the log above it is read again."""
    shop = by_key(types=("order.*",))
    await world.subscribe(shop)
    worker = await world.start_worker(shop)
    first, slow = await world.publish(key="a"), await world.publish(key="b")
    world.egress.scripts[url()] = lambda x: Reply(after=0.2 if x.event == first else 0.9)
    await world.until(lambda: len(world.egress.sent) == 2)
    second = await world.publish(key="a")

    def change(name: str) -> None:
        if name == "flush" and first in [line[1] for line in world.activity.delivered_lines]:
            worker.configure(shop.model_copy(update={"types": ("order.*", "user.*")}))
            world.watched.lose = lambda _: None

    world.watched.lose = change
    await world.until(lambda: second in world.events, patience=5)
    third = await world.publish(key="a")
    await world.until_status(shop, lambda s: s.counters.delivered == 4)
    assert sent(world, [first, slow, second, third]) == [first, slow, second, third]


async def test_two_events_of_a_key_are_never_under_way_together(world: World) -> None:
    """A replay brings an earlier one back while a later one is sent."""
    shop = await world.subscribe(by_key(max_in_flight=4))
    await world.start()
    early = await world.publish(key="a")
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    world.egress.scripts[url()] = lambda _: Reply(after=3)
    late = await world.publish(key="a")
    await world.until(lambda: late in world.events)
    await world.replay("again", shop, ids=(early,), states=REPLAYABLE)
    job = await world.finished("again")
    assert (job.matched, job.delivered) == (1, 1)
    assert world.events == [early, late, early]
    assert world.egress.most_under_way == 1


async def test_a_filter_that_fails_on_one_that_waits_says_so(world: World) -> None:
    shop = await world.subscribe(by_key())
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(400)
    await publish(world, "aa")
    await world.until_status(shop, lambda s: s.retrying == 1 and s.pending == 1)
    await world.change(shop, filter_cel="event.body.none == 1")
    world.egress.scripts.clear()
    status = await world.until_status(shop, lambda s: s.counters.filtered == 1, 60)
    assert (status.counters.filter_errors, status.counters.delivered) == (1, 1)


async def test_contents_are_given_back_when_the_store_cannot_say_who_is_first(world: World) -> None:
    """Else each such moment takes room from all, until nobody has any."""
    world.settings = DispatcherSettings(rows=1)
    shop = await world.subscribe(by_key(retry=HOURLY))
    await world.start()
    world.egress.scripts[url()] = lambda x: Reply(400)
    await publish(world, "abc")
    await world.until_status(shop, lambda s: s.retrying == 3)
    failed: list[str] = []

    def fail(name: str, _: object) -> None:
        if name == "first_rows" and len(failed) < 20:
            failed.append(name)
            raise StoreUnavailable("away")

    world.watched.fail = fail
    world.egress.scripts[url()] = lambda x: Reply(200)
    (late,) = (await publish(world, "d"))["d"]
    await world.until(lambda: late in world.events)
    assert len(failed) == 20
    await world.until(lambda: world.in_use == 0)
