from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.store.delivery_store import Attempt, DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.endpoint_cursor import FEW_WAITING, MOST_AHEAD, EndpointCursor
from hookplane_dispatcher.worker.flush_buffer import Settlement

FOUR, FIVE, SIX = (LogEntry("orders", n, f"evt_{n}", 0, "order.created", 10) for n in (4, 5, 6))


def done(sequence: int) -> Settlement:
    return Settlement(("e", sequence), DeliveryState.DELIVERED)


def test_what_is_done_above_the_cursor_is_held_back() -> None:
    cursor = EndpointCursor("e", 10)
    for sequence in (11, 12, 13):
        cursor.note_read(sequence, floor=sequence - 1)
    assert cursor.settle(12, done(12))
    assert cursor.advance() == []
    assert cursor.settle(11, done(11))
    assert cursor.advance() == [done(11), done(12)]
    assert (cursor.position, cursor.read_to) == (12, 13)
    assert not cursor.settle(12, done(12))


def test_rows_are_passed_and_leave_nothing_behind() -> None:
    cursor = EndpointCursor("e", 0)
    cursor.note_read(1, floor=0)
    cursor.settle(1, None)
    assert cursor.advance() == []
    assert cursor.position == 1


def test_a_gap_is_what_retention_removed() -> None:
    cursor = EndpointCursor("e", 3)
    cursor.note_read(1_000_000, floor=999_999)
    assert cursor.advance() == []
    assert cursor.position == 999_999


def test_a_gap_around_what_is_settled_already() -> None:
    cursor = EndpointCursor("e", 4)
    cursor.settle(5, None)
    cursor.settle(7, done(7))
    cursor.note_read(10, floor=9)
    assert cursor.advance() == [done(7)]
    assert cursor.position == 9


def test_what_ends_where_a_gap_begins_leaves_the_gap_settled() -> None:
    cursor = EndpointCursor("e", 0)
    cursor.note_read(1, floor=0)
    cursor.note_read(9, floor=8)
    cursor.settle(2, done(2))
    cursor.settle(1, done(1))
    assert cursor.advance() == [done(1), done(2)]
    assert cursor.position == 8


def test_what_ends_inside_a_gap_is_not_lost() -> None:
    cursor = EndpointCursor("e", 0)
    cursor.note_read(1, floor=0)
    cursor.note_read(9, floor=8)
    cursor.settle(5, done(5))
    cursor.settle(1, done(1))
    assert cursor.advance() == [done(1), done(5)]
    assert cursor.position == 8


def test_reading_again_keeps_what_is_settled() -> None:
    cursor = EndpointCursor("e", 0)
    for sequence in (1, 2, 3):
        cursor.note_read(sequence, floor=sequence - 1)
    cursor.settle(2, done(2))
    cursor.rewind()
    assert (cursor.read_to, cursor.is_settled(2), cursor.is_settled(3)) == (0, True, False)


@given(st.permutations(range(1, 30)))
def test_in_any_order_all_come_out_once_and_in_order(order: list[int]) -> None:
    cursor = EndpointCursor("e", 0)
    for sequence in range(1, 30):
        cursor.note_read(sequence, floor=sequence - 1)
    out: list[int] = []
    for sequence in order:
        cursor.settle(sequence, done(sequence))
        out += [settlement.key[1] for settlement in cursor.advance()]
    assert out == list(range(1, 30))


def test_what_is_put_back_waits_in_the_order_of_the_log() -> None:
    cursor = EndpointCursor("orders", 3)
    for sequence in (4, 5, 6):
        cursor.note_read(sequence, floor=sequence - 1)
    cursor.put_back([FIVE, SIX])
    cursor.put_back([FOUR])
    assert list(cursor.waiting) == [FOUR, FIVE, SIX]
    assert cursor.take_waiting(1, 100) == [FOUR]
    assert cursor.take_waiting(1, 100) == [FIVE]
    cursor.put_back([FOUR])
    cursor.put_back([FIVE])
    assert list(cursor.waiting) == [FOUR, FIVE, SIX]


def test_what_is_read_again_anyway_is_not_put_back() -> None:
    cursor = EndpointCursor("orders", 3)
    for sequence in (4, 5, 6):
        cursor.note_read(sequence, floor=sequence - 1)
    cursor.rewind()
    cursor.put_back([FOUR])
    assert list(cursor.waiting) == []
    assert cursor.next_sequence == 4


def event(sequence: int, size: int = 10) -> LogEntry:
    return LogEntry("e", sequence, f"evt_{sequence}", 0, "order.created", size)


