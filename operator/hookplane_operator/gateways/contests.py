"""Databases that take another process for the one that writes, though this one leads. Pure.

Once is no news: a cluster that was restored has forgotten the last term, and a leader that was just
replaced does not know it yet. So the Lease is asked first, and a higher term is tried. Whoever is
refused again has a rival: another operator that uses the database for a gateway of this name. Then
both say so, and each tries again after 2, 4, 8 … 60 seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hookplane.pacing.backoff import pause_after
from hookplane_operator.state.runtime import Name

FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 60.0
"""Seconds until a database that refused again is tried again."""
FORGOTTEN_SECONDS: Final = 600.0
"""A refusal so long ago has nothing to do with the next one."""


@dataclass(slots=True)
class _Contest:
    """One database."""

    term: int
    """With which it was ours, or refused us, last."""
    lost: bool = False
    why: str = ""
    count: int = 0
    """How often it refused us, tries before the Lease was asked apart."""
    at: float = 0.0
    """When it did last."""


class Contests:
    """By gateway."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds that only grow."""
        self._clock = clock
        self._known: dict[Name, _Contest] = {}

    @property
    def lost(self) -> set[Name]:
        """Gateways whose databases refuse us now."""
        return {name for name, contest in self._known.items() if contest.lost}

    def win(self, name: Name, term: int) -> None:
        """It is ours from now on."""
        contest = self._known.setdefault(name, _Contest(term))
        contest.term, contest.lost = term, False

    def lose(self, name: Name, term: int, why: str) -> None:
        """It refused us, who came with this term."""
        contest, now = self._known.setdefault(name, _Contest(term)), self._clock()
        if now - contest.at > FORGOTTEN_SECONDS:
            contest.count = 0
        if not contest.lost or term > contest.term:
            contest.count += 1
        contest.term, contest.lost, contest.why, contest.at = term, True, why, now

    def forget(self, name: Name) -> None:
        """The gateway is gone."""
        self._known.pop(name, None)

    def clear(self) -> None:
        """This replica does not lead any more: another one may write."""
        self._known.clear()

    def rival(self, name: Name) -> str:
        """Who writes in our place, if that is to be told; empty: nobody, or it is not sure."""
        contest = self._known.get(name)
        return contest.why if contest is not None and contest.lost and contest.count > 1 else ""

    def wait(self, name: Name) -> float:
        """Seconds until the database may be tried again."""
        if not self.rival(name):
            return 0.0
        contest = self._known[name]
        pause = pause_after(contest.count - 1, FIRST_PAUSE, LONGEST_PAUSE)
        return max(contest.at + pause - self._clock(), 0.0)
