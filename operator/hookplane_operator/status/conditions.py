"""Conditions: what holds, why, and since when; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from hookplane.clock import Millis
from hookplane.compile.model import Problem, Severity
from hookplane.kinds.base import Time
from hookplane.kinds.conditions import CONDITIONS, ConditionType, Reason
from hookplane.kinds.status import Condition
from hookplane.store.process_registry import Member, Role
from hookplane.units import format_time
from hookplane_operator.state.facts import Blocker
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.observation import Observation

Truth = Literal["True", "False", "Unknown"]
MAX_MESSAGE: Final = 1024
NEEDS_AN_EDIT: Final = frozenset(
    {
        Reason.INVALID,
        Reason.UNKNOWN_PROVIDER,
        Reason.NOT_ALLOWED,
        Reason.NOT_SUPPORTED,
        Reason.SECRET_NOT_ALLOWED,
        Reason.SECRET_NAME_TAKEN,
        Reason.CHILD_NAME_TAKEN,
        Reason.SEVERAL_GATEWAYS,
        Reason.STORE_IN_USE,
        Reason.INTERNAL_ERROR,
    }
)
_REASONS_OF: Final = {info.type: frozenset(info.reasons) for info in CONDITIONS}
_SUMMED: Final = (
    ConditionType.ACCEPTED,
    ConditionType.SECRETS_RESOLVED,
    ConditionType.ENDPOINTS_RESOLVED,
    ConditionType.SUBSCRIPTION_RESOLVED,
    ConditionType.STORE_AVAILABLE,
    ConditionType.PROGRAMMED,
    ConditionType.EXPOSED,
    ConditionType.INFORMED,
)
_DOUBTS: Final = frozenset({ConditionType.INFORMED})
"""Conditions that leave Ready unknown when they are False: what was in force stays so."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A condition without its times."""

    type: ConditionType
    status: Truth
    reason: Reason
    message: str = ""


def resolved(type: ConditionType, problems: Iterable[Problem], good: Fact) -> Fact:  # noqa: A002
    """`good`, unless one of the problems is about this condition."""
    about = [x for x in problems if x.reason in _REASONS_OF[type] and _is_trouble(x)]
    if not about:
        return good
    return told_of(type, "False", about)


def told_of(type: ConditionType, status: Truth, about: Sequence[Problem]) -> Fact:  # noqa: A002
    """A condition that tells the first of these problems, and how many more there are."""
    more = f" (and {len(about) - 1} more)" if len(about) > 1 else ""
    return Fact(type, status, about[0].reason, f"{_sentence(about[0])}{more}")


def _is_trouble(problem: Problem) -> bool:
    return problem.severity is not Severity.NOTE


def of_trouble(type: ConditionType, blockers: Iterable[Blocker], good: Fact) -> Fact:  # noqa: A002
    """`good`, unless there is a blocker of this type."""
    about = next((x for x in blockers if x.type is type), None)
    return good if about is None else Fact(type, about.truth, about.reason, about.message)


def programmed(
    role: Role, uid: str, version: int | None, generation: int, seen: Observation | None
) -> Fact:
    """Whether every process of the role that is ready has applied a document. `version` None: it is
    not written."""
    condition = ConditionType.PROGRAMMED
    if seen is None:
        return Fact(condition, "Unknown", Reason.PENDING, "the store has not been asked yet")
    if seen.away:
        return Fact(condition, "Unknown", Reason.STORE_UNAVAILABLE, seen.away)
    if version is None:
        return Fact(condition, "False", Reason.PENDING, f"generation {generation} is not in force")
    ready = seen.ready(role)
    if not ready:
        return Fact(condition, "False", Reason.NO_PROCESS, f"no {role} is ready")
    return _refused(uid, ready) or _in_force(role, version, generation, ready)


def _refused(uid: str, ready: Sequence[Member]) -> Fact | None:
    for member in ready:
        if uid in member.presence.refused:
            why = f"{member.role} {member.instance}: {member.presence.refused[uid]}"
            return Fact(ConditionType.PROGRAMMED, "False", Reason.REFUSED, why)
    return None


def _in_force(role: Role, version: int, generation: int, ready: Sequence[Member]) -> Fact:
    current = [x for x in ready if x.presence.version >= version]
    words = f"in force in {len(current)} of {len(ready)} {role}{'s'[: len(ready) != 1]}"
    message = f"generation {generation} is {words}" if generation else words
    if len(current) < len(ready):
        return Fact(ConditionType.PROGRAMMED, "False", Reason.PENDING, message)
    return Fact(ConditionType.PROGRAMMED, "True", Reason.PROGRAMMED, message)


def with_summaries(facts: Sequence[Fact]) -> list[Fact]:
    """Ready before them, and Reconciling or Stalled where they hold."""
    doubted = (replace(x, status="Unknown") if _is_doubt(x) else x for x in facts)
    summed = [x for x in doubted if x.type in _SUMMED]
    deciding = next((x for x in summed if x.status == "False"), None)
    deciding = deciding or next((x for x in summed if x.status != "True"), summed[-1])
    ready = Fact(ConditionType.READY, deciding.status, deciding.reason, "")
    if deciding.status != "True":
        ready = Fact(ready.type, ready.status, ready.reason, deciding.message)
    return [ready, *_kstatus(deciding), *facts]


def _is_doubt(fact: Fact) -> bool:
    return fact.type in _DOUBTS and fact.status == "False"


def _kstatus(deciding: Fact) -> list[Fact]:
    if deciding.status == "True":
        return []
    stalled = deciding.reason in NEEDS_AN_EDIT
    condition = ConditionType.STALLED if stalled else ConditionType.RECONCILING
    return [Fact(condition, "True", deciding.reason, deciding.message)]


def settle(
    facts: Sequence[Fact], old: Iterable[Mapping[str, Any]], generation: int, now: str
) -> list[Condition]:
    """With times: that of the last transition stays while the status does."""
    before = {x.get("type"): x for x in old}
    return [_settled(x, before.get(x.type.value, {}), generation, now) for x in facts]


def _settled(fact: Fact, old: Mapping[str, Any], generation: int, now: str) -> Condition:
    same = old.get("status") == fact.status
    return Condition(
        type=fact.type.value,
        status=fact.status,
        reason=fact.reason.value,
        message=fact.message[:MAX_MESSAGE],
        last_transition_time=old.get("lastTransitionTime", now) if same else now,
        observed_generation=generation,
    )


def _sentence(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def accepted(result: ReconcileResult) -> Fact:
    return _judged(ConditionType.ACCEPTED, Reason.ACCEPTED, result)


def secrets_resolved(result: ReconcileResult) -> Fact:
    return _judged(ConditionType.SECRETS_RESOLVED, Reason.RESOLVED, result)


def time_or_none(millis: Millis) -> Time | None:
    return format_time(millis) if millis else None


def _judged(condition: ConditionType, good: Reason, result: ReconcileResult) -> Fact:
    fact, unknown = Fact(condition, "True", good), result.unknown
    if unknown is not None and unknown.type is condition:
        fact = Fact(condition, "Unknown", unknown.reason, unknown.message)
    return resolved(condition, result.problems, fact)
