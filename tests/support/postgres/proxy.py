"""A TCP proxy between us and PostgreSQL that does what networks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum


class Cut(Enum):
    """When a connection ends whose client sends a marked message."""

    BEFORE = "before"
    """The server never gets it."""
    AFTER = "after"
    """The server gets it, the client never hears back."""


class FaultProxy:
    """Passes everything on until told otherwise."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._marker = b""
        self._cut = Cut.BEFORE
        self.refusing = False
        self.cuts = 0
        """Connections that a marker ended."""
        self.port = 0

    async def start(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._open.set()
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Resets every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    def freeze(self) -> None:
        """Takes everything and passes nothing on."""
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def cut_next(self, marker: bytes, cut: Cut) -> None:
        """Ends the next connection whose client sends something with this in it."""
        self._marker, self._cut = marker, cut

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if self.refusing:
            back.transport.abort()
            return
        try:
            server, forth = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            back.transport.abort()
            return
        self._writers |= {back, forth}
        muted = asyncio.Event()
        try:
            await asyncio.gather(
                self._requests(client, forth, back, muted), self._answers(server, back, muted)
            )
        finally:
            self._writers -= {back, forth}
            forth.close()
            back.close()

    async def _requests(
        self,
        client: asyncio.StreamReader,
        forth: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        muted: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while data := await client.read(1 << 16):
                await self._open.wait()
                if self._marker and self._marker in data:
                    self._marker = b""
                    self.cuts += 1
                    if self._cut is Cut.AFTER:
                        muted.set()
                        forth.write(data)
                        await forth.drain()
                        await asyncio.sleep(0.05)  # the server gets to it
                    back.transport.abort()
                    break
                forth.write(data)
                await forth.drain()
        forth.close()

    async def _answers(
        self, server: asyncio.StreamReader, back: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await server.read(1 << 16):
                await self._open.wait()
                if not muted.is_set():
                    back.write(data)
                    await back.drain()
        back.close()


@asynccontextmanager
async def fault_proxy(upstream: int) -> AsyncIterator[FaultProxy]:
    """In front of this port of the loopback."""
    proxy = FaultProxy(upstream)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
