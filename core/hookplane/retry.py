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


def deadline(first_attempt_at: Millis, config: RetryConfig, timeout: Millis) -> Millis:
    """When the schedule ends, even if the delivery is held back meanwhile.

    It is the time at which the last attempt starts if each pause gets all of its jitter and each
    attempt takes its whole `timeout`, so no attempt is cut off by jitter or by a slow target.
    """
    pauses = sum(pause + pause * config.jitter_percent // 100 for pause in config.schedule)
    return first_attempt_at + pauses + len(config.schedule) * timeout + SLACK
