from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.config.subscription import RetryConfig
from hookplane.retry import (
    RETRY_AFTER_LEAST,
    RETRY_AFTER_MOST,
    SLACK,
    OutcomeKind,
    attempts_allowed,
    classify,
    deadline,
    due,
    retry_after,
)

NOW = 1_800_000_000_000  # Fri, 15 Jan 2027 08:00:00 GMT
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("17", 17_000),
        (" 17 ", 17_000),
        ("0", 1_000),  # not at once
        ("-1", 1_000),
        ("3600", HOUR),
        ("1000000000", HOUR),  # not for ever
        ("9" * 20, HOUR),
        ("9" * 65, None),  # longer than any sane number
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30_000),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 1_000),  # in the past
        ("Fri, 15 Jan 2037 08:00:00 GMT", HOUR),
        ("Fri, 15 Jan 2027 09:00:30 +0100", 30_000),
        ("Fri, 15 Jan 2027 08:00:30 -0000", 30_000),
        ("Fri, 99 Jan 2027 08:00:00 GMT", None),
        ("soon", None),
        ("1.5", None),
        ("\u0661\u0667", None),  # digits, but not ASCII
        ("", None),
    ],
)
def test_retry_after(text: str, pause: int | None) -> None:
    assert retry_after(text, NOW) == pause


@given(st.text(max_size=80))
def test_retry_after_survives_anything(text: str) -> None:
    pause = retry_after(text, NOW)
    assert pause is None or RETRY_AFTER_LEAST <= pause <= RETRY_AFTER_MOST


@pytest.mark.parametrize(
    ("status", "header", "verdict"),
    [
        (200, None, OutcomeKind.SUCCESS),
        (204, "5", OutcomeKind.SUCCESS),
        (299, None, OutcomeKind.SUCCESS),
        (300, None, OutcomeKind.FAILED),
        (301, None, OutcomeKind.FAILED),  # never followed
        (308, "5", OutcomeKind.FAILED),
        (400, None, OutcomeKind.FAILED),
        (404, "5", OutcomeKind.FAILED),
        (410, "5", OutcomeKind.GONE),
        (429, "5", OutcomeKind.THROTTLED),
        (503, "5", OutcomeKind.THROTTLED),
        (429, None, OutcomeKind.FAILED),
        (503, "soon", OutcomeKind.FAILED),
        (500, "5", OutcomeKind.FAILED),
        (0, None, OutcomeKind.FAILED),  # no answer
        (100, None, OutcomeKind.FAILED),
    ],
)
def test_classify(status: int, header: str | None, verdict: OutcomeKind) -> None:
    outcome = classify(status, header, NOW)
    assert outcome.verdict is verdict
    assert outcome.pause == (5_000 if verdict is OutcomeKind.THROTTLED else 0)


def test_the_schedule_and_its_end() -> None:
    config = RetryConfig(schedule=(5_000, 60_000), jitter_percent=0)
    chance = random.Random(1)
    assert attempts_allowed(config) == 3
    assert [due(config, made, NOW, chance) for made in range(4)] == [
        NOW,
        NOW + 5_000,
        NOW + 60_000,
        None,
    ]
    assert due(RetryConfig(schedule=()), 1, NOW, chance) is None


@given(
    st.lists(st.integers(0, 10**8), max_size=32),
    st.integers(0, 100),
    st.integers(0, 60_000),
    st.integers(0, 2**32),
)
def test_jitter_only_adds_and_never_passes_the_deadline(
    schedule: list[int], jitter: int, timeout: int, seed: int
) -> None:
    config = RetryConfig(schedule=tuple(schedule), jitter_percent=jitter)
    chance = random.Random(seed)
    at = NOW
    for made, pause in enumerate(schedule, start=1):
        failed = at + timeout
        at = due(config, made, failed, chance) or 0
        assert pause <= at - failed <= pause + pause * jitter / 100
    assert at + SLACK - len(schedule) <= deadline(NOW, config, timeout)
