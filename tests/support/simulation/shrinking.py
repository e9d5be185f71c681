"""The fewest actions that still break a promise."""

from __future__ import annotations

from collections.abc import Callable

Places = tuple[int, ...]


def shrink(places: Places, fails: Callable[[Places], bool]) -> Places:
    """Leaves out halves, quarters and so on down to single actions, as long as it still `fails`."""
    size = max(len(places) // 2, 1)
    while size:
        places = _without_pieces(places, size, fails)
        size //= 2
    return places


def _without_pieces(places: Places, size: int, fails: Callable[[Places], bool]) -> Places:
    start = 0
    while start < len(places):
        left = places[:start] + places[start + size :]
        if fails(left):
            places = left
        else:
            start += size
    return places
