"""What goes when it is old or too much, and what is counted then."""

from __future__ import annotations

import asyncio

import pytest

from hookplane.errors import UnknownObject
from hookplane.ids import event_id
from hookplane.store.delivery_store import DeliveryState, ReplayProgress
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.queries import Page
from support.clocks.manual import START
from support.planes.store import DAY, ERA, HOUR, Scene, attempt, delivery

KEEP_ALL = Retention(365 * DAY, 365 * DAY, 1 << 40)
ONE_DAY = Retention(DAY, DAY, 1 << 40)


async def expire(scene: Scene, retention: Retention) -> Expired:
    """All steps."""
    total = Expired(more=True)
    while total.more:
        step = await scene.store.expire(retention, scene.clock.now())
        total = Expired(
            total.events + step.events,
            total.attempts + step.attempts,
            total.dedup_keys + step.dedup_keys,
            total.skipped_deliveries + step.skipped_deliveries,
            step.more,
        )
    return total


async def test_events_go_by_age(scene: Scene) -> None:
    await scene.fill(2)
    scene.clock.advance(DAY)
    assert await expire(scene, ONE_DAY) == Expired()
    (young,) = await scene.fill(1)
    scene.clock.advance(1)
    assert await expire(scene, ONE_DAY) == Expired(events=2)
    assert await scene.store.read_log("e", 0, 10) == [young]
    assert set(await scene.store.read_contents("e", [1, 2, 3])) == {3}
    (status,) = await scene.store.endpoint_stats(["e"])
    assert (status.accepted, status.stored) == (3, 1)
    assert [entry.sequence for entry in await scene.fill(1)] == [4]


async def test_a_log_that_is_empty_goes_on_counting(scene: Scene) -> None:
    await scene.fill(2)
    await expire(scene, Retention(DAY, DAY, 0))
    assert [entry.sequence for entry in await scene.fill(1)] == [3]


async def test_the_oldest_go_first_when_there_is_too_much(scene: Scene) -> None:
    await scene.endpoints("f")
    ids = [(await scene.append("ef"[i % 2], body=b"x" * 100)).event_id for i in range(10)]
    assert await expire(scene, Retention(DAY, DAY, 350)) == Expired(events=7)
    left = (await scene.store.events(Page())).rows
    assert [row.entry.event_id for row in left] == ids[:6:-1]
    assert await expire(scene, Retention(DAY, DAY, 300)) == Expired()


async def test_one_step_is_bounded(scene: Scene) -> None:
    await scene.fill(1_200, body=b"x")
    step = await scene.store.expire(Retention(DAY, DAY, 0), START)
    assert step.more
    assert 0 < step.events <= 500
    assert (await expire(scene, Retention(DAY, DAY, 0))).events == 1_200 - step.events


