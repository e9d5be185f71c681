"""A delivery is in exactly one state, and status tells how many are in which."""

from __future__ import annotations

import pytest

from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import Counters, DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane.store.queries import DeliveryRow, FailingDelivery, Page
from support.clocks.manual import START
from support.planes.store import HOUR, Scene, attempt, delivery

ALL_STATES = [
    DeliveryState.DELIVERED,
    DeliveryState.FILTERED,
    DeliveryState.SENDING,
    DeliveryState.RETRYING,
    DeliveryState.DEAD,
    DeliveryState.PENDING,
    DeliveryState.PENDING,
]


async def in_all_states(scene: Scene) -> list[LogEntry]:
    """Events of `e` whose deliveries to `s` are in ALL_STATES."""
    await scene.subscription("s")
    entries = await scene.fill(7)
    owner = await scene.owner()
    await owner.deliver(entries[0])
    await owner.skip(entries[1])
    await owner.hold(
        delivery(entries[2], DeliveryState.SENDING, attempts=0, status_code=0, error=""),
        delivery(entries[3], attempts=2),
        delivery(entries[4], DeliveryState.DEAD),
    )
    # sent, but the cursor has not passed it: a restart sends it again
    await owner.flush(attempts=(attempt(entries[6]),))
    return entries


async def test_the_state_follows_from_rows_cursor_and_attempts(scene: Scene) -> None:
    entries = await in_all_states(scene)
    assert await scene.states() == dict(
        zip((entry.event_id for entry in entries), ALL_STATES, strict=True)
    )


@pytest.mark.parametrize("state", sorted(set(ALL_STATES)))
async def test_listing_one_state(scene: Scene, state: DeliveryState) -> None:
    entries = await in_all_states(scene)
    rows = (await scene.store.deliveries(Page(), "s", frozenset({state}))).rows
    listed = [row.entry for row in rows]
    wanted = [x for x, y in zip(entries, ALL_STATES, strict=True) if y == state]
    assert listed == wanted[::-1]
    assert {row.state for row in rows} == {state}


async def test_a_listing_goes_page_by_page_newest_first(scene: Scene) -> None:
    entries = await in_all_states(scene)
    everything = frozenset(DeliveryState)
    page = (await scene.store.deliveries(Page(3), "s", everything)).rows
    assert [row.entry for row in page] == entries[:-4:-1]
    page = (await scene.store.deliveries(Page(9, page[-1].entry.event_id), "s", everything)).rows
    assert [row.entry for row in page] == entries[3::-1]
    rows = (
        await scene.store.deliveries(
            Page(1, entries[4].event_id),
            "s",
            frozenset({DeliveryState.RETRYING, DeliveryState.DEAD}),
        )
    ).rows
    assert [row.entry for row in rows] == [entries[3]]


async def test_a_listing_tells_the_last_result(scene: Scene) -> None:
    entries = await in_all_states(scene)
    rows = {
        row.entry.sequence: row
        for row in (await scene.store.deliveries(Page(), "s", frozenset())).rows
    }
    delivered = DeliveryRow("s", entries[0], DeliveryState.DELIVERED, 1, 0, 200, "")
    assert rows[1] == delivered
    assert rows[2] == DeliveryRow("s", entries[1], DeliveryState.FILTERED, 0, 0, 0, "")
    retrying = DeliveryState.RETRYING
    failing = DeliveryRow("s", entries[3], retrying, 2, START + HOUR, 503, "Service Unavailable")
    assert rows[4] == failing


async def test_what_came_before_a_subscription_is_not_listed(scene: Scene) -> None:
    entries = await scene.fill(2)
    await scene.subscription("s")
    assert await scene.states() == {}
    # but a replay may have delivered it
    await scene.replay()
    await (await scene.owner()).flush(attempts=(attempt(entries[0], replay="r"),))
    assert await scene.states() == {entries[0].event_id: DeliveryState.DELIVERED}


async def test_deliveries_of_an_unknown_subscription(scene: Scene) -> None:
    with pytest.raises(UnknownObject):
        await scene.store.deliveries(Page(), "nobody", frozenset())


async def test_status_counts_states(scene: Scene) -> None:
    await in_all_states(scene)
    status = await scene.status()
    assert status.counters == Counters(delivered=1, attempts=1, filtered=1)
    assert (status.pending, status.sending, status.retrying, status.dead) == (2, 1, 1, 1)
    assert status.next_due == START + HOUR


async def test_the_oldest_pending_event_has_no_row(scene: Scene) -> None:
    await scene.subscription("s")
    entries = []
    for _ in range(3):
        scene.clock.advance(10)
        entries += await scene.fill(1)
    owner = await scene.owner()
    # with strict order the cursor stays before the failing head
    await owner.flush(upserts=(delivery(entries[0]),))
    status = await scene.status()
    assert (status.pending, status.oldest_pending) == (2, START + 20)
    await owner.deliver(*entries)
    assert (await scene.status()).oldest_pending == 0


async def test_recent_failures_are_the_last_five(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(8)
    owner = await scene.owner()
    for entry in entries[:6]:
        scene.clock.advance(1)
        await owner.hold(delivery(entry))
    scene.clock.advance(1)
    await owner.hold(
        delivery(entries[6], DeliveryState.SENDING),
        delivery(entries[7], DeliveryState.DEAD, attempts=9, due=0),
    )
    failures = (await scene.status()).recent_failures
    newest = entries[7]
    assert failures[0] == FailingDelivery(
        newest.event_id, newest.type, 9, 503, "Service Unavailable", 0, DeliveryState.DEAD
    )
    assert [x.event_id for x in failures[1:]] == [x.event_id for x in entries[5:1:-1]]


async def test_status_is_given_in_the_order_asked_for(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.subscription("t")
    await scene.endpoints("f")
    subscriptions = await scene.store.subscription_stats(["t", "s"])
    endpoints = await scene.store.endpoint_stats(["f", "e"])
    assert [x.subscription for x in subscriptions] == ["t", "s"]
    assert [x.endpoint for x in endpoints] == ["f", "e"]


async def test_the_next_due_is_the_earliest_of_what_retries(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(4)
    await (await scene.owner()).hold(
        delivery(entries[0], due=START + 3),
        delivery(entries[1], due=START + 2),
        delivery(entries[2], due=START + 4),
        delivery(entries[3], DeliveryState.DEAD, due=START + 1),
    )
    assert (await scene.status()).next_due == START + 2


async def test_a_listing_tells_the_last_attempt_of_its_own_subscription(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.subscription("t")
    (entry,) = await scene.fill(1)
    failed = attempt(entry, success=False, status_code=500, error="first")
    last = attempt(entry, at=START + 1, number=2, status_code=201)
    await (await scene.owner("s")).flush(cursors={"e": 1}, attempts=(failed, last))
    other = attempt(entry, at=START + 2, success=False, status_code=503, error="other")
    await (await scene.owner("t")).flush(attempts=(other,))
    (row,) = (await scene.store.deliveries(Page(), "s", frozenset())).rows
    assert row == DeliveryRow("s", entry, DeliveryState.DELIVERED, 2, 0, 201, "")
