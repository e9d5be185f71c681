"""Whose turn it is by key."""

from __future__ import annotations

from hookplane.store.delivery_store import StrandedPage
from hookplane_dispatcher.worker.key_order import KeyOrder

A, B = ("e", "a"), ("e", "b")
FIRST, SECOND, OTHER = ("e", 1), ("e", 2), ("e", 3)


def begun(*deliveries: tuple[str, int], behind: int = 1) -> KeyOrder:
    """These have started, with the key a."""
    order = KeyOrder(behind)
    order.is_walking = False
    for delivery in deliveries:
        order.begin(delivery, "a")
    return order


def test_an_event_waits_for_earlier_ones_with_its_key_alone() -> None:
    order = begun(SECOND)
    assert order.waits(A, 3)
    assert not order.waits(A, 2)
    assert not order.waits(A, 1)
    assert not order.waits(B, 3)


def test_what_is_done_is_no_longer_under_way_but_waited_for() -> None:
    order = begun(FIRST)
    assert order.is_under_way(A, 2, {FIRST})
    assert not order.is_under_way(A, 1, {FIRST})
    assert not order.is_under_way(A, 2, set())
    assert order.waits(A, 2)


def test_the_next_is_read_when_the_last_one_is_written() -> None:
    order = begun(FIRST, SECOND)
    order.end(FIRST)
    assert order.next == set()
    order.end(SECOND)
    assert order.next == {A}
    assert order.is_busy(A)
    assert order.waits(A, 1)


def test_nothing_is_read_when_nothing_is_behind() -> None:
    order = begun(FIRST, behind=0)
    order.end(FIRST)
    assert not order.is_busy(A)


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
    assert not order.is_busy(A)
    assert order.key_of(FIRST) == ""


def test_the_key_is_known_from_the_beginning_to_the_end() -> None:
    order = begun(FIRST)
    assert order.key_of(FIRST) == "a"
    order.end(FIRST)
    assert order.key_of(FIRST) == ""


def test_what_an_endpoint_leaves_behind_holds_nothing_but_what_is_under_way() -> None:
    order = begun(FIRST, SECOND, ("f", 1))
    order.leave("e", {SECOND})
    assert [order.key_of(x) for x in (FIRST, SECOND, ("f", 1))] == ["", "a", "a"]
    assert order.is_walking


def test_a_search_goes_page_by_page_and_then_ends() -> None:
    order = KeyOrder(3)
    assert order.is_walking
    order.begin(FIRST, "a")
    order.walked(StrandedPage((A, B), B))
    assert order.next == {B}  # the other one is under way
    assert (order.is_walking, order.walked_to) == (True, B)
    order.walked(StrandedPage((), None))
    assert (order.is_walking, order.walked_to) == (False, None)
    order.walk_again()
    assert order.is_walking


def test_there_is_nothing_to_search_for_when_nothing_is_behind() -> None:
    order = KeyOrder(0)
    assert not order.is_walking
    order.walk_again()
    assert not order.is_walking