async def test_what_cursors_skip_is_counted_as_expired(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.subscription("t")
    entries = await scene.fill(6)
    s, t = await scene.owner("s"), await scene.owner("t")
    await s.deliver(*entries[:2])
    await s.hold(delivery(entries[2]), delivery(entries[3], DeliveryState.DEAD))
    # rows of `t` beyond its cursor, which has settled nothing
    await t.flush(upserts=(delivery(entries[4]), delivery(entries[5], DeliveryState.DEAD)))
    scene.clock.advance(DAY + 1)
    # `s`: one retrying, two pending; `t`: four pending, one retrying; what is dead just goes
    retention = Retention(DAY, 2 * DAY, 1 << 40)
    assert await expire(scene, retention) == Expired(events=6, skipped_deliveries=8)
    for uid, expired in (("s", 3), ("t", 5)):
        status = await scene.status(uid)
        assert status.counters.expired == expired
        assert (status.pending, status.retrying, status.dead) == (0, 0, 0)
        claimed = (await scene.owner(uid)).claimed
        assert (claimed.cursors, claimed.deliveries) == ({"e": 6}, ())


async def test_a_flush_cannot_bring_back_what_retention_removed(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(2)
    owner = await scene.owner()
    scene.clock.advance(DAY + 1)
    await expire(scene, ONE_DAY)
    await owner.hold(delivery(entries[0]))
    status = await scene.status()
    assert (status.retrying, status.pending, status.counters.expired) == (0, 0, 2)
    assert (await scene.owner()).claimed.cursors == {"e": 2}


async def test_an_endpoint_that_left_counts_only_its_rows(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(3)
    await (await scene.owner()).hold(delivery(entries[0]))
    await scene.subscription("s", [])
    scene.clock.advance(DAY + 1)
    assert (await expire(scene, ONE_DAY)).skipped_deliveries == 1
    assert (await scene.status()).counters.expired == 3


async def test_attempts_have_a_time_of_their_own(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(2)
    owner = await scene.owner()
    await owner.deliver(entries[0])
    await owner.flush(attempts=(attempt(entries[1], at=START + HOUR),))
    scene.clock.advance(DAY + 1)
    assert await expire(scene, ONE_DAY) == Expired(events=2, attempts=1, skipped_deliveries=1)
    rows = (await scene.store.attempts(Page(), "s")).rows
    assert [row.attempt.event_id for row in rows] == [entries[1].event_id]


async def test_attempts_outlive_their_events(scene: Scene) -> None:
    await scene.subscription("s")
    (entry,) = await scene.fill(1)
    await (await scene.owner()).deliver(entry)
    scene.clock.advance(DAY + 1)
    await expire(scene, Retention(DAY, 2 * DAY, 1 << 40))
    rows = (await scene.store.attempts(Page(), None, entry.event_id)).rows
    assert [row.attempt for row in rows] == [attempt(entry)]


async def test_attempts_that_are_dated_ahead_are_in_nobodys_way(scene: Scene) -> None:
    """The clock of the process that made them was a year ahead."""
    await scene.subscription("s")
    ahead, honest = await scene.fill(2)
    owner = await scene.owner()
    await owner.flush(
        attempts=tuple(attempt(ahead, at=START + 365 * DAY, number=n) for n in range(600))
    )
    await owner.deliver(honest)
    scene.clock.advance(HOUR)
    await expire(scene, Retention(DAY, HOUR // 2, 1 << 40))
    assert (await scene.store.attempts(Page(1_000), None, ahead.event_id)).rows
    scene.clock.advance(DAY)
    await expire(scene, ONE_DAY)
    assert (await scene.store.attempts(Page(), None, honest.event_id)).rows == []


async def test_keys_go_when_their_window_has_ended(scene: Scene) -> None:
    for i in range(3):
        await scene.append(dedup_key=bytes([i]), dedup_window=i)
    assert await expire(scene, KEEP_ALL) == Expired(dedup_keys=1)
    scene.clock.advance(2)
    assert await expire(scene, KEEP_ALL) == Expired(dedup_keys=2)


async def test_a_key_outlives_its_event(scene: Scene) -> None:
    first = await scene.append(dedup_key=b"k", dedup_window=9 * DAY)
    scene.clock.advance(DAY + 1)
    await expire(scene, ONE_DAY)
    again = await scene.append(dedup_key=b"k", dedup_window=9 * DAY)
    assert (again.event_id, again.duplicate) == (first.event_id, True)
    with pytest.raises(UnknownObject):
        await scene.store.find_event(first.event_id)


async def test_a_replay_goes_on_with_what_is_left(scene: Scene) -> None:
    await scene.fill(2)
    scene.clock.advance(DAY)
    (young,) = await scene.fill(1)
    await scene.subscription("s")
    await scene.replay(states=frozenset(DeliveryState))
    scene.clock.advance(1)
    await expire(scene, ONE_DAY)
    page = await scene.store.replay_page("r", 9)
    assert [x.entry for x in page.candidates] == [young]
    owner = await scene.owner()
    await owner.advance(ReplayProgress("r", page.position, matched=1, failed=1, exhausted=True))
    assert await scene.store.running_replays("s") == []


@pytest.mark.parametrize("behind", [30 * DAY, 400 * DAY])
async def test_one_that_tells_an_early_time_takes_nothing_along(scene: Scene, behind: int) -> None:
    """A receiver's clock is behind: its event has an early id besides."""
    await scene.subscription("s")
    young = await scene.fill(3)
    early = START - behind
    await scene.append(event_id=event_id(early), received=early)
    young += await scene.fill(1)
    assert await expire(scene, ONE_DAY) == Expired()
    read = await scene.store.read_log("e", 0, 10)
    assert [x for x in read if x.event_id in {y.event_id for y in young}] == young
    assert (await scene.status()).pending == 5
    scene.clock.advance(DAY + ERA + 1)
    assert await expire(scene, ONE_DAY) == Expired(events=5, skipped_deliveries=5)


async def test_every_log_loses_what_is_old(scene: Scene) -> None:
    await scene.endpoints("f", "g")
    await scene.fill(2)
    await scene.fill(1, "f")
    scene.clock.advance(HOUR)
    await scene.fill(2, "f")
    await scene.fill(1, "g")
    scene.clock.advance(DAY - 1)
    assert await expire(scene, ONE_DAY) == Expired(events=3)
    assert [await scene.store.floor(x) for x in "efg"] == [2, 1, 0]


@pytest.mark.parametrize("ahead", [-400 * DAY, -30 * DAY, 30 * DAY, 400 * DAY])
async def test_a_log_of_one_receiver_whose_clock_is_wrong_is_kept_as_long(
    scene: Scene, ahead: int
) -> None:
    """Nobody else ever appended to it."""
    for _ in range(3):
        await scene.append(received=scene.clock.now() + ahead)
    scene.clock.advance(DAY - 1)
    assert await expire(scene, ONE_DAY) == Expired()
    scene.clock.advance(ERA + 2)
    assert await expire(scene, ONE_DAY) == Expired(events=3)


@pytest.mark.parametrize("number", [1, 3, 1_200])
async def test_a_log_that_begins_in_the_future_loses_what_is_old(scene: Scene, number: int) -> None:
    """All clocks told another time for a while."""
    scene.clock.advance(400 * DAY)
    events = [scene.event() for _ in range(number)]
    await asyncio.gather(*map(scene.store.append, events))
    scene.clock.advance(-400 * DAY)
    assert await expire(scene, ONE_DAY) == Expired()
    for _ in range(number):
        await scene.append()
    scene.clock.advance(DAY - 1)
    assert await expire(scene, ONE_DAY) == Expired()
    scene.clock.advance(ERA + 2)
    (young,) = await scene.fill(1)
    assert (await expire(scene, ONE_DAY)).events == 2 * number
    assert await scene.store.read_log("e", 0, 10) == [young]


async def test_what_comes_from_the_future_last_is_not_old(scene: Scene) -> None:
    await scene.fill(2)
    scene.clock.advance(400 * DAY)
    await scene.append()
    scene.clock.advance(-399 * DAY + ERA)
    assert await expire(scene, ONE_DAY) == Expired(events=2)
    assert [x.sequence for x in await scene.store.read_log("e", 0, 10)] == [3]


@pytest.mark.parametrize("ahead", [HOUR, 20 * HOUR])
async def test_attempts_stay_as_long_as_their_events(scene: Scene, ahead: int) -> None:
    """What comes behind an event of a receiver whose clock is ahead is kept as long as that one."""
    await scene.subscription("s")
    await scene.append(received=scene.clock.now() + ahead)
    await scene.append()
    first, second = await scene.store.read_log("e", 0, 10)
    owner = await scene.owner()
    await owner.skip(first)
    await owner.deliver(second)
    scene.clock.advance(DAY + ahead - HOUR // 2)
    await expire(scene, ONE_DAY)
    assert await scene.states() == {
        first.event_id: DeliveryState.FILTERED,
        second.event_id: DeliveryState.DELIVERED,
    }
    assert len((await scene.store.attempts(Page(), "s")).rows) == 1
    scene.clock.advance(ERA + HOUR)
    await expire(scene, ONE_DAY)
    assert await scene.store.read_log("e", 0, 10) == []
    assert (await scene.store.attempts(Page(), "s")).rows == []
