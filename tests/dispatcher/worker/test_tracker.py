"""What is left to the store when memory is full, and taken in again."""

from __future__ import annotations

import pytest

from hookplane.store.delivery_store import Claimed, Delivery, DeliveryState, Rest, TargetHealth
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.flush_buffer import Settlement
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery
from hookplane_dispatcher.worker.tracker import DeliveryTracker
from support.clocks.manual import START
from support.planes.dispatcher import subscription

MOST = 8
SHOP = subscription()


def delivery(sequence: int, due: int = START) -> Delivery:
    state = DeliveryState.RETRYING
    return Delivery("orders", sequence, f"evt_{sequence}", "x", state, 1, due, START + 60_000)


def tracker(
    *rows: Delivery,
    rest: Rest | None = None,
    position: int = 100,
    behind: int = 0,
    by_key: bool = False,
) -> DeliveryTracker:
    cursors, floors = {"orders": position}, {"orders": 100}
    claimed = Claimed(1, 0, cursors, floors, rows, TargetHealth(), 0, rest, behind=behind)
    made = DeliveryTracker(subscription(by_key=by_key), claimed, START, MOST)
    made.join("orders", position)
    return made


def write(made: DeliveryTracker) -> None:
    made.flushed(made.flush())


def known(made: DeliveryTracker) -> set[int]:
    return {sequence for _, sequence in made.queue}


def test_what_is_due_last_is_left_to_the_store() -> None:
    made = tracker(*(delivery(n, START + n) for n in range(1, 12)))
    write(made)
    assert known(made) == {1, 2, 3, 4, 5, 6}
    assert made.rest == Rest(START + 7, 0, 5)
    assert made.unfinished == 11


def test_what_no_cursor_has_passed_stays_known() -> None:
    rows = [delivery(n, START + n) for n in (*range(1, 11), 12)]
    made = tracker(*rows, position=10)
    write(made)
    assert known(made) == {1, 2, 3, 4, 5, 12}


def test_what_the_store_does_not_have_as_it_is_stays() -> None:
    made = tracker(*(delivery(n, START + n) for n in range(1, 12)))
    flush = made.flush()
    row = made.queue.row(("orders", 11))
    assert row is not None
    made.put(row)
    made.flushed(flush)
    assert known(made) == {1, 2, 3, 4, 5, 11}


def test_what_is_due_now_takes_the_place_of_what_is_due_later() -> None:
    later = [delivery(n, START + 1_000) for n in range(1, 7)]
    made = tracker(*later, rest=Rest(START + 5, 0, 3))
    assert not made.make_room(START)
    assert made.make_room(START + 5)
    assert len(known(made)) == MOST // 2
    made.take_in([delivery(20, START + 5)], Rest(START + 9, 0, 4), SHOP, START + 5)
    assert 20 in known(made)
    assert made.rest == Rest(START + 9, 0, 4)


@pytest.mark.parametrize("by_key", [True, False])
def test_whoever_comes_behind_one_that_is_passed_has_its_turn(*, by_key: bool) -> None:
    """Also when what is new goes by no key any more."""
    made = tracker(behind=1, by_key=by_key)
    for key in ("", "a"):
        made.pass_key(LogEntry("orders", 101, "evt_101", START, "x", 1, key))
    assert made.keys.next == {("orders", "a")}


def test_nothing_is_taken_in_while_the_store_is_about_to_change() -> None:
    made = tracker(rest=Rest(START, 0, 3))
    flush = made.flush()
    assert not made.make_room(START)
    made.flushed(flush)
    made.clocks_stood(10)
    assert not made.make_room(START + 10)
    write(made)
    assert made.make_room(START + 10)


def test_what_is_done_is_not_taken_in_again_before_that_is_written() -> None:
    made = tracker(delivery(1), rest=Rest(START, 0, 3))
    made.finish(Settlement(("orders", 1), DeliveryState.DELIVERED, had_row=True))
    made.take_in([delivery(1), delivery(2)], None, SHOP, START)
    assert known(made) == {2}
    write(made)
    made.take_in([delivery(1)], None, SHOP, START)
    assert known(made) == {1, 2}


def test_a_row_that_is_here_is_newer_than_the_same_in_the_store() -> None:
    made = tracker(rest=Rest(START, 0, 1))
    made.put(QueuedDelivery("orders", 1, "evt_1", "x", DeliveryState.RETRYING, 2, START + 9, START))
    made.take_in([delivery(1)], None, SHOP, START)
    row = made.queue.row(("orders", 1))
    assert row is not None
    assert row.attempts == 2


def test_no_wait_for_the_store_is_longer_than_the_schedule() -> None:
    year = 365 * 24 * 3_600_000
    made = tracker(rest=Rest(START + year, 7, 1))
    assert made.rest is not None
    assert made.rest.due < START + year // 2
