"""The highest rate that something bears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar


class Trial(Protocol):
    """One run at one rate."""

    @property
    def passed(self) -> bool: ...


T = TypeVar("T", bound=Trial)


def highest(trial: Callable[[float], T], start: float, factor: float, tries: int) -> T | None:
    """Climbs from `start` by `factor` until a run fails; if the first fails already, descends until
    one passes. None: none passed."""
    best: T | None = None
    rate, failed = start, False
    for _ in range(tries):
        outcome = trial(rate)
        if outcome.passed:
            best = outcome
        failed = failed or not outcome.passed
        if failed and best is not None:
            break
        rate = rate / factor if failed else rate * factor
    return best
