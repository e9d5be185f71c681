"""Which events are a subscription's own, as the record beside the product says it."""

from __future__ import annotations

from typing import Any

import pytest

from support.simulation.reader import AcceptedEvent, Log, Reader
from support.simulation.targets import EventClass

OLD = Log(age=1, floor=2, head=10)
NEW = Log(age=2, floor=3, head=5)


@pytest.mark.parametrize(("start_from", "own"), [("Latest", 0), ("Earliest", 8)])
def test_a_new_one_starts_where_it_says(start_from: str, own: int) -> None:
    reader = Reader("s")
    reader.read({"orders"}, start_from, {"orders": OLD})
    assert reader.count({"orders": 10}) == own
    assert reader.count({"orders": 14}) == own + 4


def test_an_endpoint_that_is_younger_is_its_own_from_the_floor_on() -> None:
    reader = Reader("s")
    reader.read({"orders"}, "Latest", {"orders": OLD})
    reader.read({"orders", "users"}, "Latest", {"orders": OLD, "users": NEW})
    assert reader.count({"orders": 10, "users": 5}) == 2


def test_an_endpoint_that_is_older_is_its_own_from_the_head_on() -> None:
    reader = Reader("s")
    reader.read({"users"}, "Latest", {"orders": OLD, "users": NEW})
    reader.read({"orders", "users"}, "Earliest", {"orders": OLD, "users": NEW})
    assert reader.count({"orders": 11, "users": 5}) == 1


def test_what_comes_while_it_does_not_read_is_nobodys() -> None:
    reader = Reader("s")
    reader.read({"orders"}, "Latest", {"orders": OLD})
    reader.read(set(), "Latest", {"orders": Log(1, 2, 13)})
    assert not reader.reads("orders", 12)
    reader.read({"orders"}, "Latest", {"orders": Log(1, 2, 20)})
    assert reader.count({"orders": 21}) == 3 + 1
    assert reader.reads("orders", 21)


@pytest.mark.parametrize(
    ("wish", "wants"),
    [
        ({}, True),
        ({"types": ("order.*",)}, True),
        ({"types": ("*.created", "user.*")}, False),
        ({"keys": ("k0", "k1")}, True),
        ({"keys": ("k2",)}, False),
        ({"types": ("user.*",), "keys": ("k0",)}, False),
    ],
)
def test_its_filter_says_what_it_wants(wish: dict[str, Any], wants: bool) -> None:
    reader = Reader("s")
    reader.note_document(wish)
    assert reader.wants(AcceptedEvent("e", "order.paid", EventClass.GOOD, "k0", 0)) is wants


def test_another_key_is_another_filter() -> None:
    reader = Reader("s")
    reader.note_document({"types": ("order.*",)})
    assert not reader.filter_changed
    reader.note_document({"types": ("order.*",), "keys": ("k0",)})
    assert reader.filter_changed
