"""The one word that tells what strangers do: a target to a subscription, senders to an endpoint.

It never tells whether our own side is in order; that is `not_ready` of the config documents, and
what is not ready has no word. Source: the table of states in docs/spec/admin-api.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hookplane.clock import Millis
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.rejections import RejectReason
from hookplane.store.delivery_store import CircuitState
from hookplane.store.queries import EndpointStats, SubscriptionStats

ACTIVE_FOR: Final[Millis] = 300_000
"""So long after the last success or the last accepted request something counts as going on."""
REJECTING_AFTER: Final[Millis] = 60_000
"""Rejections tell nothing until no request was accepted for this long before the last of them: one
bad request in a good stream changes no word."""
REJECTING_FOR: Final[Millis] = 86_400_000
"""A last rejection older than this is history."""

_OWN_REASONS: Final = frozenset(
    {RejectReason.SUSPENDED, RejectReason.NOT_READY, RejectReason.STORE}
)
"""Rejections that are our doing, not the sender's."""
_AT_ONCE: Final = frozenset({RejectReason.STORAGE_QUOTA})
"""Rejections that are never just one bad request: the next will be rejected as well."""


class SubscriptionState(StrEnum):
    """States of a subscription."""

    IDLE = "Idle"
    DELIVERING = "Delivering"
    FAILING = "Failing"
    CIRCUIT_OPEN = "CircuitOpen"
    DISABLED = "Disabled"
    SUSPENDED = "Suspended"


class EndpointState(StrEnum):
    """States of an endpoint."""

    IDLE = "Idle"
    RECEIVING = "Receiving"
    REJECTING = "Rejecting"
    SUSPENDED = "Suspended"


_STILL: Final = (SubscriptionState.SUSPENDED, SubscriptionState.DISABLED)
"""Nothing is sent in these."""


def subscription_state(
    config: SubscriptionConfig, status: SubscriptionStats, now: Millis
) -> SubscriptionState | None:
    """The strongest that holds; None when the subscription is not ready."""
    state = status.state
    busy = status.pending + status.sending > 0
    words = (
        (config.not_ready != "", None),
        (config.suspended, SubscriptionState.SUSPENDED),
        (state.disabled_at > 0, SubscriptionState.DISABLED),
        (state.circuit is CircuitState.OPEN, SubscriptionState.CIRCUIT_OPEN),
        (state.failing_since > 0, SubscriptionState.FAILING),
        (busy or _recent(state.last_success, now), SubscriptionState.DELIVERING),
    )
    return next((word for holds, word in words if holds), SubscriptionState.IDLE)


def next_try(word: SubscriptionState | None, status: SubscriptionStats) -> Millis:
    """When the next request goes out for what is not delivered; 0: none will. What is due waits for
    an open circuit's probe, and for the end of a pause that the target asked for."""
    if word in _STILL:
        return 0
    blocked = status.state.blocked_until
    if status.next_due:
        return max(status.next_due, blocked)
    return blocked if word is SubscriptionState.CIRCUIT_OPEN and status.pending else 0


def endpoint_state(
    config: EndpointConfig, status: EndpointStats, now: Millis
) -> EndpointState | None:
    """The strongest that holds; None when the endpoint is not ready."""
    words = (
        (config.not_ready != "", None),
        (config.suspended, EndpointState.SUSPENDED),
        (_rejecting(status, now), EndpointState.REJECTING),
        (_recent(status.last_accepted, now), EndpointState.RECEIVING),
    )
    return next((word for holds, word in words if holds), EndpointState.IDLE)


def _recent(time: Millis, now: Millis) -> bool:
    return time > 0 and now - time <= ACTIVE_FOR


def _rejecting(status: EndpointStats, now: Millis) -> bool:
    after = 0 if status.last_rejected_reason in _AT_ONCE else REJECTING_AFTER
    return (
        status.last_rejected - status.last_accepted > after
        and now - status.last_rejected <= REJECTING_FOR
        and status.last_rejected_reason not in _OWN_REASONS
    )
