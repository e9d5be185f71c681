"""Addresses of names, believed for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from hookplane.errors import HookplaneError
from hookplane_dispatcher.egress.guard import AddressGuard

MAX_NAMES: Final = 4096
"""The one believed for longest goes first."""


class LookupGivenUp(HookplaneError):
    """The client was closed while a name was looked up."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a name server said."""

    addresses: deque[str]
    until: float
    """In the loop's time."""


class NameCache:
    """Asks the guard, once at a time for each name: a name server that does not answer holds one
    thread for it, however many wait."""

    def __init__(self, guard: AddressGuard, seconds: float) -> None:
        """`seconds`: how long an answer is believed."""
        self._guard = guard
        self._seconds = seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked: dict[str, asyncio.Task[list[str]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """All addresses, each time beginning with another one. Raises socket.gaierror, and
        LookupGivenUp."""
        known = self._known.get(host)
        if known is not None and asyncio.get_running_loop().time() < known.until:
            known.addresses.rotate(-1)
            return list(known.addresses)
        asked = self._asked.get(host)
        if asked is None:
            asked = self._asked[host] = asyncio.create_task(self._ask(host))
            asked.add_done_callback(_retrieve)
        await asyncio.wait([asked])  # which goes on when nobody waits any more
        if asked.cancelled():
            raise LookupGivenUp
        return asked.result()

    def close(self) -> None:
        """Waits for no name server any more."""
        for asked in self._asked.values():
            asked.cancel()

    async def _ask(self, host: str) -> list[str]:
        try:
            addresses = list(await self._guard.addresses(host))
        finally:
            del self._asked[host]
        until = asyncio.get_running_loop().time() + self._seconds
        self._known[host] = _Known(deque(addresses), until)
        self._known.move_to_end(host)
        if len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)
        return addresses


def _retrieve(asked: asyncio.Task[list[str]]) -> None:
    """Nobody may be left to hear of an error."""
    if not asked.cancelled():
        asked.exception()
