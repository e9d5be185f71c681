"""All connections of a server: they end together, and share bounds with those of other servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from hookplane.pacing.deadlines import Deadlines
from hookplane.pacing.waiting import wait_until_set
from hookplane_receiver.ingress.answers import DateClock
from hookplane_receiver.ingress.body_room import BodyRoom
from hookplane_receiver.ingress.crowds import Bound, Crowds, Endable
from hookplane_receiver.ingress.server import Handler, IngressLimits

LAST_SECONDS: Final = 0.5
"""What clients get to read a last answer, when nobody works any more."""


class SharedBounds:
    """What all doors of a process have in common."""

    def __init__(
        self,
        limits: IngressLimits,
        source_of: Callable[[str], str] = str,
        shed: Callable[[Bound], None] = lambda _: None,
    ) -> None:
        """`source_of`: with whom the connections from an address are counted; empty: with those
        that have no bound of their own. `shed`: see Crowds."""
        self.bodies = BodyRoom(limits.unverified_bytes)
        self.crowds = Crowds(limits.connections, limits.connections_per_peer, shed)
        self.source_of = source_of


class OpenConnections:
    """What connections share."""

    def __init__(
        self,
        handler: Handler,
        limits: IngressLimits,
        loop: asyncio.AbstractEventLoop,
        shared: SharedBounds,
    ) -> None:
        self.handler = handler
        self.bodies = shared.bodies
        self.limits = limits
        self.loop = loop
        self.deadlines = Deadlines(loop)
        self.dates = DateClock()
        self.draining = False
        """Each answer is the last of its connection."""
        self._source_of = shared.source_of
        self._crowds = shared.crowds
        self._open: set[Endable] = set()
        self._waiting: dict[Endable, None] = {}
        """Those that no handler works for."""
        self._nobody_works = asyncio.Event()
        """Followed while draining, like the next."""
        self._nobody = asyncio.Event()

    def welcome(self, connection: Endable, peer: str) -> bool:
        """Takes a new one in, for which another may be ended; false: there are too many."""
        if not self._crowds.admit(connection, self._source_of(peer), self.loop.time()):
            return False
        self._open.add(connection)
        self._waiting[connection] = None
        return True

    def work(self, connection: Endable) -> None:
        """A handler works for it, and does not wait for a body."""
        self._waiting.pop(connection, None)
        self._crowds.work(connection)

    def receive(self, connection: Endable) -> None:
        """Its handler waits for a body, which begins or has come on."""
        self._crowds.receive(connection, self.loop.time())

    def rest(self, connection: Endable) -> None:
        """The handler has answered."""
        self._waiting[connection] = None
        self._crowds.rest(connection)
        self._look()

    def let_go(self, connection: Endable) -> None:
        """It has ended."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._crowds.leave(connection)
        self._look()

    async def drain(self, seconds: float) -> None:
        """Ends those that wait now, and the others after their answer, or when time is up."""
        self.draining = True
        for connection in list(self._waiting):
            connection.hang_up()
        self._look()
        await wait_until_set(self._nobody_works, seconds)
        await wait_until_set(self._nobody, min(seconds, LAST_SECONDS))
        for connection in list(self._open):
            connection.give_up()
        self.deadlines.close()
        await asyncio.sleep(0)  # the loop ends connections in its next turn

    def _look(self) -> None:
        if self.draining and len(self._open) == len(self._waiting):
            self._nobody_works.set()
            if not self._open:
                self._nobody.set()
