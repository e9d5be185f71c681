"""How many connections there may be, of one source and in all, and which gives way to a new one.
Pure: it has no clock.

Who has most gives way first, so that a source with many connections takes none from a source with
few. Of one source the connection goes that no handler works for, the longest waiting first; then
the one whose body has not come on for longest. One at work stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

SLOW_SECONDS: Final = 1.0
"""So long a body may take for its next `LEAST_PIECE` before its connection gives way to one of a
source that has no fewer."""
LEAST_PIECE: Final = 16 * 1024
"""Bytes of a body that count as coming on."""


class Endable(Protocol):
    """What can be ended: a connection."""

    def hang_up(self) -> None:
        """Closes without a word."""

    def give_up(self) -> None:
        """The same, and cancels the handler that works for it."""


class Bound(StrEnum):
    """Which bound ended a connection, or kept it out."""

    PROCESS = "process"
    PEER = "peer"


@dataclass(slots=True, eq=False)
class Crowd:
    """The connections of one source."""

    source: str
    most: int
    size: int = 0
    waiting: dict[Endable, None] = field(default_factory=dict)
    """Those that no handler works for, the longest waiting first."""
    receiving: dict[Endable, float] = field(default_factory=dict)
    """Those whose handler waits for a body, with the time when it last came on; the longest ago
    first."""

    def slowest(self, before: float) -> Endable | None:
        """Who gives way, if somebody can; a body that came on after `before` does not."""
        for connection in self.waiting:
            return connection
        for connection, since in self.receiving.items():
            return connection if since <= before else None
        return None


class Crowds:
    """All connections of a process. `now`: seconds of a monotonic clock."""

    def __init__(
        self, most: int, most_of_source: int, shed: Callable[[Bound], None] = lambda _: None
    ) -> None:
        """`shed`: called for each connection that is ended, or not taken, at a bound."""
        self._most = most
        self._most_of_source = most_of_source
        self._shed = shed
        self._crowds: dict[str, Crowd] = {}
        self._by_size: dict[int, dict[Crowd, None]] = {}
        self._of: dict[Endable, Crowd] = {}

    def __len__(self) -> int:
        return len(self._of)

    def admit(self, connection: Endable, source: str, now: float) -> bool:
        """Takes a new one in, which waits; false: there are too many. `source`: empty for those
        that have no bound of their own."""
        bound = self._bound(source)
        if bound is not None:
            self._shed(bound)
            victim = self._victim(bound, source, now)
            if victim is None:
                return False
            victim.hang_up()
            self.leave(victim)
        crowd = self._crowd(source)
        self._resize(crowd, 1)
        self._of[connection] = crowd
        crowd.waiting[connection] = None
        return True

    def rest(self, connection: Endable) -> None:
        """No handler works for it any more."""
        crowd = self._of.get(connection)
        if crowd is not None:
            crowd.receiving.pop(connection, None)
            crowd.waiting[connection] = None

    def work(self, connection: Endable) -> None:
        """A handler works for it, and does not wait for a body."""
        crowd = self._of.get(connection)
        if crowd is not None:
            crowd.waiting.pop(connection, None)
            crowd.receiving.pop(connection, None)

    def receive(self, connection: Endable, now: float) -> None:
        """Its handler waits for a body, of which `LEAST_PIECE` has come now if it waited before."""
        crowd = self._of.get(connection)
        if crowd is not None:
            crowd.receiving.pop(connection, None)
            crowd.receiving[connection] = now

    def leave(self, connection: Endable) -> None:
        """It has ended."""
        self.work(connection)
        crowd = self._of.pop(connection, None)
        if crowd is not None:
            self._resize(crowd, -1)

    def _bound(self, source: str) -> Bound | None:
        crowd = self._crowds.get(source)
        if crowd is not None and crowd.size >= crowd.most:
            return Bound.PEER if crowd.source else Bound.PROCESS
        return Bound.PROCESS if len(self) >= self._most else None

    def _victim(self, bound: Bound, source: str, now: float) -> Endable | None:
        crowd = self._crowds.get(source)
        if bound is Bound.PEER and crowd is not None:
            return crowd.slowest(now - SLOW_SECONDS)
        return self._slowest_of_largest(0 if crowd is None else crowd.size, now)

    def _slowest_of_largest(self, newcomers: int, now: float) -> Endable | None:
        """`newcomers`: how many the source of the new one has."""
        for size in sorted(self._by_size, reverse=True):
            for crowd in self._by_size[size]:
                unfair = size > newcomers + 1 and crowd.source
                victim = crowd.slowest(now if unfair else now - SLOW_SECONDS)
                if victim is not None:
                    return victim
        return None

    def _crowd(self, source: str) -> Crowd:
        crowd = self._crowds.get(source)
        if crowd is None:
            most = self._most_of_source if source else self._most
            crowd = self._crowds[source] = Crowd(source, most)
        return crowd

    def _resize(self, crowd: Crowd, by: int) -> None:
        same = self._by_size.get(crowd.size, {})
        same.pop(crowd, None)
        if not same:
            self._by_size.pop(crowd.size, None)
        crowd.size += by
        if crowd.size:
            self._by_size.setdefault(crowd.size, {})[crowd] = None
        else:
            del self._crowds[crowd.source]
