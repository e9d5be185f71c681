"""What is left of a plan that fails."""

from __future__ import annotations

import pytest

from support.simulation.shrinking import Places, shrink


@pytest.mark.parametrize("needed", [set(), {0}, {19}, {7}, {3, 4}, {0, 9, 19}])
def test_only_what_is_needed_is_left(needed: set[int]) -> None:
    left = shrink(tuple(range(20)), lambda places: needed <= set(places))
    assert set(left) == needed


def test_what_needs_everything_stays_whole() -> None:
    tried: list[Places] = []

    def fails(places: Places) -> bool:
        tried.append(places)
        return len(places) == 5

    assert shrink((1, 2, 3, 4, 5), fails) == (1, 2, 3, 4, 5)
    assert len(tried) <= 3 + 5
