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
    namespace: str = ""
    """Whose events an endpoint keeps, so that they can still be counted when the object is gone;
    empty: nobody's. Written, and not loaded again."""


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


class ConfigStore(Protocol):
    """Versions of everything that is in force."""

    async def apply_config(self, change: ConfigChange) -> int:
        """Writes rows and cursors in one transaction and returns the new version.

        Writing rows that are already there unchanged raises no version. Deleted subscriptions keep
        their state for 24 h, in case they come back. Endpoints of `cursors` must be known.
        """

    async def load_config(self, after: int) -> tuple[int, list[ConfigRow]]:
        """The current version and the rows with a version greater than `after`, oldest first."""
