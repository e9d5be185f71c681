"""An IngressServer on aiohttp's low-level server.

aiohttp has no header deadline, no cap on connections and inflates bodies by default; a `Connection`
adds what is missing with public hooks only (protocol callbacks, the request factory).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from aiohttp import ClientPayloadError, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict
from OpenSSL import SSL

from hookplane.clock import Millis
from hookplane.network.headers import TEXT_ERRORS, Headers
from hookplane.pacing.waiting import wait_until_set
from hookplane_receiver.ingress.server import (
    BodyBroken,
    BodyTimeout,
    BodyTooLarge,
    ClientCertificates,
    Handler,
    InboundRequest,
    InboundResponse,
    IngressLimits,
)
from hookplane_receiver.ingress.tls import TlsProtocol, TlsTransport

SERVER_NAME: Final = "hookplane"
BACKLOG: Final = 1024
MAX_UNREAD_ANSWERS: Final = 64 * 1024
"""Bytes of answers that a client may leave unread before it is hung up on."""
LINGER_SECONDS: Final = 10.0
"""So long a body that is not wanted is read and dropped, so that the answer gets through: a client
that is still writing would see a reset instead."""
SWEEP_SECONDS: Final = 1.0
CANCEL_SECONDS: Final = 0.1
"""What a handler gets to wind up after the grace time."""
_END_OF_HEADERS: Final = b"\r\n\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_log = logging.getLogger(__name__)
ContextOf = Callable[[], SSL.Context]
"""What a new connection is to be served with."""
_silent = logging.Logger("hookplane.ingress.aiohttp", logging.CRITICAL + 1)
"""aiohttp writes a traceback for every malformed request of every stranger."""


class AiohttpServer:
    """Serves a handler over HTTP/1.1, plain or over TLS."""

    def __init__(
        self,
        handler: Handler,
        listen: str,
        limits: IngressLimits,
        tls: ContextOf | None = None,
        handshake_failed: Callable[[], None] = lambda: None,
    ) -> None:
        """`listen`: `host:port`, `[v6]:port`; port 0 takes a free one. `handshake_failed`: called
        for each TLS connection that ended before its handshake did."""
        self._handler = handler
        host, _, port = listen.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._limits = limits
        self._tls = tls
        self._handshake_failed = handshake_failed
        self._connections: _Connections | None = None
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Binds; raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        connections = self._connections = _Connections(self._handle, self._limits, loop)
        self._listener = await loop.create_server(
            lambda: self._connection(connections), self._host, self._port, backlog=BACKLOG
        )
        self._sweeper = loop.create_task(self._sweep(connections))
        port = self._listener.sockets[0].getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    def leave(self) -> None:
        """From now on each answer is the last of its connection; new ones are still taken."""
        if self._connections is not None:
            self._connections.draining = True

    async def stop(self, grace: Millis) -> None:
        """Stops listening; what is under way may finish for up to `grace`."""
        if self._listener is None or self._connections is None or self._sweeper is None:
            return
        self._listener.close()
        await self._connections.drain(grace / 1000)
        self._sweeper.cancel()

    def _connection(self, connections: _Connections) -> asyncio.Protocol:
        connection = connections()
        if self._tls is None:
            return connection
        return TlsProtocol(connection, self._tls(), self._handshake_failed)

    async def _sweep(self, connections: _Connections) -> None:
        pause = min(SWEEP_SECONDS, self._limits.header_timeout / 4000)
        while True:
            await asyncio.sleep(pause)
            connections.sweep()

    async def _handle(self, received: web.BaseRequest) -> web.StreamResponse:
        connection = received.protocol
        if not isinstance(connection, _Connection):
            raise TypeError("a request of another server")
        transport = received.transport
        if transport is None or connection.unread_answers > MAX_UNREAD_ANSWERS:
            connection.force_close()
            return web.Response(status=503)
        try:
            response = await self._answer(received, connection)
        except Exception:
            _log.exception("a request could not be handled")
            response = InboundResponse(500, b"Internal Server Error\n", close=True)
        finally:
            connection.rest(received.content)
        close = response.close or connection.last or connection.spoiled
        return _to_wire(response, close=close, unread=not received.content.is_eof())

    async def _answer(self, received: web.BaseRequest, connection: _Connection) -> InboundResponse:
        refusal = self._refusal(received)
        if refusal is not None:
            return refusal
        reader = _BodyReader(received, connection, self._limits)
        headers = _decoded(received.raw_headers)
        request = InboundRequest(
            method=received.method,
            target=received.raw_path,
            headers=headers,
            peer=connection.peer,
            read_body=reader.read,
            client=connection.client,
        )
        return await self._handler(request)

    def _refusal(self, received: web.BaseRequest) -> InboundResponse | None:
        """What the parser lets through and we do not."""
        if len(received.raw_path) > self._limits.target_bytes:
            return InboundResponse(414, b"URI Too Long\n", close=True)
        size = sum(map(len, chain.from_iterable(received.raw_headers)))
        if size > self._limits.header_bytes:
            return InboundResponse(431, b"Request Header Fields Too Large\n", close=True)
        expect = received.headers.get("Expect")
        if expect is not None and expect.lower() != "100-continue":
            return InboundResponse(417, b"Expectation Failed\n", close=True)
        return None


class _Connections(web.Server):
    """All connections: makes them, caps their number, ends those that dawdle."""

    def __init__(
        self, handler: Any, limits: IngressLimits, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(handler, request_factory=self._begin)
        self.limits = limits
        self.loop = loop
        self.idle: dict[_Connection, None] = {}
        """Connections between requests, the longest waiting first."""
        self.open: set[_Connection] = set()
        self.draining = False
        self._nobody = asyncio.Event()
        self._nobody.set()

    def __call__(self) -> RequestHandler:
        return _Connection(self)

    @property
    def full(self) -> bool:
        return len(self.open) >= self.limits.connections

    def welcome(self, connection: _Connection) -> None:
        self.open.add(connection)
        self.idle[connection] = None
        self._nobody.clear()

    def let_go(self, connection: _Connection) -> None:
        self.open.discard(connection)
        self.idle.pop(connection, None)
        if not self.open:
            self._nobody.set()

    async def drain(self, seconds: float) -> None:
        """Ends idle connections now and the others after their answer, or when time is up.

        aiohttp's own shutdown would stop reading bodies that are on their way.
        """
        self.draining = True
        for connection in list(self.idle):
            connection.hang_up()
        await wait_until_set(self._nobody, seconds)
        await self.shutdown(CANCEL_SECONDS)

    def make_room(self) -> None:
        """At the cap the connection that has been idle longest gives way."""
        if self.full and self.idle:
            next(iter(self.idle)).hang_up()

    def sweep(self) -> None:
        """Ends connections whose headers, or what they are wrapped in, are late."""
        late = self.loop.time() - self.limits.header_timeout / 1000
        waiting = [(connection, connection.waiting_since) for connection in self.idle]
        for connection in [c for c, since in waiting if since is not None and since < late]:
            connection.refuse(b"408 Request Timeout")

    def _begin(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        if isinstance(protocol, _Connection):
            protocol.work()
        return web.BaseRequest(message, payload, protocol, writer, task, self.loop)


class _Connection(RequestHandler):
    """One connection: idle until its headers are complete, then at work until it is answered."""

    def __init__(self, server: _Connections) -> None:
        limits = server.limits
        super().__init__(
            server,
            loop=server.loop,
            keepalive_timeout=limits.idle_timeout / 1000,
            logger=_silent,
            access_log=None,  # type: ignore[arg-type]  # documented: None switches it off
            max_line_size=limits.target_bytes,
            max_field_size=limits.header_bytes,
            max_headers=limits.header_count,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )
        self._server = server
        self._tls: TlsTransport | None = None
        self.peer = ""
        self.begun: float | None = None
        """Since when (loop time) an unfinished request is coming in."""
        self.spoiled = False
        """A body did not come; what comes now is anything."""
        self._lingering = False
        self._complete = False
        self._seen = 0
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._tls = transport if isinstance(transport, TlsTransport) else None
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        self._server.make_room()
        if self._server.full:
            self.hang_up()
            return
        self._server.welcome(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._server.let_go(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        waiting = self in self._server.idle and not self._lingering
        if waiting and not self._within_limits(data):
            self.refuse(b"431 Request Header Fields Too Large")
            return
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """For requests that do not parse: constant words, and no second request after them."""
        self.rest(request.content)
        return _to_wire(InboundResponse(status, b"Bad Request\n"), close=True)

    @property
    def client(self) -> ClientCertificates | None:
        """What the other end showed; None: without TLS."""
        return None if self._tls is None else self._tls.client

    @property
    def waiting_since(self) -> float | None:
        """Since when (loop time) something that was begun is not complete."""
        if self.begun is None and self._tls is not None:
            return self._tls.waiting_since
        return self.begun

    @property
    def last(self) -> bool:
        """No request after this one is wanted."""
        return self._server.draining

    @property
    def unread_answers(self) -> int:
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def work(self) -> None:
        """A request has come in."""
        self.begun = None
        self._complete = False
        self._server.idle.pop(self, None)

    def rest(self, body: StreamReader) -> None:
        """The request is answered. What is still to come of its body belongs to no other one."""
        if self.transport is not None:
            self._server.idle[self] = None
            self._lingering = True
            body.on_eof(self._end_lingering)

    def _end_lingering(self) -> None:
        self._lingering = False

    def hang_up(self) -> None:
        """Closes without a word."""
        self._server.let_go(self)
        self.force_close()

    def refuse(self, status: bytes) -> None:
        """Closes with one."""
        if self.transport is not None:
            self.transport.write(
                b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status
            )
        self.hang_up()

    def _within_limits(self, data: bytes) -> bool:
        """Follows how much of unfinished headers has come; false: too much."""
        if self._complete:
            return True
        if self.begun is None:
            data = data.lstrip(b"\r\n")
            if not data:  # aiohttp's own call when it goes on, or empty lines (RFC 9112 §2.2)
                return True
            self.begun, self._seen, self._tail = self._server.loop.time(), 0, b""
        if _END_OF_HEADERS in data or _END_OF_HEADERS in self._tail + data[:3]:
            self._complete = True
            return True
        self._seen += len(data)
        self._tail = (self._tail + data)[-3:]
        limits = self._server.limits
        return self._seen <= limits.header_bytes + limits.target_bytes


class _BodyReader:
    """Reads one body, bounded in bytes and time."""

    __slots__ = ("_connection", "_limits", "_received")

    def __init__(
        self, received: web.BaseRequest, connection: _Connection, limits: IngressLimits
    ) -> None:
        self._received = received
        self._connection = connection
        self._limits = limits

    async def read(self, limit: int) -> bytes:
        received = self._received
        if (received.content_length or 0) > limit:
            raise BodyTooLarge
        content = received.content
        if content.is_eof():
            body = content.read_nowait()
            return _bounded(body, limit)
        self._say_continue()
        try:
            async with asyncio.timeout(self._limits.body_timeout / 1000):
                return await self._collect(content, limit)
        except TimeoutError:
            self._give_up(content)
            raise BodyTimeout from None
        except (web.RequestPayloadError, ClientPayloadError, ConnectionError) as error:
            raise BodyBroken from error

    async def _collect(self, content: StreamReader, limit: int) -> bytes:
        body = bytearray()
        while chunk := await content.readany():
            body += chunk
            if len(body) > limit:
                raise BodyTooLarge
        return bytes(body)

    def _give_up(self, content: StreamReader) -> None:
        """Nobody waits any longer for what did not come in time."""
        self._connection.spoiled = True
        content.feed_eof()

    def _say_continue(self) -> None:
        """RFC 9110 §10.1.1: only now is the body wanted."""
        transport = self._received.transport
        if "Expect" in self._received.headers and transport is not None:
            transport.write(_CONTINUE)


def _bounded(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise BodyTooLarge
    return body


def _decoded(raw: tuple[tuple[bytes, bytes], ...]) -> Headers:
    return tuple([(_header_name(name), value.decode("utf-8", TEXT_ERRORS)) for name, value in raw])


@lru_cache(maxsize=1024)
def _header_name(raw: bytes) -> str:
    return raw.decode("latin-1").lower()


class _LastAnswer(web.Response):
    """Says that nothing follows it at once, while the rest of a body is still read and dropped."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self._transport = request.transport
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()


def _to_wire(response: InboundResponse, *, close: bool, unread: bool = False) -> web.Response:
    """`unread`: something of the request's body is still to come."""
    headers = CIMultiDict(response.headers)
    headers["Server"] = SERVER_NAME
    if response.body:
        headers["Content-Type"] = response.content_type
    kind = _LastAnswer if close and unread else web.Response
    answer = kind(body=response.body, status=response.status, headers=headers)
    if close:
        answer.force_close()
    return answer
