"""How the admin API shows the data of the store, with the same names as `status` in a cluster.

No secret and no credential header is shown; a payload only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.reporting.states import (
    SubscriptionState,
    endpoint_state,
    next_try,
    subscription_state,
)
from hookplane.store.delivery_store import DeliveryState, ReplayJob, TargetHealth
from hookplane.store.event_log import Content, LogEntry
from hookplane.store.queries import (
    AttemptRow,
    DeliveryRow,
    EndpointStats,
    FailingDelivery,
    SubscriptionStats,
)
from hookplane.units import format_time

PREVIEW_BYTES: Final = 4096
"""So much of a body is shown with an event."""

Json = dict[str, Any]
Name = Callable[[str], str]
"""Uid → `namespace/name`."""


def time_or_none(millis: Millis) -> str | None:
    return format_time(millis) if millis else None


def endpoint_view(
    config: EndpointConfig, status: EndpointStats, receiver: str, now: Millis
) -> Json:
    """`receiver`: base URL of the receiver, for the endpoint's own."""
    return {
        "namespace": config.namespace,
        "name": config.name,
        "provider": config.provider,
        "builtin": config.builtin,
        "url": None if config.builtin else (config.public_url or receiver + config.path),
        "ready": not config.not_ready,
        "message": config.not_ready,
        "suspended": config.suspended,
        "state": endpoint_state(config, status, now),
        "requests": _requests(status),
    }


def _requests(status: EndpointStats) -> Json:
    return {
        "accepted": status.accepted,
        "stored": status.stored,
        "duplicates": status.duplicates,
        "conflicts": status.conflicts,
        "rejected": sum(status.rejected.values()),
        "rejectedByReason": dict(status.rejected),
        "lastAcceptedTime": time_or_none(status.last_accepted),
        "lastRejected": _last_rejected(status),
    }


def _last_rejected(status: EndpointStats) -> Json | None:
    if not status.last_rejected:
        return None
    return {
        "time": format_time(status.last_rejected),
        "reason": status.last_rejected_reason,
        "message": status.last_rejected_detail,
    }


def subscription_view(
    config: SubscriptionConfig, status: SubscriptionStats, name: Name, now: Millis
) -> Json:
    word = subscription_state(config, status, now)
    return {
        "namespace": config.namespace,
        "name": config.name,
        "endpoints": [name(uid) for uid in config.endpoints],
        "target": config.target.host if config.target else None,
        "ready": not config.not_ready,
        "message": config.not_ready,
        "suspended": config.suspended,
        "state": word,
        "delivery": _delivery_numbers(word, status)
        | _delivery_facts(status.state)
        | _delivery_limits(config),
        "recentFailures": [_recent_failure(failure) for failure in status.recent_failures],
    }


def _delivery_numbers(word: SubscriptionState | None, status: SubscriptionStats) -> Json:
    counters = status.counters
    return {
        "delivered": counters.delivered,
        "filtered": counters.filtered,
        "filterErrors": counters.filter_errors,
        "pending": status.pending,
        "sending": status.sending,
        "retrying": status.retrying,
        "dead": status.dead,
        "expired": counters.expired,
        "attempts": counters.attempts,
        "failedAttempts": counters.failed_attempts,
        "nextRetryTime": time_or_none(next_try(word, status)),
        "oldestPendingTime": time_or_none(status.oldest_pending),
    }


def _delivery_facts(state: TargetHealth) -> Json:
    return {
        "lastSuccess": _last_success(state),
        "lastFailure": _last_failure(state),
        "failingSince": time_or_none(state.failing_since),
        "blockedUntil": time_or_none(state.blocked_until),
        "circuit": state.circuit,
        "disabledSince": time_or_none(state.disabled_at),
        "disabledReason": state.disabled_reason,
        "lastFilterError": _last_filter_error(state),
        "heldUntil": time_or_none(state.held_until),
        "heldExpression": state.held_expression,
        "heldReason": state.held_because,
    }


def _delivery_limits(config: SubscriptionConfig) -> Json:
    rate = config.rate
    return {
        "maxInFlight": config.max_in_flight,
        "ordering": "Strict" if config.strict else "Key" if config.by_key else "None",
        "rate": rate and {"requests": rate.tokens, "milliseconds": rate.per},
    }


