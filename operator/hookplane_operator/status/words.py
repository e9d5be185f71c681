"""What the statuses of several kinds have in common; pure."""

from __future__ import annotations

from hookplane.clock import Millis
from hookplane.kinds.base import Time
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.units import format_time
from hookplane_operator.config.result import ReconcileResult
from hookplane_operator.status.conditions import Fact, resolved


def accepted(verdict: ReconcileResult) -> Fact:
    return _judged(ConditionType.ACCEPTED, Reason.ACCEPTED, verdict)


def secrets_resolved(verdict: ReconcileResult) -> Fact:
    return _judged(ConditionType.SECRETS_RESOLVED, Reason.RESOLVED, verdict)


def time_or_none(millis: Millis) -> Time | None:
    return format_time(millis) if millis else None


def _judged(condition: ConditionType, good: Reason, verdict: ReconcileResult) -> Fact:
    fact, unknown = Fact(condition, "True", good), verdict.unknown
    if unknown is not None and unknown.type is condition:
        fact = Fact(condition, "Unknown", unknown.reason, unknown.message)
    return resolved(condition, verdict.problems, fact)
