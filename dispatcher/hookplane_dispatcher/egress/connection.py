"""Connections to targets, each of which carries one exchange after another, and pools of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from hookplane.pacing.deadlines import Deadlines, Slot
from hookplane_dispatcher.egress.answer_parser import AnswerParser, BadAnswer, TargetAnswer

JOINED_BYTES: Final = 64 * 1024
"""Up to here head and body leave in one piece; a longer body is not copied for it."""


class ConnectionLost(ConnectionError):
    """The connection ended before the answer was complete; why, is the cause."""

    def __init__(self, *, begun: bool) -> None:
        """`begun`: something of an answer had come."""
        super().__init__("in the middle of the answer" if begun else "")
        self.begun = begun


class Pool:
    """Idle connections to one place."""

    def __init__(self) -> None:
        self._idle: dict[Connection, None] = {}

    def take(self) -> Connection | None:
        """The one that was used last, as it has been idle for the shortest time."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable:
                return connection
        return None

    def put(self, connection: Connection) -> None:
        """It may carry another exchange."""
        self._idle[connection] = None

    def drop(self, connection: Connection) -> None:
        """It has ended."""
        self._idle.pop(connection, None)


class Connection(asyncio.Protocol):
    """One connection. It is closed as soon as anything is not as it should be."""

    def __init__(
        self, pool: Pool, deadlines: Deadlines, idle_seconds: float, unread: Callable[[], bytes]
    ) -> None:
        """`unread` takes what still lies in the socket when it ends with an error."""
        self._unread = unread
        self._pool = pool
        self._deadlines = deadlines
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._parser = AnswerParser()
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[TargetAnswer] | None = None
        """Of the exchange under way."""
        self._slot: Slot = set()

    @property
    def usable(self) -> bool:
        """Nothing says that it has ended."""
        return not self._transport.is_closing()

    async def exchange(self, head: bytes, body: bytes, at: float) -> TargetAnswer:
        """Sends a request and reads its answer, until `at` in the loop's time. Raises TimeoutError,
        ConnectionLost, ssl.SSLError, and BadAnswer."""
        if not self.usable:
            raise ConnectionLost(begun=False)
        answer: asyncio.Future[TargetAnswer] = self._loop.create_future()
        self._answer = answer
        self._parser.begin()
        self._slot.discard(self)
        self._slot = self._deadlines.add(self, at)
        if len(body) <= JOINED_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        try:
            return await answer
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Ends it at once; an exchange under way fails."""
        self._lost(None)

    def expire(self) -> None:
        """The deadline of the exchange has come, or it has been idle for long enough."""
        self._fail(TimeoutError())

    # What the loop calls ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It is open. Where there is TLS, this comes once more with the transport to be used."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of the answer. Bytes on an idle connection end it: they would be taken for the
        next answer."""
        if self._answer is None:
            self.close()
            return
        try:
            answer = self._parser.feed(data)
        except BadAnswer as error:
            self._fail(error)
        else:
            if answer is not None:
                self._answered(answer)

    def eof_received(self) -> None:
        """The target sends no more; nothing is sent to it either."""
        self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, for whatever reason."""
        last = self._unread() if exc is not None and self._answer is not None else b""
        if last:
            self.data_received(last)
        self._lost(exc)

    # Ends of an exchange ------------------------------------------------------------------------

    def _answered(self, answer: TargetAnswer) -> None:
        """Ends the exchange. A request that was not read to its end leaves bytes behind that would
        be taken for the next one."""
        waiting, self._answer = self._answer, None
        self._slot.discard(self)
        transport = self._transport
        if answer.reusable and not transport.get_write_buffer_size() and self.usable:
            self._slot = self._deadlines.add(self, self._loop.time() + self._idle_seconds)
            self._pool.put(self)
        else:
            transport.abort()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _lost(self, error: Exception | None) -> None:
        answer = self._parser.end() if self._answer is not None else None
        if answer is not None:
            self._answered(answer)
            return
        if isinstance(error, ssl.SSLError):  # such as an alert about our certificate
            self._fail(error)
            return
        lost = ConnectionLost(begun=self._parser.begun)
        lost.__cause__ = error
        self._fail(lost)

    def _fail(self, error: Exception) -> None:
        """Ends the connection, and the exchange under way with this error."""
        self._slot.discard(self)
        self._pool.drop(self)
        self._transport.abort()
        waiting, self._answer = self._answer, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
