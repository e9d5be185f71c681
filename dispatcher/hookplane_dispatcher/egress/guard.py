"""Looks a name up, checks its addresses, and dials exactly what was checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from hookplane.network.addresses import AddressPolicy

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""All addresses of a name as text. Raises socket.gaierror."""
LOOKUP_THREADS: Final = 32
"""Threads of our own, because a name server that does not answer keeps a thread for many seconds,
and the event loop has only a handful for everything."""
AddressInfo = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]
]
"""As getaddrinfo gives it: family, kind, protocol, canonical name, socket address."""


class RefusedAddress(OSError):
    """None of the addresses may be dialled. The error holds neither name nor address."""

    def __init__(self) -> None:
        super().__init__("address not allowed")


class AddressGuard:
    """Lets through only addresses that the policy permits, whatever a name server says when."""

    def __init__(
        self,
        *,
        loopback: bool = False,
        allowed: tuple[str, ...] = (),
        lookup: Lookup | None = None,
    ) -> None:
        """`loopback` and `allowed` as in AddressPolicy. Raises InvalidValue for a bad range."""
        self.policy = AddressPolicy(loopback=loopback, allowed=allowed)
        self._lookup = lookup or SystemLookup()

    async def addresses(self, host: str) -> Sequence[str]:
        """The permitted ones of a name's addresses. Raises RefusedAddress when none is left, and
        socket.gaierror when the name does not resolve."""
        permitted = [ip for ip in await self._lookup(host) if self.policy.permits(ip)]
        if not permitted:
            raise RefusedAddress
        return permitted

    def socket(self, info: AddressInfo) -> socket.socket:
        """A socket for this address: checks it once more before it is dialled. Raises
        RefusedAddress."""
        family, kind, protocol, _, address = info
        if not self.policy.permits(str(address[0])):
            raise RefusedAddress
        return socket.socket(family, kind, protocol)


class SystemLookup:
    """getaddrinfo(3): hosts file, search domains and name servers as the system is set up."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "lookup")

    async def __call__(self, host: str) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host)


def _addresses(host: str) -> Sequence[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