def _last_success(state: TargetHealth) -> Json | None:
    if not state.last_success:
        return None
    return {
        "time": format_time(state.last_success),
        "eventID": state.last_success_event,
        "statusCode": state.last_success_code,
        "milliseconds": state.last_success_duration,
    }


def _last_failure(state: TargetHealth) -> Json | None:
    if not state.last_failure:
        return None
    return {
        "time": format_time(state.last_failure),
        "eventID": state.last_failure_event,
        "statusCode": state.last_failure_code,
        "message": state.last_failure_error,
        "attempt": state.last_failure_attempt,
    }


def _last_filter_error(state: TargetHealth) -> Json | None:
    if not state.filter_failed:
        return None
    return {
        "time": format_time(state.filter_failed),
        "eventID": state.filter_failed_event,
        "message": state.filter_failed_error,
    }


def _recent_failure(failure: FailingDelivery) -> Json:
    return {
        "eventID": failure.event_id,
        "type": failure.type,
        "state": failure.state,
        "attempts": failure.attempts,
        "statusCode": failure.status_code,
        "message": failure.error,
        "nextRetryTime": _next_retry(failure.state, failure.due),
    }


def _next_retry(state: DeliveryState, due: Millis) -> str | None:
    return time_or_none(due) if state is DeliveryState.RETRYING else None


def event_view(entry: LogEntry, name: Name) -> Json:
    return {
        "id": entry.event_id,
        "endpoint": name(entry.endpoint),
        "sequence": entry.sequence,
        "type": entry.type,
        "key": entry.key or None,
        "size": entry.size,
        "receivedTime": format_time(entry.received),
    }


def event_detail_view(entry: LogEntry, content: Content, name: Name) -> Json:
    """With headers and the start of the body; what is not UTF-8 in it shows as U+FFFD."""
    preview = content.body[:PREVIEW_BYTES].decode("utf-8", "replace")
    return event_view(entry, name) | {
        "headers": [list(header) for header in content.headers],
        "bodyPreview": preview,
        "bodyTruncated": len(content.body) > PREVIEW_BYTES,
    }


def delivery_view(row: DeliveryRow, name: Name, unjudged: Mapping[str, str], first: str) -> Json:
    """`unjudged`: events that a filter could not judge, and why. `first`: the first event with its
    key that is not done, where events have their turn by key."""
    is_filtered = row.state is DeliveryState.FILTERED
    is_pending = row.state is DeliveryState.PENDING
    is_first = is_pending and first == row.entry.event_id
    return {
        "subscription": name(row.subscription),
        "endpoint": name(row.entry.endpoint),
        "eventID": row.entry.event_id,
        "type": row.entry.type,
        "key": row.entry.key or None,
        "size": row.entry.size,
        "receivedTime": format_time(row.entry.received),
        "state": row.state,
        "filterError": unjudged.get(row.entry.event_id) if is_filtered else None,
        "attempts": row.attempts,
        "statusCode": row.status_code,
        # a row behind another keeps saying so until a flush says that the other one is done
        "message": "" if is_first else row.error,
        "nextRetryTime": _next_retry(row.state, row.due),
        "waitsForEventID": (first or None) if is_pending and not is_first else None,
    }


def attempt_view(row: AttemptRow, name: Name) -> Json:
    attempt = row.attempt
    return {
        "time": format_time(attempt.at),
        "subscription": name(row.subscription),
        "endpoint": name(attempt.endpoint),
        "eventID": attempt.event_id,
        "attempt": attempt.number,
        "probe": attempt.number == 0,
        "success": attempt.success,
        "statusCode": attempt.status_code,
        "message": attempt.error,
        "milliseconds": attempt.duration,
        "answer": attempt.answer.decode("utf-8", "replace"),
        "replay": bool(attempt.replay),
    }


def replay_view(job: ReplayJob, name: Name) -> Json:
    return {
        "namespace": job.namespace,
        "name": job.name,
        "subscription": name(job.subscription),
        "state": job.phase,
        "matched": job.matched,
        "delivered": job.delivered,
        "failed": job.failed,
        "notFound": job.not_found,
        "createdTime": format_time(job.created),
        "finishedTime": time_or_none(job.finished),
    }
