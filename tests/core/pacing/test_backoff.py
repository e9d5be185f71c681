from __future__ import annotations

import pytest

from hookplane.pacing.backoff import Backoff, next_longer, pause_after


def test_pauses_double_up_to_the_longest_until_it_succeeds() -> None:
    backoff = Backoff(first=0.25, longest=1.5)
    assert [backoff.next_pause() for _ in range(5)] == [0.25, 0.5, 1.0, 1.5, 1.5]
    backoff.reset()
    assert backoff.next_pause() == 0.25


def test_a_pause_that_was_cut_grows_from_there() -> None:
    backoff = Backoff(first=1, longest=8)
    assert [backoff.next_pause(at_most=2) for _ in range(3)] == [1, 2, 2]
    assert backoff.next_pause() == 4


@pytest.mark.parametrize(
    ("failures", "pause"), [(1, 0.2), (2, 0.4), (3, 0.8), (9, 51.2), (10, 60), (100_000, 60)]
)
def test_pauses_of_a_caller_that_counts(failures: int, pause: float) -> None:
    assert pause_after(failures, first=0.2, longest=60) == pytest.approx(pause)


def test_the_pause_after_one_that_a_caller_keeps() -> None:
    assert [next_longer(pause, longest=500) for pause in (100, 250, 251, 500)] == [
        200,
        500,
        500,
        500,
    ]
