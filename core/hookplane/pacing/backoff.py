"""Pauses between tries that fail: each twice as long as the one before, up to a longest."""

from __future__ import annotations

from typing import Final, TypeVar

Pause = TypeVar("Pause", int, float)
"""In milliseconds or in seconds."""

_MOST_DOUBLINGS: Final = 64
"""No pause is doubled more often before it meets its longest; powers beyond would overflow."""


class Backoff:
    """The pauses of one thing that is tried again and again. In seconds."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next_pause(self, at_most: float | None = None) -> float:
        """How long to wait after another failure. `at_most`: for a failure that is worth asking
        again sooner; later pauses grow from there."""
        pause = self._next if at_most is None else min(self._next, at_most)
        self._next = next_longer(pause, self._longest)
        return pause

    def reset(self) -> None:
        """It succeeded: the next pause is the first one again."""
        self._next = self._first


def pause_after(failures: int, first: float, longest: float) -> float:
    """The same for a caller that counts: how long to wait after so many failures in a row, at
    least 1."""
    return min(first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), longest)


def next_longer(pause: Pause, longest: Pause) -> Pause:
    """The same for a caller that keeps the pause: the one after it."""
    return min(2 * pause, longest)
