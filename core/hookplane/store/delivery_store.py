"""What the owner of a subscription reads and writes: cursors, unfinished deliveries, replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from hookplane.clock import Millis
from hookplane.store.event_log import LogEntry, LogId


class DeliveryState(StrEnum):
    """A delivery (subscription, event) is always in exactly one of these."""

    PENDING = "pending"
    """The cursor has not passed the event yet; there is no row."""
    SENDING = "sending"
    """The first attempt takes long, so it has a row and the cursor goes on without it."""
    RETRYING = "retrying"
    """An attempt failed; the next one is made when it is due."""
    BEHIND = "behind"
    """PENDING with a row: an earlier event with the same key is not done, and the cursor goes on
    without this one. Only the owner tells it apart, by `ordering: Key`."""
    DELIVERED = "delivered"
    """The target accepted the event; the row is gone, the attempt stays in the history."""
    FILTERED = "filtered"
    """The subscription does not want the event, or its filter failed; nothing was sent."""
    DEAD = "dead"
    """No attempt will follow, unless a replay asks for one. Kept until retention removes it."""
    EXPIRED = "expired"
    """Retention removed the event, or its endpoint left the subscription, before it was settled.
    Counted then, whatever becomes of an attempt under way; listed while the event is there."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row for what is not done: SENDING, RETRYING, BEHIND or DEAD."""

    endpoint: LogId
    sequence: int
    event_id: str
    type: str
    state: DeliveryState
    attempts: int
    """Attempts made that count for the schedule."""
    due: Millis
    deadline: Millis
    """When its schedule ends."""
    status_code: int = 0
    error: str = ""
    replay: str = ""
    """Uid of the replay job that it belongs to."""
    event_key: str = ""
    """The event's key, when its turn comes by that; written once."""


EventKey = tuple[LogId, str]
"""A key of events of one endpoint."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `number` 0 is a probe, which does not count for the schedule."""

    endpoint: LogId
    sequence: int
    event_id: str
    at: Millis
    number: int
    duration: Millis
    success: bool
    status_code: int = 0
    """0: no answer."""
    error: str = ""
    answer: bytes = b""
    """First bytes of the answer's body."""
    replay: str = ""


class CircuitState(StrEnum):
    """Whether a subscription sends to its target. The circuit breaker opens after failures."""

    CLOSED = "Closed"
    """Events are sent as they come."""
    OPEN = "Open"
    """The target keeps failing: one probe at a time is sent, with pauses between them."""


class ExpressionKind(StrEnum):
    """An expression of a subscription, by the word that says where it is in the spec."""

    FILTER = "filter"
    TRANSFORM = "transform"


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """What a restart must not forget of a subscription."""

    circuit: CircuitState = CircuitState.CLOSED
    consecutive_failures: int = 0
    probe_pause: Millis = 0
    """Pause before the next probe after another failure."""
    blocked_until: Millis = 0
    """Nothing is sent before: Retry-After, or the next probe of an open circuit."""
    failing_since: Millis = 0
    """First failure after the last success; 0: the last attempt succeeded."""
    failed_attempts: int = 0
    """Failed attempts since then."""
    failed_event: str = ""
    """The one event that failed since then."""
    failed_several: bool = False
    """More than one event failed since then."""
    disabled_at: Millis = 0
    disabled_reason: str = ""
    paused_at: Millis = 0
    """Since when clocks stand still (suspended or disabled); 0: they run."""
    resume_seen: int = 0
    """The last resume request that was carried out."""
    last_success: Millis = 0
    last_success_event: str = ""
    last_success_code: int = 0
    last_success_duration: Millis = 0
    last_failure: Millis = 0
    last_failure_event: str = ""
    last_failure_code: int = 0
    last_failure_error: str = ""
    last_failure_attempt: int = 0
    held_until: Millis = 0
    """Until then an expression may not run; what it had to decide waits. 0: nothing is held."""
    held_expression: ExpressionKind | None = None
    """Which one."""
    held_digest: str = ""
    """Of its text: for another text this says nothing."""
    held_because: str = ""
    filter_failed: Millis = 0
    """When the filter last failed on an event; 0: it never did."""
    filter_failed_event: str = ""
    filter_failed_error: str = ""
    filter_failed_digest: str = ""
    """Of the filter's text then: for another text this says nothing."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Numbers since a subscription was created, or an addition to them."""

    delivered: int = 0
    filtered: int = 0
    filter_errors: int = 0
    """Of those filtered: because the expression failed."""
    dead: int = 0
    """Deliveries that died; `Delivery` rows tell how many are dead now."""
    expired: int = 0
    """An owner adds only what is missing from the store; the rest is counted where it happens."""
    attempts: int = 0
    failed_attempts: int = 0


ROWS_AT_ONCE: Final = 10_000
"""So many rows are handed over together."""


