"""One word for what others do: the target of a subscription, the senders of an endpoint.

The state never says whether our own side is in order; `not_ready` of the config documents does, and
what is not ready has no state. The table of states is in docs/spec/admin-api.md. All functions here
are pure, and every time is wall-clock milliseconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hookplane.clock import Millis
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.rejections import RejectReason
from hookplane.store.delivery_store import CircuitState, ExpressionKind
from hookplane.store.queries import EndpointStats, SubscriptionStats

ACTIVE_FOR: Final[Millis] = 300_000
"""For this long after the last success or the last accepted request, something is going on."""
REJECTING_AFTER: Final[Millis] = 60_000
"""An endpoint is rejecting once no request was accepted for this long before the last rejected one,
so that one bad request in a good stream changes nothing."""
REJECTING_FOR: Final[Millis] = 86_400_000
"""A rejection that is older than this no longer counts."""
FILTER_FAILS_FOR: Final[Millis] = 86_400_000
"""A failure of a filter that is older than this no longer counts."""

_OWN_REASONS: Final = frozenset(
    {RejectReason.SUSPENDED, RejectReason.NOT_READY, RejectReason.STORE, RejectReason.NO_ROOM}
)
"""Rejections for which the sender can do nothing."""
_AT_ONCE: Final = frozenset({RejectReason.STORAGE_QUOTA})
"""Rejections that count from the first: the next request will be rejected as well."""


class SubscriptionState(StrEnum):
    """What the target of a subscription does."""

    IDLE = "Idle"
    """There is nothing to deliver and there was nothing for a while."""
    DELIVERING = "Delivering"
    """The target takes what is sent to it."""
    FAILING = "Failing"
    """The last attempts failed; deliveries are tried again."""
    HELD = "Held"
    """Its filter or its transform took too much again and again, or cannot be evaluated now, so
    what needs it waits."""
    CIRCUIT_OPEN = "CircuitOpen"
    """So many attempts failed in a row that only probes are sent."""
    DISABLED = "Disabled"
    """Nothing is sent, because nothing succeeded for `disableAfter` or the target answered 410."""
    SUSPENDED = "Suspended"
    """Nothing is sent, because the spec says so."""


class EndpointState(StrEnum):
    """What the senders of an endpoint do."""

    IDLE = "Idle"
    """No request came for a while."""
    RECEIVING = "Receiving"
    """Requests are accepted."""
    REJECTING = "Rejecting"
    """Requests come and are rejected for reasons that the sender can mend."""
    SUSPENDED = "Suspended"
    """Requests are answered 503, because the spec says so."""


_NOTHING_SENT: Final = (SubscriptionState.SUSPENDED, SubscriptionState.DISABLED)


def subscription_state(
    config: SubscriptionConfig, stats: SubscriptionStats, now: Millis
) -> SubscriptionState | None:
    """The first state that holds, the strongest first; None when the subscription is not ready."""
    health = stats.state
    busy = stats.pending + stats.sending > 0
    candidates = (
        (config.not_ready != "", None),
        (config.suspended, SubscriptionState.SUSPENDED),
        (health.disabled_at > 0, SubscriptionState.DISABLED),
        (health.held_until > now, SubscriptionState.HELD),
        (health.circuit is CircuitState.OPEN, SubscriptionState.CIRCUIT_OPEN),
        (health.failing_since > 0, SubscriptionState.FAILING),
        (busy or _recent(health.last_success, now), SubscriptionState.DELIVERING),
    )
    return next((candidate for holds, candidate in candidates if holds), SubscriptionState.IDLE)


def next_try(state: SubscriptionState | None, stats: SubscriptionStats) -> Millis:
    """When the next request is sent for what is not delivered; 0: none will be. What is due waits
    for the probe of an open circuit, for the end of a pause that the target asked for, and for a
    transform that is held back."""
    if state in _NOTHING_SENT:
        return 0
    health = stats.state
    may_transform = health.held_expression is not ExpressionKind.TRANSFORM
    blocked = max(health.blocked_until, 0 if may_transform else health.held_until)
    if stats.next_due:
        return max(stats.next_due, blocked)
    return blocked if state is SubscriptionState.CIRCUIT_OPEN and stats.pending else 0


def filter_fails(stats: SubscriptionStats, now: Millis) -> bool:
    """The filter failed on an event in the last day."""
    failed = stats.state.filter_failed
    return failed > 0 and now - failed <= FILTER_FAILS_FOR


def endpoint_state(
    config: EndpointConfig, stats: EndpointStats, now: Millis
) -> EndpointState | None:
    """The first state that holds, the strongest first; None when the endpoint is not ready."""
    candidates = (
        (config.not_ready != "", None),
        (config.suspended, EndpointState.SUSPENDED),
        (_rejecting(stats, now), EndpointState.REJECTING),
        (_recent(stats.last_accepted, now), EndpointState.RECEIVING),
    )
    return next((candidate for holds, candidate in candidates if holds), EndpointState.IDLE)


def _recent(time: Millis, now: Millis) -> bool:
    return time > 0 and now - time <= ACTIVE_FOR


def _rejecting(stats: EndpointStats, now: Millis) -> bool:
    after = 0 if stats.last_rejected_reason in _AT_ONCE else REJECTING_AFTER
    return (
        stats.last_rejected - stats.last_accepted > after
        and now - stats.last_rejected <= REJECTING_FOR
        and stats.last_rejected_reason not in _OWN_REASONS
    )
