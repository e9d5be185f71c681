from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookplane.store.delivery_store import DeliveryState
from hookplane_dispatcher.worker.flush_buffer import Settlement
from hookplane_dispatcher.worker.window import Window


def done(sequence: int) -> Settlement:
    return Settlement(("e", sequence), DeliveryState.DELIVERED)


def test_what_is_done_above_the_cursor_is_held_back() -> None:
    window = Window(10)
    for sequence in (11, 12, 13):
        window.take(sequence)
    assert window.settle(12, done(12))
    assert window.advance() == []
    assert window.settle(11, done(11))
    assert window.advance() == [done(11), done(12)]
    assert (window.cursor, window.taken) == (12, 13)
    assert not window.settle(12, done(12))


def test_rows_are_passed_and_leave_nothing_behind() -> None:
    window = Window(0)
    window.take(1)
    window.settle(1, None)
    assert window.advance() == []
    assert window.cursor == 1


def test_a_gap_is_what_retention_removed() -> None:
    window = Window(3)
    window.take(1_000_000)
    assert window.advance() == []
    assert window.cursor == 999_999


def test_a_gap_around_what_is_settled_already() -> None:
    window = Window(4)
    window.settle(5, None)
    window.settle(7, done(7))
    window.take(10)
    assert window.advance() == [done(7)]
    assert window.cursor == 9


def test_what_ends_where_a_gap_begins_leaves_the_gap_settled() -> None:
    window = Window(0)
    window.take(1)
    window.take(9)
    window.settle(2, done(2))
    window.settle(1, done(1))
    assert window.advance() == [done(1), done(2)]
    assert window.cursor == 8


def test_what_ends_inside_a_gap_is_not_lost() -> None:
    window = Window(0)
    window.take(1)
    window.take(9)
    window.settle(5, done(5))
    window.settle(1, done(1))
    assert window.advance() == [done(1), done(5)]
    assert window.cursor == 8


def test_reading_again_keeps_what_is_settled() -> None:
    window = Window(0)
    for sequence in (1, 2, 3):
        window.take(sequence)
    window.settle(2, done(2))
    window.rewind()
    assert (window.taken, window.settled(2), window.settled(3)) == (0, True, False)


@given(st.permutations(range(1, 30)))
def test_in_any_order_all_come_out_once_and_in_order(order: list[int]) -> None:
    window = Window(0)
    for sequence in range(1, 30):
        window.take(sequence)
    out: list[int] = []
    for sequence in order:
        window.settle(sequence, done(sequence))
        out += [finish.key[1] for finish in window.advance()]
    assert out == list(range(1, 30))