@pytest.mark.parametrize(
    ("waiting", "read", "expected"),
    [
        # nothing was read
        (0, 0, True),
        # few events wait
        (FEW_WAITING - 1, FEW_WAITING - 1, True),
        # enough wait
        (FEW_WAITING, FEW_WAITING, False),
        # none waits, but the cursor is held up far behind
        (0, MOST_AHEAD - 1, True),
        (0, MOST_AHEAD, False),
    ],
)
def test_when_to_read_on(waiting: int, read: int, expected: bool) -> None:
    cursor = EndpointCursor("e", 5)
    for sequence in range(6, 6 + read):
        cursor.note_read(sequence, floor=sequence - 1)
    cursor.waiting.extend(event(6 + n) for n in range(waiting))
    assert cursor.wants_more is expected


@pytest.mark.parametrize(
    ("sizes", "most", "most_bytes", "expected"),
    [
        # as many as are wanted
        ((10, 10, 10), 2, 100, 2),
        ((10, 10, 10), 0, 100, 0),
        # as many bytes as are wanted, to the last
        ((10, 10, 10), 9, 20, 2),
        ((10, 10, 10), 9, 19, 1),
        # the first however large it is, and alone
        ((1_000, 1), 9, 20, 1),
        ((), 9, 20, 0),
    ],
)
def test_how_much_is_taken(
    sizes: tuple[int, ...], most: int, most_bytes: int, expected: int
) -> None:
    cursor = EndpointCursor("e", 0)
    cursor.waiting.extend(event(n + 1, size) for n, size in enumerate(sizes))
    taken = cursor.take_waiting(most, most_bytes)
    assert [x.sequence for x in taken] == list(range(1, expected + 1))
    assert [x.sequence for x in cursor.waiting] == list(range(expected + 1, len(sizes) + 1))


def test_the_next_to_start() -> None:
    cursor = EndpointCursor("e", 3)
    assert (cursor.next_sequence, cursor.head_is_next) == (4, False)
    for sequence in (4, 5):
        cursor.note_read(sequence, floor=sequence - 1)
    assert (cursor.next_sequence, cursor.head_is_next) == (6, False)
    cursor.waiting.append(event(5))
    assert (cursor.next_sequence, cursor.head_is_next) == (5, False)
    cursor.settle(4, None)
    cursor.advance()
    assert (cursor.next_sequence, cursor.head_is_next) == (5, True)


def test_reading_an_event_again_moves_nothing_back() -> None:
    cursor = EndpointCursor("e", 3)
    for sequence in (4, 5, 4):
        cursor.note_read(sequence, floor=sequence - 1)
    assert (cursor.read_to, cursor.advance(), cursor.position) == (5, [], 3)


def test_attempts_that_ended_above_the_cursor_are_held() -> None:
    cursor = EndpointCursor("e", 0)
    attempt = Attempt("e", 2, "evt_2", 0, 1, 5, True, 200)
    cursor.settle(2, replace(done(2), attempt=attempt))
    cursor.settle(3, done(3))
    cursor.settle(4, None)
    assert cursor.held_attempts == 1
    cursor.settle(1, None)
    cursor.advance()
    assert (cursor.held_attempts, cursor.position, cursor.read_to) == (0, 4, 4)


def test_what_is_settled() -> None:
    cursor = EndpointCursor("e", 3)
    cursor.settle(5, None)
    assert [cursor.is_settled(x) for x in (3, 4, 5)] == [True, False, True]
    assert [cursor.settle(x, None) for x in (3, 4)] == [False, True]


def lost(sequence: int, missing: int) -> Settlement:
    return Settlement(("e", sequence), DeliveryState.EXPIRED, missing=missing)


def test_what_is_missing_above_the_floor_is_found() -> None:
    cursor = EndpointCursor("e", 0)
    assert cursor.note_read(9, floor=3) == [range(4, 9)]
    assert cursor.advance() == [lost(8, 5)]
    assert cursor.position == 8


def test_what_is_settled_already_is_not_missing() -> None:
    cursor = EndpointCursor("e", 0)
    cursor.settle(2, done(2))
    assert cursor.note_read(5, floor=0) == [range(1, 2), range(3, 5)]
    assert cursor.advance() == [lost(1, 1), done(2), lost(4, 2)]


def test_what_has_a_row_or_is_under_way_is_not_missing() -> None:
    cursor = EndpointCursor("e", 0)
    assert cursor.note_read(5, floor=0, held={1, 3}) == [range(2, 3), range(4, 5)]
    assert cursor.advance() == []
    cursor.settle(1, done(1))
    assert cursor.advance() == [done(1), lost(2, 1)]


def test_a_gap_is_seen_before_and_between_entries() -> None:
    assert not EndpointCursor("e", 3).has_gap([FOUR, FIVE, SIX])
    assert EndpointCursor("e", 2).has_gap([FOUR])
    assert EndpointCursor("e", 3).has_gap([FOUR, SIX])
    assert not EndpointCursor("e", 3).has_gap([])
