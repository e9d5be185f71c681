"""Which disabled subscriptions an annotation resumes."""

from __future__ import annotations

import pytest

from hookplane_operator.status.resuming import AHEAD, RESUME, wants_resume, why_not

NOW = 1_000_000_000
DISABLED = 900_000_500


@pytest.mark.parametrize(
    ("value", "disabled_at", "wants"),
    [
        ("1970-01-11T10:00:00Z", DISABLED, True),
        ("1970-01-11T12:00:00+02:00", DISABLED, True),
        # the second in which it was disabled, the one before
        ("1970-01-11T10:00:00Z", 900_000_000 + 999, True),
        ("1970-01-11T09:59:59Z", DISABLED, False),
        # it is disabled again after that
        ("1970-01-11T10:00:00Z", 950_000_000, False),
        ("1970-01-11T10:00:00Z", 0, False),
        ("now", DISABLED, False),
        ("2070-01-11T10:00:00Z", DISABLED, False),
        ("", DISABLED, False),
    ],
)
def test_a_time_resumes_what_was_disabled_before(value: str, disabled_at: int, wants: bool) -> None:
    assert wants_resume({RESUME: value}, disabled_at, NOW) is wants


def test_without_an_annotation_nothing_is_resumed_and_nothing_is_wrong() -> None:
    assert not wants_resume({"a": "b"}, DISABLED, NOW)
    assert why_not({"a": "b"}, NOW) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("yes", '"yes" is not a time; write it like 2026-11-21T00:00:00Z'),
        ("2070-01-11T10:00:00Z", "2070-01-11T10:00:00Z is in the future"),
    ],
)
def test_what_is_wrong_with_it_is_said(value: str, words: str) -> None:
    assert words in why_not({RESUME: value}, NOW)


def test_a_clock_may_be_a_little_ahead() -> None:
    assert why_not({RESUME: "1970-01-12T13:50:00Z"}, NOW) == ""
    assert why_not({RESUME: "1970-01-12T13:50:00Z"}, NOW - AHEAD) != ""
