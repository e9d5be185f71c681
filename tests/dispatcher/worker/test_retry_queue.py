"""Rows by due time and by deadline: the oldest first, none twice, and none that is under way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookplane.store.delivery_store import Delivery, DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery, RetryQueue


def row(sequence: int, due: int, deadline: int = 1_000, attempts: int = 1) -> QueuedDelivery:
    return QueuedDelivery(
        "e",
        sequence,
        f"evt_{sequence}",
        "order.created",
        DeliveryState.RETRYING,
        attempts,
        due,
        deadline,
        status_code=500,
        error="Oh",
        replay="r",
    )


def queue(*rows: QueuedDelivery) -> RetryQueue:
    made = RetryQueue()
    for each in rows:
        made.put(each)
    return made


def due(rows: RetryQueue, now: int, most: int = 10) -> list[int]:
    return [x.sequence for x in rows.take_due(now, most, lambda _: True)]


def test_a_row_is_shown_as_the_store_keeps_it() -> None:
    kept = Delivery(
        "e", 1, "evt_1", "order.created", DeliveryState.RETRYING, 1, 5, 1_000, 500, "Oh", "r"
    )
    rows = queue(row(1, 5))
    assert dict(rows) == {("e", 1): kept}
    assert (len(rows), ("e", 1) in rows, ("e", 2) in rows) == (1, True, False)
    assert row(1, 5).delivery(DeliveryState.DEAD) == replace(kept, state=DeliveryState.DEAD)


def test_a_row_for_a_new_event_has_no_attempt_and_no_schedule() -> None:
    entry = LogEntry("e", 4, "evt_4", 0, "order.created", 10)
    made = QueuedDelivery.of(entry, DeliveryState.SENDING, 70, "r")
    assert made.delivery() == Delivery(
        "e", 4, "evt_4", "order.created", DeliveryState.SENDING, 0, 70, 70, replay="r"
    )
    assert (made.entry, made.active) == (entry, False)


@pytest.mark.parametrize(
    ("now", "most", "expected"),
    [
        # none is due yet
        (9, 10, []),
        # due at this very moment
        (10, 10, [3]),
        # the oldest first, whatever was added first
        (40, 10, [3, 1, 2]),
        # as many as are wanted
        (40, 2, [3, 1]),
        (40, 0, []),
    ],
)
def test_what_is_due(now: int, most: int, expected: list[int]) -> None:
    assert due(queue(row(1, 20), row(2, 30), row(3, 10)), now, most) == expected


def test_what_was_taken_is_not_taken_again_until_it_is_put_back() -> None:
    first = row(1, 10)
    rows = queue(first)
    assert due(rows, 10) == [1]
    assert first.active
    assert (due(rows, 10), rows.next_due()) == ([], None)
    first.active, first.due = False, 50
    rows.put(first)
    assert (due(rows, 49), rows.next_due(), due(rows, 50)) == ([], 50, [1])


def test_what_is_not_free_stays_and_holds_up_nobody() -> None:
    rows = queue(row(1, 10), row(2, 20), row(3, 30))
    taken = rows.take_due(40, 1, lambda x: x.sequence != 1)
    assert [x.sequence for x in taken] == [2]
    assert due(rows, 40) == [1, 3]


def test_a_new_time_replaces_the_old_one() -> None:
    first = row(1, 10, deadline=100)
    rows = queue(first)
    first.due, first.deadline = 30, 300
    rows.put(first)
    assert (rows.next_due(), rows.next_deadline()) == (30, 300)
    assert (due(rows, 29), due(rows, 30)) == ([], [1])


def test_a_dropped_row_is_neither_due_nor_overdue() -> None:
    rows = queue(row(1, 10), row(2, 20))
    rows.drop(("e", 1))
    rows.drop(("e", 9))
    assert (rows.next_due(), rows.row(("e", 1)), len(rows)) == (20, None, 1)
    assert due(rows, 40) == [2]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # a schedule ends after its deadline, not at it
        (100, None),
        (101, 2),
    ],
)
def test_overdue(now: int, expected: int | None) -> None:
    found = queue(row(1, 10, deadline=200), row(2, 20, deadline=100)).overdue(now)
    assert (found.sequence if found else None) == expected


def test_what_was_never_tried_does_not_age() -> None:
    rows = queue(row(1, 10, deadline=100, attempts=0))
    assert (rows.overdue(10_000), rows.next_deadline(), rows.next_due()) == (None, None, 10)


def test_what_is_under_way_is_not_overdue() -> None:
    rows = queue(row(1, 10, deadline=100))
    rows.take_due(10, 1, lambda _: True)
    assert rows.overdue(10_000) is None


def test_a_pause_moves_all_times() -> None:
    rows = queue(
        row(1, 30, deadline=300),
        row(2, 20, deadline=400),
        row(3, 10, deadline=200, attempts=0),
        row(4, 5, deadline=100),
    )
    rows.take_due(5, 1, lambda _: True)
    rows.shift(1_000)
    assert (rows.next_due(), rows.next_deadline()) == (1_010, 1_300)
    assert {key[1]: (x.due, x.deadline) for key, x in rows.items()} == {
        1: (1_030, 1_300),
        2: (1_020, 1_400),
        3: (1_010, 1_200),
        4: (1_005, 1_100),
    }
    # what is under way is not due before it is put back
    assert due(rows, 2_000) == [3, 2, 1]
