"""Where Hookplane itself is, by names that are looked up again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from hookplane.network.addresses import OwnPlace

SECONDS: Final = 30.0
AGAIN_SECONDS: Final = 1.0
"""Pause while a name has not been found yet: until then nothing holds what it leads to."""
KEPT: Final = 64
"""Addresses of a name that are remembered, the newest: it may lead to several in turn."""

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""All addresses of a name as text. Raises socket.gaierror."""


class OwnAddresses:
    """What is never dialled, because it is Hookplane's own. A name is wherever it was, too: it may
    lead to several places in turn, and may not be found now."""

    def __init__(
        self, places: Iterable[OwnPlace], lookup: Lookup, seconds: float = SECONDS
    ) -> None:
        """`seconds`: how long the addresses of a name are believed."""
        self._seconds = seconds
        self._places = frozenset(places)
        self._lookup = lookup
        names = {place.host for place in self._places if not _is_address(place.host)}
        self._found: dict[str, dict[str, None]] = {name: {} for name in names}
        self._known = self._places
        self._until = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def learn(self) -> None:
        """Waits only for the first look; later ones go on beside what is sent."""
        loop = asyncio.get_running_loop()
        if self._places and loop.time() >= self._until and self._looking is None:
            self._looking = loop.create_task(self._look())
        if self._looking is not None and self._until == float("-inf"):
            await asyncio.wait([self._looking])

    def hold(self, ip: str, port: int) -> bool:
        """Whether this is one of them."""
        return OwnPlace(ip, port) in self._known or OwnPlace(ip) in self._known

    def close(self) -> None:
        """Waits for no name server any more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        try:
            await asyncio.gather(*map(self._look_up, self._found))
        finally:
            self._known = self._places.union(
                OwnPlace(ip, place.port)
                for place in self._places
                for ip in self._found.get(place.host, ())
            )
            pause = self._seconds if all(self._found.values()) else AGAIN_SECONDS
            self._until = asyncio.get_running_loop().time() + pause
            self._looking = None

    async def _look_up(self, host: str) -> None:
        with suppress(OSError):
            now = dict.fromkeys(map(_plain, await self._lookup(host)))
            known = [ip for ip in self._found[host] if ip not in now]
            self._found[host] = dict.fromkeys([*known, *now][-KEPT:])


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(host))
    return False


def _plain(ip: str) -> str:
    """In the one form that addresses are compared in."""
    with suppress(ValueError):
        return str(ip_address(ip))
    return ip
