"""What the statuses of several kinds have in common; pure."""

from __future__ import annotations

from hookplane.clock import Millis
from hookplane.kinds.base import Time
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.units import format_time
from hookplane_operator.config.verdict import Verdict
from hookplane_operator.status.conditions import Fact, resolved


def accepted(verdict: Verdict) -> Fact:
    condition = ConditionType.ACCEPTED
    return resolved(condition, verdict.problems, Fact(condition, "True", Reason.ACCEPTED))


def secrets_resolved(verdict: Verdict) -> Fact:
    condition = ConditionType.SECRETS_RESOLVED
    good = Fact(condition, "True", Reason.RESOLVED)
    if verdict.unknown:
        good = Fact(condition, "Unknown", Reason.SECRET_NOT_FOUND, verdict.unknown)
    return resolved(condition, verdict.problems, good)


def time_or_none(millis: Millis) -> Time | None:
    return format_time(millis) if millis else None
