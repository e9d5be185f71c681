"""In which partitions a log's events are, as far as this process has read it."""

from __future__ import annotations

from typing import Final, NamedTuple

from hookplane.store.event_numbers import endpoint_of

MOST: Final = 64
"""Steps that are remembered of one log; an era is 6 hours."""


class EraStart(NamedTuple):
    """The first event that was seen of an era."""

    number: int
    era: int


UNKNOWN: Final = EraStart(0, 0)


class PartitionIndex:
    """The eras of a log's events go back only where the log leaves one too far ahead, and the store
    knows where that was. So whoever knows the era of one event knows that no event behind it lies
    in an earlier one, unless the log went back since."""

    def __init__(self) -> None:
        self._steps: dict[int, dict[int, int]] = {}
        """Endpoint → era → number."""

    def saw(self, number: int, era: int) -> None:
        """Of an event that was read. Only the first event seen of an era is kept."""
        steps = self._steps.setdefault(endpoint_of(number), {})
        known = steps.get(era)
        if known is None or number < known:
            steps[era] = number
            if len(steps) > MOST:
                del steps[min(steps, key=steps.__getitem__)]

    def last(self, number: int) -> EraStart:
        """The last step up to this event."""
        steps = self._steps.get(endpoint_of(number), {})
        found = (EraStart(first, era) for era, first in steps.items() if first <= number)
        return max(found, default=UNKNOWN)
