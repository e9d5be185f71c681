"""What an HTTP answer means: status code and Retry-After. Pure."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane_dispatcher.egress.client import KEPT_ANSWER_BYTES, OutboundResponse
from hookplane_dispatcher.transports.transport import (
    LONGEST_PAUSE,
    REFUSED_CODE,
    Outcome,
    OutcomeKind,
)

RETRY_AFTER_LEAST: Final[Millis] = 1_000
_THROTTLING: Final = frozenset({429, 503})
_TARGETS_OWN: Final = frozenset({408, 429})
"""Of the 4xx: those that speak against the target and not against the event that was sent."""
_SECONDS: Final = re.compile(r"-?[0-9]{1,20}")
_MAX_RETRY_AFTER: Final = 64
"""Characters; a longer header is garbage."""
_STATUS: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def outcome_of(response: OutboundResponse, clock: Clock) -> Outcome:
    """The outcome of one attempt. A redirect is a failure."""
    kind, pause, error = OutcomeKind.DELIVERED, 0, ""
    if not 200 <= response.status_code < 300:
        pause = _pause(response, clock)
        kind = OutcomeKind.THROTTLED if pause else _failure(response.status_code)
        error = _error(response)
    answer = response.body[:KEPT_ANSWER_BYTES]
    return Outcome(kind, response.duration, pause, response.status_code, error, answer)


def retry_after(text: str, now: Millis) -> Millis | None:
    """Reads Retry-After (RFC 9110 §10.2.3), seconds or a date, clamped to [1 s, 1 h].

    Zero, negative numbers and dates in the past mean the least; what is neither gives None.
    """
    text = text.strip()
    if len(text) > _MAX_RETRY_AFTER:
        return None
    pause = int(text) * 1000 if _SECONDS.fullmatch(text) else _until(text, now)
    return None if pause is None else min(max(pause, RETRY_AFTER_LEAST), LONGEST_PAUSE)


def _until(text: str, now: Millis) -> Millis | None:
    try:
        parsed = parsedate_to_datetime(text)
        moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _failure(status_code: int) -> OutcomeKind:
    if status_code == REFUSED_CODE:
        return OutcomeKind.REFUSED
    rejects = 400 <= status_code < 500 and status_code not in _TARGETS_OWN
    return OutcomeKind.REJECTED if rejects else OutcomeKind.FAILED


def _pause(response: OutboundResponse, clock: Clock) -> Millis:
    """How long an answer asks to pause; 0: it does not."""
    if response.status_code not in _THROTTLING or response.retry_after is None:
        return 0
    return retry_after(response.retry_after, clock.now()) or 0


def _error(response: OutboundResponse) -> str:
    if response.error is not None:
        return f"{response.error}: {response.detail}" if response.detail else str(response.error)
    return _STATUS.get(response.status_code, str(response.status_code))
