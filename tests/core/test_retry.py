from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from hookplane.config.subscription import RetryConfig
from hookplane.retry import (
    SLACK,
    attempts_allowed,
    deadline,
    due,
    longest_pause,
)

NOW = 1_800_000_000_000  # Fri, 15 Jan 2027 08:00:00 GMT
HOUR = 3_600_000


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


def test_the_longest_pause_before_an_attempt_has_all_of_its_jitter() -> None:
    config = RetryConfig(schedule=(5_000, 60_000), jitter_percent=20)
    assert [longest_pause(config, made) for made in range(-1, 5)] == [0, 0, 6_000, 72_000, 0, 0]


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


def test_a_deadline_has_all_jitter_all_timeouts_and_the_slack() -> None:
    config = RetryConfig(schedule=(1_000, 10_000), jitter_percent=25)
    assert deadline(NOW, config, 300) == NOW + 1_250 + 12_500 + 2 * 300 + SLACK


def test_without_a_schedule_only_the_slack_is_left() -> None:
    assert deadline(NOW, RetryConfig(schedule=()), 300) == NOW + SLACK


def test_jitter_is_drawn_from_the_whole_range() -> None:
    config = RetryConfig(schedule=(1_000,), jitter_percent=50)
    chance = random.Random(1)
    added = {(due(config, 1, NOW, chance) or 0) - NOW - 1_000 for _ in range(2_000)}
    assert (min(added) < 10, 490 <= max(added) < 500) == (True, True)
