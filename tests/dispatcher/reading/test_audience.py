"""Whom an event calls."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from hookplane.filters.types import Interest
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.reading.audience import Audience, LogListener


class Room:
    """A log at its end, and who was called."""

    def __init__(self) -> None:
        self.audience = Audience(10)
        self.calls: Counter[str] = Counter()
        self.removed: list[int] = []

    def listener(self, name: str, *types: str, rests: bool = True) -> LogListener:
        wake = partial(self.calls.update, [name])
        made = LogListener(self.audience, Interest(types), wake, self.removed.append)
        if rests:
            assert made.rest(10)
        return made

    def tell(self, first: int, *types: str) -> None:
        numbered = enumerate(types, first)
        self.audience.tell([LogEntry("e", n, f"evt_{n}", 0, of_type, 1) for n, of_type in numbered])


@pytest.fixture
def room() -> Room:
    return Room()


def test_an_event_calls_those_who_rest_and_whom_it_concerns(room: Room) -> None:
    names = {"orders": ("order.*",), "users": ("user.*",), "all": ()}
    listeners = {name: room.listener(name, *types) for name, types in names.items()}
    room.tell(11, "user.a", "order.a", "order.b", "user.b")
    assert room.calls == Counter(["orders", "users", "all"])
    passed = {name: listener.passed for name, listener in listeners.items()}
    assert passed == {"users": 10, "orders": 11, "all": 10}
    assert not any(listener.rests for listener in listeners.values())


def test_what_passes_one_that_rests_is_known_without_a_call(room: Room) -> None:
    orders = room.listener("orders", "order.*")
    room.tell(11, "user.a", "user.b")
    room.tell(13, "user.c")
    assert (orders.rests, orders.passed, not room.calls) == (True, 13, True)


def test_what_retention_removed_is_told_once_to_each(room: Room) -> None:
    room.listener("reading", rests=False)
    room.listener("resting").leave()
    room.listener("resting")
    for floor in (0, 3, 3, 2, 5):
        room.audience.raise_floor(floor)
    assert room.removed == [3, 3, 5, 5]
    assert not room.calls


def test_it_is_known_whether_somebody_waits_at_the_end(room: Room) -> None:
    seen = [room.audience.is_at_end]
    reading = room.listener("reading", rests=False)
    seen.append(room.audience.is_at_end)
    resting = room.listener("resting", "order.*")
    seen.append(room.audience.is_at_end)
    room.tell(11, "user.a")
    seen.append(room.audience.is_at_end)
    room.tell(12, "order.a")
    seen.append(room.audience.is_at_end)
    assert seen == [False, False, True, True, False]
    reading.reads()
    assert reading.rest(12)
    assert room.audience.is_at_end
    reading.reads()
    assert not room.audience.is_at_end
    resting.reads()
    assert resting.rest(12)
    resting.leave()
    assert not room.audience.is_at_end


def test_one_that_has_more_to_read_is_called_whatever_comes_but_once(room: Room) -> None:
    reading = room.listener("orders", "order.*", rests=False)
    for sequence in (11, 12, 13):
        room.tell(sequence, "user.a")
    assert (room.calls["orders"], reading.passed) == (1, 0)
    reading.reads()
    assert not reading.rest(12)
    room.tell(14, "user.a")
    assert room.calls["orders"] == 2
    reading.reads()
    assert reading.rest(14)
    room.tell(15, "user.a")
    assert (room.calls["orders"], reading.passed) == (2, 15)


def test_one_that_was_called_and_has_not_read_stays_called(room: Room) -> None:
    orders = room.listener("orders", "order.*")
    room.tell(11, "user.a", "order.a")
    room.tell(13, "order.b", "user.b")
    assert (room.calls["orders"], orders.passed) == (1, 11)


def test_what_is_missing_concerns_everybody(room: Room) -> None:
    """Before the first of a page, and within it."""
    orders = room.listener("orders", "order.*")
    room.tell(12, "user.a")
    assert (room.calls["orders"], orders.passed) == (1, 10)


def test_one_that_is_ahead_of_what_was_told_rests(room: Room) -> None:
    """Its claim saw a later end of the log."""
    orders = room.listener("orders", "order.*", rests=False)
    orders.reads()
    assert orders.rest(12)
    room.tell(11, "user.a", "user.b", "user.c")
    assert (room.calls["orders"], orders.passed) == (0, 13)


def test_other_types_count_at_once_and_nothing_is_known_to_have_passed(room: Room) -> None:
    orders = room.listener("orders", "order.*")
    room.tell(11, "user.a")
    orders.begin_anew(Interest(("user.*",)))
    assert (orders.rests, orders.passed) == (False, 0)
    orders.reads()
    assert orders.rest(11)
    room.tell(12, "order.a")
    assert not room.calls
    room.tell(13, "user.b")
    assert (room.calls["orders"], orders.passed) == (1, 12)


def test_one_that_left_is_called_no_more(room: Room) -> None:
    orders = room.listener("orders")
    assert room.audience
    orders.leave()
    assert not room.audience
    orders.reads()
    room.tell(11, "order.a")
    assert not room.calls
