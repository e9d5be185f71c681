"""One line of the log per cause: what befalls every request is told once a minute, with a count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hookplane_operator.kube.errors import ApiError

QUIET_SECONDS: Final = 60.0
"""After a line nothing more is said of its cause for so long."""
REMEMBERED: Final = 1_000
"""Causes."""

Cause = tuple[int, str]
"""Status and words of an ApiError."""


@dataclass(slots=True)
class _Told:
    at: float
    more: int = 0
    """Lines that were left out since."""


class OneLinePerCause(logging.Filter):
    """For a logger: of records with an ApiError among their arguments, the first of a cause in a
    minute passes, and says how many did not since the one before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: monotonic seconds."""
        super().__init__()
        self._clock = clock
        self._told: dict[Cause, _Told] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        error = next((x for x in arguments if isinstance(x, ApiError)), None)
        if error is None or record.levelno < logging.INFO:
            return True
        return self._is_news(record, (error.status, error.said))

    def _is_news(self, record: logging.LogRecord, cause: Cause) -> bool:
        now = self._clock()
        told = self._told.pop(cause, None)
        if told is not None and now - told.at < QUIET_SECONDS:
            told.more += 1
            self._told[cause] = told
            return False
        self._told[cause] = _Told(now)
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        if told is not None and told.more:
            record.msg = f"{record.msg} (and {told.more} times more since the last line of this)"
        return True
