"""The HTTP transport: what is sent to a URL, with which headers, signed how, and the sending."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.config.subscription import HttpTargetConfig, OAuth2Config, SubscriptionConfig
from hookplane.evaluation.pool import EvaluationPool
from hookplane.evaluation.transformer import Transformer
from hookplane.filters.event import EventView
from hookplane.kinds.subscription import HIDDEN_HOST
from hookplane.providers.registry import FACTS
from hookplane.signatures.deliver import make_signer
from hookplane_dispatcher.egress.client import (
    EgressClient,
    EgressError,
    OutboundRequest,
    OutboundResponse,
)
from hookplane_dispatcher.egress.oauth2 import NoToken, TokenSource
from hookplane_dispatcher.transports.http.answer import outcome_of
from hookplane_dispatcher.transports.http.facts import told
from hookplane_dispatcher.transports.http.kept import KeptAnswers, kept_answers
from hookplane_dispatcher.transports.transport import Outcome, Send

REPLAY_HEADER: Final = "hookplane-replay"
_PLAIN_BYTES: Final = "application/octet-stream"
_UNKNOWN: Final = "unknown"


class HttpTransport:
    """A Transport: POSTs through the egress client, with access tokens that targets share."""

    def __init__(self, egress: EgressClient, clock: Clock) -> None:
        self._egress = egress
        self._sender = _Sender(egress, clock)

    def target(self, config: SubscriptionConfig, pool: EvaluationPool) -> RequestBuilder:
        """See Transport."""
        assert isinstance(config.target, HttpTargetConfig)  # noqa: S101 - the table says so
        return RequestBuilder(config, config.target, self._sender, pool)

    async def close(self) -> None:
        """See Transport."""
        await self._egress.close()


class RequestBuilder:
    """A PreparedTarget: everything that a document says about requests, prepared once."""

    def __init__(
        self,
        config: SubscriptionConfig,
        target: HttpTargetConfig,
        sender: _Sender,
        pool: EvaluationPool,
    ) -> None:
        """Raises InvalidValue when a key or an expression is not usable."""
        self._target = target
        self._sender = sender
        self._url = target.url.reveal().decode()
        self._signer = make_signer(config.signing)
        self._transformer = Transformer(config, pool)
        self._own = [(name.lower(), value.reveal().decode()) for name, value in target.headers]
        self._own_names = {name for name, _ in self._own}
        self._passed = FACTS | set(target.forward_headers)
        self._kept = kept_answers(config, target)

    async def prepare(self, event: EventView, now: Millis, replay: str = "") -> Send:
        """See PreparedTarget. Headers of the target win over ours and those of the event, but
        never over the signature's; no header is sent twice."""
        target = self._target
        payload = await self._transformer.payload(event)
        signed = self._signer.headers(event.event_id, now // 1000, self._url, payload.body)
        taken = self._own_names.union(name for name, _ in signed)
        speaking = map(_clean, told(event, payload.headers, self._passed))
        headers = [header for header in speaking if header[0] not in taken]
        headers += signed
        headers += self._own
        if replay:
            headers.append((REPLAY_HEADER, replay))
        request = OutboundRequest(
            target.url,
            tuple(headers),
            payload.body,
            target.timeout,
            target.tls,
            target.services,
            namespace=event.namespace,
            hidden=target.host == HIDDEN_HOST,
        )
        return partial(self._sender.send, request, target.oauth2, self._kept)


class _Sender:
    """Sends one request, with an access token where the target wants one."""

    def __init__(self, egress: EgressClient, clock: Clock) -> None:
        self._egress = egress
        self._clock = clock
        self._tokens = TokenSource(egress, clock)

    async def send(
        self, request: OutboundRequest, oauth2: OAuth2Config | None, kept: KeptAnswers
    ) -> Outcome:
        """Never raises: a fault of the egress client is a failed attempt, not the end of a worker.
        The time that a token takes counts towards the request's."""
        try:
            if oauth2 is None:
                response = kept.of(await self._egress.post(request))
            else:
                response = await self._with_token(request, oauth2, kept)
        except Exception as error:
            detail = f"internal error ({type(error).__name__})"
            response = OutboundResponse(0, 0, error=EgressError.PROTOCOL, detail=detail)
        return outcome_of(response, self._clock)

    async def _with_token(
        self, request: OutboundRequest, oauth2: OAuth2Config, kept: KeptAnswers
    ) -> OutboundResponse:
        started = self._clock.monotonic()
        try:
            token = await self._tokens.header(oauth2, request.timeout, request.namespace)
        except NoToken as error:
            taken = self._since(started)
            failed = OutboundResponse(0, taken, error=EgressError.TOKEN, detail=str(error))
            return kept.of(failed)
        left = max(1, request.timeout - self._since(started))
        response = await self._egress.post(_authorized(request, token, left))
        if response.status_code == 401:
            self._tokens.rejected(oauth2, token)
        return kept.of(response, token)

    def _since(self, started: float) -> Millis:
        return int((self._clock.monotonic() - started) * 1000)


def _authorized(request: OutboundRequest, token: str, timeout: Millis) -> OutboundRequest:
    others = tuple(header for header in request.headers if header[0] != "authorization")
    return replace(request, headers=(*others, ("authorization", token)), timeout=timeout)


def _clean(header: tuple[str, str]) -> tuple[str, str]:
    """Replaces a value that senders wrote and that is not fit to be sent."""
    name, value = header
    if value.isascii() and value.isprintable():
        return header
    return name, _PLAIN_BYTES if name == "content-type" else _UNKNOWN
