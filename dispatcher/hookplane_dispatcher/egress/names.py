"""Addresses of names, believed for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from hookplane.errors import HookplaneError
from hookplane.evaluation.turns import Turns
from hookplane_dispatcher.egress.guard import LOOKUP_THREADS, AddressGuard

MAX_NAMES: Final = 4096
"""The one believed for longest goes first."""
AT_ONCE: Final = LOOKUP_THREADS - 2
"""Names that are asked for at once; the other threads are for Hookplane's own."""
MOST_EACH: Final = 6
"""Of these, for one namespace: a name server that does not answer keeps a thread for 10 s and more,
and who has many such names waits for himself."""


class LookupGivenUp(HookplaneError):
    """The client was closed while a name was looked up."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a name server said."""

    addresses: deque[str]
    until: float
    """In the loop's time."""


class NameCache:
    """Asks the guard, once at a time for each name and namespace: a name server that does not
    answer holds one thread for it, however many wait. Namespaces take turns."""

    def __init__(self, guard: AddressGuard, seconds: float) -> None:
        """`seconds`: how long an answer is believed."""
        self._guard = guard
        self._seconds = seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked: dict[tuple[str, str], asyncio.Task[list[str]]] = {}
        """By namespace and name: nobody waits for a turn of somebody else's."""
        self._turns: Turns[asyncio.Future[None]] = Turns(MOST_EACH)
        self._free = AT_ONCE

    async def addresses(self, host: str, namespace: str) -> list[str]:
        """All addresses, each time beginning with another one. `namespace`: on whose behalf. Raises
        socket.gaierror, and LookupGivenUp."""
        known = self._known.get(host)
        if known is not None and asyncio.get_running_loop().time() < known.until:
            known.addresses.rotate(-1)
            return list(known.addresses)
        asked = self._asked.get((namespace, host))
        if asked is None:
            asked = asyncio.create_task(self._ask(host, namespace))
            self._asked[namespace, host] = asked
            asked.add_done_callback(_retrieve)
        await asyncio.wait([asked])  # which goes on when nobody waits any more
        if asked.cancelled():
            raise LookupGivenUp
        return asked.result()

    def close(self) -> None:
        """Waits for no name server any more."""
        for asked in self._asked.values():
            asked.cancel()

    async def _ask(self, host: str, namespace: str) -> list[str]:
        try:
            await self._turn(namespace)
            try:
                addresses = list(await self._guard.addresses(host))
            finally:
                self._end_turn(namespace)
        finally:
            del self._asked[namespace, host]
        until = asyncio.get_running_loop().time() + self._seconds
        self._known[host] = _Known(deque(addresses), until)
        self._known.move_to_end(host)
        if len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)
        return addresses

    async def _turn(self, namespace: str) -> None:
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.add(namespace, called)
        self._call()
        try:
            await called
        except asyncio.CancelledError:
            self._turns.drop(namespace, called)
            if called.done() and not called.cancelled():
                self._end_turn(namespace)
            raise

    def _end_turn(self, namespace: str) -> None:
        self._turns.ended(namespace)
        self._free += 1
        self._call()

    def _call(self) -> None:
        while self._free and (turn := self._turns.take()) is not None:
            namespace, called = turn
            if called.done():  # given up, and not dropped yet
                self._turns.ended(namespace)
                continue
            self._free -= 1
            called.set_result(None)


def _retrieve(asked: asyncio.Task[list[str]]) -> None:
    """Nobody may be left to hear of an error."""
    if not asked.cancelled():
        asked.exception()
