"""Replay jobs: bounds, candidates, progress."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

import pytest

from hookplane.errors import UnknownObject
from hookplane.store.config_store import ConfigKind
from hookplane.store.delivery_store import (
    Asked,
    DeliveryState,
    ReplayJob,
    ReplayPhase,
    ReplayProgress,
)
from hookplane.store.event_log import LogEntry
from hookplane.store.maintenance import Retention
from hookplane.store.notifications import Topic
from support.clocks.manual import START
from support.planes.store import DAY, Owner, Scene, attempt, delivery

DEAD, DELIVERED = DeliveryState.DEAD, DeliveryState.DELIVERED
FILTERED, RETRYING = DeliveryState.FILTERED, DeliveryState.RETRYING
EXPIRED = DeliveryState.EXPIRED
ALL = frozenset({DEAD, DELIVERED, FILTERED, EXPIRED, RETRYING})


async def history(scene: Scene) -> list[LogEntry]:
    """1 delivered, 2 filtered, 3 sending, 4 retrying, 5 dead, 6 pending, 7 dead before its turn."""
    await scene.subscription("s")
    entries = []
    for _ in range(7):
        entries += await scene.fill(1)
        scene.clock.advance(10)
    owner = await scene.owner()
    await owner.deliver(entries[0])
    await owner.skip(entries[1])
    await owner.hold(
        delivery(entries[2], DeliveryState.SENDING),
        delivery(entries[3]),
        delivery(entries[4], DEAD),
    )
    await owner.flush(upserts=(delivery(entries[6], DEAD),))
    return entries


async def candidates(scene: Scene, limit: int = 100) -> dict[int, DeliveryState]:
    page = await scene.store.replay_page("r", limit)
    return {x.entry.sequence: x.state for x in page.candidates}


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ({DEAD}, {5: DEAD, 7: DEAD}),
        ({DELIVERED}, {1: DELIVERED}),
        ({FILTERED, DEAD}, {2: FILTERED, 5: DEAD, 7: DEAD}),
        ({RETRYING, DELIVERED}, {1: DELIVERED, 4: RETRYING}),
        ({DEAD, DELIVERED, FILTERED}, {1: DELIVERED, 2: FILTERED, 5: DEAD, 7: DEAD}),
        # All: what is pending or being sent is left to its own
        (ALL, {1: DELIVERED, 2: FILTERED, 4: RETRYING, 5: DEAD, 7: DEAD}),
        (ALL - {RETRYING}, {1: DELIVERED, 2: FILTERED, 4: RETRYING, 5: DEAD, 7: DEAD}),
    ],
)
async def test_a_range_takes_the_states_asked_for(
    scene: Scene, states: AbstractSet[DeliveryState], found: dict[int, DeliveryState]
) -> None:
    await history(scene)
    await scene.replay(states=frozenset(states))
    assert await candidates(scene) == found


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        (START, START + 70, {1, 2, 4, 5, 7}),
        (START + 10, START + 40, {2, 4}),  # from this time, and before that
        (START + 41, 0, {7}),  # no end: up to now
        (0, START, set()),
    ],
)
async def test_a_range_is_one_of_arrival(
    scene: Scene, since: int, until: int, found: set[int]
) -> None:
    await history(scene)
    await scene.replay(received_from=since, received_to=until, states=ALL)
    assert set(await candidates(scene)) == found


async def test_ids_that_are_unknown_or_elsewhere_are_left_out(scene: Scene) -> None:
    await scene.endpoints("f")
    entries = await history(scene)
    foreign = await scene.append("f")
    ids = (*(x.event_id for x in entries), entries[0].event_id, foreign.event_id, "evt_nobody")
    await scene.replay(ids=ids, states=ALL)
    found = {1: DELIVERED, 2: FILTERED, 4: RETRYING, 5: DEAD, 7: DEAD}
    assert await candidates(scene) == found


async def test_what_arrives_or_is_settled_later_is_out_of_bounds(scene: Scene) -> None:
    entries = await history(scene)
    await scene.replay(states=ALL)
    later = await scene.fill(1)
    await (await scene.owner()).deliver(entries[5], *later)
    assert set(await candidates(scene)) == {1, 2, 4, 5, 7}


async def test_events_from_before_the_subscription_can_be_replayed(scene: Scene) -> None:
    await scene.fill(2)
    await scene.subscription("s")
    await scene.replay(states=ALL)
    assert await candidates(scene) == {1: FILTERED, 2: FILTERED}


@pytest.mark.parametrize("comes_back", [False, True])
async def test_what_a_leave_expired_can_be_replayed(scene: Scene, comes_back: bool) -> None:
    entries = await history(scene)
    await scene.subscription("s", [])
    await scene.fill(2)  # nobody's
    if comes_back:
        await scene.subscription("s")
    await scene.replay(states=frozenset({EXPIRED}))
    assert await candidates(scene) == {6: EXPIRED}
    await scene.replay("by-id", ids=tuple(x.event_id for x in entries[4:6]), states=ALL)
    page = await scene.store.replay_page("by-id", 10)
    assert [x.state for x in page.candidates] == [DEAD, EXPIRED]
    # what it delivers is delivered, though it stays counted as expired
    await (await scene.owner()).flush(attempts=(attempt(entries[5], replay="r"),))
    assert (await scene.states())[entries[5].event_id] == DELIVERED


async def test_a_replay_runs_once(scene: Scene) -> None:
    await history(scene)
    job = await scene.replay()
    assert job == ReplayJob(
        "r", "default", "r", "s", START + 70, ReplayPhase.RUNNING, 0, 0, 0, False
    )
    await scene.store.cancel_replay("r")
    again = await scene.replay(states=ALL, created=START + 99)
    assert again == replace(job, phase=ReplayPhase.CANCELLED, finished=START + 70)


async def test_ids_that_are_not_found_are_counted(scene: Scene) -> None:
    """Not in the store, of an endpoint that is nobody's, or still to be delivered at all."""
    entries = await history(scene)
    (pending,) = await scene.fill(1)
    await scene.endpoints("f")
    strange = await scene.store.append(scene.event("f"))
    nowhere = ("evt_" + "0" * 26, pending.event_id, strange.event_id)
    found = tuple(x.event_id for x in entries[:2])
    job = await scene.replay(ids=(*found, *nowhere, found[0]), states=ALL)
    assert job.not_found == 3
    assert (await scene.store.replays())[0].not_found == 3
    assert (await scene.replay("ranged", states=ALL)).not_found == 0


