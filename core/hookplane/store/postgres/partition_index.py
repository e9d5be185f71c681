"""In which partitions a log's events are, as far as this process has read it."""

from __future__ import annotations

from typing import Final

from hookplane.store.event_numbers import endpoint_of

MOST: Final = 64
"""Steps that are remembered of one log; an era is 6 hours."""


class PartitionIndex:
    """The eras of an endpoint's events never go back. So whoever knows the era of one event knows
    that no event behind it lies in an earlier one."""

    def __init__(self) -> None:
        self._steps: dict[int, dict[int, int]] = {}

    def saw(self, number: int, era: int) -> None:
        """Of an event that was read. Only the first event seen of an era is kept."""
        steps = self._steps.setdefault(endpoint_of(number), {})
        known = steps.get(era)
        if known is None or number < known:
            steps[era] = number
            if len(steps) > MOST:
                del steps[min(steps)]

    def least(self, number: int) -> int:
        """No event with this number or a greater one lies in an earlier era; 0: not known."""
        steps = self._steps.get(endpoint_of(number), {})
        return max((era for era, first in steps.items() if first <= number), default=0)
