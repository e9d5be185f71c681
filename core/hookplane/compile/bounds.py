"""Durations and rates: their bounds, beyond what the kinds themselves check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookplane.clock import Millis
from hookplane.compile.problems import Problems
from hookplane.config.base import RateLimit
from hookplane.kinds.base import Rate
from hookplane.units import format_duration, parse_duration

SECOND: Final[Millis] = 1_000
HOUR: Final[Millis] = 3_600_000


@dataclass(frozen=True, slots=True)
class DurationBounds:
    """Shortest and longest duration that a field takes, both included."""

    least: Millis
    most: Millis


TOLERANCE: Final = DurationBounds(SECOND, 24 * HOUR)
DEDUP_WINDOW: Final = DurationBounds(SECOND, 720 * HOUR)
RATE_PER: Final = DurationBounds(1, 24 * HOUR)
ROTATE_EVERY: Final = DurationBounds(SECOND, 99_999 * HOUR)
OVERLAP: Final = DurationBounds(0, 99_999 * HOUR)
PROBE: Final = DurationBounds(1, 24 * HOUR)
PAUSE: Final = DurationBounds(0, 720 * HOUR)
DISABLE_AFTER: Final = DurationBounds(0, 99_999 * HOUR)


def bounded(text: str, bounds: DurationBounds, path: str, problems: Problems) -> Millis:
    """The duration in milliseconds. One that is out of bounds is an error at `path`, and is cut to
    the bound so that compiling can go on."""
    millis = parse_duration(text)
    if not bounds.least <= millis <= bounds.most:
        least, most = format_duration(bounds.least), format_duration(bounds.most)
        problems.error(path, f'"{text}" is out of bounds; it can be {least} to {most}')
    return min(max(millis, bounds.least), bounds.most)


def rate_limit(rate: Rate | None, path: str, problems: Problems) -> RateLimit | None:
    """The rate as a token bucket; None: unlimited."""
    if rate is None:
        return None
    per = bounded(rate.per, RATE_PER, f"{path}.per", problems)
    return RateLimit(tokens=rate.requests, per=per, burst=rate.burst or rate.requests)
