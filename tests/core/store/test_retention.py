"""Who has stored too much, which of their events go, and where logs begin after that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookplane.store.event_numbers import event_number
from hookplane.store.retention import Holder, Stored, bounded, excesses, floors_to_free


def too_many(sizes: list[int], total: int) -> list[int]:
    """What each has to give, in the order of `sizes`."""
    holders = [Holder(size, [place]) for place, size in enumerate(sizes)]
    found = {holder.endpoints[0]: excess for holder, excess in excesses(holders, total)}
    return [found.get(place, 0) for place in range(len(sizes))]


def test_the_largest_give_until_they_have_equally_much() -> None:
    assert too_many([10, 900, 500], 610) == [0, 600, 200]
    assert too_many([10, 900, 500], 1_200) == [0, 210, 0]
    assert too_many([5, 5], 10) == [0, 0]
    assert too_many([5, 5], 0) == [5, 5]
    assert too_many([], 0) == []


def test_the_largest_come_first() -> None:
    holders = [Holder(10, [1]), Holder(30, [3]), Holder(30, [2])]
    assert [x.endpoints for x, _ in excesses(holders, 0)] == [[2], [3], [1]]


@given(st.lists(st.integers(1, 1_000), max_size=8), st.integers(0, 4_000))
def test_taking_a_byte_from_whoever_has_most_ends_there_too(sizes: list[int], total: int) -> None:
    left = list(sizes)
    while sum(left) > total:
        left[left.index(max(left))] -= 1
    kept = [size - excess for size, excess in zip(sizes, too_many(sizes, total), strict=True)]
    # the share is rounded down
    assert all(0 <= x - y <= 1 for x, y in zip(sorted(left), sorted(kept), strict=True))
    assert sum(kept) <= total or kept == sizes == left


def test_the_oldest_of_all_logs_go() -> None:
    a, b = event_number(1, 0), event_number(2, 0)
    events = [Stored(1, "1", a + 1, 5), Stored(1, "4", a + 2, 5), Stored(1, "2", b + 1, 5)]
    assert floors_to_free(events, 6) == ({1: a + 1, 2: b + 1}, 10)
    assert floors_to_free(events, 99) == ({1: a + 2, 2: b + 1}, 15)
    assert floors_to_free(events, 0) == ({}, 0)


def test_one_that_tells_an_early_time_takes_nothing_along() -> None:
    a, b = event_number(1, 1), event_number(2, 1)
    late = [Stored(9, "9", a, 5), Stored(1, "1", a + 1, 7), Stored(9, "8", b, 3)]
    assert floors_to_free(late, 1) == ({2: b}, 3)
    assert floors_to_free(late, 4) == ({2: b, 1: a}, 8)
    assert floors_to_free(late, 9) == ({2: b, 1: a + 1}, 15)


def test_one_step_takes_so_many_of_all_logs() -> None:
    found = [(1, 10, 14), (2, 20, 29), (3, 30, 31)]
    assert bounded(found, 8) == {1: 14, 2: 24}
    assert bounded(found, 100) == {1: 14, 2: 29, 3: 31}
    assert bounded([], 8) == {}
