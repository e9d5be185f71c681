"""Ingress servers with a handler that remembers, and raw connections to them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from hookplane_receiver.ingress.raw_server import RawIngress
from hookplane_receiver.ingress.server import (
    BodyBroken,
    BodyTimeout,
    BodyTooLarge,
    Handler,
    InboundRequest,
    InboundResponse,
    IngressLimits,
    IngressServer,
)
from support.clocks.until import PATIENCE
from support.http.tls import client_context, server_context

Factory = Callable[[Handler, str, IngressLimits], IngressServer]
SERVERS: dict[str, Factory] = {
    "plain": RawIngress,
    "TLS": partial(RawIngress, tls=lambda: server_context(ask=False)),
    "TLS, certificates": partial(RawIngress, tls=lambda: server_context(ask=True)),
}
LIMIT = 1000
OK = InboundResponse(200, b"ok")


@dataclass
class Seen:
    """A handler that remembers, and what it was asked."""

    requests: list[InboundRequest] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    broken: list[type[Exception]] = field(default_factory=list)
    answer: InboundResponse = OK

    async def handle(self, request: InboundRequest) -> InboundResponse:
        self.requests.append(request)
        if request.path == "/unread":
            return InboundResponse(404, b"no")
        if request.path == "/crash":
            raise RuntimeError("a bug")
        try:
            self.bodies.append(await request.read_body(LIMIT, request.peer))
        except (BodyTooLarge, BodyTimeout, BodyBroken) as error:
            self.broken.append(type(error))
            return InboundResponse(413, b"broken", close=True)
        return self.answer


@dataclass
class Wire:
    """A running server."""

    seen: Seen
    host: str
    port: int
    server: IngressServer
    tls: ssl.SSLContext | None
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = "127.0.0.1" if self.tls else None  # which the certificate is for
        reader, writer = await asyncio.open_connection(
            self.host, self.port, ssl=self.tls, server_hostname=name
        )
        self.clients.append(writer)
        return reader, writer

    def dial(self) -> socket.socket:
        """One that blocks, for a thread: asyncio's TLS can neither close a half nor leave without a
        word, and does not tell what it has not sent. Closed by `with`."""
        return dial(self.host, self.port, self.tls)

    async def hang_up(self) -> None:
        for writer in self.clients:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def talk(self, data: bytes) -> bytes:
        """Sends everything and reads until the server closes, which it may do in a handshake."""
        try:
            reader, writer = await self.connect()
        except (ConnectionResetError, ssl.SSLError):
            return b""
        writer.write(data)
        return await asyncio.wait_for(read_all(reader), 10)


def dial(host: str, port: int, tls: ssl.SSLContext | None) -> socket.socket:
    """A connection to a receiver whose certificate is for this host."""
    plain = socket.create_connection((host, port), PATIENCE)
    return tls.wrap_socket(plain, server_hostname=host) if tls else plain


def received(client: socket.socket) -> bytes:
    """What comes until the server closes."""
    return b"".join(iter(lambda: client.recv(65536), b""))


async def read_all(reader: asyncio.StreamReader) -> bytes:
    received = bytearray()
    try:
        while chunk := await reader.read(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return bytes(received)


@asynccontextmanager
async def serving(
    factory: Factory,
    limits: IngressLimits | None = None,
    listen: str = "127.0.0.1:0",
    handler: Handler | None = None,
) -> AsyncIterator[Wire]:
    """`handler`: in place of the one that remembers."""
    seen = Seen()
    server = factory(handler or seen.handle, listen, limits or IngressLimits())
    address = urlsplit(await server.start())
    assert address.hostname is not None
    assert address.port is not None
    tls = client_context() if address.scheme == "https" else None
    wire = Wire(seen, address.hostname, address.port, server, tls)
    try:
        yield wire
    finally:
        await wire.hang_up()
        await server.stop(1000)


def post(body: bytes = b"{}", path: str = "/a", *headers: str, length: int | None = None) -> bytes:
    """A request that ends its connection."""
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {size}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def kept(request: bytes) -> bytes:
    """The same without the end of its connection."""
    return request.replace(b"Connection: close\r\n", b"")


def lines(*given: bytes) -> bytes:
    """The head of a request."""
    return b"\r\n".join([*given, b"", b""])


def chunked(body: bytes, *headers: bytes) -> bytes:
    """A request that leaves its connection open. `body`: with the framing of its chunks."""
    return lines(b"POST /a HTTP/1.1", b"Host: x", b"Transfer-Encoding: chunked", *headers) + body


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Sends a hundred bytes a second."""
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.01)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0
