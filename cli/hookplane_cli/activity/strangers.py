"""Requests to paths that no endpoint has, which anybody may send: a few get a line, the others are
counted."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Final

from hookplane.spelling import did_you_mean

LINES: Final = 5
"""So many in each period."""
PERIOD_SECONDS: Final = 60
SHOWN_CHARACTERS: Final = 100
SHOWN_PATHS: Final = 5


class Strangers:
    """Pure: every call is given the second that it is now, and seconds only go forward."""

    def __init__(self) -> None:
        self._period = -1
        self._lines = 0
        self._left_out = 0

    def admit(self, second: int) -> int | None:
        """How many requests got no line since the last one; None: nor does this one."""
        period = second // PERIOD_SECONDS
        if period != self._period:
            self._period, self._lines = period, 0
        if self._lines >= LINES:
            self._left_out += 1
            return None
        self._lines += 1
        left_out, self._left_out = self._left_out, 0
        return left_out


def hint(path: str, paths: Collection[str]) -> str:
    """Which URL was meant, or which there are."""
    near = did_you_mean(path[:SHOWN_CHARACTERS], paths)
    if near:
        return near
    shown = list(islice(sorted(paths), SHOWN_PATHS))
    more = ", …" if len(paths) > len(shown) else ""
    return f"there is: {', '.join(shown) or 'none'}{more}"