async def test_a_replay_of_an_unknown_subscription(scene: Scene) -> None:
    with pytest.raises(UnknownObject):
        await scene.replay()
    with pytest.raises(UnknownObject):
        await scene.store.replay_page("nobody", 1)


async def test_a_new_job_wakes_the_owner(scene: Scene) -> None:
    await scene.subscription("s")
    woken: list[str] = []
    scene.store.listen(Topic.SUBSCRIPTION, woken.append)
    await scene.replay()
    assert woken == ["s"]


async def test_the_end_of_a_job_wakes_the_owner_once(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.replay()
    woken: list[str] = []
    scene.store.listen(Topic.SUBSCRIPTION, woken.append)
    for uid in ("nobody", "r", "r"):
        await scene.store.cancel_replay(uid)
    assert woken == ["s"]


async def take_page(scene: Scene, owner: Owner, limit: int) -> list[tuple[str, int]]:
    """Takes a page in, as an owner does."""
    page = await scene.store.replay_page("r", limit)
    taken = len(page.candidates)
    await owner.flush(
        upserts=tuple(delivery(x.entry, attempts=0, replay="r") for x in page.candidates),
        replays=(ReplayProgress("r", page.position, matched=taken, exhausted=page.exhausted),),
    )
    return [(x.entry.endpoint, x.entry.sequence) for x in page.candidates]


async def test_pages_go_on_where_the_last_flush_ended(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.subscription("s", ["e", "f"])
    entries = [*await scene.fill(3, "e"), *await scene.fill(2, "f")]
    owner = await scene.owner()
    await owner.skip(*entries)
    await scene.replay(states=ALL)
    assert await scene.store.replay_page("r", 2) == await scene.store.replay_page("r", 2)
    taken = []
    while not (await scene.job()).exhausted:
        taken += await take_page(scene, owner, 2)
    assert sorted(taken) == [(x.endpoint, x.sequence) for x in entries]
    assert [x for x in taken if x[0] == "e"] == [("e", 1), ("e", 2), ("e", 3)]
    assert (await scene.job()).matched == 5
    page = await scene.store.replay_page("r", 2)
    assert (page.candidates, page.exhausted) == ((), True)


async def test_a_job_is_complete_when_all_its_candidates_have_ended(scene: Scene) -> None:
    entries = await history(scene)
    await scene.replay()
    owner = await scene.owner()
    await take_page(scene, owner, 9)
    assert [x.phase for x in await scene.store.running_replays("s")] == [ReplayPhase.RUNNING]
    await owner.flush(
        removes=(("e", 5),),
        attempts=(attempt(entries[4], replay="r"),),
        replays=(ReplayProgress("r", delivered=1),),
    )
    assert (await scene.job()).phase is ReplayPhase.RUNNING
    scene.clock.advance(5)
    await owner.advance(ReplayProgress("r", failed=1))
    job = await scene.job()
    assert (job.phase, job.finished) == (ReplayPhase.COMPLETE, START + 75)
    assert (job.matched, job.delivered, job.failed) == (2, 1, 1)
    assert await scene.store.running_replays("s") == []
    assert (await scene.states())[entries[4].event_id] is DELIVERED


async def test_a_job_that_finds_nothing_is_complete_at_once(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.replay()
    await take_page(scene, await scene.owner(), 9)
    assert (await scene.job()).phase is ReplayPhase.COMPLETE


async def test_a_cancelled_job_still_counts_what_it_handed_over(scene: Scene) -> None:
    await history(scene)
    await scene.replay()
    owner = await scene.owner()
    await take_page(scene, owner, 1)
    await scene.store.cancel_replay("r")
    assert (await scene.store.replay_page("r", 9)).candidates == ()
    await owner.advance(ReplayProgress("r", delivered=1, exhausted=True))
    job = await scene.job()
    assert (job.phase, job.delivered) == (ReplayPhase.CANCELLED, 1)
    await scene.store.cancel_replay("nobody")


async def test_progress_of_a_stale_owner_counts_nothing(scene: Scene) -> None:
    await history(scene)
    await scene.replay()
    owner = await scene.owner()
    flush = await owner.flush(replays=(ReplayProgress("r", matched=1),))
    await scene.store.flush(flush)
    assert (await scene.job()).matched == 1


async def test_jobs_are_listed(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.replay("a", created=START)
    await scene.replay("b", created=START + 1, namespace="other")
    assert [x.uid for x in await scene.store.replays()] == ["b", "a"]
    assert [x.uid for x in await scene.store.replays("other")] == ["b"]
    assert [x.uid for x in await scene.store.running_replays("s")] == ["a", "b"]
    assert await scene.store.running_replays("nobody") == []


async def expire_all(scene: Scene) -> None:
    scene.clock.advance(2 * DAY)
    await scene.store.expire(Retention(DAY, 365 * DAY, 1 << 40), scene.clock.now())


async def test_a_job_ends_with_the_rows_that_retention_took(scene: Scene) -> None:
    """Nobody owns the subscription meanwhile, or whoever does knows nothing of these rows."""
    await history(scene)
    await scene.replay()
    owner = await scene.owner()
    await take_page(scene, owner, 9)
    await owner.flush(removes=(("e", 5),), replays=(ReplayProgress("r", delivered=1),))
    await expire_all(scene)
    job = await scene.job()
    assert job.phase is ReplayPhase.COMPLETE
    assert (job.matched, job.delivered, job.failed) == (2, 1, 1)
    assert await scene.store.running_replays("s") == []
    await owner.advance(ReplayProgress("r", delivered=1))  # it was under way
    assert await scene.job() == job


async def test_a_job_ends_when_retention_was_ahead_of_its_last_page(scene: Scene) -> None:
    await history(scene)
    await scene.replay()
    owner, page = await scene.owner(), await scene.store.replay_page("r", 9)
    await expire_all(scene)
    await owner.flush(
        upserts=tuple(delivery(x.entry, attempts=0, replay="r") for x in page.candidates),
        replays=(ReplayProgress("r", page.position, matched=2, exhausted=True),),
    )
    job = await scene.job()
    assert (job.phase, job.matched, job.failed) == (ReplayPhase.COMPLETE, 2, 2)


async def test_what_retention_took_of_earlier_pages_does_not_hold_up_a_job(scene: Scene) -> None:
    await history(scene)
    await scene.replay()
    owner = await scene.owner()
    await take_page(scene, owner, 1)
    await expire_all(scene)
    assert (await scene.job()).phase is ReplayPhase.RUNNING
    await take_page(scene, owner, 9)
    job = await scene.job()
    assert (job.phase, job.matched, job.failed) == (ReplayPhase.COMPLETE, 1, 1)


async def test_what_was_delivered_before_its_replay_does_not_expire(scene: Scene) -> None:
    """Of the rest only what was never delivered does: 3 and 4, and 6, which is pending."""
    await history(scene)
    await scene.replay(states=frozenset({DELIVERED}))
    await take_page(scene, await scene.owner(), 9)
    assert (await scene.status()).retrying == 2
    await expire_all(scene)
    counters = (await scene.status()).counters
    assert (counters.delivered, counters.expired) == (1, 3)


async def test_what_was_asked_of_all_subscriptions_is_told_at_once(scene: Scene) -> None:
    await history(scene)
    for uid in ("t", "u", "gone"):
        await scene.subscription(uid)
    assert await scene.store.asked() == {}
    for uid in ("t", "t", "gone"):
        await scene.store.request_resume(uid)
    await scene.delete(ConfigKind.SUBSCRIPTION, "gone")
    await scene.replay("r1")
    await scene.replay("r2")
    await scene.replay("r3")
    await scene.store.cancel_replay("r2")
    assert await scene.store.asked() == {
        "t": Asked(resumes=2),
        "s": Asked(replays=frozenset({"r1", "r3"})),
    }
