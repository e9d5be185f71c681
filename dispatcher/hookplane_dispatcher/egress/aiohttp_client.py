"""The egress client on aiohttp."""

from __future__ import annotations

import asyncio
import io
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from hookplane.clock import Clock, SystemClock
from hookplane.network.addresses import check_url
from hookplane.secret import Secret
from hookplane_dispatcher.egress.answer_meter import (
    HEADER_BYTES,
    MAX_HEADERS,
    AnswerMeter,
    HeadersTooLong,
)
from hookplane_dispatcher.egress.client import MAX_ANSWER_BYTES, OutboundRequest, OutboundResponse
from hookplane_dispatcher.egress.failure import BadAnswer, describe
from hookplane_dispatcher.egress.guard import AddressGuard
from hookplane_dispatcher.egress.headers import complete
from hookplane_dispatcher.egress.tls import TLSContexts

MAX_RETRY_AFTER_CHARS: Final = 64
CACHED_TARGETS: Final = 4096
"""Parsed URLs; the one used longest ago goes first."""
LARGE_BODY_BYTES: Final = 1 << 20
"""Longer bodies are written piece by piece."""
_AUTO_HEADERS: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """For how long connections and addresses are kept.

    There is no bound on how many are in use: each subscription bounds its own, and a bound over
    all would be a slot that a dead target takes from the others.
    """

    idle_seconds: float = 4
    """Shorter than the 5 s after which common servers close, so that we seldom meet a close."""
    lookup_seconds: int = 10
    """How long the addresses of a name are believed."""


class AiohttpEgress:
    """An EgressClient. Made anywhere, used in one event loop."""

    def __init__(
        self,
        guard: AddressGuard,
        clock: Clock | None = None,
        limits: PoolLimits | None = None,
    ) -> None:
        self._guard = guard
        self._clock = clock or SystemClock()
        self._limits = limits or PoolLimits()
        self._contexts = TLSContexts()
        self._url = lru_cache(CACHED_TARGETS)(self._read_url)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def post(self, request: OutboundRequest) -> OutboundResponse:
        """See EgressClient."""
        clock = self._clock
        started = clock.monotonic()
        try:
            async with asyncio.timeout(request.timeout / 1000):
                status, retry_after, body = await self._exchange(request)
        except Exception as error:
            failure = describe(error)
            return OutboundResponse(
                0, _millis(clock, started), error=failure.error, detail=failure.detail
            )
        return OutboundResponse(status, _millis(clock, started), body, retry_after)

    async def close(self) -> None:
        """See EgressClient."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, request: OutboundRequest) -> tuple[int, str | None, bytes]:
        url = self._url(request.url)
        headers = complete(request.headers)
        context = await self._contexts.get(request.tls) if url.scheme == "https" else True
        session = self._session or self._open()
        while True:
            try:
                answer = await session.post(
                    url,
                    data=_payload(request.body),
                    headers=headers,
                    ssl=context,
                    allow_redirects=False,
                )
            except _SpoiledConnection:
                continue
            except HeadersTooLong as error:
                if not error.status:
                    raise BadAnswer(str(error)) from error
                return error.status, None, b""
            return answer.status, _retry_after(answer), await _read(answer)

    def _read_url(self, secret: Secret) -> URL:
        """Raises InvalidValue."""
        target = check_url(secret.reveal().decode("utf-8", "replace"), self._guard.policy)
        host = f"[{target.host}]" if ":" in target.host else target.host
        return URL(f"{target.scheme}://{host}:{target.port}{target.path}", encoded=True)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError
        limits = self._limits
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_GuardedResolver(self._guard),
                socket_factory=self._guard.socket,
                ttl_dns_cache=limits.lookup_seconds,
                keepalive_timeout=limits.idle_seconds,
                limit=0,
            ),
            request_class=_StrictRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            skip_auto_headers=_AUTO_HEADERS,
            auto_decompress=False,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            max_headers=MAX_HEADERS,
            trust_env=False,
        )
        return self._session


class _GuardedResolver(AbstractResolver):
    """aiohttp asks it for names only; what literals lead to is checked by the socket factory."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [_result(host, port, ip) for ip in await self._guard.addresses(host)]

    async def close(self) -> None:
        """There is nothing to close."""


def _result(host: str, port: int, ip: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=ip,
        port=port,
        family=socket.AF_INET6 if ":" in ip else socket.AF_INET,
        proto=0,
        flags=socket.AI_NUMERICHOST,
    )


class _SpoiledConnection(aiohttp.ClientConnectionError):
    """Bytes came on an idle connection: what follows would be taken for our answer."""


class _StrictRequest(aiohttp.ClientRequest):
    """aiohttp looks for surplus bytes when a connection goes back to its pool; here it is looked
    at again when it comes out, as they may have come in between. From here its
    answer is metered."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        protocol, transport = conn.protocol, conn.transport
        if protocol is None or transport is None or protocol.should_close:
            raise _SpoiledConnection
        AnswerMeter.of(protocol, transport).begin()
        return await super().send(conn)


def _payload(body: bytes) -> bytes | io.BytesIO:
    """aiohttp warns when it gets a large body in one piece."""
    return body if len(body) <= LARGE_BODY_BYTES else io.BytesIO(body)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """At most MAX_ANSWER_BYTES; the connection of a longer answer is closed."""
    if answer.status < 200:
        answer.close()
        raise BadAnswer(f"status {answer.status} ends no exchange")
    content, body = answer.content, b""
    try:
        while not content.at_eof() and len(body) <= MAX_ANSWER_BYTES:
            body += await content.readany()
    except BaseException:
        answer.close()
        raise
    if len(body) > MAX_ANSWER_BYTES:
        answer.close()
    return body[:MAX_ANSWER_BYTES]


def _retry_after(answer: aiohttp.ClientResponse) -> str | None:
    value = answer.headers.get("Retry-After")
    return value if value and value.isascii() and len(value) <= MAX_RETRY_AFTER_CHARS else None


def _millis(clock: Clock, started: float) -> int:
    return round((clock.monotonic() - started) * 1000)
