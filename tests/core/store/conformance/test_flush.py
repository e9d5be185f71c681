"""Ownership and flushes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hookplane.errors import RejectedEvent, StaleOwner, UnknownObject
from hookplane.store.config_store import ConfigKind
from hookplane.store.delivery_store import (
    CircuitState,
    Counters,
    DeliveryState,
    Flush,
    Span,
    TargetHealth,
)
from hookplane.store.notifications import Topic
from hookplane.store.queries import Page
from support.clocks.manual import START
from support.planes.store import HOUR, Scene, attempt, delivery


@pytest.fixture
async def scene(scene: Scene) -> Scene:
    """With a subscription `s` to `e`."""
    await scene.subscription("s")
    return scene


async def test_a_new_owner_starts_from_what_was_flushed(scene: Scene) -> None:
    entries = await scene.fill(4)
    state = TargetHealth(circuit=CircuitState.OPEN, failed_event="evt", failed_several=True)
    owner = await scene.owner()
    await owner.flush(
        cursors={"e": 3},
        upserts=(
            delivery(entries[0], due=START + 2),
            delivery(entries[1], DeliveryState.SENDING, due=START + 1, replay="r"),
            delivery(entries[2], DeliveryState.DEAD),
        ),
        state=state,
    )
    claimed = (await scene.owner()).claimed
    assert claimed.epoch == owner.claimed.epoch + 1
    assert claimed.flush_number == owner.claimed.flush_number + 1
    assert (claimed.cursors, claimed.heads) == ({"e": 3}, {"e": 4})
    assert claimed.deliveries == (
        delivery(entries[1], DeliveryState.SENDING, due=START + 1, replay="r"),
        delivery(entries[0], due=START + 2),
    )
    assert claimed.state == state


async def test_a_new_subscription_has_nothing_behind_it(scene: Scene) -> None:
    claimed = (await scene.owner()).claimed
    assert (claimed.deliveries, claimed.state) == ((), TargetHealth())
    assert claimed.resume_requested == 0


async def test_a_former_owner_changes_nothing(scene: Scene) -> None:
    entries = await scene.fill(1)
    former = await scene.owner()
    await scene.owner()
    with pytest.raises(StaleOwner):
        await former.deliver(*entries)
    assert (await scene.status()).counters == Counters()
    assert await scene.states() == {entries[0].event_id: DeliveryState.PENDING}


async def test_a_repeated_flush_adds_nothing_twice(scene: Scene) -> None:
    entries = await scene.fill(1)
    owner = await scene.owner()
    flush = await owner.flush(
        cursors={"e": 1},
        attempts=(attempt(entries[0]),),
        counters=Counters(delivered=1, attempts=1),
    )
    await scene.store.flush(flush)
    assert (await scene.status()).counters == Counters(delivered=1, attempts=1)
    await owner.flush(counters=Counters(filtered=1))
    with pytest.raises(StaleOwner):
        await scene.store.flush(flush)


async def test_a_number_that_is_not_next_is_stale(scene: Scene) -> None:
    claimed = (await scene.owner()).claimed
    with pytest.raises(StaleOwner):
        await scene.store.flush(Flush("s", claimed.epoch, claimed.flush_number + 2))


async def test_flushes_of_one_group_fail_alone(scene: Scene) -> None:
    await scene.subscription("t")
    entries = await scene.fill(1)
    stale, good, bad = await scene.owner("s"), await scene.owner("t"), await scene.owner("s")
    outcomes = await asyncio.gather(
        stale.deliver(*entries),
        good.deliver(*entries),
        bad.hold(delivery(entries[0], due=1 << 63)),
        return_exceptions=True,
    )
    assert [type(x) for x in outcomes] == [StaleOwner, type(None), RejectedEvent]
    assert (await scene.status("t")).counters.delivered == 1
    assert (await scene.status("s")).pending == 1


async def test_cursors_never_move_back(scene: Scene) -> None:
    await scene.fill(3)
    owner = await scene.owner()
    await owner.flush(cursors={"e": 2})
    await owner.flush(cursors={"e": 1})
    assert (await scene.owner()).claimed.cursors == {"e": 2}


async def test_counters_and_state_stay_unless_written(scene: Scene) -> None:
    owner = await scene.owner()
    everything = Counters(1, 2, 3, 4, 5, 6, 7)
    gaps = (Span("e", 0, everything.expired),)
    await owner.flush(counters=everything, gaps=gaps, state=TargetHealth(last_success=9))
    await owner.flush(counters=Counters(delivered=1))
    status = await scene.status()
    assert status.counters == replace(everything, delivered=2)
    assert status.state == TargetHealth(last_success=9)


async def test_rows_are_replaced_and_removed(scene: Scene) -> None:
    first, second = await scene.fill(2)
    owner = await scene.owner()
    await owner.hold(delivery(first), delivery(second))
    newer = delivery(first, attempts=2, due=START + 2 * HOUR, status_code=0, error="timeout")
    await owner.flush(upserts=(newer,), removes=(("e", 2),))
    assert (await scene.owner()).claimed.deliveries == (newer,)


async def test_shifted_clocks_move_what_retries_and_nothing_else(scene: Scene) -> None:
    entries = await scene.fill(4)
    retrying, sending = delivery(entries[0]), delivery(entries[1], DeliveryState.SENDING)
    dead, new = delivery(entries[2], DeliveryState.DEAD), delivery(entries[3])
    owner = await scene.owner()
    await owner.hold(retrying, sending, dead)
    await owner.flush(shift_due=HOUR, upserts=(new,))
    moved = replace(retrying, due=retrying.due + HOUR, deadline=retrying.deadline + HOUR)
    assert set((await scene.owner()).claimed.deliveries) == {moved, sending, new}


async def test_attempts_are_listed_by_event_newest_first(scene: Scene) -> None:
    first, second, third = await scene.fill(3)
    tries = [
        attempt(first, success=False, status_code=0, error="ti\x00me\ud800out", answer=b"\x00"),
        attempt(second, replay="r"),
        attempt(first, number=2, at=START + 5),
        attempt(third, number=0),
    ]
    await (await scene.owner()).flush(attempts=tuple(tries))
    tries[0] = replace(tries[0], error="ti\ufffdme\ufffdout")
    newest_first = [tries[3], tries[1], tries[2], tries[0]]
    rows = (await scene.store.attempts(Page(), "s")).rows
    assert [row.attempt for row in rows] == newest_first
    assert {row.subscription for row in rows} == {"s"}
    rows = (await scene.store.attempts(Page(), None, first.event_id)).rows
    assert [row.attempt for row in rows] == newest_first[2:]
    rows = (await scene.store.attempts(Page(before=second.event_id))).rows
    assert [row.attempt for row in rows] == newest_first[2:]


async def test_a_page_of_attempts_may_end_within_an_event(scene: Scene) -> None:
    """And the next one goes on there, though it was tried again meanwhile."""
    first, second = await scene.fill(2)
    tries = (attempt(first), *(attempt(second, number=n) for n in (1, 2, 3)))
    owner = await scene.owner()
    await owner.flush(attempts=tries)
    numbers: list[tuple[str, int]] = []
    place: str | None = ""
    while place is not None:
        page = await scene.store.attempts(Page(1, place))
        assert len(page.rows) <= 1
        numbers += [(row.attempt.event_id, row.attempt.number) for row in page.rows]
        place = page.following
        if len(numbers) == 1:
            await owner.flush(attempts=(attempt(second, number=4),))
    of_second = [(second.event_id, n) for n in (3, 2, 1)]
    assert numbers == [*of_second, (first.event_id, 1)]


async def test_attempts_of_one_event_keep_the_limit(scene: Scene) -> None:
    (event,) = await scene.fill(1)
    tries = tuple(attempt(event, number=n) for n in (1, 2, 3))
    await (await scene.owner()).flush(attempts=tries)
    page = await scene.store.attempts(Page(2), None, event.event_id)
    assert [row.attempt.number for row in page.rows] == [3, 2]
    rest = await scene.store.attempts(Page(2, page.following or ""), None, event.event_id)
    assert [row.attempt.number for row in rest.rows] == [1]
    assert rest.following is None


async def test_attempts_of_some_subscriptions(scene: Scene) -> None:
    await scene.subscription("t")
    (event,) = await scene.fill(1)
    for uid in ("s", "t"):
        await (await scene.owner(uid)).flush(attempts=(attempt(event),))
    for among, found in ((None, {"s", "t"}), (frozenset({"t", "gone"}), {"t"}), (frozenset(), ())):
        rows = (await scene.store.attempts(Page(), among=among)).rows
        assert {row.subscription for row in rows} == set(found)


async def test_a_resume_is_numbered_and_wakes_the_owner(scene: Scene) -> None:
    woken: list[str] = []
    scene.store.listen(Topic.SUBSCRIPTION, woken.append)
    await scene.store.request_resume("s")
    await scene.store.request_resume("s")
    assert await scene.store.resume_requested("s") == 2
    assert (await scene.owner()).claimed.resume_requested == 2
    assert woken == ["s", "s"]


async def test_unknown_subscriptions(scene: Scene) -> None:
    with pytest.raises(UnknownObject):
        await scene.store.claim("nobody")
    with pytest.raises(UnknownObject):
        await scene.store.request_resume("nobody")
    with pytest.raises(UnknownObject):
        await scene.store.resume_requested("nobody")
    with pytest.raises(StaleOwner):
        await scene.store.flush(Flush("nobody", 1, 1))
    assert await scene.store.subscription_stats(["nobody"]) == []


async def test_the_last_owner_of_a_deleted_subscription_may_still_settle(scene: Scene) -> None:
    entries = await scene.fill(1)
    owner = await scene.owner()
    await scene.delete(ConfigKind.SUBSCRIPTION, "s")
    await owner.deliver(*entries)
    with pytest.raises(UnknownObject):
        await scene.store.claim("s")
    await scene.subscription("s")
    assert await scene.states() == {entries[0].event_id: DeliveryState.DELIVERED}
