"""Sends one request, with an access token where the target wants one."""

from __future__ import annotations

from dataclasses import replace

from hookplane.clock import Clock, Millis
from hookplane.config.subscription import OAuth2Config
from hookplane_dispatcher.egress.client import (
    EgressClient,
    EgressError,
    OutboundRequest,
    OutboundResponse,
)
from hookplane_dispatcher.egress.oauth2 import NoToken, TokenSource


class Sender:
    """The egress client and the tokens that go with it."""

    def __init__(self, egress: EgressClient, clock: Clock) -> None:
        self._egress = egress
        self._clock = clock
        self._tokens = TokenSource(egress, clock)

    async def send(self, request: OutboundRequest, oauth2: OAuth2Config | None) -> OutboundResponse:
        """Never raises: a fault of the egress client is a failed attempt, not the end of a worker.
        The time that a token takes counts towards the request's."""
        try:
            if oauth2 is None:
                return await self._egress.post(request)
            return await self._with_token(request, oauth2)
        except Exception as error:
            detail = f"internal error ({type(error).__name__})"
            return OutboundResponse(0, 0, error=EgressError.PROTOCOL, detail=detail)

    async def _with_token(self, request: OutboundRequest, oauth2: OAuth2Config) -> OutboundResponse:
        started = self._clock.monotonic()
        try:
            token = await self._tokens.header(oauth2, request.timeout)
        except NoToken as error:
            taken = self._since(started)
            return OutboundResponse(0, taken, error=EgressError.TOKEN, detail=str(error))
        left = max(1, request.timeout - self._since(started))
        response = await self._egress.post(_authorized(request, token, left))
        if response.status_code == 401:
            self._tokens.rejected(oauth2, token)
        return response

    def _since(self, started: float) -> Millis:
        return int((self._clock.monotonic() - started) * 1000)


def _authorized(request: OutboundRequest, token: str, timeout: Millis) -> OutboundRequest:
    others = tuple(header for header in request.headers if header[0] != "authorization")
    return replace(request, headers=(*others, ("authorization", token)), timeout=timeout)
