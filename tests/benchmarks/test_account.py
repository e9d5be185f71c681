"""The ledger finds what must not be."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.account import Account, settle

LOG = {"first": 0, "status": [200, 200, 0], "sent": [1, 1, 1]}
"""Two accepted events and one whose answer was cut off."""
Arrived = tuple[int, int, int, str]
"""Number, time, whether it was answered 2xx, webhook-id."""


def account(*arrivals: Arrived, kills: tuple[int, ...] = (), bound: int = 1) -> Account:
    columns: dict[str, list[Any]] = {"target": [], "number": [], "at": [], "good": [], "id": []}
    for number, at, good, event in arrivals:
        for name, value in zip(columns, (0, number, at, good, event), strict=True):
            columns[name].append(value)
    return settle(LOG, columns, kills, 1, bound)


BOTH: tuple[Arrived, ...] = ((0, 1, 1, "a"), (1, 2, 1, "b"))


@pytest.mark.parametrize(
    ("arrivals", "kills", "flaws"),
    [
        (BOTH, (), 0),
        (BOTH[:1], (), 1),  # the second was accepted and never came
        (((0, 1, 0, "a"), *BOTH[1:]), (), 1),  # it came, and was never taken
        (((0, 1, 0, "a"), (0, 2, 1, "a"), *BOTH[1:]), (), 0),  # a retry is no duplicate
        ((*BOTH, (2, 3, 1, "c")), (), 0),  # stored, though its answer was cut off
        ((*BOTH, (1, 9, 1, "b")), (5,), 0),  # in flight at the kill
        # the same, and refused the second time: one event was in flight, and is retried
        ((*BOTH, (1, 9, 0, "b"), (1, 10, 1, "b")), (5,), 0),
        ((*BOTH, (1, 4, 1, "b")), (5,), 1),  # twice before the kill
        ((*BOTH, (0, 9, 1, "a"), (1, 9, 1, "b")), (5,), 1),  # two, where one can be in flight
        ((*BOTH, (1, 9, 1, "x")), (5,), 1),  # under another webhook-id
    ],
)
def test_flaws(arrivals: tuple[Arrived, ...], kills: tuple[int, ...], flaws: int) -> None:
    assert len(account(*arrivals, kills=kills).flaws) == flaws
