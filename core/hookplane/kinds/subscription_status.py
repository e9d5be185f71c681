"""Status of a WebhookSubscription."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hookplane.kinds.base import Spec, Time
from hookplane.kinds.status import (
    MAX_RECENT_FAILURES,
    Attempts,
    Count,
    EventID,
    EventTypeName,
    ShortText,
    Status,
    StatusCode,
)


class LastSuccess(Spec):
    """The last delivery that succeeded."""

    time: Time
    """When the target answered."""
    event_id: EventID
    """The event."""
    status_code: StatusCode
    """The target's answer."""
    milliseconds: Count
    """How long the attempt took."""


class LastFailure(Spec):
    """The last attempt that failed."""

    time: Time
    """When it failed."""
    event_id: EventID
    """The event."""
    status_code: StatusCode | None = None
    """The target's answer; absent when there was none."""
    message: ShortText = ""
    """What went wrong."""
    attempt: Attempts
    """Which attempt for this event it was; 0: a probe."""
    next_retry_time: Time | None = None
    """When this event is tried again; absent when it is dead."""


class DeliveryStatus(Spec):
    """Deliveries in numbers, and how the target is doing."""

    delivered: Count | None = None
    """Events that the target took, since the subscription was created."""
    filtered: Count | None = None
    """Events that the filter left out, since the subscription was created."""
    filter_errors: Count | None = None
    """Of those: because the filter's expression failed."""
    pending: Count | None = None
    """Events that were not tried yet, now."""
    retrying: Count | None = None
    """Events that failed and will be tried again, now."""
    dead: Count | None = None
    """Events that failed for good and wait for a replay, now."""
    expired: Count | None = None
    """Events that retention removed before they were delivered."""
    next_retry_time: Time | None = None
    """The earliest next attempt of all retrying events."""
    last_success: LastSuccess | None = None
    """The last delivery that succeeded."""
    last_failure: LastFailure | None = None
    """The last attempt that failed."""
    failing_since: Time | None = None
    """First failure after the last success; absent while deliveries succeed."""
    disabled_since: Time | None = None
    """Since when nothing is sent because there was no success for `disableAfter`, or because of an
    answer 410."""
    oldest_pending_time: Time | None = None
    """When the oldest pending event was received."""
    circuit: Literal["Closed", "Open"] | None = None
    """Open: one probe at a time goes out instead of the stream."""
    blocked_until: Time | None = None
    """Nothing is sent before: the target asked for a pause, or the next probe is not due."""


class RecentFailure(Spec):
    """A delivery that failed and is not done."""

    event_id: EventID
    """The event."""
    type: EventTypeName = ""
    """Type of the event."""
    state: Literal["Retrying", "Dead"]
    """Whether it will be tried again."""
    attempts: Attempts
    """How often it was tried."""
    status_code: StatusCode | None = None
    """The target's last answer; absent when there was none."""
    message: ShortText = ""
    """What went wrong last."""
    next_retry_time: Time | None = None
    """When it is tried again."""


class SubscriptionStatus(Status):
    """What became of a subscription: whether our side is in order, and what the target does."""

    state: (
        Literal["Idle", "Delivering", "Failing", "CircuitOpen", "Disabled", "Suspended"] | None
    ) = None
    """What the target does, in one word; absent while the subscription is not Ready."""
    target: Annotated[str, Field(max_length=320)] | None = None
    """Host of the target; `(Secret)` when its URL is one."""
    delivery: DeliveryStatus | None = None
    """Deliveries in numbers; brought up to date at most once a minute."""
    recent_failures: Annotated[list[RecentFailure], Field(max_length=MAX_RECENT_FAILURES)] = []
    """Deliveries that are not done, newest failure first."""
