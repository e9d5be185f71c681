"""What a target said before it reset the connection, where a write of ours met the reset first.

A transport whose write fails reads no more, though what came before the reset still lies in the
socket: often the answer of a target that did not want to read a long request to its end.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

MAX_BYTES: Final = 256 * 1024
"""Of last words; more than is read of an answer and its headers."""


def last_words(connected: socket.socket) -> bytes:
    """Takes them out of a socket that no transport reads any more."""
    try:
        return connected.recv(MAX_BYTES)
    except OSError:
        return b""


class LastWordsOfTLS(asyncio.BufferedProtocol):
    """Stands between the transport of a socket and the protocol of TLS, which gets all that came
    before it hears of the end."""

    def __init__(self, tls: asyncio.BufferedProtocol, connected: socket.socket) -> None:
        self._tls = tls
        self._connected = connected

    def get_buffer(self, sizehint: int) -> memoryview:
        """As everything below but `connection_lost`, it is the protocol's of TLS."""
        return memoryview(self._tls.get_buffer(sizehint))

    def buffer_updated(self, nbytes: int) -> None:
        self._tls.buffer_updated(nbytes)

    def eof_received(self) -> bool | None:
        return self._tls.eof_received()

    def pause_writing(self) -> None:
        self._tls.pause_writing()

    def resume_writing(self) -> None:
        self._tls.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended. Only an error leaves something unread."""
        data = last_words(self._connected) if exc is not None else b""
        while data:
            buffer = self.get_buffer(len(data))
            piece = data[: len(buffer)]
            buffer[: len(piece)] = piece
            self.buffer_updated(len(piece))
            data = data[len(piece) :]
        self._tls.connection_lost(exc)
