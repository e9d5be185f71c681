"""Limits the lines of a second: what exceeds the limit becomes one line of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hookplane_cli.activity.note import Verb

LINES_PER_SECOND: Final = 50
"""Lines of each group of verbs in one second; what exceeds them is counted."""
GROUPS: Final[tuple[frozenset[Verb], ...]] = (
    frozenset({Verb.RECEIVED, Verb.DELIVERED}),
    frozenset({Verb.REJECTED, Verb.FAILED}),
    frozenset({Verb.NOTED}),
    frozenset({Verb.UNROUTED}),
)
"""Each has a budget of its own: a flood of successes hides no failure."""


@dataclass(slots=True)
class _Budget:
    """The lines of one group of verbs. `collapsed`: the second before exceeded the budget, so this
    one only counts."""

    seen: int = 0
    collapsed: bool = False
    left_out: Counter[Verb] = field(default_factory=Counter)

    def admit(self, verb: Verb, budget: int) -> bool:
        self.seen += 1
        if not self.collapsed and self.seen <= budget:
            return True
        self.left_out[verb] += 1
        return False

    def end_second(self, budget: int) -> Counter[Verb]:
        """The second is over; returns what it left out."""
        left_out, self.left_out = self.left_out, Counter()
        self.collapsed = self.seen > budget
        self.seen = 0
        return left_out


class Throttle:
    """Pure: every call is given the second that it is now, and seconds only go forward."""

    def __init__(self, budget: int = LINES_PER_SECOND) -> None:
        self._budget = budget
        self._groups = [_Budget() for _ in GROUPS]
        self._of: Mapping[Verb, _Budget] = {
            verb: group for verbs, group in zip(GROUPS, self._groups, strict=True) for verb in verbs
        }
        self._second: int | None = None
        """The one that counts; None: nothing has happened since the last one ended."""
        self._ended = 0
        self.pending = False
        """Something is counted that no line tells yet."""

    def admit(self, verb: Verb, second: int) -> bool:
        """Whether this one gets a line of its own. Call `end_second` first."""
        if self._second is None:
            self._begin(second)
        if self._of[verb].admit(verb, self._budget):
            return True
        self.pending = True
        return False

    def _begin(self, second: int) -> None:
        if second > self._ended + 1:
            for group in self._groups:
                group.collapsed = False
        self._second = second

    def end_second(self, second: int) -> Mapping[Verb, int]:
        """Counts of what got no line in the second that is now over; empty while it goes on."""
        if self._second is None or second <= self._second:
            return {}
        self._ended, self._second = self._second, None
        self.pending = False
        return sum((group.end_second(self._budget) for group in self._groups), Counter[Verb]())
