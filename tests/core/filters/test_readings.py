"""What stands in an event where the engine of expressions cannot read it."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from hookplane.filters.readings import (
    UNREADABLE,
    leave_out,
    put_null,
    repair,
    stand_in_for_nul,
)


@pytest.mark.parametrize(
    ("value", "readable"),
    [
        ("plain", "plain"),
        ("half \ud83d", "half \ufffd"),
        ("a\x00b", "a\x01b"),
        ({"\ud83d": 1, "\x00": 2}, {"\ufffd": 1, "\x01": 2}),
        ([["\x00"]], [["\x01"]]),
        ((1 << 64) - 1, (1 << 64) - 1),
        (1 << 64, float(1 << 64)),
        (-(1 << 63) - 1, float(-(1 << 63))),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        (None, None),
        (True, True),
    ],
)
def test_what_can_be_repaired(value: Any, readable: Any) -> None:
    event = {"body": value}
    assert repair(event, "\x01") == []
    assert repr(event) == repr({"body": readable})


def test_spots_are_left_out_or_null_and_others_keep_their_place() -> None:
    event = {"a": UNREADABLE, "b": [1, UNREADABLE, {"c": UNREADABLE, "d": 2}]}
    other = copy.deepcopy(event)
    leave_out(repair(event, "\x01"))
    put_null(repair(other, "\x01"))
    assert event == {"b": [1, "\ufffd", {"d": 2}]}
    assert other == {"a": None, "b": [1, None, {"c": None, "d": 2}]}


def test_without_a_stand_in_texts_and_names_with_nul_are_such_spots() -> None:
    event = {"a": "\x00", "b\x00": "x", "b\ufffd": "y", "c": "z"}
    leave_out(repair(event, ""))
    assert event == {"c": "z"}


def test_a_deep_value_is_no_danger() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert repair({"body": deep}, "") == []


@pytest.mark.parametrize(
    ("body", "stand_in"),
    [(b"", "\x01"), (b"\x01", "\x02"), (rb"\u0001\u0002", "\x03"), (bytes(range(8)), "")],
)
def test_what_stands_for_nul_is_not_in_the_body(body: bytes, stand_in: str) -> None:
    assert stand_in_for_nul(body) == stand_in