class Rest(NamedTuple):
    """Rows in state SENDING and RETRYING that were not handed over: from here on, by due time."""

    due: Millis
    number: int
    """Where among those due at the same time; the driver's own."""
    left: int
    """About how many; retention may have removed some."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """All that the owner of a subscription starts from."""

    epoch: int
    flush_number: int
    cursors: Mapping[LogId, int]
    """Endpoint → everything up to this sequence is settled."""
    heads: Mapping[LogId, int]
    """Endpoint → last sequence."""
    deliveries: tuple[Delivery, ...]
    """Rows in state SENDING (from a predecessor that died) and RETRYING, by due time: the first
    ones, and all that no cursor has passed, also those that are BEHIND."""
    state: TargetHealth
    resume_requested: int
    rest: Rest | None = None
    """The other ones; None: there are none."""
    behind: int = 0
    """How many rows are BEHIND."""


@dataclass(frozen=True, slots=True)
class StrandedPage:
    """Keys whose earliest row is BEHIND: what came before it is done, and nobody went on."""

    keys: tuple[EventKey, ...]
    following: EventKey | None
    """Where the next page begins; None: this is the last one."""


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """An addition to a replay job, written with the flush that it belongs to."""

    uid: str
    position: tuple[LogId, int] | None = None
    """Endpoint and sequence up to which candidates were taken; None: unchanged."""
    matched: int = 0
    delivered: int = 0
    failed: int = 0
    exhausted: bool = False
    """No candidates are left."""


class Ending(NamedTuple):
    """A delivery that a flush counts, and as what."""

    endpoint: LogId
    sequence: int
    state: DeliveryState
    """DELIVERED, FILTERED, DEAD, or EXPIRED, which is counted elsewhere."""
    filter_error: bool = False
    replayed: bool = False


class Span(NamedTuple):
    """Events of one log that follow each other."""

    endpoint: LogId
    after: int
    upto: int


@dataclass(frozen=True, slots=True)
class Flush:
    """What an owner writes in one transaction. Compare-and-set on (epoch, number)."""

    subscription: str
    epoch: int
    number: int
    """One more than the last one."""
    cursors: Mapping[LogId, int] = field(default_factory=dict)
    """Only those that moved; they never move back."""
    upserts: tuple[Delivery, ...] = ()
    removes: tuple[tuple[LogId, int], ...] = ()
    """Rows (endpoint, sequence) of deliveries that succeeded."""
    attempts: tuple[Attempt, ...] = ()
    counters: Counters = Counters()
    endings: tuple[Ending, ...] = ()
    """Which deliveries `counters` has as delivered, filtered or dead, so that none is counted that
    is counted as expired already."""
    gaps: tuple[Span, ...] = ()
    """Which events `counters` has as expired: they are not in the store, though retention did not
    remove them."""
    passed: tuple[Span, ...] = ()
    """Which events `counters` has as filtered besides `endings`: nobody looked at them one by one,
    because the types of none concern the subscription."""
    state: TargetHealth | None = None
    """None: unchanged."""
    shift_due: Millis = 0
    """Added to `due` and `deadline` of all RETRYING rows before `upserts`: clocks stood still."""
    replays: tuple[ReplayProgress, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it writes."""
        return 1 + len(self.cursors) + len(self.upserts) + len(self.removes) + len(self.attempts)


class Passage(NamedTuple):
    """A cursor that moves past events that do not concern its subscription."""

    subscription: str
    epoch: int
    endpoint: LogId
    upto: int


@dataclass(frozen=True, slots=True)
class NotPassed:
    """Subscriptions of which no cursor was moved."""

    lost: frozenset[str] = frozenset()
    """They have another owner now."""
    held: frozenset[str] = frozenset()
    """Somebody has locked their rows: to be asked for again, as long as it takes."""


class Asked(NamedTuple):
    """What people asked of the owner of a subscription."""

    resumes: int = 0
    """How often they asked for a resume."""
    replays: frozenset[str] = frozenset()
    """Uids of jobs in phase RUNNING."""


class ReplayPhase(StrEnum):
    """States of a replay job."""

    RUNNING = "Running"
    """Candidates are still to be read, or deliveries of the job have not ended."""
    COMPLETE = "Complete"
    """All candidates were read, and each delivery ended, well or not."""
    CANCELLED = "Cancelled"
    """The job was deleted before it was complete; nothing more is sent for it."""


REPLAYABLE: Final = frozenset(
    {
        DeliveryState.DEAD,
        DeliveryState.RETRYING,
        DeliveryState.DELIVERED,
        DeliveryState.FILTERED,
        DeliveryState.EXPIRED,
    }
)
"""What `All` stands for. What is pending or being sent is delivered without a replay."""


