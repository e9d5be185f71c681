"""Look up, then check, then dial exactly what was checked."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from hookplane.network.addresses import AddressPolicy
from hookplane_dispatcher.egress.lookup import Lookup, SystemLookup

AddressInfo = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]
]
"""As getaddrinfo gives it: family, kind, protocol, canonical name, socket address."""


class RefusedAddress(OSError):
    """No address that may be dialled. Carries neither name nor address."""

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
        """A socket for this address: the last look before it is dialled. Raises RefusedAddress."""
        family, kind, protocol, _, address = info
        if not self.policy.permits(str(address[0])):
            raise RefusedAddress
        return socket.socket(family, kind, protocol)
