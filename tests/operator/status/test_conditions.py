"""Conditions: what decides, what kstatus hears, and when a transition happened."""

from __future__ import annotations

import pytest

from hookplane.compile.model import ObjectKey, Problem, Severity
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.store.process_registry import Member, Presence, Role
from hookplane_operator.state.facts import Blocker
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.conditions import (
    MAX_MESSAGE,
    Fact,
    Truth,
    accepted,
    programmed,
    resolved,
    secrets_resolved,
    settle,
    with_summaries,
)
from hookplane_operator.status.observation import Observation

GOOD = Fact(ConditionType.ACCEPTED, "True", Reason.ACCEPTED)


def member(
    version: int, *, ready: bool = True, role: Role = Role.DISPATCHER, **refused: str
) -> Member:
    return Member(1, role, f"d{version}", 0, Presence(ready, version, refused))


def seen(*members: Member, away: str = "") -> Observation:
    return Observation(0, away, members)


@pytest.mark.parametrize(
    ("observed", "version", "status", "reason"),
    [
        (None, 5, "Unknown", Reason.PENDING),
        (seen(away="no answer"), 5, "Unknown", Reason.STORE_UNAVAILABLE),
        (seen(member(5)), None, "False", Reason.PENDING),
        (seen(), 5, "False", Reason.NO_PROCESS),
        (seen(member(9, role=Role.RECEIVER)), 5, "False", Reason.NO_PROCESS),
        (seen(member(5)), 5, "True", Reason.PROGRAMMED),
        (seen(member(7), member(4)), 5, "False", Reason.PENDING),
        # a process that is starting flips nothing
        (seen(member(7), member(0, ready=False)), 5, "True", Reason.PROGRAMMED),
        (seen(member(0, ready=False)), 5, "False", Reason.NO_PROCESS),
        (seen(member(7, u="too new")), 5, "False", Reason.REFUSED),
    ],
)
def test_programmed(
    observed: Observation | None, version: int | None, status: Truth, reason: Reason
) -> None:
    fact = programmed(Role.DISPATCHER, "u", version, 3, observed)
    assert (fact.status, fact.reason) == (status, reason)


def test_ready_takes_the_reason_of_what_decides() -> None:
    bad = Fact(ConditionType.SECRETS_RESOLVED, "False", Reason.SECRET_NOT_FOUND, "no Secret")
    unknown = Fact(ConditionType.PROGRAMMED, "Unknown", Reason.STORE_UNAVAILABLE)
    ready, summary, *_ = with_summaries([GOOD, unknown, bad])
    assert (ready.type, ready.status, ready.reason) == (
        ConditionType.READY,
        "False",
        Reason.SECRET_NOT_FOUND,
    )
    assert (summary.type, summary.status) == (ConditionType.RECONCILING, "True")


def test_what_only_an_edit_helps_is_stalled() -> None:
    bad = Fact(ConditionType.ACCEPTED, "False", Reason.INVALID, "spec.x: no")
    types = [x.type for x in with_summaries([bad])]
    assert ConditionType.STALLED in types
    assert ConditionType.RECONCILING not in types


def test_all_good_says_ready_and_nothing_abnormal() -> None:
    assert [x.type for x in with_summaries([GOOD])] == [ConditionType.READY, ConditionType.ACCEPTED]


def test_a_transition_is_a_change_of_status_only() -> None:
    old = [
        {"type": "Accepted", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ]
    now = "2026-02-02T00:00:00Z"
    ready, taken = settle(with_summaries([GOOD]), old, 7, now)
    assert ready.last_transition_time == now
    assert taken.last_transition_time == "2026-01-01T00:00:00Z"
    assert ready.observed_generation == taken.observed_generation == 7


def problem(path: str, severity: Severity = Severity.ERROR) -> Problem:
    return Problem("WebhookEndpoint", "shop", "orders", path, "no", severity)


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        # one, with its field
        ([problem("spec.x")], "spec.x: no"),
        # one of the whole object
        ([problem("")], "no"),
        # the first is told and the others are counted
        ([problem("spec.x"), problem("spec.y"), problem("spec.z")], "spec.x: no (and 2 more)"),
        # a note is neither told nor counted
        ([problem("spec.n", Severity.NOTE), problem("spec.x")], "spec.x: no"),
    ],
)
def test_problems(problems: list[Problem], message: str) -> None:
    assert resolved(ConditionType.ACCEPTED, problems, GOOD).message == message


