"""The list of conditions is complete and names nothing twice."""

from __future__ import annotations

from hookplane.kinds.conditions import ALL, CONDITIONS, ConditionType, Reason
from hookplane.kinds.registry import KIND_BY_NAME, KINDS
from hookplane.kinds.status import MAX_CONDITIONS, Condition


def test_every_type_is_explained_once() -> None:
    assert sorted(info.type for info in CONDITIONS) == sorted(ConditionType)


def test_every_reason_is_explained_and_belongs_to_a_condition() -> None:
    assert all(reason.meaning for reason in Reason)
    assert {reason for info in CONDITIONS for reason in info.reasons} == set(Reason)


def test_conditions_are_on_kinds_that_exist() -> None:
    assert set(ALL) == set(KIND_BY_NAME)
    assert {name for info in CONDITIONS for name in info.kinds} <= set(KIND_BY_NAME)


def test_all_conditions_of_a_kind_fit_into_its_status() -> None:
    for kind in KINDS:
        assert sum(kind.kind in info.kinds for info in CONDITIONS) <= MAX_CONDITIONS


def test_every_word_can_be_written_into_a_condition() -> None:
    for info in CONDITIONS:
        for reason in info.reasons:
            Condition(
                type=info.type,
                status="True",
                reason=reason,
                last_transition_time="2026-11-23T12:00:00Z",
                observed_generation=1,
            )
