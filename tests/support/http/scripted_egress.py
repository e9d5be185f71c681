"""A network that answers as a script says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hookplane.clock import Millis
from hookplane_dispatcher.egress.client import EgressError, OutboundRequest, OutboundResponse
from support.clocks.virtual import VirtualClock, VirtualLoop


@dataclass(frozen=True)
class Sent:
    """A request as the target saw it."""

    at: Millis
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    """What a target does; `after` in seconds."""

    status: int = 200
    after: float = 0.01
    retry_after: str | None = None
    body: bytes = b""


Script = Callable[[Sent], Reply]


def ok(_: Sent) -> Reply:
    return Reply()


NEVER = Reply(after=1e9)


class ScriptedEgress:
    """The network: answers as the script says, by URL."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._clock = VirtualClock(loop)
        self.scripts: dict[str, Script] = {}
        self.sent: list[Sent] = []
        self.under_way = 0
        self.most_under_way = 0

    async def post(self, request: OutboundRequest) -> OutboundResponse:
        url = request.url.reveal().decode()
        sent = Sent(self._clock.now(), url, dict(request.headers), request.body)
        self.sent.append(sent)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answer(self.scripts.get(url, ok)(sent), request.timeout)
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        """Nothing is open."""

    async def _answer(self, reply: Reply, timeout: Millis) -> OutboundResponse:
        after = min(reply.after, timeout / 1000)
        await asyncio.sleep(after)
        if after < reply.after:
            return OutboundResponse(0, timeout, error=EgressError.TIMEOUT)
        return OutboundResponse(reply.status, round(after * 1000), reply.body, reply.retry_after)
