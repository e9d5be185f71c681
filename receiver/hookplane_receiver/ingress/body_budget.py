"""Who may keep how much of a body whose sender is not known yet. Pure: it has no clock.

A small body needs no room. A larger one asks at once for all that may come, so that who has begun
can end. Who finds no room waits, until another ends or gives way. Who gives way is the worst: one
that comes slowly, then one that has waited for long, else one of those whose network keeps and
wants the most, among them the largest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from operator import itemgetter
from typing import Final, NamedTuple, Protocol

ALLOWANCE: Final = 16 * 1024
"""Bytes of a body that need no room."""
GRACE_SECONDS: Final = 1.0
"""So long nobody gives way who has just got room."""
LEAST_PACE: Final = 256 * 1024
"""Bytes a second; who comes slower is the first to give way."""


class Pace(IntEnum):
    """How a body comes in; the greater, the worse."""

    WELL = 0
    HELD_UP = 1
    """It waits for so long that newer ones are better served: its sender will soon give it up."""
    SLOW = 2
    """It keeps room that others need, and does not use it."""


class BodyOwner(Protocol):
    """Whose body it is: a connection."""

    def room_granted(self) -> None:
        """There is room for as much as was asked for."""

    def give_way(self) -> None:
        """The body is given up, and its room is another's already."""


@dataclass(slots=True, eq=False)
class BodyClaim:
    """What one body keeps, and wants to keep."""

    owner: BodyOwner
    network: str
    """Where it comes from: those of one network share."""
    size: int = 0
    """Of the body as far as it has come."""
    granted: int = 0
    """Size up to which there is room; 0: for the allowance."""
    wanted: int = 0
    """Size for which it waits; 0: it does not wait."""
    since: float = 0
    """When it asked first, or was granted last."""
    size_then: int = 0
    """Its size when it was granted last."""

    @property
    def held(self) -> int:
        """Bytes of room: granted ones, or those that came in a piece before anybody could stop."""
        return max(self.granted, self.size, ALLOWANCE) - ALLOWANCE

    @property
    def weight(self) -> int:
        """Bytes that it holds and wants."""
        return max(self.held, self.wanted - ALLOWANCE)

    @property
    def more(self) -> int:
        """Bytes of room that it waits for."""
        return max(self.wanted - ALLOWANCE - self.held, 0)

    def pace(self, now: float) -> Pace:
        """How it has come since it was granted last, or asked first."""
        age = now - self.since
        if age < GRACE_SECONDS or self.size - self.size_then >= age * LEAST_PACE:
            return Pace.WELL
        return Pace.HELD_UP if self.wanted else Pace.SLOW


class Standing(NamedTuple):
    """The greater, the sooner it gives way."""

    pace: Pace
    network: int
    """Bytes that its network holds and wants."""
    weight: int
    since: float
    """Of those that come well the latest is the worst, of the others the oldest."""


class RoomChanges(NamedTuple):
    """What has changed for those who waited or kept something."""

    granted: list[BodyClaim]
    given_up: list[BodyClaim]


_Ranked = tuple[Standing, BodyClaim]


class _Victims:
    """Those who may give way, the worst last."""

    def __init__(self, ranked: list[_Ranked]) -> None:
        self._ranked = ranked
        self._sums = list(accumulate([x.held for _, x in ranked], initial=0))

    def take(self, standing: Standing, room: int) -> list[BodyClaim]:
        """So many who stand worse than this that their room is enough; none, if all are not."""
        first = bisect_right(self._ranked, standing, key=itemgetter(0))
        end = len(self._ranked)
        if room <= 0 or self._sums[end] - self._sums[first] < room:
            return []
        start = bisect_right(self._sums, self._sums[end] - room) - 1
        taken = [claim for _, claim in self._ranked[start:]]
        del self._ranked[start:]
        return taken


class BodyBudget:
    """The room of a process, and those who claim it."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of all bodies together, beyond the allowance of each."""
        self._limit = limit
        self._claims: set[BodyClaim] = set()
        self._waiting: dict[BodyClaim, None] = {}
        self._networks: Counter[str] = Counter()
        self.held = 0
        """Bytes of room that are taken."""

    @property
    def is_settled(self) -> bool:
        """Nobody waits; then nobody keeps more than was granted, which there is room for."""
        return not self._waiting

    @property
    def is_overdrawn(self) -> bool:
        """More has come than there is room for."""
        return self.held > self._limit

    def ask(self, claim: BodyClaim, size: int, wanted: int, now: float) -> bool:
        """Of the body `size` bytes have come, and there may be `wanted`. Whether there is room; if
        not, it waits."""
        self._forget(claim)
        claim.size, claim.wanted = size, wanted
        if claim not in self._claims:
            claim.since = now
            self._claims.add(claim)
        self._count(claim)
        self._waiting[claim] = None
        return self._grant(claim, now)

    def leave(self, claim: BodyClaim) -> None:
        """The body is whole, or given up."""
        if claim in self._claims:
            self._forget(claim)
            self._claims.discard(claim)
            self._waiting.pop(claim, None)

    def settle(self, now: float) -> RoomChanges:
        """Lets the worst give way to those who wait, the best first."""
        outcome = RoomChanges([], self._shed(now))
        ranked = self._ranked(now)
        victims = _Victims([x for x in ranked if now - x[1].since >= GRACE_SECONDS])
        for standing, claim in ranked:
            if claim in self._waiting:
                for victim in victims.take(standing, self.held + claim.more - self._limit):
                    self.leave(victim)
                    outcome.given_up.append(victim)
                if self._grant(claim, now):
                    outcome.granted.append(claim)
        return outcome

    def _shed(self, now: float) -> list[BodyClaim]:
        """Gives up the worst, until no more has come than there is room for."""
        shed: list[BodyClaim] = []
        if not self.is_overdrawn:
            return shed
        for _, claim in reversed(self._ranked(now)):
            if self.is_overdrawn and claim.held:
                self.leave(claim)
                shed.append(claim)
        return shed

    def _ranked(self, now: float) -> list[_Ranked]:
        """The worst last."""
        return sorted([(self._standing(x, now), x) for x in self._claims], key=itemgetter(0))

    def _grant(self, claim: BodyClaim, now: float) -> bool:
        if self.held + claim.more > self._limit:
            return False
        self._forget(claim)
        claim.granted, claim.wanted = claim.wanted, 0
        claim.since, claim.size_then = now, claim.size
        self._count(claim)
        self._waiting.pop(claim, None)
        return True

    def _standing(self, claim: BodyClaim, now: float) -> Standing:
        network = self._networks[claim.network]
        pace = claim.pace(now)
        since = claim.since if pace is Pace.WELL else -claim.since
        return Standing(pace, network, claim.weight, since)

    def _count(self, claim: BodyClaim) -> None:
        self.held += claim.held
        self._networks[claim.network] += claim.weight

    def _forget(self, claim: BodyClaim) -> None:
        if claim not in self._claims:
            return
        self.held -= claim.held
        self._networks[claim.network] -= claim.weight
        if not self._networks[claim.network]:
            del self._networks[claim.network]
