"""What a sink answers: how it misbehaves, and when."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from hookplane.clock import Millis

GONE: Final = 410
TOO_MANY: Final = 429
UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class SinkAnswer:
    """One answer, given after `stall`."""

    status: int = 200
    retry_after: int | None = None
    """Seconds, for the header."""
    stall: Millis = 0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """When the sink answers `bad`: to the first deliveries, to some by chance, to all, or to
    none."""

    bad: SinkAnswer = SinkAnswer(UNAVAILABLE)
    first: int | None = None
    """The first so many; None with `percent` None: all."""
    percent: int | None = None
    """So many of a hundred."""

    def reply(self, number: int, random: Random) -> SinkAnswer:
        """The answer to the delivery of this number, counted from 1."""
        if self.percent is not None:
            return self.bad if random.random() * 100 < self.percent else SinkAnswer()
        return self.bad if self.first is None or number <= self.first else SinkAnswer()


WELL_BEHAVED: Final = Behaviour(first=0)


def bad_answer(
    status: int | None, gone: bool, throttle: int | None, stall: Millis | None
) -> SinkAnswer | None:
    """The bad answer that the options of the command ask for; None: they ask for none."""
    if gone:
        return SinkAnswer(GONE)
    if throttle is not None:
        return SinkAnswer(TOO_MANY, retry_after=throttle)
    if stall is not None:
        return SinkAnswer(status or 200, stall=stall)
    return None if status is None else SinkAnswer(status)
