"""Listings and numbers, for people and statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from hookplane.clock import Millis
from hookplane.filters.types import Interest
from hookplane.store.delivery_store import Attempt, Counters, DeliveryState, ReplayJob, TargetHealth
from hookplane.store.event_log import Content, LogEntry, LogId

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """An endpoint in numbers."""

    endpoint: LogId
    accepted: int
    """The head: sequence of the last event."""
    stored: int
    """Events not yet removed by retention."""
    last_accepted: Millis
    duplicates: int
    conflicts: int
    rejected: Mapping[str, int]
    last_rejected: Millis
    last_rejected_reason: str
    last_rejected_detail: str


@dataclass(frozen=True, slots=True)
class FailingDelivery:
    """One of the last failing deliveries."""

    event_id: str
    type: str
    attempts: int
    status_code: int
    error: str
    due: Millis
    state: DeliveryState


@dataclass(frozen=True, slots=True)
class SubscriptionStats:
    """A subscription in numbers."""

    subscription: str
    counters: Counters
    pending: int
    sending: int
    retrying: int
    dead: int
    next_due: Millis
    """The earliest of all RETRYING rows; 0: none."""
    oldest_pending: Millis
    """Arrival of the oldest pending event; 0: none."""
    state: TargetHealth
    recent_failures: tuple[FailingDelivery, ...]
    """Newest first, at most 5."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event in a listing."""

    entry: LogEntry


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery in a listing, whatever its state."""

    subscription: str
    entry: LogEntry
    state: DeliveryState
    attempts: int
    due: Millis
    status_code: int
    error: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt in a listing."""

    subscription: str
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a listing: newest first, `before` an event id or what the page before says, at
    most `limit`."""

    limit: int = 50
    before: str = ""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which events a listing shows; None: any."""

    type: str | None = None
    """A pattern, as subscriptions have them: `*` stands for any text."""
    key: str | None = None
    """Likewise."""
    log_ids: frozenset[LogId] | None = None
    """Those of these endpoints, when a listing is not of one."""

    def interest(self) -> Interest:
        """What a type and a key must be for it."""
        return Interest(_patterns(self.type), _patterns(self.key))


def _patterns(pattern: str | None) -> tuple[str, ...]:
    return () if pattern is None else (pattern,)


ANY_EVENT: Final = Sought()
ANYTHING: Final = Interest()


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A page. It may show less than its limit, or nothing, though more follows: the store looks at
    a bounded number of entries for each page, however few of them are asked for."""

    rows: list[T]
    following: str | None
    """What `before` is for the next page; None: there is none."""
    looked_at: int
    """How many entries this page is chosen from."""


class Queries(Protocol):
    """Reads; changes nothing."""

    async def endpoint_stats(self, log_ids: Sequence[LogId]) -> list[EndpointStats]:
        """Numbers of these endpoints."""

    async def stored_bytes(self) -> dict[str, int]:
        """Bodies that are stored, by namespace: those of deleted endpoints as well, those of
        built-in ones not. Sums that are kept with every append, so asking costs little."""

    async def subscription_stats(self, subscriptions: Sequence[str]) -> list[SubscriptionStats]:
        """Numbers of these subscriptions."""

    async def find_event(self, event_id: str) -> tuple[LogEntry, Content]:
        """Raises UnknownObject."""

    async def events(
        self,
        page: Page,
        log_id: LogId | None = None,
        sought: Sought = ANY_EVENT,
    ) -> Listed[EventRow]:
        """Events, newest first."""

    async def deliveries(
        self,
        page: Page,
        subscription: str,
        states: frozenset[DeliveryState],
        interest: Interest = ANYTHING,
    ) -> Listed[DeliveryRow]:
        """Deliveries of one subscription, newest event first; empty `states`: all. `interest`: what
        concerns it; other events are FILTERED although its cursor has not passed them yet."""

    async def attempts(
        self,
        page: Page,
        subscription: str | None = None,
        event_id: str | None = None,
        among: frozenset[str] | None = None,
    ) -> Listed[AttemptRow]:
        """Attempts, those of the newest event first, within an event the newest first; `among`:
        only those of these subscriptions. `page.before` is an event id, or what the page before
        says: that may be a place within an event."""

    async def replays(self, namespace: str | None = None) -> list[ReplayJob]:
        """All jobs, newest first."""
