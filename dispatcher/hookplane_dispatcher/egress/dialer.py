"""Makes connections: looks the name up, dials what the guard permits, and speaks TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Final, NamedTuple, TypeVar, cast

from aiohappyeyeballs import AddrInfoType, start_connection

from hookplane.config.subscription import TLSConfig
from hookplane_dispatcher.egress.guard import AddressGuard, RefusedAddress
from hookplane_dispatcher.egress.last_words import LastWordsOfTLS, last_words
from hookplane_dispatcher.egress.names import NameCache
from hookplane_dispatcher.egress.tls import TLSContexts

NEXT_ADDRESS_SECONDS: Final = 0.25
"""So long one address is tried before the next one is tried beside it (RFC 8305 §5)."""


ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)
Unread = Callable[[], bytes]
"""Takes what still lies in the socket when the connection ends with an error."""


class TargetOrigin(NamedTuple):
    """Where a connection leads, and what was shown and believed when it was made. A connection
    serves requests of one origin alone."""

    secure: bool
    host: str
    """As in ParsedTarget."""
    port: int
    tls: TLSConfig | None
    """By content; None: the authorities of the system, and no certificate of our own."""
    services: tuple[str, ...] = ()
    """Private addresses that may be dialled for this origin alone."""


class ConnectFailed(OSError):
    """No address of a target takes connections; why, is the cause."""


class HandshakeFailed(OSError):
    """The connection ended during the TLS handshake; why, is the cause."""


class Dialer:
    """Makes connections to origins."""

    def __init__(self, guard: AddressGuard, lookup_seconds: float) -> None:
        """`lookup_seconds`: how long the addresses of a name are believed."""
        self._guard = guard
        self._names = NameCache(guard, lookup_seconds)
        self._contexts = TLSContexts()

    async def dial(
        self, origin: TargetOrigin, protocol: Callable[[Unread], ProtocolT], namespace: str
    ) -> ProtocolT:
        """A connection that is ready for a request, on behalf of a namespace. Raises
        RefusedAddress, socket.gaierror, LookupGivenUp, UnusableTLS, ConnectFailed, HandshakeFailed,
        and ssl.SSLError."""
        context = await self._contexts.get(origin.tls) if origin.secure else None
        addresses = await self._addresses(origin, namespace)
        connected = await self._connect(addresses, origin.services)
        unread = partial(last_words, connected) if context is None else bytes
        try:
            transport, made = await asyncio.get_running_loop().create_connection(
                partial(protocol, unread), sock=connected
            )
            if context is not None:
                made.connection_made(await _tls(transport, made, context, origin.host, connected))
        except ssl.SSLError:
            raise
        except OSError as error:
            raise HandshakeFailed from error
        return made

    async def _addresses(self, origin: TargetOrigin, namespace: str) -> list[AddrInfoType]:
        host, port = origin.host, origin.port
        found = [host] if _is_literal(host) else await self._names.addresses(host, namespace)
        permitted = await self._guard.permitted(found, port, origin.services)
        return [_address_info(ip, port) for ip in permitted]

    async def _connect(
        self, addresses: list[AddrInfoType], services: tuple[str, ...]
    ) -> socket.socket:
        """What is dialled is checked by the guard, which makes the sockets."""
        try:
            return await start_connection(
                addresses,
                happy_eyeballs_delay=NEXT_ADDRESS_SECONDS,
                socket_factory=partial(self._guard.socket, services=services),
            )
        except RefusedAddress:
            raise
        except (OSError, RuntimeError) as error:  # the latter from uvloop
            raise ConnectFailed from error

    def close(self) -> None:
        """What is under way fails."""
        self._names.close()
        self._guard.close()


async def _tls(
    transport: asyncio.Transport,
    protocol: asyncio.Protocol,
    context: ssl.SSLContext,
    host: str,
    connected: socket.socket,
) -> asyncio.Transport:
    """Speaks TLS on a connection; the transport to be used from then on."""
    secure = await asyncio.get_running_loop().start_tls(
        transport, protocol, context, server_hostname=host
    )
    if secure is None:  # by the standard library, when the connection ended meanwhile
        raise ConnectionResetError
    below = cast(asyncio.BufferedProtocol, transport.get_protocol())
    transport.set_protocol(LastWordsOfTLS(below, connected))
    return secure


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _address_info(ip: str, port: int) -> AddrInfoType:
    """As getaddrinfo gives it."""
    if ":" in ip:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ip, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ip, port)
