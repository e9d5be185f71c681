"""A proxy before an API server that does what networks, load balancers and busy servers do.

It takes plain HTTP and goes on with TLS, with a certificate of its own or with the token that came.
It runs in a thread, so that a test may wait for kubectl meanwhile. Rules break requests; the first
one that takes a request breaks it.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import yaml
from aiohttp import web

from support.kubernetes.control_plane import ControlPlane

FOR_EVER: Final = 86_400.0
BEAT_SECONDS: Final = 0.1
_OWN: Final = ("host", "content-length", "transfer-encoding", "connection")
"""Headers that belong to one connection."""
_REASONS: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
PAGE: Final = b"<html><head><title>Please sign in</title></head><body>Hello.</body></html>"


@dataclass(eq=False)
class Exchange:
    """One request, and what became of it."""

    line: str
    """`METHOD /path?query`."""
    agent: str
    at: float
    """Seconds of the monotonic clock."""
    request: web.Request
    body: bytes
    status: int = 0
    """That was answered; 0: nothing was."""
    stream: web.StreamResponse | None = None
    """Of a watch that is open."""
    effect: Effect | None = None
    """Of the rule that took it."""

    @property
    def is_watch(self) -> bool:
        return "watch=true" in self.line or "watch=1" in self.line

    def abort(self) -> web.StreamResponse:
        """The connection is reset; what was answered already stays answered."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return self.stream or web.Response()


PassOn = Callable[[], Awaitable[web.StreamResponse]]
Effect = Callable[[Exchange, PassOn], Awaitable[web.StreamResponse]]
"""What is done with a request; the second passes it on, and the answer back."""


# What can be done with a request ------------------------------------------------------------------


