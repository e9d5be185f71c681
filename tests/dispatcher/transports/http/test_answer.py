from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane_dispatcher.egress.client import EgressError, OutboundResponse
from hookplane_dispatcher.transports.http.answer import (
    RETRY_AFTER_LEAST,
    outcome_of,
    retry_after,
)
from hookplane_dispatcher.transports.transport import LONGEST_PAUSE, OutcomeKind
from support.clocks.manual import ManualClock

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
    assert pause is None or RETRY_AFTER_LEAST <= pause <= LONGEST_PAUSE


@pytest.mark.parametrize(
    ("status", "header", "kind"),
    [
        (200, None, OutcomeKind.DELIVERED),
        (204, "5", OutcomeKind.DELIVERED),
        (299, None, OutcomeKind.DELIVERED),
        (300, None, OutcomeKind.FAILED),
        (301, None, OutcomeKind.FAILED),  # never followed
        (308, "5", OutcomeKind.FAILED),
        (400, None, OutcomeKind.REJECTED),
        (404, "5", OutcomeKind.REJECTED),
        (408, None, OutcomeKind.FAILED),
        (499, None, OutcomeKind.REJECTED),
        (410, "5", OutcomeKind.REFUSED),
        (429, "5", OutcomeKind.THROTTLED),
        (503, "5", OutcomeKind.THROTTLED),
        (429, None, OutcomeKind.FAILED),
        (503, "soon", OutcomeKind.FAILED),
        (500, "5", OutcomeKind.FAILED),
        (0, None, OutcomeKind.FAILED),  # no answer
        (100, None, OutcomeKind.FAILED),
    ],
)
def test_outcome(status: int, header: str | None, kind: OutcomeKind) -> None:
    outcome = outcome_of(OutboundResponse(status, 7, b"x" * 2_000, header), ManualClock(NOW))
    assert outcome.kind is kind
    assert outcome.pause == (5_000 if kind is OutcomeKind.THROTTLED else 0)
    assert bool(outcome.error) is (kind is not OutcomeKind.DELIVERED)
    assert (outcome.status_code, outcome.duration, len(outcome.answer)) == (status, 7, 1_024)


def test_what_went_wrong_is_said_in_words() -> None:
    refused = OutboundResponse(0, 5, error=EgressError.TLS, detail="the certificate is old")
    assert outcome_of(refused, ManualClock(NOW)).error == "TLS failed: the certificate is old"
    assert outcome_of(OutboundResponse(410, 5), ManualClock(NOW)).error == "410 Gone"
    assert outcome_of(OutboundResponse(599, 5), ManualClock(NOW)).error == "599"
