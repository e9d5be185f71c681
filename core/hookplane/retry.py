"""When a failed delivery is tried again, and what an answer means."""

from __future__ import annotations

import random as chance
import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import RetryConfig

RETRY_AFTER_LEAST: Final[Millis] = 1_000
RETRY_AFTER_MOST: Final[Millis] = 3_600_000
SLACK: Final[Millis] = 5_000
"""So much later than planned may the last attempt start before its schedule counts as over."""

_SECONDS: Final = re.compile(r"-?[0-9]{1,20}")
_MAX_RETRY_AFTER: Final = 64
"""Characters; a longer header is garbage."""
_THROTTLING: Final = frozenset({429, 503})


class OutcomeKind(StrEnum):
    """What an answer means for a delivery and its subscription."""

    SUCCESS = "success"
    GONE = "gone"
    """410: the target wants nothing any more."""
    THROTTLED = "throttled"
    """429 or 503 with Retry-After: the subscription pauses."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, and with THROTTLED how long to pause."""

    verdict: OutcomeKind
    pause: Millis = 0


_SUCCESS: Final = Outcome(OutcomeKind.SUCCESS)
_GONE: Final = Outcome(OutcomeKind.GONE)
_FAILED: Final = Outcome(OutcomeKind.FAILED)


def classify(status_code: int, retry_after_text: str | None, now: Millis) -> Outcome:
    """Judges an answer; `status_code` 0 means that there was none. A redirect is a failure."""
    if 200 <= status_code < 300:
        return _SUCCESS
    if status_code == 410:
        return _GONE
    if status_code in _THROTTLING and retry_after_text is not None:
        pause = retry_after(retry_after_text, now)
        return _FAILED if pause is None else Outcome(OutcomeKind.THROTTLED, pause)
    return _FAILED


def retry_after(text: str, now: Millis) -> Millis | None:
    """Reads Retry-After (RFC 9110 §10.2.3), seconds or a date, clamped to [1 s, 1 h].

    Zero, negative numbers and dates in the past mean the least; what is neither gives None.
    """
    text = text.strip()
    if len(text) > _MAX_RETRY_AFTER:
        return None
    pause = int(text) * 1000 if _SECONDS.fullmatch(text) else _until(text, now)
    return None if pause is None else min(max(pause, RETRY_AFTER_LEAST), RETRY_AFTER_MOST)


def _until(text: str, now: Millis) -> Millis | None:
    try:
        parsed = parsedate_to_datetime(text)
        moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def attempts_allowed(config: RetryConfig) -> int:
    """n pauses make n + 1 attempts."""
    return len(config.schedule) + 1


def due(
    config: RetryConfig, attempts_made: int, now: Millis, random: chance.Random
) -> Millis | None:
    """When the next attempt may start, or None when `attempts_made` were all.

    Jitter only adds: the pause of the schedule is a lower bound.
    """
    if attempts_made >= attempts_allowed(config):
        return None
    pause = config.schedule[attempts_made - 1] if attempts_made else 0
    return now + pause + int(pause * config.jitter_percent / 100 * random.random())


def deadline(first_attempt_at: Millis, config: RetryConfig, timeout: Millis) -> Millis:
    """When the schedule ends, even if the delivery is held back meanwhile.

    It is the time at which the last attempt starts if each pause gets all of its jitter and each
    attempt takes its whole `timeout`, so no attempt is cut off by jitter or by a slow target.
    """
    pauses = sum(pause + pause * config.jitter_percent // 100 for pause in config.schedule)
    return first_attempt_at + pauses + len(config.schedule) * timeout + SLACK
