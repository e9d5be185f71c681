from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.endpoint_cursor import EndpointCursor
from hookplane_dispatcher.worker.flush_buffer import Settlement

FOUR, FIVE, SIX = (LogEntry("orders", n, f"evt_{n}", 0, "order.created", 10) for n in (4, 5, 6))


def done(sequence: int) -> Settlement:
    return Settlement(("e", sequence), DeliveryState.DELIVERED)


def test_what_is_done_above_the_cursor_is_held_back() -> None:
    cursor = EndpointCursor("e", 10)
    for sequence in (11, 12, 13):
        cursor.note_read(sequence)
    assert cursor.settle(12, done(12))
    assert cursor.advance() == []
    assert cursor.settle(11, done(11))
    assert cursor.advance() == [done(11), done(12)]
    assert (cursor.position, cursor.read_to) == (12, 13)
    assert not cursor.settle(12, done(12))


def test_rows_are_passed_and_leave_nothing_behind() -> None:
    cursor = EndpointCursor("e", 0)
    cursor.note_read(1)
    cursor.settle(1, None)
    assert cursor.advance() == []
    assert cursor.position == 1


def test_a_gap_is_what_retention_removed() -> None:
    cursor = EndpointCursor("e", 3)
    cursor.note_read(1_000_000)
    assert cursor.advance() == []
    assert cursor.position == 999_999


def test_a_gap_around_what_is_settled_already() -> None:
    cursor = EndpointCursor("e", 4)
    cursor.settle(5, None)
    cursor.settle(7, done(7))
    cursor.note_read(10)
    assert cursor.advance() == [done(7)]
    assert cursor.position == 9


def test_what_ends_where_a_gap_begins_leaves_the_gap_settled() -> None:
    cursor = EndpointCursor("e", 0)
    cursor.note_read(1)
    cursor.note_read(9)
    cursor.settle(2, done(2))
    cursor.settle(1, done(1))
    assert cursor.advance() == [done(1), done(2)]
    assert cursor.position == 8


def test_what_ends_inside_a_gap_is_not_lost() -> None:
    cursor = EndpointCursor("e", 0)
    cursor.note_read(1)
    cursor.note_read(9)
    cursor.settle(5, done(5))
    cursor.settle(1, done(1))
    assert cursor.advance() == [done(1), done(5)]
    assert cursor.position == 8


def test_reading_again_keeps_what_is_settled() -> None:
    cursor = EndpointCursor("e", 0)
    for sequence in (1, 2, 3):
        cursor.note_read(sequence)
    cursor.settle(2, done(2))
    cursor.rewind()
    assert (cursor.read_to, cursor.is_settled(2), cursor.is_settled(3)) == (0, True, False)


@given(st.permutations(range(1, 30)))
def test_in_any_order_all_come_out_once_and_in_order(order: list[int]) -> None:
    cursor = EndpointCursor("e", 0)
    for sequence in range(1, 30):
        cursor.note_read(sequence)
    out: list[int] = []
    for sequence in order:
        cursor.settle(sequence, done(sequence))
        out += [settlement.key[1] for settlement in cursor.advance()]
    assert out == list(range(1, 30))


def test_what_is_put_back_waits_in_the_order_of_the_log() -> None:
    cursor = EndpointCursor("orders", 3)
    for sequence in (4, 5, 6):
        cursor.note_read(sequence)
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
        cursor.note_read(sequence)
    cursor.rewind()
    cursor.put_back([FOUR])
    assert list(cursor.waiting) == []
    assert cursor.next_sequence == 4
