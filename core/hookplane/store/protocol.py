"""What a store driver promises. See docs/architecture.md and the conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, Protocol

from hookplane.clock import Millis
from hookplane.store.model import (
    Appended,
    AttemptRow,
    Claimed,
    ConfigChange,
    ConfigRow,
    Content,
    DeliveryRow,
    DeliveryState,
    EndpointReport,
    EndpointStats,
    EventRow,
    Expired,
    Flush,
    LogEntry,
    Member,
    NewEvent,
    NewReplay,
    Page,
    Presence,
    ReplayJob,
    ReplayPage,
    Retention,
    Role,
    SubscriptionStats,
)

LEASE: Final[Millis] = 8_000
"""How long a process counts as alive after the beginning of its last heartbeat."""


class Topic(StrEnum):
    """What a listener can be woken for; the argument of its callback in brackets."""

    CONFIG = "config"
    """A new config version is committed ("")."""
    EVENTS = "events"
    """Events were appended (endpoint uid)."""
    SUBSCRIPTION = "subscription"
    """A replay or a resume was asked for, or it was released (subscription uid)."""
    PROCESSES = "processes"
    """A process registered or left ("")."""


class Store(Protocol):
    """Event logs with cursors.

    Every call may raise StoreUnavailable, or StoreReplaced when the data is not what it was before:
    whoever holds anything in memory of it must start over. Wake-ups are hints: a listener that
    sleeps through one finds the change by polling.
    """

    def listen(self, topic: Topic, callback: Callable[[str], None]) -> Callable[[], None]:
        """Calls back in the event loop after a commit; the returned function ends that."""

    async def close(self) -> None:
        """Finishes what is queued, then lets go of the store."""

    # Config -------------------------------------------------------------------------------------

    async def apply_config(self, change: ConfigChange) -> int:
        """Writes rows and cursors in one transaction and returns the new version.

        Writing rows that are already there unchanged raises no version. Deleted subscriptions keep
        their state for 24 h, in case they come back. Endpoints of `cursors` must be known.
        """

    async def load_config(self, after: int) -> tuple[int, list[ConfigRow]]:
        """The current version and the rows with a version greater than `after`, oldest first."""

    # Ingest -------------------------------------------------------------------------------------

    async def append(self, event: NewEvent) -> Appended:
        """Stores one event, in a group with what else is waiting; returns after the commit is on
        disk. Raises StoreBusy when the queue is full, RejectedEvent for this event alone,
        UnknownObject for an endpoint that is not configured."""

    async def report_endpoints(self, reports: Sequence[EndpointReport]) -> None:
        """Adds to the endpoints' numbers."""

    # Processes ----------------------------------------------------------------------------------

    async def register(self, role: Role, instance: str, presence: Presence) -> int:
        """A new registration, alive for LEASE. One of the same role and instance ends."""

    async def heartbeat(self, process: int, presence: Presence) -> list[Member]:
        """Extends the lease to LEASE from now; returns all live processes, this one included, the
        oldest registration first. Raises LeaseLost: an expired lease is never revived."""

    async def members(self) -> list[Member]:
        """All live processes, for somebody who is none of them."""

    async def leave(self, process: int) -> None:
        """Ends a registration and releases all that it owns."""

    # Delivery -----------------------------------------------------------------------------------

    async def claim(self, subscription: str, process: int | None = None) -> Claimed:
        """Takes ownership: raises the epoch, so that flushes of a former owner fail.

        `process`: the registration that the ownership hangs on; None for the only process there is,
        who takes it from anybody. Raises UnknownObject, LeaseLost, and OwnedElsewhere while the
        owner is alive. An owner whose lease expired is found dead only by a process that has itself
        been alive for one lease, so that after an outage of the store everybody has time to come
        back. A registration of the same instance takes over at once."""

    async def release(self, subscription: str, epoch: int) -> None:
        """Lets another process claim at once. Nothing happens when the epoch has passed."""

    async def read_log(self, endpoint: str, after: int, limit: int) -> list[LogEntry]:
        """Events with a sequence greater than `after`, in order. Raises UnknownObject."""

    async def read_contents(self, endpoint: str, sequences: Sequence[int]) -> dict[int, Content]:
        """Headers and bodies; what retention has removed is absent."""

    async def flush(self, flush: Flush) -> None:
        """Writes an owner's progress in one transaction; returns after the commit is on disk.
        A flush whose number was the last one written is taken as done. Raises StaleOwner, and
        RejectedEvent when a value cannot be stored."""

    async def request_resume(self, subscription: str) -> None:
        """Asks the owner to clear a disabled state, a block and an open circuit."""

    async def resume_requested(self, subscription: str) -> int:
        """Number of the last resume request."""

    # Replay -------------------------------------------------------------------------------------

    async def create_replay(self, replay: NewReplay) -> ReplayJob:
        """Creates a job, or returns the one with this uid: a job runs once. Its bounds are the
        subscription's endpoints, the time range and the cursors as they are now."""

    async def cancel_replay(self, uid: str) -> None:
        """Ends a running job; what it already handed over is still delivered."""

    async def running_replays(self, subscription: str) -> list[ReplayJob]:
        """Jobs of a subscription in phase RUNNING, oldest first."""

    async def replay_page(self, uid: str, limit: int) -> ReplayPage:
        """The next candidates behind the job's written position. Pending ones are left out."""

    async def replays(self, namespace: str | None = None) -> list[ReplayJob]:
        """All jobs, newest first."""

    # Reading ------------------------------------------------------------------------------------

    async def endpoint_status(self, endpoints: Sequence[str]) -> list[EndpointStats]:
        """Numbers of these endpoints."""

    async def stored_bytes(self) -> dict[str, int]:
        """Bodies that are stored, by namespace: those of deleted endpoints as well, those of
        built-in ones not. Sums that are kept with every append, so asking costs little."""

    async def subscription_status(self, subscriptions: Sequence[str]) -> list[SubscriptionStats]:
        """Numbers of these subscriptions."""

    async def find_event(self, event_id: str) -> tuple[LogEntry, Content]:
        """Raises UnknownObject."""

    async def events(
        self,
        page: Page,
        endpoint: str | None = None,
        type: str | None = None,  # noqa: A002
    ) -> list[EventRow]:
        """Events, newest first."""

    async def deliveries(
        self, page: Page, subscription: str, states: frozenset[DeliveryState]
    ) -> list[DeliveryRow]:
        """Deliveries of one subscription, newest event first; empty `states`: all."""

    async def attempts(
        self, page: Page, subscription: str | None = None, event_id: str | None = None
    ) -> list[AttemptRow]:
        """Attempts, those of the newest event first, within an event the newest first;
        `page.before` is an event id and counts only without `event_id`. A page does not end within
        an event, so it may be longer than its limit."""

    # Housekeeping -------------------------------------------------------------------------------

    async def expire(self, retention: Retention, now: Millis) -> Expired:
        """One bounded step of retention: cursors move to the floor and what they skip counts as
        expired, then rows go. What is too old goes first; when there is still too much, the oldest
        of the namespace that has most. Endpoints without one count each alone."""