def test_a_note_alone_changes_nothing() -> None:
    assert resolved(ConditionType.ACCEPTED, [problem("spec.n", Severity.NOTE)], GOOD) is GOOD


@pytest.mark.parametrize(
    ("members", "generation", "message"),
    [
        # one process
        ((member(7),), 3, "generation 3 is in force in 1 of 1 dispatcher"),
        # several processes
        ((member(7), member(8)), 3, "generation 3 is in force in 2 of 2 dispatchers"),
        # one of them is behind
        ((member(7), member(6)), 3, "generation 3 is in force in 1 of 2 dispatchers"),
        # a gateway's configuration has no generation
        ((member(7),), 0, "in force in 1 of 1 dispatcher"),
        # one of them refuses it, and says why
        ((member(7), member(8, u="too new")), 3, "dispatcher d8: too new"),
        # a refusal of another object says nothing
        ((member(7, v="too new"),), 3, "generation 3 is in force in 1 of 1 dispatcher"),
        # nobody is there
        ((), 3, "no dispatcher is ready"),
    ],
)
def test_in_force(members: tuple[Member, ...], generation: int, message: str) -> None:
    assert programmed(Role.DISPATCHER, "u", 7, generation, seen(*members)).message == message


def test_a_long_message_is_cut() -> None:
    fact = Fact(ConditionType.ACCEPTED, "False", Reason.INVALID, "x" * (MAX_MESSAGE + 1))
    made = settle([fact], (), 1, "2026-01-01T00:00:00Z")
    assert made[0].message == "x" * MAX_MESSAGE


def test_ready_says_nothing_more_when_all_is_good() -> None:
    programs = Fact(ConditionType.PROGRAMMED, "True", Reason.PROGRAMMED, "in force in 1 of 1")
    assert with_summaries([GOOD, programs])[0] == Fact(
        ConditionType.READY, "True", Reason.PROGRAMMED
    )


NO_ACCESS = Blocker(ConditionType.SECRETS_RESOLVED, Reason.SECRET_NOT_FOUND, "no answer")
TOO_EARLY = Blocker(ConditionType.ACCEPTED, Reason.PENDING, "not listed yet")


@pytest.mark.parametrize(
    ("unknown", "first", "second"),
    [
        # all is known
        (None, ("True", Reason.ACCEPTED, ""), ("True", Reason.RESOLVED, "")),
        # what is not known is said by its own condition alone
        (
            NO_ACCESS,
            ("True", Reason.ACCEPTED, ""),
            ("Unknown", Reason.SECRET_NOT_FOUND, "no answer"),
        ),
        (
            TOO_EARLY,
            ("Unknown", Reason.PENDING, "not listed yet"),
            ("True", Reason.RESOLVED, ""),
        ),
    ],
)
def test_what_cannot_be_judged_is_unknown(
    unknown: Blocker | None, first: tuple[Truth, Reason, str], second: tuple[Truth, Reason, str]
) -> None:
    key = ObjectKey("WebhookEndpoint", "shop", "orders")
    result = ReconcileResult(key, "u", 3, unknown=unknown)
    assert accepted(result) == Fact(ConditionType.ACCEPTED, *first)
    assert secrets_resolved(result) == Fact(ConditionType.SECRETS_RESOLVED, *second)


def test_a_problem_is_stronger_than_what_cannot_be_judged() -> None:
    key = ObjectKey("WebhookEndpoint", "shop", "orders")
    result = ReconcileResult(key, "u", 3, (problem("spec.x"),), unknown=TOO_EARLY)
    assert accepted(result) == Fact(ConditionType.ACCEPTED, "False", Reason.INVALID, "spec.x: no")


def test_the_first_of_several_problems_gives_the_reason() -> None:
    other = Problem("WebhookEndpoint", "shop", "orders", "", "no", reason=Reason.UNKNOWN_PROVIDER)
    fact = resolved(ConditionType.ACCEPTED, [problem("spec.x"), other], GOOD)
    assert (fact.reason, fact.message) == (Reason.INVALID, "spec.x: no (and 1 more)")


def test_a_problem_of_another_condition_changes_nothing() -> None:
    reason = Reason.SECRET_NOT_FOUND
    other = Problem("WebhookEndpoint", "shop", "orders", "", "no", reason=reason)
    assert resolved(ConditionType.ACCEPTED, [other], GOOD) is GOOD
