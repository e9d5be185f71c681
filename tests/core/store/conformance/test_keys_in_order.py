"""Events that come behind earlier ones with their key have rows, and those are found by key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import Delivery, DeliveryState, ReplayProgress, StrandedPage
from hookplane.store.event_log import LogEntry
from hookplane.store.queries import Page
from support.planes.store import Scene, delivery

BEHIND = DeliveryState.BEHIND


def keyed(entry: LogEntry, key: str, state: DeliveryState = BEHIND) -> Delivery:
    """A row whose turn comes by its key."""
    untried = {"attempts": 0, "status_code": 0, "error": "why"} if state is BEHIND else {}
    return delivery(entry, state, event_key=key, **untried)


async def two_keys(scene: Scene) -> list[LogEntry]:
    """1 to 3 have the key a, 4 to 6 the key b; the first of each was tried."""
    await scene.subscription("s")
    entries = await scene.fill(6)
    rows = [keyed(x, "a" if x.sequence <= 3 else "b") for x in entries]
    rows[0] = keyed(entries[0], "a", DeliveryState.RETRYING)
    rows[3] = keyed(entries[3], "b", DeliveryState.RETRYING)
    await (await scene.owner()).hold(*rows)
    return entries


async def first(scene: Scene, *keys: str) -> list[tuple[int, DeliveryState]]:
    rows = await scene.store.first_rows("s", [("e", key) for key in keys])
    return sorted((x.sequence, x.state) for x in rows)


async def test_a_row_comes_back_as_it_was_written(scene: Scene) -> None:
    entries = await two_keys(scene)
    owner = await scene.owner()
    await owner.flush(removes=(("e", 1),))
    assert await scene.store.first_rows("s", [("e", "a")]) == (keyed(entries[1], "a"),)


async def test_the_first_of_each_key(scene: Scene) -> None:
    await two_keys(scene)
    assert await first(scene, "a", "b", "none", "") == [
        (1, DeliveryState.RETRYING),
        (4, DeliveryState.RETRYING),
    ]
    assert await scene.store.first_rows("s", [("gone", "a")]) == ()
    assert await scene.store.first_rows("s", []) == ()
    with pytest.raises(UnknownObject):
        await scene.store.first_rows("nobody", [])


async def test_what_is_dead_holds_nothing(scene: Scene) -> None:
    entries = await two_keys(scene)
    await (await scene.owner()).flush(upserts=(keyed(entries[0], "a", DeliveryState.DEAD),))
    assert await first(scene, "a") == [(2, BEHIND)]


async def test_the_same_key_of_another_endpoint_is_another(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.subscription("s", ("e", "f"))
    (one,), (other,) = await scene.fill(1), await scene.fill(1, "f")
    await (await scene.owner()).hold(keyed(one, "a"), keyed(other, "a"))
    rows = await scene.store.first_rows("s", [("f", "a")])
    assert [x.endpoint for x in rows] == ["f"]
    page = await scene.store.stranded_keys("s", None, 9)
    assert page == StrandedPage((("e", "a"), ("f", "a")), None)


async def test_they_are_pending_for_everybody_else(scene: Scene) -> None:
    entries = await two_keys(scene)
    status = await scene.status()
    assert (status.pending, status.retrying) == (4, 2)
    assert status.oldest_pending == entries[1].received
    assert len(status.recent_failures) == 2
    states = await scene.states()
    assert [states[x.event_id] for x in entries[:3]] == ["retrying", "pending", "pending"]
    page = await scene.store.deliveries(Page(), "s", frozenset({DeliveryState.PENDING}))
    assert [x.entry.sequence for x in page.rows] == [6, 5, 3, 2]
    assert {(x.attempts, x.error) for x in page.rows} == {(0, "why")}
    job = await scene.replay(states=frozenset(DeliveryState))
    taken = await scene.store.replay_page(job.uid, 9)
    assert [x.entry.sequence for x in taken.candidates] == [1, 4]


async def test_a_claim_counts_them_and_hands_none_over_that_a_cursor_has_passed(
    scene: Scene,
) -> None:
    await two_keys(scene)
    claimed = await scene.store.claim("s", None, 9)
    assert claimed.behind == 4
    assert [x.sequence for x in claimed.deliveries] == [1, 4]
    assert claimed.rest is None


async def test_a_claim_hands_those_over_that_no_cursor_has_passed(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(2)
    await (await scene.owner()).flush(upserts=(keyed(entries[1], "a"),))
    claimed = await scene.store.claim("s", None, 0)
    assert [x.state for x in claimed.deliveries] == [BEHIND]
    assert (await scene.store.stranded_keys("s", None, 9)).keys == ()


async def test_keys_that_nobody_goes_on_with(scene: Scene) -> None:
    await two_keys(scene)
    assert (await scene.store.stranded_keys("s", None, 9)).keys == ()
    await (await scene.owner()).flush(removes=(("e", 1),))
    assert (await scene.store.stranded_keys("s", None, 9)).keys == (("e", "a"),)
    with pytest.raises(UnknownObject):
        await scene.store.stranded_keys("nobody", None, 1)


async def test_they_are_found_page_by_page(scene: Scene) -> None:
    await two_keys(scene)
    await (await scene.owner()).flush(removes=(("e", 1), ("e", 4)))
    one = await scene.store.stranded_keys("s", None, 1)
    assert one == StrandedPage((("e", "a"),), ("e", "a"))
    two = await scene.store.stranded_keys("s", one.following, 1)
    assert two == StrandedPage((("e", "b"),), ("e", "b"))
    assert await scene.store.stranded_keys("s", two.following, 1) == StrandedPage((), None)


async def test_a_search_goes_on_though_the_endpoint_has_gone(scene: Scene) -> None:
    await two_keys(scene)
    await (await scene.owner()).flush(removes=(("e", 1), ("e", 4)))
    found = await scene.store.stranded_keys("s", ("gone", "b"), 9)
    assert found == StrandedPage((("e", "b"),), None)


async def test_a_replay_is_open_as_long_as_one_of_its_events_waits(scene: Scene) -> None:
    entries = await two_keys(scene)
    owner = await scene.owner()
    dead = [keyed(x, "a", DeliveryState.DEAD) for x in entries[:2]]
    await owner.flush(upserts=tuple(dead))
    job = await scene.replay()
    rows = [replace(keyed(x, "a"), replay=job.uid) for x in entries[:2]]
    taken = ReplayProgress(job.uid, ("e", 2), matched=2, exhausted=True)
    await owner.flush(upserts=tuple(rows), replays=(taken,))
    assert (await scene.store.running_replays("s"))[0].matched == 2
    one = ReplayProgress(job.uid, delivered=1)
    await owner.flush(removes=(("e", 1),), replays=(one,))
    assert [x.sequence for x in await scene.store.first_rows("s", [("e", "a")])] == [2]
    assert await scene.store.running_replays("s")
    await owner.flush(removes=(("e", 2),), replays=(one,))
    assert await scene.store.running_replays("s") == []


async def test_their_times_stand_when_clocks_are_shifted(scene: Scene) -> None:
    entries = await two_keys(scene)
    owner = await scene.owner()
    await owner.flush(shift_due=7, removes=(("e", 1),))
    (row,) = await scene.store.first_rows("s", [("e", "a")])
    assert row.due == keyed(entries[1], "a").due
