"""The seam between the receiver and HTTP: what an ingress server promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.x509 import Certificate

from hookplane.clock import Millis
from hookplane.network.headers import TEXT_ERRORS, Headers

RawHeaders = list[tuple[str, bytes]]
"""Names in lower case; values as they were sent, without blanks around them."""


@dataclass(frozen=True, slots=True)
class IngressLimits:
    """Bounds on what one connection may do. A request over one is answered and closed."""

    header_bytes: int = 16 * 1024
    header_count: int = 100
    target_bytes: int = 8 * 1024
    header_timeout: Millis = 10_000
    """From the connection or the last answer's end to the end of the headers, once begun; and for
    a TLS handshake."""
    body_timeout: Millis = 30_000
    idle_timeout: Millis = 75_000
    linger_timeout: Millis = 10_000
    """So long a body that is not wanted is read and dropped, so that the answer gets through: a
    client that is still writing would see a reset instead."""
    connections: int = 2048
    """Of all doors of a process. Each takes up to 140 KiB; see docs/operations.md."""
    connections_per_peer: int = 1024
    """Of one address, or of one /64 of IPv6; trusted proxies have no such bound."""
    unverified_bytes: int = 64 * 1024 * 1024
    """Of all bodies that come in, of all connections together; 16 KiB of each are free."""


@dataclass(slots=True)
class ClientCertificates:
    """What the other end of a TLS connection showed. That it holds the key of the first is proved;
    who vouches for it is not looked at yet."""

    chain: tuple[Certificate, ...] = ()
    """Its own, then what it sent beside; empty: it showed none."""
    judged: tuple[object, Millis, str] | None = None
    """Room for the last one who judged them: who it was, until when that holds, and what."""


@dataclass(slots=True)
class InboundRequest:
    """A request whose headers are complete; its body is read on demand."""

    method: str
    target: str
    """As sent: path and query."""
    raw_headers: RawHeaders
    peer: str
    """The address that the connection comes from."""
    read_body: Callable[[int, str], Awaitable[bytes]] = field(repr=False)
    """Reads the whole body, of at most so many bytes. It shares what room there is for bodies with
    others of this network. Raises BodyTooLarge, BodyTimeout, BodyBroken, NoRoomForBody."""
    client: ClientCertificates | None = None
    """None: the connection is not encrypted, or not up to here."""
    _headers: Headers | None = field(default=None, init=False, repr=False)

    @property
    def headers(self) -> Headers:
        """As text, which is made when somebody first asks for it."""
        if self._headers is None:
            self._headers = tuple(
                [(name, value.decode("utf-8", TEXT_ERRORS)) for name, value in self.raw_headers]
            )
        return self._headers

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class InboundResponse:
    """An answer. `close` ends the connection after it."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False


class BodyTooLarge(Exception):
    """The body is longer than asked for; the connection closes after the answer."""


class BodyTimeout(Exception):
    """The body did not come in time."""


class NoRoomForBody(Exception):
    """Too much comes in at once, and this body waited in vain or had to give way; the connection
    closes after the answer."""


class BodyBroken(Exception):
    """The body ended too early, or its chunks are malformed."""


Handler = Callable[[InboundRequest], Awaitable[InboundResponse]]


class IngressServer(Protocol):
    """Serves a handler. Bodies are handed over as sent: never decompressed or decoded."""

    async def start(self) -> str:
        """Binds and begins to serve; returns the URL with the real port."""

    def leave(self) -> None:
        """From now on each answer is the last of its connection; new ones are still taken."""

    async def stop(self, grace: Millis) -> None:
        """Stops listening, lets requests under way finish for up to `grace`, then closes."""
