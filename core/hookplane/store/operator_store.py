"""What only the operator asks of a store: whose it is, room for what comes, orphaned Secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hookplane.clock import Millis


@dataclass(frozen=True, slots=True)
class WriterFence:
    """A writer of configuration."""

    owner: str
    """The gateway, as cluster/namespace/name."""
    term: int
    """Grows from leader to leader."""
    holder: str
    """The process that leads: of two with one term, which a cluster that was restored may have, the
    database takes the first."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A Secret to be deleted later, if it is still that of the object that is gone."""

    namespace: str
    name: str
    owner: str


class OperatorStore(Protocol):
    """Raises StoreUnavailable or StoreReplaced as every role does."""

    async def take_over(self, fence: WriterFence, *, over: str = "") -> None:
        """From now on this store writes configuration as this owner and in this term. `over`: the
        owner that the database may be taken from. Raises StoreInUse, StaleWriter."""

    async def make_partitions(self) -> int:
        """Makes room for what is appended in the next hours, so that nobody who appends need wait
        for it; how many partitions were missing."""

    async def add_orphans(self, orphans: Sequence[Orphan], now: Millis, keep: Millis) -> None:
        """Generated Secrets whose objects are gone, to be kept for so long. Neither the store's
        clock nor the caller's (`now`) alone makes that shorter: the later of both counts."""

    async def due_orphans(self, now: Millis) -> list[Orphan]:
        """Some of those that are to be deleted by the store's clock and by the caller's, the oldest
        first."""

    async def remove_orphan(self, orphan: Orphan) -> None:
        """It is deleted, or has another owner."""

    async def activity(self) -> tuple[int, ...]:
        """Equal numbers mean that nothing has happened that statuses tell: cheap to ask for."""
