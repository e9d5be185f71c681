"""Status of a WebhookSubscription; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.subscription import (
    DeliveryStatus,
    LastFailure,
    LastFilterError,
    LastSuccess,
    RecentFailure,
    SubscriptionStatus,
    WebhookSubscription,
)
from hookplane.reporting.states import SubscriptionState, filter_fails, next_try, subscription_state
from hookplane.store.delivery_store import DeliveryState, TargetHealth
from hookplane.store.process_registry import Role
from hookplane.store.queries import FailingDelivery, SubscriptionStats
from hookplane.units import format_time
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.conditions import (
    Fact,
    Truth,
    accepted,
    programmed,
    resolved,
    secrets_resolved,
    settle,
    time_or_none,
    told_of,
    with_summaries,
)
from hookplane_operator.status.observation import Observation
from hookplane_operator.status.resuming import RESUME, why_not

_TRUTH: Final[Mapping[SubscriptionState, tuple[Truth, Reason]]] = {
    SubscriptionState.IDLE: ("Unknown", Reason.IDLE),
    SubscriptionState.DELIVERING: ("True", Reason.DELIVERING),
    SubscriptionState.FAILING: ("False", Reason.TARGET_FAILING),
    SubscriptionState.HELD: ("False", Reason.EXPRESSION_HELD),
    SubscriptionState.CIRCUIT_OPEN: ("False", Reason.CIRCUIT_OPEN),
    SubscriptionState.DISABLED: ("False", Reason.DISABLED),
    SubscriptionState.SUSPENDED: ("False", Reason.SUSPENDED),
}


def subscription_status(
    result: ReconcileResult,
    document: SubscriptionConfig | None,
    version: int | None,
    living: frozenset[str],
    seen: Observation | None,
    old: Mapping[str, Any],
    now: Millis,
) -> SubscriptionStatus:
    """`living`: uids of endpoints that are in force; `old`: the status so far."""
    numbers = seen.subscriptions.get(result.uid) if seen is not None else None
    current = document if document and document.generation == result.generation else None
    facts = [
        accepted(result),
        secrets_resolved(result),
        _endpoints_resolved(result, document, living),
        programmed(
            Role.DISPATCHER, result.uid, version if current else None, result.generation, seen
        ),
    ]
    facts = [*with_summaries(facts), *_headers_missing(result)]
    ready = facts[0].status == "True"
    target = target_of(result)
    word = None
    if document is not None and numbers is not None:
        word = subscription_state(document, numbers, now)
        facts += _delivering(word, numbers, target, why_not(_annotations(result), now))
        facts += _filtering(document, numbers, now)
    return SubscriptionStatus(
        observed_generation=result.generation,
        conditions=settle(facts, old.get("conditions", ()), result.generation, format_time(now)),
        state=word.value if word and ready else None,
        target=target or None,
        delivery=_delivery(word, numbers) if numbers is not None else None,
        recent_failures=[_recent(x, numbers) for x in numbers.recent_failures] if numbers else [],
    )


def target_of(result: ReconcileResult) -> str:
    """Host of the target as its owner wrote it; empty for what could not be read."""
    if not isinstance(result.resource, WebhookSubscription):
        return ""
    return result.resource.spec.target.host(result.key.namespace)


def _annotations(result: ReconcileResult) -> Mapping[str, str]:
    return {} if result.resource is None else result.resource.metadata.annotations


def _endpoints_resolved(
    result: ReconcileResult, document: SubscriptionConfig | None, living: frozenset[str]
) -> Fact:
    condition = ConditionType.ENDPOINTS_RESOLVED
    resource = result.resource
    found = len([x for x in document.endpoints if x in living]) if document else 0
    good = Fact(condition, "True", Reason.RESOLVED, f"{found} endpoint{'s'[: found != 1]}")
    if isinstance(resource, WebhookSubscription):
        if resource.spec.operational_events:
            good = Fact(condition, "True", Reason.RESOLVED, "this namespace's operational events")
        elif resource.spec.endpoint_refs is not None:
            all_of_them = len(resource.spec.endpoint_refs)
            good = Fact(condition, "True", Reason.RESOLVED, f"{found} of {all_of_them} endpoints")
        elif not found:
            message = "the selector matches no endpoint so far"
            good = Fact(condition, "True", Reason.NO_ENDPOINTS, message)
    return resolved(condition, result.problems, good)


def _headers_missing(result: ReconcileResult) -> list[Fact]:
    told = [x for x in result.problems if x.reason is Reason.HEADER_NOT_STORED]
    return [told_of(ConditionType.HEADERS_MISSING, "True", told)] if told else []


def _delivering(
    word: SubscriptionState | None, numbers: SubscriptionStats, target: str, objection: str
) -> list[Fact]:
    """`objection`: to how its owner wants it resumed."""
    if word is None:
        return []
    truth, reason = _TRUTH[word]
    message = _WORDS[word](numbers, target)
    if objection and word is SubscriptionState.DISABLED:
        message += f"; {objection}"
    return [Fact(ConditionType.DELIVERING, truth, reason, message)]


def _filtering(document: SubscriptionConfig, numbers: SubscriptionStats, now: Millis) -> list[Fact]:
    if document.filter_cel is None:
        return []
    condition, state = ConditionType.FILTERING, numbers.state
    if not filter_fails(numbers, now):
        return [Fact(condition, "True", Reason.FILTERING, "spec.filter.cel judges all events")]
    message = (
        f"spec.filter.cel failed on event {state.filter_failed_event} at "
        f"{format_time(state.filter_failed)}, which was left out: {state.filter_failed_error}; "
        f"{numbers.counters.filter_errors} such events so far. Mend it, then replay them"
    )
    return [Fact(condition, "False", Reason.FILTER_FAILED, message)]


def _failing(numbers: SubscriptionStats, target: str) -> str:
    state = numbers.state
    since = f" since {format_time(state.failing_since)}" if state.failing_since else ""
    soonest = next_try(SubscriptionState.FAILING, numbers)
    due = f"; next try {format_time(soonest)}" if soonest else ""
    return f"{target} fails{since}: {_last_answer(state)}{due}"


def _held(numbers: SubscriptionStats, _: str) -> str:
    state = numbers.state
    return (
        f"spec.{state.held_expression}.cel may not run before {format_time(state.held_until)}, and "
        f"what needs it waits: {state.held_because}"
    )


def _circuit_open(numbers: SubscriptionStats, target: str) -> str:
    state = numbers.state
    probe = f"; next probe {format_time(state.blocked_until)}" if state.blocked_until else ""
    return (
        f"{state.consecutive_failures} attempts in a row failed, last: {_last_answer(state)}; "
        f"{target} gets one probe at a time{probe}"
    )


def _disabled(numbers: SubscriptionStats, target: str) -> str:
    state = numbers.state
    why = state.disabled_reason or "no success for too long"
    return (
        f"{why}, last: {_last_answer(state)}; nothing is sent to {target} since "
        f"{format_time(state.disabled_at)} and events are kept. Mend it, then annotate it with "
        f"{RESUME}=$(date -u +%FT%TZ)"
    )


_WORDS: Final = {
    SubscriptionState.IDLE: lambda *_: "nothing to deliver for five minutes",
    SubscriptionState.DELIVERING: lambda _, target: f"{target} takes what it is sent",
    SubscriptionState.FAILING: _failing,
    SubscriptionState.HELD: _held,
    SubscriptionState.CIRCUIT_OPEN: _circuit_open,
    SubscriptionState.DISABLED: _disabled,
    SubscriptionState.SUSPENDED: lambda *_: "spec.suspend is true; events are kept",
}


def _last_answer(state: TargetHealth) -> str:
    return state.last_failure_error or f"answer {state.last_failure_code}"


def _delivery(word: SubscriptionState | None, numbers: SubscriptionStats) -> DeliveryStatus:
    counters, state = numbers.counters, numbers.state
    return DeliveryStatus(
        delivered=counters.delivered,
        filtered=counters.filtered,
        filter_errors=counters.filter_errors or None,
        last_filter_error=_last_filter_error(state),
        pending=numbers.pending + numbers.sending,
        retrying=numbers.retrying,
        dead=numbers.dead,
        expired=counters.expired,
        next_retry_time=time_or_none(next_try(word, numbers)),
        last_success=_last_success(state),
        last_failure=_last_failure(state, numbers),
        failing_since=time_or_none(state.failing_since),
        disabled_since=time_or_none(state.disabled_at),
        oldest_pending_time=time_or_none(numbers.oldest_pending),
        circuit=state.circuit.value,
        blocked_until=time_or_none(state.blocked_until),
        held_until=time_or_none(state.held_until),
    )


def _last_success(state: TargetHealth) -> LastSuccess | None:
    if not state.last_success:
        return None
    return LastSuccess(
        time=format_time(state.last_success),
        event_id=state.last_success_event,
        status_code=state.last_success_code,
        milliseconds=state.last_success_duration,
    )


def _last_filter_error(state: TargetHealth) -> LastFilterError | None:
    if not state.filter_failed:
        return None
    return LastFilterError(
        time=format_time(state.filter_failed),
        event_id=state.filter_failed_event,
        message=state.filter_failed_error[:512],
    )


def _last_failure(state: TargetHealth, numbers: SubscriptionStats) -> LastFailure | None:
    if not state.last_failure:
        return None
    due = next(
        (x.due for x in numbers.recent_failures if x.event_id == state.last_failure_event), 0
    )
    return LastFailure(
        time=format_time(state.last_failure),
        event_id=state.last_failure_event,
        status_code=state.last_failure_code or None,
        message=state.last_failure_error[:512],
        attempt=state.last_failure_attempt,
        next_retry_time=time_or_none(_not_before(due, numbers)),
    )


def _not_before(due: Millis, numbers: SubscriptionStats) -> Millis:
    """A delivery that is due waits for what holds up its subscription."""
    return max(due, numbers.state.blocked_until) if due else 0


def _recent(failure: FailingDelivery, numbers: SubscriptionStats) -> RecentFailure:
    dead = failure.state is DeliveryState.DEAD
    return RecentFailure(
        event_id=failure.event_id,
        type=failure.type[:128],
        state="Dead" if dead else "Retrying",
        attempts=failure.attempts,
        status_code=failure.status_code or None,
        message=failure.error[:512],
        next_retry_time=None if dead else time_or_none(_not_before(failure.due, numbers)),
    )
