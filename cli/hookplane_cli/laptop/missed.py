"""Objects that a load does not find. They go only when two loads in a row miss them, the second a
while after the first: editors empty a file before they fill it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from hookplane.clock import Millis

CONFIRM_AFTER: Final[Millis] = 2_000
"""An object that is gone is looked for once more after this time."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Uids that a load did not find: those to delete now, and those that have one more chance, with
    the time when they were first missed."""

    doomed: frozenset[str] = frozenset()
    waiting: Mapping[str, Millis] = field(default_factory=dict)

    @property
    def due(self) -> Millis | None:
        """When the next of them would be deleted."""
        return min((since + CONFIRM_AFTER for since in self.waiting.values()), default=None)


def missed(
    in_force: AbstractSet[str],
    named: AbstractSet[str],
    before: Missed,
    complete: bool,
    now: Millis,
) -> Missed:
    """`named`: uids that the files know; `before`: what the load before missed. A load that could
    not read everything dooms nothing."""
    if not complete:
        return Missed()
    since = {uid: before.waiting.get(uid, now) for uid in in_force - named}
    doomed = frozenset(uid for uid, time in since.items() if now - time >= CONFIRM_AFTER)
    return Missed(doomed, {uid: time for uid, time in since.items() if uid not in doomed})
