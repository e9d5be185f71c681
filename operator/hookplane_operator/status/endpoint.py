"""Status of a WebhookEndpoint; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.config.endpoint import EndpointConfig
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.endpoint import MAX_REASONS, EndpointStatus, LastRejected, Requests
from hookplane.reporting.states import EndpointState, endpoint_state
from hookplane.store.process_registry import Role
from hookplane.store.queries import EndpointStats
from hookplane.units import format_time
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.conditions import (
    Fact,
    Truth,
    accepted,
    programmed,
    secrets_resolved,
    settle,
    time_or_none,
    with_summaries,
)
from hookplane_operator.status.observation import Observation

_TRUTH: Final[Mapping[EndpointState, tuple[Truth, Reason]]] = {
    EndpointState.IDLE: ("Unknown", Reason.IDLE),
    EndpointState.RECEIVING: ("True", Reason.RECEIVING),
    EndpointState.REJECTING: ("False", Reason.REJECTING),
    EndpointState.SUSPENDED: ("False", Reason.SUSPENDED),
}


def endpoint_status(
    result: ReconcileResult,
    document: EndpointConfig | None,
    version: int | None,
    base: str,
    seen: Observation | None,
    old: Mapping[str, Any],
    now: Millis,
) -> EndpointStatus:
    """`base`: URL of the gateway; `old`: the status so far."""
    numbers = seen.endpoints.get(result.uid) if seen is not None else None
    current = document if document and document.generation == result.generation else None
    facts = [
        accepted(result),
        secrets_resolved(result),
        programmed(
            Role.RECEIVER, result.uid, version if current else None, result.generation, seen
        ),
    ]
    facts = with_summaries(facts)
    word = None
    if document is not None and numbers is not None:
        word = endpoint_state(document, numbers, now)
        facts += _receiving(word, numbers)
    ready = facts[0].status == "True"
    return EndpointStatus(
        observed_generation=result.generation,
        conditions=settle(facts, old.get("conditions", ()), result.generation, format_time(now)),
        state=word.value if word and ready else None,
        url=f"{base.rstrip('/')}/{result.key.namespace}/{result.key.name}" if base else None,
        requests=_requests(numbers) if numbers is not None else None,
    )


def _receiving(word: EndpointState | None, numbers: EndpointStats) -> list[Fact]:
    if word is None:
        return []
    truth, reason = _TRUTH[word]
    message = ""
    if word is EndpointState.REJECTING:
        message = f"{numbers.last_rejected_reason}: {numbers.last_rejected_detail}".rstrip(": ")
    if word is EndpointState.IDLE:
        message = "no request for five minutes" if numbers.accepted else "no request so far"
    return [Fact(ConditionType.RECEIVING, truth, reason, message)]


def _requests(numbers: EndpointStats) -> Requests:
    by_reason = sorted(numbers.rejected.items(), key=lambda pair: -pair[1])[:MAX_REASONS]
    return Requests(
        accepted=numbers.accepted,
        duplicates=numbers.duplicates,
        conflicts=numbers.conflicts,
        rejected=sum(numbers.rejected.values()),
        rejected_by_reason=dict(by_reason),
        stored=numbers.stored,
        last_accepted_time=time_or_none(numbers.last_accepted),
        last_rejected=_last_rejected(numbers),
    )


def _last_rejected(numbers: EndpointStats) -> LastRejected | None:
    if not numbers.last_rejected:
        return None
    return LastRejected(
        time=format_time(numbers.last_rejected),
        reason=numbers.last_rejected_reason or "Unknown",
        message=numbers.last_rejected_detail[:512],
    )