@dataclass(frozen=True, slots=True)
class NewReplay:
    """A replay job. `ids` xor the range; the store fixes its bounds at creation."""

    uid: str
    namespace: str
    name: str
    subscription: str
    created: Millis
    ids: tuple[str, ...] = ()
    received_from: Millis = 0
    received_to: Millis = 0
    states: frozenset[DeliveryState] = frozenset({DeliveryState.DEAD})
    """Some of `REPLAYABLE`."""


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A replay job and how far it is."""

    uid: str
    namespace: str
    name: str
    subscription: str
    created: Millis
    phase: ReplayPhase
    matched: int
    delivered: int
    failed: int
    exhausted: bool
    finished: Millis = 0
    not_found: int = 0
    """Of the ids that it names: not in the store, of no endpoint of the subscription, or never its
    turn so far, so that they are delivered without a replay."""


@dataclass(frozen=True, slots=True)
class ReplayCandidate:
    """An event that a job asks for, and its state now (never PENDING or SENDING)."""

    entry: LogEntry
    state: DeliveryState


@dataclass(frozen=True, slots=True)
class ReplayPage:
    """Some candidates in order of (endpoint, sequence)."""

    candidates: tuple[ReplayCandidate, ...]
    position: tuple[LogId, int] | None
    """To be written with the flush that takes these candidates in."""
    exhausted: bool


class DeliveryStore(Protocol):
    """Ownership and progress of subscriptions."""

    async def claim(
        self, subscription: str, process: int | None = None, most: int = ROWS_AT_ONCE
    ) -> Claimed:
        """Takes ownership: raises the epoch, so that flushes of a former owner fail. `most`: so
        many rows are handed over, with those that no cursor has passed.

        `process`: the registration that the ownership hangs on; None for the only process there is,
        who takes it from anybody. Raises UnknownObject, LeaseLost, and OwnedElsewhere while the
        owner is alive. An owner whose lease expired is found dead only by a process that has itself
        been alive for one lease, so that after an outage of the store everybody has time to come
        back. A registration of the same instance takes over at once."""

    async def waiting(
        self, subscription: str, rest: Rest, most: int
    ) -> tuple[tuple[Delivery, ...], Rest | None]:
        """Rows in state SENDING and RETRYING from a place on, by due time, and what comes after
        them. Raises UnknownObject."""

    async def open_rows(
        self, subscription: str, places: Sequence[tuple[LogId, int]]
    ) -> tuple[Delivery, ...]:
        """Those of these events (endpoint, sequence) that have a row in state SENDING or RETRYING.
        Raises UnknownObject."""

    async def first_rows(self, subscription: str, keys: Sequence[EventKey]) -> tuple[Delivery, ...]:
        """Of each of these keys the earliest row that is SENDING, RETRYING or BEHIND, if any.
        Raises UnknownObject."""

    async def stranded_keys(
        self, subscription: str, after: EventKey | None, most: int
    ) -> StrandedPage:
        """Looks at the next so many keys with rows, and finds those of which the earliest row is
        BEHIND and the cursor has passed it. Raises UnknownObject."""

    async def release(self, subscription: str, epoch: int) -> None:
        """Lets another process claim at once. Nothing happens when the epoch has passed."""

    async def flush(self, flush: Flush) -> None:
        """Writes an owner's progress in one transaction; returns after the commit is on disk.
        A flush whose number was the last one written is taken as done. What retention took, or a
        leaving endpoint, stays counted as expired, whatever the flush says. Raises StaleOwner, and
        RejectedEvent when a value cannot be stored."""

    async def pass_over(self, passages: Sequence[Passage]) -> NotPassed:
        """Moves cursors of many subscriptions together, never back, and counts what they pass as
        filtered; returns after the commit is on disk. A repeat counts nothing twice. To be called
        while no flush of these subscriptions is under way, for cursors above which nothing is
        settled."""

    async def request_resume(self, subscription: str) -> None:
        """Asks the owner to clear a disabled state, a block and an open circuit."""

    async def asked(self) -> Mapping[str, Asked]:
        """By subscription, of all of which something was ever asked."""

    async def resume_requested(self, subscription: str) -> int:
        """Number of the last resume request."""

    async def create_replay(self, replay: NewReplay) -> ReplayJob:
        """Creates a job, or returns the one with this uid: a job runs once. Its bounds are the
        subscription's endpoints, the time range and the cursors as they are now."""

    async def cancel_replay(self, uid: str) -> None:
        """Ends a running job; what it already handed over is still delivered."""

    async def running_replays(self, subscription: str) -> list[ReplayJob]:
        """Jobs of a subscription in phase RUNNING, oldest first."""

    async def replay_page(self, uid: str, limit: int) -> ReplayPage:
        """The next candidates behind the job's written position. Pending ones are left out."""
