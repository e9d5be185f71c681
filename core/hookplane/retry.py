"""When a failed delivery is tried again. Pure."""

from __future__ import annotations

import random as chance
from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import RetryConfig

SLACK: Final[Millis] = 5_000
"""So much later than planned may the last attempt start before its schedule counts as over."""


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


def longest_pause(config: RetryConfig, attempts_made: int) -> Millis:
    """The pause before the next attempt, with all of its jitter; 0 before the first."""
    if not 0 < attempts_made < attempts_allowed(config):
        return 0
    return _longest(config, config.schedule[attempts_made - 1])


def deadline(at: Millis, config: RetryConfig, timeout: Millis, attempts_made: int = 0) -> Millis:
    """When the schedule ends, even if the delivery is held back meanwhile.

    It is the time at which the last attempt starts if each pause gets all of its jitter and each
    attempt takes its whole `timeout`, so no attempt is cut off by jitter or by a slow target.
    `at`: when the first attempt starts, or the one after `attempts_made`.
    """
    left = config.schedule[attempts_made:]
    return at + sum(_longest(config, pause) for pause in left) + len(left) * timeout + SLACK


def _longest(config: RetryConfig, pause: Millis) -> Millis:
    return pause + pause * config.jitter_percent // 100
