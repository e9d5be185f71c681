"""Status of a WebhookReplay; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.replay import ReplayStatus
from hookplane.store.delivery_store import ReplayJob, ReplayPhase
from hookplane.units import format_time
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.conditions import (
    Fact,
    Truth,
    accepted,
    resolved,
    settle,
    time_or_none,
    with_summaries,
)
from hookplane_operator.status.observation import Observation

_NOT_FOUND: Final = (
    "not in the store, of no endpoint of the subscription, or delivered without a replay, because "
    "their turn has not come yet"
)
_COMPLETE: Final[Mapping[ReplayPhase, tuple[Truth, Reason]]] = {
    ReplayPhase.RUNNING: ("False", Reason.RUNNING),
    ReplayPhase.COMPLETE: ("True", Reason.COMPLETE),
    ReplayPhase.CANCELLED: ("False", Reason.CANCELLED),
}


def replay_status(
    result: ReconcileResult, seen: Observation | None, old: Mapping[str, Any], now: Millis
) -> ReplayStatus:
    """`old`: the status so far."""
    job = seen.replays.get(result.uid) if seen is not None else None
    condition = ConditionType.SUBSCRIPTION_RESOLVED
    good = Fact(condition, "True", Reason.RESOLVED)
    facts = [
        accepted(result),
        good if job is not None else resolved(condition, result.problems, good),
        _programmed(job, seen),
    ]
    facts = with_summaries(facts)
    facts.append(_complete(job))
    return ReplayStatus(
        observed_generation=result.generation,
        conditions=settle(facts, old.get("conditions", ()), result.generation, format_time(now)),
        state=job.phase.value if job is not None else "Pending",
        matched=job.matched if job else None,
        delivered=job.delivered if job else None,
        failed=job.failed if job else None,
        not_found=job.not_found if job else None,
        start_time=time_or_none(job.created) if job else None,
        completion_time=time_or_none(job.finished) if job else None,
    )


def _programmed(job: ReplayJob | None, seen: Observation | None) -> Fact:
    condition = ConditionType.PROGRAMMED
    if seen is not None and seen.away and job is None:
        return Fact(condition, "Unknown", Reason.STORE_UNAVAILABLE, seen.away)
    if job is None:
        return Fact(condition, "False", Reason.PENDING, "the job is not created yet")
    return Fact(condition, "True", Reason.PROGRAMMED)


def _complete(job: ReplayJob | None) -> Fact:
    condition = ConditionType.COMPLETE
    if job is None:
        return Fact(condition, "False", Reason.PENDING)
    truth, reason = _COMPLETE[job.phase]
    words = f"{job.matched} matched, {job.delivered} delivered, {job.failed} failed"
    if job.not_found:
        words += f", {job.not_found} ids not found: {_NOT_FOUND}"
    return Fact(condition, truth, reason, words)
