"""Whose turn it is by key."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.store.delivery_store import DeliveryState, EventKey, StrandedPage
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.flush_buffer import Key
from hookplane_dispatcher.worker.key_order import BEHIND_AT_ONCE, KeyOrder, KeyTurn
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery, RetryQueue

A, B = ("e", "a"), ("e", "b")
FIRST, SECOND, OTHER = ("e", 1), ("e", 2), ("e", 3)
MOST = 5


class Scene:
    """Order by key, and what the tracker has besides."""

    def __init__(self, behind: int = 1, *, applies: bool = True) -> None:
        self.queue = RetryQueue()
        self.active: set[Key] = set()
        self.order = KeyOrder(applies, behind, MOST, self.queue, self.active)
        self.order.is_walking = False

    def start(self, sequence: int) -> None:
        self.order.begin(("e", sequence), "a")
        self.active.add(("e", sequence))

    def row(self, sequence: int, **changes: Any) -> QueuedDelivery:
        given = {"attempts": 1, "event_key": "a", **changes}
        row = QueuedDelivery.of(entry(sequence), DeliveryState.RETRYING, 0)
        for name, value in given.items():
            setattr(row, name, value)
        self.queue.put(row)
        return row

    def turn(self, sequence: int, key: str = "a", written: int = 0, **stored: int) -> KeyTurn:
        found: dict[EventKey, int] = {("e", x): y for x, y in stored.items()}
        return self.order.turn(entry(sequence, key), found, written)


def entry(sequence: int, key: str = "a") -> LogEntry:
    return LogEntry("e", sequence, f"evt_{sequence}", 0, "x", 1, key)


def begun(*deliveries: Key, behind: int = 1) -> KeyOrder:
    """These have started, with the key a, and nothing is known of how they go."""
    order = Scene(behind).order
    for delivery in deliveries:
        order.begin(delivery, "a")
    return order


def test_nothing_waits_without_a_key_or_where_no_order_is_wanted() -> None:
    scene = Scene()
    scene.start(1)
    assert scene.turn(2, "") is KeyTurn.NOW
    free = Scene(applies=False)
    free.row(1)
    assert free.turn(2) is KeyTurn.NOW


def test_an_event_comes_behind_earlier_ones_with_its_key_alone() -> None:
    scene = Scene()
    scene.start(2)
    assert scene.turn(3) is KeyTurn.BEHIND
    assert scene.turn(3, "b") is KeyTurn.NOW
    scene.row(4, event_key="b")
    assert scene.turn(5, "b") is KeyTurn.BEHIND


def test_an_earlier_event_waits_for_a_later_one_that_is_under_way() -> None:
    """As a replay finds it, or another filter."""
    scene = Scene()
    scene.start(3)
    row = scene.row(2)
    assert scene.turn(1) is KeyTurn.BEHIND
    assert not scene.order.has_turn(row)
    scene.active.clear()
    assert scene.turn(1) is KeyTurn.NOW
    assert scene.order.has_turn(row)


def test_a_row_above_what_was_read_holds_those_behind_it_until_it_was_read() -> None:
    scene = Scene()
    scene.order.await_reading(A, 5)
    assert [scene.turn(x) for x in (4, 5, 6)] == [KeyTurn.NOW, KeyTurn.NOW, KeyTurn.BEHIND]
    scene.order.was_read("f", 9)
    scene.order.was_read("e", 4)
    assert scene.order.next == set()
    scene.order.was_read("e", 5)
    assert scene.order.next == {A}
    scene.order.next.clear()
    assert scene.turn(6) is KeyTurn.NOW
    scene.order.await_reading(A, 5)
    scene.order.leave("e")
    assert scene.turn(6) is KeyTurn.NOW


def test_behind_what_is_done_and_not_written_it_is_known_in_a_moment() -> None:
    scene = Scene()
    scene.start(1)
    scene.active.clear()
    assert scene.turn(2) is KeyTurn.LATER
    scene.order.end(FIRST)
    assert scene.order.next == {A}
    assert scene.turn(2) is KeyTurn.LATER
    scene.order.next.clear()
    assert scene.turn(2) is KeyTurn.NOW


def test_what_the_store_has_comes_first_unless_it_is_the_event_itself() -> None:
    scene = Scene()
    assert scene.turn(2, a=1) is KeyTurn.BEHIND
    assert scene.turn(2, a=2) is KeyTurn.NOW
    assert scene.turn(2, b=1) is KeyTurn.NOW


@pytest.mark.parametrize("behind", [1, 10 * MOST])
def test_any_number_comes_behind_what_fails_or_is_under_way(behind: int) -> None:
    scene = Scene(behind)
    scene.start(1)
    assert scene.turn(2) is KeyTurn.BEHIND
    row = scene.row(1)
    assert scene.turn(2) is KeyTurn.BEHIND
    row.attempts = 0
    assert scene.turn(2) is KeyTurn.BEHIND
    assert scene.turn(2, "b", b=1) is KeyTurn.BEHIND


def test_a_row_that_comes_later_holds_nothing() -> None:
    """As a replay finds it, or what started in no order."""
    scene = Scene()
    scene.row(3)
    assert [scene.turn(x) for x in (2, 4)] == [KeyTurn.NOW, KeyTurn.BEHIND]
    assert scene.order.to_ask([entry(2), entry(4)], all_known=False) == {A}
    assert scene.order.to_ask([entry(4)], all_known=False) == set()


def test_no_flush_gets_too_many_rows() -> None:
    scene = Scene()
    scene.row(1)
    assert scene.turn(2, written=BEHIND_AT_ONCE - 1) is KeyTurn.BEHIND
    assert scene.turn(2, written=BEHIND_AT_ONCE) is KeyTurn.LATER


def test_of_the_rows_with_a_key_the_first_has_its_turn() -> None:
    scene = Scene()
    second, first, other = scene.row(2), scene.row(1), scene.row(3, event_key="")
    turns = [scene.order.has_turn(x) for x in (first, second, other)]
    assert turns == [True, False, True]
    scene.queue.drop(first.key)
    assert scene.order.has_turn(second)
    scene.order.begin(FIRST, "a")
    assert not scene.order.has_turn(second)
    scene.order.end(FIRST)
    assert not scene.order.has_turn(second)  # the store may have one that comes before it


def test_the_store_is_asked_for_keys_of_which_not_all_is_known() -> None:
    scene = Scene()
    scene.start(1)
    scene.row(1, event_key="c")
    new = [entry(x, key) for x, key in ((4, "a"), (5, "b"), (6, "c"), (7, ""))]
    assert scene.order.to_ask(new, all_known=True) == set()
    assert scene.order.to_ask(new, all_known=False) == {B}
    scene.order.is_walking = True
    assert scene.order.to_ask(new, all_known=True) == {B}
    scene.order.next.add(B)
    assert scene.order.to_ask(new, all_known=False) == set()
    assert Scene(applies=False).order.to_ask(new, all_known=False) == set()


def test_the_next_is_read_when_the_last_one_is_written() -> None:
    order = begun(FIRST, SECOND)
    order.end(FIRST)
    assert order.next == set()
    order.end(SECOND)
    assert order.next == {A}


def test_nothing_is_read_when_nothing_is_behind() -> None:
    order = begun(FIRST, behind=0)
    order.end(FIRST)
    assert order.next == set()


def test_what_ends_twice_or_never_began_changes_nothing() -> None:
    order = begun(FIRST)
    order.end(OTHER)
    assert order.next == set()
    order.end(FIRST)
    order.next.clear()
    order.end(FIRST)
    assert order.next == set()


def test_what_is_put_off_goes_on_with_itself() -> None:
    order = begun(FIRST)
    order.put_off(FIRST)
    assert order.next == set()
    assert order.key_of(FIRST) == ""


def test_the_key_is_known_from_the_beginning_to_the_end() -> None:
    order = begun(FIRST)
    assert order.key_of(FIRST) == "a"
    order.end(FIRST)
    assert order.key_of(FIRST) == ""


def test_what_an_endpoint_leaves_behind_holds_nothing_but_what_is_under_way() -> None:
    scene = Scene()
    scene.start(2)
    order = scene.order
    order.begin(FIRST, "a")
    order.begin(("f", 1), "a")
    order.leave("e")
    assert [order.key_of(x) for x in (FIRST, SECOND, ("f", 1))] == ["", "a", "a"]
    assert order.is_walking


def test_a_search_goes_page_by_page_and_then_ends() -> None:
    order = begun(FIRST)
    order.walk_again()
    assert order.may_walk
    order.walked(StrandedPage((A, B), B))
    assert order.next == {B}  # the other one is under way
    assert (order.is_walking, order.walked_to) == (True, B)
    assert not order.may_walk  # until what was found is read
    order.next.clear()
    assert order.may_walk
    order.walked(StrandedPage((), None))
    assert (order.is_walking, order.walked_to) == (False, None)
    order.walk_again()
    assert order.is_walking


def test_there_is_nothing_to_search_for_when_nothing_is_behind() -> None:
    order = begun(behind=0)
    order.walk_again()
    assert not order.is_walking


def test_no_more_is_searched_for_than_there_is_room() -> None:
    scene = Scene()
    scene.order.walk_again()
    for sequence in range(MOST):
        scene.row(sequence)
    assert scene.order.may_walk
    scene.row(MOST)
    assert not scene.order.may_walk
