"""What an expression had to be stopped for, and what follows from it. Pure.

Each stop costs a process and the CPU that the limit allows. An expression that is stopped again and
again is held back for a while, and each time for longer, so that what it can use of a machine is
small whatever it does. Its events are kept meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

STRIKES: Final = 3
"""So many stops within FORGIVEN_AFTER, and an expression is held back."""
FORGIVEN_AFTER: Final = 600.0
"""Seconds. Older stops do not count."""
FIRST_HOLD: Final = 60.0
LONGEST_HOLD: Final = 3600.0
"""Seconds; each hold is twice as long as the one before."""

Culprit: TypeAlias = tuple[str, str]
"""Who uses an expression, and its text: a mended one begins anew."""


@dataclass(slots=True)
class _Record:
    stops: list[float] = field(default_factory=list)
    holds: int = 0
    held_until: float = 0.0


class Strikes:
    """Of all expressions of a process."""

    def __init__(self) -> None:
        self._records: dict[Culprit, _Record] = {}

    def struck(self, culprit: Culprit, now: float) -> bool:
        """It was stopped; whether it is held back for this. `now`: seconds of a steady clock."""
        self._forgive(now)
        record = self._records.setdefault(culprit, _Record())
        record.stops = [x for x in record.stops if now - x < FORGIVEN_AFTER] + [now]
        if len(record.stops) < STRIKES:
            return False
        record.held_until = now + min(FIRST_HOLD * 2**record.holds, LONGEST_HOLD)
        record.holds += 1
        record.stops.clear()
        return True

    def held_for(self, culprit: Culprit, now: float) -> float:
        """Seconds until it may run again; 0: now."""
        record = self._records.get(culprit)
        return max(record.held_until - now, 0.0) if record is not None else 0.0

    def _forgive(self, now: float) -> None:
        """Forgets who has behaved, so that there are never many records."""
        since = now - FORGIVEN_AFTER - LONGEST_HOLD
        kept = {k: x for k, x in self._records.items() if max([x.held_until, *x.stops]) > since}
        self._records = kept
