"""Event logs, one for each endpoint, with dense sequence numbers. Times are in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from hookplane.clock import Millis
from hookplane.network.headers import Headers

LogId: TypeAlias = str
"""Which log: today the uid of its endpoint. Roles name logs, not endpoints, so that several
databases can share the logs of one gateway; no transaction ever spans two of them."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A request on its way into an endpoint's log."""

    endpoint: LogId
    event_id: str
    received: Millis
    type: str
    headers: Headers
    body: bytes
    dedup_key: bytes | None = None
    """None: the event is its own; else at most 64 bytes (longer keys are hashed by the caller)."""
    dedup_window: Millis = 0
    """How long the key is known, by the clock of the store."""
    repeats_identical: bool = False
    """A repeat has the body of its original, so another body under the key is another event."""
    key: str = ""
    """What the event is about, such as a customer; empty: it has no key. Nothing to do with
    `dedup_key`: many events have the same."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a request ended up. A duplicate carries the id of its original."""

    event_id: str
    duplicate: bool = False
    conflict: bool = False
    """Its key came before with another body. A duplicate: the first one was kept; else both are."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event without headers and body."""

    endpoint: LogId
    sequence: int
    event_id: str
    received: Millis
    type: str
    size: int
    """Bytes of the body."""
    key: str = ""
    """What it is about, such as a customer; empty: it has no key."""


@dataclass(frozen=True, slots=True)
class Content:
    """The rest of an event."""

    headers: Headers
    body: bytes


class LogBounds(NamedTuple):
    """Where the log of an endpoint begins and ends."""

    floor: int
    """Retention has removed everything up to this sequence, and nothing behind it."""
    head: int
    """The last sequence."""


EventRead = tuple[LogEntry, Content | None]
"""None: its body is larger than was asked for."""


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """What a receiver adds to an endpoint's numbers from time to time."""

    endpoint: LogId
    duplicates: int = 0
    conflicts: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    """RejectReason → count."""
    last_rejected: Millis = 0
    last_rejected_reason: str = ""
    last_rejected_detail: str = ""


class EventLog(Protocol):
    """Takes in what arrives, and gives it to those who deliver."""

    async def append(self, event: NewEvent) -> Appended:
        """Stores one event, in a group with what else is waiting; returns after the commit is on
        disk. Raises StoreBusy when the queue is full, RejectedEvent for this event alone,
        UnknownObject for an endpoint that is not configured."""

    async def report_endpoints(self, reports: Sequence[EndpointReport]) -> None:
        """Adds to the endpoints' numbers."""

    async def read_log(self, log_id: LogId, after: int, limit: int) -> list[LogEntry]:
        """Events with a sequence greater than `after`, in order. Raises UnknownObject."""

    async def read_events(
        self, log_id: LogId, after: int, limit: int, most_bytes: int
    ) -> list[EventRead]:
        """The same with the contents of those whose body has at most so many bytes. Raises
        UnknownObject."""

    async def bounds(self, log_ids: Sequence[LogId]) -> dict[LogId, LogBounds]:
        """Where each of these logs begins and ends; of endpoints that are not there, nothing."""

    async def floor(self, log_id: LogId) -> int:
        """Retention has removed everything up to this sequence, and nothing behind it. Raises
        UnknownObject."""

    async def read_contents(self, log_id: LogId, sequences: Sequence[int]) -> dict[int, Content]:
        """Headers and bodies; what retention has removed is absent."""
