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
