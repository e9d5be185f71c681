"""Looks a name up, checks its addresses, and dials exactly what was checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from hookplane.network.addresses import AddressPolicy, OwnPlace, not_others, not_public
from hookplane_dispatcher.egress.own import Lookup, OwnAddresses

LOOKUP_THREADS: Final = 32
"""Threads of our own, because a name server that does not answer keeps a thread for many seconds,
and the event loop has only a handful for everything."""
AddressInfo = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]
]
"""As getaddrinfo gives it: family, kind, protocol, canonical name, socket address."""


class RefusedAddress(OSError):
    """None of the addresses may be dialled; says which, and what would let it through."""


class AddressGuard:
    """Lets through only addresses that the policy permits, whatever a name server says when."""

    def __init__(
        self,
        *,
        loopback: bool = False,
        allowed: tuple[str, ...] = (),
        own: Collection[OwnPlace] = (),
        lookup: Lookup | None = None,
    ) -> None:
        """`loopback`, `allowed` and `own` as in AddressPolicy; what names of `own` resolve to is
        not dialled either. Raises InvalidValue for a bad range."""
        self.policy = AddressPolicy(loopback=loopback, allowed=allowed, own=frozenset(own))
        self._lookup = lookup or SystemLookup()
        self._own = OwnAddresses(own, self._lookup)

    async def addresses(self, host: str) -> Sequence[str]:
        """Of a name, permitted or not. Raises socket.gaierror when it does not resolve."""
        return await self._lookup(host)

    async def permitted(
        self, found: Sequence[str], port: int, services: Collection[str] = ()
    ) -> list[str]:
        """Those of the addresses that may be dialled. `services` as for AddressPolicy.permits.
        Raises RefusedAddress when none is left."""
        await self._own.learn()
        refused = {ip: why for ip in found if (why := self._objection(ip, port, services))}
        permitted = [ip for ip in found if ip not in refused]
        if not permitted:
            raise RefusedAddress(next(iter(refused.values()), "the name has none"))
        return permitted

    def socket(self, info: AddressInfo, services: Collection[str] = ()) -> socket.socket:
        """A socket for this address: checks it once more before it is dialled. Raises
        RefusedAddress."""
        family, kind, protocol, _, address = info
        why = self._objection(str(address[0]), int(str(address[1])), services)
        if why:
            raise RefusedAddress(why)
        return socket.socket(family, kind, protocol)

    def close(self) -> None:
        """Waits for no name server any more."""
        self._own.close()

    def _objection(self, ip: str, port: int, services: Collection[str]) -> str:
        """Why an address may not be dialled; empty: it may."""
        if not self.policy.permits(ip, services):
            return not_public(ip)
        if self._own.hold(ip, port):
            return not_others(ip, port)
        return ""


class SystemLookup:
    """getaddrinfo(3): hosts file, search domains and name servers as the system is set up."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "lookup")

    async def __call__(self, host: str) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host)


def _addresses(host: str) -> Sequence[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
