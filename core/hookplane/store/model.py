"""The data that crosses the store's border. All times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hookplane.clock import Millis

Headers = tuple[tuple[str, str], ...]
"""Header names in lower case with their values, in the order of arrival."""


class ConfigKind(StrEnum):
    """Kinds of config documents."""

    ENDPOINT = "endpoint"
    SUBSCRIPTION = "subscription"


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

    A subscription that is new starts at `start_from` (Latest, Earliest or a time); endpoints that
    join later start at their head; endpoints that leave have their pending counted as expired.
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


class Role(StrEnum):
    """What a process does."""

    RECEIVER = "receiver"
    DISPATCHER = "dispatcher"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Presence:
    """What a process says of itself with each heartbeat."""

    ready: bool
    """All configuration is loaded and being served."""
    version: int
    """The config version in force."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Uid → why its newest document was not taken."""


@dataclass(frozen=True, slots=True)
class Member:
    """A process that is alive by the store's clock."""

    process: int
    """Its registration; a process that registers anew has another number."""
    role: Role
    instance: str
    """Unique among the live processes of its role, such as a host name."""
    registered: Millis
    presence: Presence


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A request on its way into an endpoint's log."""

    endpoint: str
    event_id: str
    received: Millis
    type: str
    headers: Headers
    body: bytes
    dedup_key: bytes | None = None
    """None: the event is its own; else at most 64 bytes (longer keys are hashed by the caller)."""
    dedup_until: Millis = 0


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a request ended up. A duplicate carries the id of its original."""

    event_id: str
    duplicate: bool = False
    conflict: bool = False
    """A duplicate with another body; the first one was kept."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event without headers and body."""

    endpoint: str
    sequence: int
    event_id: str
    received: Millis
    type: str
    size: int
    """Bytes of the body."""


@dataclass(frozen=True, slots=True)
class Content:
    """The rest of an event."""

    headers: Headers
    body: bytes


class DeliveryState(StrEnum):
    """A delivery (subscription, event) is always in exactly one of these."""

    PENDING = "pending"
    SENDING = "sending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FILTERED = "filtered"
    DEAD = "dead"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row for what is not done: SENDING, RETRYING or DEAD."""

    endpoint: str
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `number` 0 is a probe, which does not count for the schedule."""

    endpoint: str
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
    """Whether a subscription sends its stream (CLOSED) or one probe at a time (OPEN)."""

    CLOSED = "Closed"
    OPEN = "Open"


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
    attempts: int = 0
    failed_attempts: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """All that the owner of a subscription starts from."""

    epoch: int
    flush_number: int
    cursors: Mapping[str, int]
    """Endpoint → everything up to this sequence is settled."""
    heads: Mapping[str, int]
    """Endpoint → last sequence."""
    deliveries: tuple[Delivery, ...]
    """Rows in state SENDING (from a predecessor that died) and RETRYING, by due time."""
    state: TargetHealth
    resume_requested: int


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """An addition to a replay job, written with the flush that it belongs to."""

    uid: str
    position: tuple[str, int] | None = None
    """Endpoint and sequence up to which candidates were taken; None: unchanged."""
    matched: int = 0
    delivered: int = 0
    failed: int = 0
    exhausted: bool = False
    """No candidates are left."""


@dataclass(frozen=True, slots=True)
class Flush:
    """What an owner writes in one transaction. Compare-and-set on (epoch, number)."""

    subscription: str
    epoch: int
    number: int
    """One more than the last one."""
    cursors: Mapping[str, int] = field(default_factory=dict)
    """Only those that moved; they never move back."""
    upserts: tuple[Delivery, ...] = ()
    removes: tuple[tuple[str, int], ...] = ()
    """Rows (endpoint, sequence) of deliveries that succeeded."""
    attempts: tuple[Attempt, ...] = ()
    counters: Counters = Counters()
    state: TargetHealth | None = None
    """None: unchanged."""
    shift_due: Millis = 0
    """Added to `due` and `deadline` of all RETRYING rows before `upserts`: clocks stood still."""
    replays: tuple[ReplayProgress, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it writes."""
        return 1 + len(self.cursors) + len(self.upserts) + len(self.removes) + len(self.attempts)


class ReplayPhase(StrEnum):
    """States of a replay job."""

    RUNNING = "Running"
    COMPLETE = "Complete"
    CANCELLED = "Cancelled"


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
    """DEAD, DELIVERED, FILTERED, and RETRYING with any; all four stand for All."""


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


@dataclass(frozen=True, slots=True)
class ReplayCandidate:
    """An event that a job asks for, and its state now (never PENDING or SENDING)."""

    entry: LogEntry
    state: DeliveryState


@dataclass(frozen=True, slots=True)
class ReplayPage:
    """Some candidates in order of (endpoint, sequence)."""

    candidates: tuple[ReplayCandidate, ...]
    position: tuple[str, int] | None
    """To be written with the flush that takes these candidates in."""
    exhausted: bool


class RejectReason(StrEnum):
    """Why a request was not accepted; label of a metric and key in status."""

    SOURCE = "SourceNotAllowed"
    SIZE = "TooLarge"
    RATE = "RateLimited"
    SIGNATURE = "SignatureMismatch"
    SIGNATURE_MISSING = "SignatureMissing"
    TIMESTAMP = "TimestampOutOfTolerance"
    API_KEY = "ApiKeyMismatch"
    BASIC = "BasicMismatch"
    BEARER = "BearerMismatch"
    CLIENT_CERTIFICATE = "ClientCertificateMismatch"
    HANDSHAKE = "HandshakeRefused"
    MALFORMED = "Malformed"
    METHOD = "MethodNotAllowed"
    NOT_READY = "NotReady"
    SUSPENDED = "Suspended"
    STORE = "StoreUnavailable"
    EVENTS_QUOTA = "EventsQuotaExceeded"
    STORAGE_QUOTA = "StorageQuotaExceeded"


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """What a receiver adds to an endpoint's numbers from time to time."""

    endpoint: str
    duplicates: int = 0
    conflicts: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    """RejectReason → count."""
    last_rejected: Millis = 0
    last_rejected_reason: str = ""
    last_rejected_detail: str = ""


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """An endpoint in numbers."""

    endpoint: str
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
    """Which part of a listing: newest first, `before` an event id, at most `limit`."""

    limit: int = 50
    before: str = ""


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
    """Counted as expired in their subscriptions."""
    more: bool = False
    """Another step would find more."""
    surplus: int = 0
    """Of the events: those that went because there was too much."""
