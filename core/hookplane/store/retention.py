"""What goes next, for every driver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hookplane.clock import Millis
from hookplane.store.numbering import endpoint_of

STEP_ROWS: Final = 500
"""Rows that one step takes of a kind."""
KEEP_DELETED: Final[Millis] = 24 * 3_600_000
"""Deleted objects may come back within this time and go on where they were."""


def floors(
    oldest: Iterable[tuple[int, Millis, int]], surplus: int, cutoff: Millis
) -> dict[int, int]:
    """Endpoint → number of the last event that goes. `oldest`: (number, arrival, size), the oldest
    first; `surplus`: bytes that are too many. Logs lose their events in order, so one with an
    arrival that is out of order goes with those behind it."""
    found: dict[int, int] = {}
    for number, received, size in oldest:
        if received >= cutoff and surplus <= 0:
            continue
        surplus -= size
        endpoint = endpoint_of(number)
        found[endpoint] = max(found.get(endpoint, 0), number)
    return found
