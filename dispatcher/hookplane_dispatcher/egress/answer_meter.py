"""Bounds what an answer may bring before and behind its body, without losing what it says.

The parser's own limits fail an exchange whose status is known. A target that answered 200 has the
event, however long its headers are; so the meter stands in front of the parser, which is given
limits that it never reaches.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

HEADER_BYTES: Final = 64 * 1024
"""Of longer headers nothing is read but the status; the connection is closed."""
MAX_HEADERS: Final = HEADER_BYTES // len(b"a:\r\n")
"""So many fit in."""
WIRE_BYTES: Final = 2 << 20
"""Of an answer with all that belongs to it, such as trailers; several times what is read of it."""
_END_OF_HEADERS: Final = b"\r\n\r\n"
_STATUS: Final = slice(9, 12)


class HeadersTooLong(aiohttp.ClientError):
    """The headers of an answer are over HEADER_BYTES."""

    def __init__(self, status: int) -> None:
        """`status`: of the answer; 0: it has none that counts."""
        super().__init__(f"headers are over {HEADER_BYTES} bytes")
        self.status = status


class AnswerMeter(asyncio.Protocol):
    """Stands between a connection and aiohttp's handler of it."""

    def __init__(self, inner: ResponseHandler, transport: asyncio.Transport) -> None:
        """Use `of`."""
        self._inner = inner
        self._transport = transport
        self.begin()

    @classmethod
    def of(cls, inner: ResponseHandler, transport: asyncio.Transport) -> AnswerMeter:
        """The meter of a connection; a new connection gets one."""
        meter = transport.get_protocol()
        if not isinstance(meter, cls):
            meter = cls(inner, transport)
            transport.set_protocol(meter)
        return meter

    def begin(self) -> None:
        """The next answer starts with the next byte."""
        self._seen = 0
        self._head: bytearray | None = bytearray()

    def data_received(self, data: bytes) -> None:
        self._seen += len(data)
        if self._head is not None and not self._within_headers(self._head, data):
            self._inner.set_exception(HeadersTooLong(_status(self._head)))
        elif self._seen > WIRE_BYTES:
            self._transport.abort()
        else:
            self._inner.data_received(data)

    def eof_received(self) -> None:
        self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _within_headers(self, head: bytearray, data: bytes) -> bool:
        """Follows the headers to their end; false: they are too long. Of an interim answer the
        final one's headers count with it."""
        head += data
        end = head.find(_END_OF_HEADERS, max(0, len(head) - len(data) - 3))
        if end < 0 or _status(head) < 200:
            return len(head) <= HEADER_BYTES
        if end <= HEADER_BYTES:
            self._head = None
        return end <= HEADER_BYTES


def _status(head: bytearray) -> int:
    """200 or more, or 0."""
    digits = bytes(head[_STATUS])
    status = int(digits) if digits.isdigit() else 0
    return status if status >= 200 else 0
