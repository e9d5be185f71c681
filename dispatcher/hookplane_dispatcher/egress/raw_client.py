"""The egress client on httptools: HTTP/1.1 over pooled connections of our own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from weakref import WeakSet, WeakValueDictionary

from hookplane.clock import Clock, SystemClock
from hookplane.config.subscription import TLSConfig
from hookplane.network.addresses import DEFAULT_PORTS, ParsedTarget, check_url
from hookplane.pacing.deadlines import Deadlines
from hookplane.secret import Secret
from hookplane_dispatcher.egress.answer_parser import TargetAnswer
from hookplane_dispatcher.egress.client import EgressError, OutboundRequest, OutboundResponse
from hookplane_dispatcher.egress.connection import Connection, ConnectionLost, Pool
from hookplane_dispatcher.egress.dialer import Dialer, TargetOrigin
from hookplane_dispatcher.egress.failure import describe
from hookplane_dispatcher.egress.guard import AddressGuard
from hookplane_dispatcher.egress.headers import head_lines

CACHED_TARGETS: Final = 4096
"""URLs that were read; the one used longest ago goes first."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """For how long connections and addresses are kept.

    There is no bound on how many are in use: each subscription bounds its own, and a bound over
    all would be a slot that a dead target takes from the others.
    """

    idle_seconds: float = 4
    """Shorter than the 5 s after which common servers close, so that we seldom meet a close."""
    lookup_seconds: float = 10
    """How long the addresses of a name are believed."""


@dataclass(frozen=True, slots=True)
class _Destination:
    """What is the same in all requests to one URL."""

    origin: TargetOrigin
    pool: Pool
    opening: bytes
    """Request line and Host."""


class RawEgress:
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
        self._dialer = Dialer(guard, self._limits.lookup_seconds)
        self._destination = lru_cache(CACHED_TARGETS)(self._read)
        self._pools: WeakValueDictionary[TargetOrigin, Pool] = WeakValueDictionary()
        self._connections: WeakSet[Connection] = WeakSet()
        self._deadlines: Deadlines | None = None
        self._closed = False

    async def post(self, request: OutboundRequest) -> OutboundResponse:
        """See EgressClient."""
        clock = self._clock
        started = clock.monotonic()
        try:
            answer = await self._exchange(request)
        except Exception as error:
            failure = describe(error)
            duration = _millis(clock, started)
            refused = failure.error is EgressError.REFUSED_ADDRESS
            detail = "" if refused and request.hidden else failure.detail
            return OutboundResponse(0, duration, error=failure.error, detail=detail)
        duration = _millis(clock, started)
        return OutboundResponse(answer.status, duration, answer.body, answer.retry_after)

    async def close(self) -> None:
        """See EgressClient."""
        self._closed = True
        self._dialer.close()
        for connection in list(self._connections):
            connection.close()
        if self._deadlines is not None:
            self._deadlines.close()
        await asyncio.sleep(0)  # the loop ends connections in its next turn

    async def _exchange(self, request: OutboundRequest) -> TargetAnswer:
        """On a kept connection, if there is one. A target may close it while the request is on its
        way; then the request goes once more, on a new one."""
        destination = self._destination(request.url, request.tls, request.services)
        body = request.body
        head = b"%b%bcontent-length: %d\r\n\r\n" % (
            destination.opening,
            head_lines(request.headers),
            len(body),
        )
        at = asyncio.get_running_loop().time() + request.timeout / 1000
        kept = destination.pool.take()
        if kept is not None:
            try:
                answer = await kept.exchange(head, body, at)
                if not _ended_idle(answer):
                    return answer
            except ConnectionLost as error:
                if error.begun:
                    raise
        async with asyncio.timeout_at(at):
            connection = await self._open(destination, request.namespace)
        return await connection.exchange(head, body, at)

    async def _open(self, destination: _Destination, namespace: str) -> Connection:
        deadlines = self._deadlines
        if deadlines is None:
            deadlines = self._deadlines = Deadlines(asyncio.get_running_loop())
        if self._closed:
            raise ConnectionLost(begun=False)
        connection = await self._dialer.dial(
            destination.origin,
            lambda unread: Connection(
                destination.pool, deadlines, self._limits.idle_seconds, unread
            ),
            namespace,
        )
        self._connections.add(connection)
        if self._closed:  # meanwhile
            connection.close()
            raise ConnectionLost(begun=False)
        return connection

    def _read(self, url: Secret, tls: TLSConfig | None, services: tuple[str, ...]) -> _Destination:
        """Raises InvalidValue."""
        target = check_url(url.reveal().decode("utf-8", "replace"), self._guard.policy)
        secure = target.scheme == "https"
        origin = TargetOrigin(secure, target.host, target.port, tls if secure else None, services)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool()
        opening = f"POST {target.path} HTTP/1.1\r\nHost: {_host(target)}\r\n"
        return _Destination(origin, pool, opening.encode())


def _ended_idle(answer: TargetAnswer) -> bool:
    """Of a kept connection: load balancers say 408 when they close one that was idle for too long,
    and then it is no answer to what is on its way (RFC 9110 §15.5.9)."""
    return answer.status == 408 and not answer.reusable


def _host(target: ParsedTarget) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    default = target.port == DEFAULT_PORTS[target.scheme]
    return host if default else f"{host}:{target.port}"


def _millis(clock: Clock, started: float) -> int:
    return round((clock.monotonic() - started) * 1000)
