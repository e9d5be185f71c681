"""What keeps a store within its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hookplane.clock import Millis


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much is kept."""

    events: Millis
    attempts: Millis
    total_bytes: int
    """Bodies of all events together; the oldest of the namespace that has most go first."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What one bounded step of retention removed."""

    events: int = 0
    attempts: int = 0
    dedup_keys: int = 0
    skipped_deliveries: int = 0
    """Counted as expired in their subscriptions, also in those that went for good."""
    more: bool = False
    """Another step would find more."""
    surplus: int = 0
    """Of the events: those that went because there was too much."""


class Maintenance(Protocol):
    """Removes what is too old or too much."""

    async def expire(self, retention: Retention, now: Millis) -> Expired:
        """One bounded step of retention: cursors move to the floor and what they skip counts as
        expired, then rows go. What is too old goes first; when there is still too much, the oldest
        of the namespace that has most. Endpoints without one count each alone. What a subscription
        that was deleted a day ago has not delivered expires with it, if nobody took it over.
        `now` is the caller's time; a store with a clock of its own takes the earlier of the two."""