def answers(
    status: int,
    body: bytes | None = None,
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Effect:
    """The API server does not get it. `body`: None: a Status of Kubernetes."""
    reason = _REASONS.get(status, "Unknown")
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
    raw = json.dumps({**said, "reason": reason, "message": f"injected {status}"}).encode()
    raw = raw if body is None else body

    async def effect(_: Exchange, __: PassOn) -> web.StreamResponse:
        return web.Response(status=status, body=raw, content_type=kind, headers=headers)

    return effect


def html(status: int = 200) -> Effect:
    """The page of a load balancer."""
    return answers(status, PAGE, "text/html")


def empty(status: int = 200) -> Effect:
    """No body; with 204 there must be none."""
    return answers(status, b"")


def too_many(retry_after: int = 1) -> Effect:
    """429."""
    return answers(429, headers={"Retry-After": str(retry_after)})


def replaces(body: bytes, status: int = 200) -> Effect:
    """The API server gets it, and something else comes back than what it answered."""

    async def effect(_: Exchange, pass_on: PassOn) -> web.StreamResponse:
        await pass_on()
        return web.Response(status=status, body=body, content_type="application/json")

    return effect


def slow(seconds: float) -> Effect:
    """It comes late."""

    async def effect(_: Exchange, pass_on: PassOn) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await pass_on()

    return effect


async def hang(exchange: Exchange, _: PassOn) -> web.StreamResponse:
    """Nobody ever answers."""
    await asyncio.sleep(FOR_EVER)
    return exchange.abort()


async def reset(exchange: Exchange, _: PassOn) -> web.StreamResponse:
    """The connection breaks before the API server gets it."""
    return exchange.abort()


async def lose_answer(exchange: Exchange, pass_on: PassOn) -> web.StreamResponse:
    """The API server gets it, and its answer is lost."""
    await pass_on()
    return exchange.abort()


async def half(exchange: Exchange, pass_on: PassOn) -> web.StreamResponse:
    """The answer ends in the middle; of a watch, the first line that comes."""
    answer = await pass_on()
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
        return answer  # of a watch it was done while it was passed on
    cut = answer.body[: len(answer.body) // 2]
    kind = answer.headers.get("Content-Type", "application/json")
    return web.Response(status=answer.status, body=cut, headers={"Content-Type": kind})


async def silence(_: Exchange, pass_on: PassOn) -> web.StreamResponse:
    """Watches, those that are open too, are held and tell nothing any more; other requests are
    passed on."""
    return await pass_on()


# The proxy ----------------------------------------------------------------------------------------


@dataclass(eq=False)
class Rule:
    """Which requests are broken, and how."""

    pattern: re.Pattern[str]
    effect: Effect
    left: int | None = None
    """How many more; None: all."""
    agent: str = ""
    """A part of the name that the client gives itself."""
    hits: int = 0

    def matches(self, exchange: Exchange) -> bool:
        named = self.agent in exchange.agent
        return named and self.left != 0 and bool(self.pattern.search(exchange.line))

    def take(self) -> None:
        self.hits += 1
        if self.left is not None:
            self.left -= 1


@dataclass(eq=False)
class ApiProxy:
    """Passes everything on until a rule says otherwise."""

    upstream: str
    context: ssl.SSLContext
    shows_certificate: bool = True
    """Else the client's token is passed on."""
    rules: list[Rule] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    """Everything that came, in its order."""
    port: int = 0

    # What tests do ------------------------------------------------------------------------------

    def add(self, match: str, effect: Effect, *, times: int | None = None, agent: str = "") -> Rule:
        """`match`: a regular expression, looked for in `METHOD /path?query`."""
        rule = Rule(re.compile(match), effect, times, agent)
        self.rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        self.rules.remove(rule)

    def clear(self) -> None:
        """No rules: what hangs stays so, what was silent goes on."""
        self.rules.clear()

    def cut(self, match: str = "") -> int:
        """Resets the watches that match; how many there were."""
        open_now = self._open(match)
        for exchange in open_now:
            self._loop.call_soon_threadsafe(exchange.abort)
        return len(open_now)

    def inject(self, match: str, line: bytes) -> int:
        """A line, or a part of one, into the watches that match; how many there were."""
        open_now = self._open(match)
        for exchange in open_now:
            assert exchange.stream is not None
            self._call(exchange.stream.write(line))
        return len(open_now)

    def asked(self, match: str, since: float = 0.0) -> list[Exchange]:
        """Requests that match. `since`: seconds of the monotonic clock."""
        return [x for x in list(self.exchanges) if x.at >= since and re.search(match, x.line)]

    def kubeconfig(self, path: Path, token: str = "") -> Path:
        """For a client that goes by this proxy."""
        user = {"token": token} if token else {}
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "clusters": [{"name": "test", "cluster": {"server": self.url}}],
                    "users": [{"name": "user", "user": user}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
                }
            )
        )
        return path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # Its life -----------------------------------------------------------------------------------

    def start(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._listen())
        return self

    def stop(self) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.context, limit=0),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        for exchange in self._open(""):
            exchange.abort()
        await self._runner.cleanup()
        await self._session.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _call(self, what: Coroutine[Any, Any, None]) -> None:
        with suppress(ConnectionError):
            asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    # A request ----------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        line, agent = f"{request.method} {request.rel_url}", request.headers.get("User-Agent", "")
        exchange = Exchange(line, agent, time.monotonic(), request, b"")
        self.exchanges.append(exchange)
        exchange.body = await request.read()

        async def pass_on() -> web.StreamResponse:
            return await self._pass_on(exchange)

        try:
            answer = await self._effect(exchange)(exchange, pass_on)
        except (aiohttp.ClientError, OSError):
            answer = exchange.abort()
        exchange.status = answer.status
        return answer

    def _effect(self, exchange: Exchange) -> Effect:
        rule = next((x for x in self.rules if x.matches(exchange)), None)
        if rule is None:
            return silence  # of which nothing is said by the rules, so it is passed on
        rule.take()
        exchange.effect = rule.effect
        return rule.effect

    async def _pass_on(self, exchange: Exchange) -> web.StreamResponse:
        request = exchange.request
        dropped = (*_OWN, "authorization") if self.shows_certificate else _OWN
        headers = {k: v for k, v in request.headers.items() if k.lower() not in dropped}
        async with self._session.request(
            request.method,
            f"{self.upstream}{request.rel_url}",
            headers=headers,
            data=exchange.body or None,
            skip_auto_headers=("Content-Type", "User-Agent", "Accept"),
        ) as answer:
            back = {k: v for k, v in answer.headers.items() if k.lower() not in _OWN}
            if exchange.is_watch and answer.status == 200:
                return await self._stream(exchange, answer, back)
            raw = await answer.read()
            return web.Response(status=answer.status, headers=back, body=raw)

    async def _stream(
        self, exchange: Exchange, answer: aiohttp.ClientResponse, headers: dict[str, str]
    ) -> web.StreamResponse:
        stream = web.StreamResponse(status=answer.status, headers=headers)
        await stream.prepare(exchange.request)
        exchange.stream = stream
        try:
            async for chunk in answer.content.iter_any():
                await self._audible(exchange)
                if self._does(half, exchange):
                    await stream.write(chunk[: len(chunk) // 2])
                    return exchange.abort()
                await stream.write(chunk)
            await stream.write_eof()
        finally:
            exchange.stream = None
        return stream

    async def _audible(self, exchange: Exchange) -> None:
        """Returns when no rule keeps this watch silent. Raises ConnectionResetError when its client
        is gone."""
        while self._does(silence, exchange):
            await asyncio.sleep(BEAT_SECONDS)
            transport = exchange.request.transport
            if transport is None or transport.is_closing():
                raise ConnectionResetError

    def _does(self, effect: Effect, exchange: Exchange) -> bool:
        """Whether this befalls a watch that is open already."""
        later = any(x.effect is effect and x.matches(exchange) for x in self.rules)
        return later or (exchange.effect is effect and effect is half)

    def _open(self, match: str) -> list[Exchange]:
        return [x for x in self.asked(match) if x.stream is not None]


@contextmanager
def api_proxy(plane: ControlPlane, user: str = "", group: str = "") -> Iterator[ApiProxy]:
    """Before this control plane. `user`: whom it shows to be; empty: whom the client's token
    shows."""
    context = ssl.create_default_context(cadata=plane.authority.certificate.decode())
    if user:
        plane.user(f"proxy-{user}", plane.authority.client(user, group or None))
        pair = (plane.folder / f"proxy-{user}.crt", plane.folder / f"proxy-{user}.key")
        context.load_cert_chain(*pair)
    proxy = ApiProxy(plane.url, context, shows_certificate=bool(user)).start()
    try:
        yield proxy
    finally:
        proxy.stop()
