"""What goes next, for every driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from typing import Any, Final, NamedTuple

from hookplane.clock import Millis
from hookplane.store.event_numbers import endpoint_of

STEP_ROWS: Final = 500
"""Rows that one step takes of a kind."""
SLICE: Final[Millis] = 300_000
"""Among the endpoints of one namespace, what is older goes first, give or take this: so the first
events of a thousand logs need not be merged one by one."""
FAR_AHEAD: Final[Millis] = 24 * 3_600_000
"""Times that lie further ahead than this were told by a wrong clock."""
KEEP_DELETED: Final[Millis] = 24 * 3_600_000
"""Deleted objects may come back within this time and go on where they were."""


class Holder(NamedTuple):
    """A namespace, or a built-in endpoint: these have none, and each counts alone."""

    bytes: int
    """Stored bodies, those of deleted endpoints as well."""
    endpoints: Sequence[int]


class Stored(NamedTuple):
    """One event, for deciding whether it goes."""

    arrived: Millis
    event_id: str
    number: int
    size: int


def excesses(holders: Iterable[Holder], total: int) -> list[tuple[Holder, int]]:
    """Who has more than a fair share of `total` bytes and how many too many, the largest first.
    Taking always from whoever has most ends there: they have equally much, and nobody else has
    lost anything."""
    largest = sorted(holders, key=lambda holder: (-holder.bytes, min(holder.endpoints)))
    share = _fair_share([holder.bytes for holder in reversed(largest)], total)
    return [(holder, holder.bytes - share) for holder in largest if holder.bytes > share]


def _fair_share(sizes: Sequence[int], total: int) -> int:
    """`sizes`: the smallest first. Whoever needs less than an equal share leaves the rest of it to
    the others."""
    share = total
    for place, size in enumerate(sizes):
        share = total // (len(sizes) - place)
        if size > share:
            break
        total -= size
    return share


def bounded(found: Iterable[Iterable[int]], rows: int) -> dict[int, int]:
    """Endpoint → new floor, for so many events in all. `found`: endpoint, its floor, and where that
    could be."""
    wanted: dict[int, int] = {}
    for endpoint, floor, new in found:
        if rows <= 0:
            break
        wanted[endpoint] = min(new, floor + rows)
        rows -= wanted[endpoint] - floor
    return wanted


def floors_to_free(events: Iterable[Stored], wanted: int) -> tuple[Mapping[int, int], int]:
    """Floors that free so many bytes, oldest first, as far as these events go, and how many that
    are. `events`: of each log the first ones."""
    found: dict[int, int] = {}
    freed = 0
    for event in _oldest_first(events):
        if freed >= wanted:
            break
        freed += event.size
        found[endpoint_of(event.number)] = event.number
    return found, freed


def _oldest_first(events: Iterable[Stored]) -> Iterator[Stored]:
    """Each log in its own order: none is older than the one before it, whatever it tells."""
    aged: list[tuple[tuple[Any, ...], Stored]] = []
    in_order = sorted(events, key=lambda x: x.number)
    for _, log in groupby(in_order, key=lambda x: endpoint_of(x.number)):
        ordered = list(log)
        aged += zip(accumulate((x[:2] for x in ordered), max), ordered, strict=True)
    return (event for _, event in sorted(aged, key=lambda x: (x[0], x[1].number)))
