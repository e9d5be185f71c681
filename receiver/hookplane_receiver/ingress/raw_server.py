"""An ingress server on httptools: HTTP/1.1 over connections of our own, plain or in TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from OpenSSL import SSL

from hookplane.clock import Millis
from hookplane.listening import EVERYWHERE, listen_everywhere
from hookplane_receiver.ingress.connection import SenderConnection
from hookplane_receiver.ingress.connections import OpenConnections, SharedBounds
from hookplane_receiver.ingress.pieces import PIECE, SmallPieces
from hookplane_receiver.ingress.server import Handler, IngressLimits
from hookplane_receiver.ingress.tls import TlsProtocol

BACKLOG: Final = 4096
"""Connections that the kernel keeps until they are taken: while strangers dial thousands of times a
second, one that finds no place tries again only after a second or three."""
ContextOf = Callable[[], SSL.Context]
"""What a new connection is to be served with."""


class RawIngress:
    """An IngressServer."""

    def __init__(
        self,
        handler: Handler,
        listen: str,
        limits: IngressLimits,
        tls: ContextOf | None = None,
        handshake_failed: Callable[[], None] = lambda: None,
        shared: SharedBounds | None = None,
    ) -> None:
        """`listen`: `host:port`, `[v6]:port`; port 0 takes a free one. `handshake_failed`: called
        for each TLS connection that ended before its handshake did. `shared`: with other
        servers; None: this one has its own."""
        self._handler = handler
        host, _, port = listen.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._limits = limits
        self._tls = tls
        self._handshake_failed = handshake_failed
        self._shared = shared or SharedBounds(limits)
        self._connections: OpenConnections | None = None
        self._listener: asyncio.Server | None = None

    async def start(self) -> str:
        """See IngressServer. Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        connections = self._connections = OpenConnections(
            self._handler, self._limits, loop, self._shared
        )
        buffer = bytearray(PIECE)
        self._listener = await self._listen(loop, lambda: self._connection(connections, buffer))
        port = self._listener.sockets[0].getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    def leave(self) -> None:
        """See IngressServer."""
        if self._connections is not None:
            self._connections.draining = True

    async def stop(self, grace: Millis) -> None:
        """See IngressServer."""
        if self._listener is not None and self._connections is not None:
            self._listener.close()
            await self._connections.drain(grace / 1000)

    async def _listen(
        self, loop: asyncio.AbstractEventLoop, connection: Callable[[], SmallPieces]
    ) -> asyncio.Server:
        if self._host == EVERYWHERE:
            everywhere = listen_everywhere(self._port, BACKLOG)
            return await loop.create_server(connection, sock=everywhere, backlog=BACKLOG)
        return await loop.create_server(connection, self._host, self._port, backlog=BACKLOG)

    def _connection(self, connections: OpenConnections, buffer: bytearray) -> SmallPieces:
        connection = SenderConnection(connections)
        if self._tls is None:
            return SmallPieces(connection, buffer)
        return SmallPieces(TlsProtocol(connection, self._tls(), self._handshake_failed), buffer)
