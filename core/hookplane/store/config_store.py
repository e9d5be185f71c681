"""Compiled configuration, and which endpoints a subscription reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hookplane.clock import Millis


class ConfigKind(StrEnum):
    """Kinds of config documents."""

    ENDPOINT = "endpoint"
    """Where requests come in; each has a log of its events."""
    SUBSCRIPTION = "subscription"
    """Which events go to which target, and how."""


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """One compiled object. `document` None is a tombstone: the object is gone."""

    kind: ConfigKind
    uid: str
    document: bytes | None
    version: int = 0
    """Set by the store."""
    place: str = ""
    """Where the object lives, as `ConfigChange.places` said; a tombstone keeps it. Loaded, and not
    written with the row. Empty: not known, or the uid itself is made of the name."""
    namespace: str = ""
    """Whose events an endpoint keeps, so that they can still be counted when the object is gone;
    empty: nobody's. Written, and not loaded again."""
    predecessor: str = ""
    """Uid of the object that was there before. Only for an object that the store does not know yet:
    it takes over the row of that one, and with it all that belongs to it. Written, and not loaded
    again."""


@dataclass(frozen=True, slots=True)
class CursorPlan:
    """Which endpoints a subscription reads, written with its config row.

    A subscription that is new starts at `start_from` (Latest, Earliest or a time). An endpoint that
    joins later and is younger than the subscription starts at its floor, so that all it ever
    accepted is the subscription's; an older one, and one that was here before, at its head.
    Endpoints that leave have their pending counted as expired.
    """

    subscription: str
    endpoints: tuple[str, ...]
    start_from: str | Millis = "Latest"


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """What is written in one transaction, under one new version."""

    upserts: tuple[ConfigRow, ...] = ()
    deletes: tuple[tuple[ConfigKind, str], ...] = ()
    cursors: tuple[CursorPlan, ...] = ()
    places: tuple[tuple[ConfigKind, str, str], ...] = ()
    """Kind and uid of an object, and where it lives, as far as that outlives its uid: uid of its
    namespace, and its name. No reader needs to know it, so it raises no version."""

    @property
    def rows(self) -> tuple[ConfigRow, ...]:
        """All that is written: also tombstones of what is deleted, and of predecessors."""
        taken = ((x.kind, x.predecessor) for x in self.upserts if x.predecessor)
        gone = (ConfigRow(kind, uid, None) for kind, uid in (*self.deletes, *taken))
        return (*self.upserts, *gone)


class ConfigStore(Protocol):
    """Versions of everything that is in force."""

    async def apply_config(self, change: ConfigChange) -> int:
        """Writes rows and cursors in one transaction and returns the new version.

        Writing rows that are already there unchanged raises no version. Deleted subscriptions keep
        their state for 24 h, in case they come back. Endpoints of `cursors` must be known.

        Who names a `predecessor` has its state from then on: an endpoint the log with its keys, a
        subscription cursors, rows, counters and circuit. The predecessor gets a tombstone. Owners
        of the subscriptions concerned are refused from then on and claim anew, so what they had
        under way may be sent once more. A predecessor that is not there any more is no error.
        """

    async def load_config(self, after: int) -> tuple[int, list[ConfigRow]]:
        """The current version and the rows with a version greater than `after`, oldest first."""

    async def endpoints_of(self, subscription: str) -> tuple[str, ...]:
        """Uids of the endpoints that a subscription reads, sorted; also of one that is deleted, as
        long as its state is kept."""
