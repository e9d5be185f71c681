"""Reads a socket in small pieces, so that little has come before a connection can be held up.

The event loops read 256 KiB at once otherwise, and each of thousands of connections that are held
up has read once.
"""

from __future__ import annotations

import asyncio
from typing import Final

PIECE: Final = 16 * 1024
"""Bytes that are read at once."""


class SmallPieces(asyncio.BufferedProtocol):
    """Stands between a connection and a protocol that gets what came."""

    def __init__(self, inner: asyncio.Protocol, buffer: bytearray) -> None:
        """`buffer`: of PIECE bytes, which all connections of a loop share: what is read into it is
        taken out before anything else is read."""
        self._inner = inner
        self._buffer = memoryview(buffer)
        self.connection_made = inner.connection_made  # type: ignore[method-assign]
        self.connection_lost = inner.connection_lost  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next piece goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So much has come."""
        self._inner.data_received(bytes(self._buffer[:nbytes]))
