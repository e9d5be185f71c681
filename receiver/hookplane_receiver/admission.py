"""What happens to a request, in this order: path, method, readiness, source, rate, client
certificate, size, who sends it, handshake, key and type, quota, append, answer. Cheap and harmless
steps come first; nothing of a request is believed, parsed or stored before it is known who sent it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.errors import RejectedEvent, StoreError
from hookplane.ids import RandomPool, event_id
from hookplane.providers import extract
from hookplane.providers.handshakes import Ask
from hookplane.rejections import RejectReason
from hookplane.reporting.activity import ActivityLog
from hookplane.signatures.verify import SignedRequest, verify
from hookplane.store.event_log import Appended, NewEvent
from hookplane.store.protocol import Store
from hookplane_receiver import credentials
from hookplane_receiver.addresses import Network, client_address, contains
from hookplane_receiver.answers import Rejected, handshake_answer, plain
from hookplane_receiver.headers import kept, repeated
from hookplane_receiver.ingress.server import (
    BodyBroken,
    BodyTimeout,
    BodyTooLarge,
    InboundRequest,
    InboundResponse,
)
from hookplane_receiver.metrics import ReceiverMetrics
from hookplane_receiver.patience import Patience
from hookplane_receiver.prepared import PreparedEndpoint
from hookplane_receiver.quotas import Account, Quotas
from hookplane_receiver.reporter import Reporter
from hookplane_receiver.router import Router

APPEND_SECONDS: Final = 1.5
"""Longer than this nobody waits for the store: the sender gets its 503 within 2 s."""


class Admission:
    """The handler behind the front door."""

    def __init__(
        self,
        *,
        router: Router,
        store: Store,
        clock: Clock,
        activity: ActivityLog,
        metrics: ReceiverMetrics,
        reporter: Reporter,
        quotas: Quotas,
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        self._router = router
        self._store = store
        self._clock = clock
        self._activity = activity
        self._metrics = metrics
        self._reporter = reporter
        self._quotas = quotas
        self._trusted = trusted_proxies
        self._patience = Patience(APPEND_SECONDS)
        self._random_bytes = RandomPool()

    async def handle(self, request: InboundRequest) -> InboundResponse:
        """Answers every request; never raises but when it is cancelled."""
        served = self._router.find(request.path)
        if served is None:
            self._metrics.unrouted.inc()
            return plain(404)
        try:
            return await self._admit(served, request)
        except Rejected as rejected:
            return self._reject(served, request, rejected)

    async def _admit(self, served: PreparedEndpoint, request: InboundRequest) -> InboundResponse:
        started = self._clock.monotonic()
        check_method(served, request)
        check_ready(served)
        self._check_source(served, request)
        check_rate(served, started)
        check_client(served, request, self._clock.now())
        if request.method != "POST":
            return shake_hands(served, request, b"", refuse=True) or plain(500)
        body = await read_body(served, request)
        check_credentials(served, request)
        self._check_signature(served, request, body)
        greeting = shake_hands(served, request, body)
        if greeting is not None:
            return greeting
        event = self._event(served, request, body)
        account = self._quotas.admit(served.config.namespace, len(body))
        appended = await self._append(event, account)
        self._note(served, event, appended, started)
        answer = served.answers.get(event.type, served.answer)
        return answer.response(appended.event_id)

    def _check_source(self, served: PreparedEndpoint, request: InboundRequest) -> None:
        if served.networks and not contains(served.networks, self._source(request)):
            raise Rejected(RejectReason.SOURCE, "its address is not among the allowed sources")

    def _source(self, request: InboundRequest) -> str:
        return client_address(request.peer, request.headers, self._trusted)

    def _check_signature(
        self, served: PreparedEndpoint, request: InboundRequest, body: bytes
    ) -> None:
        config = served.config
        if config.signature is None:
            return
        facts = SignedRequest(request.method, signed_url(served, request), request.headers, body)
        verdict = verify(config.signature, served.keys, facts, self._clock.now())
        if verdict.flaw is not None:
            raise Rejected(RejectReason(verdict.flaw.value), verdict.detail)

    def _event(self, served: PreparedEndpoint, request: InboundRequest, body: bytes) -> NewEvent:
        name = repeated(request.headers, served.single)
        if name:
            raise Rejected(RejectReason.MALFORMED, f"header {name} is there more than once")
        now = self._clock.now()
        facts = extract.Facts(request.headers, body)
        key = served.dedup_key
        return NewEvent(
            endpoint=served.config.uid,
            event_id=event_id(now, self._random_bytes),
            received=now,
            type=extract.event_type(served.event_type, facts),
            headers=kept(request.headers, served.credentials),
            body=body,
            dedup_key=None if key is None else extract.dedup_key(key, facts),
            dedup_until=0 if key is None else now + served.config.dedup_window,
        )

    async def _append(self, event: NewEvent, account: Account) -> Appended:
        size, stored = len(event.body), 0
        try:
            appended = await self._patience.wait(self._store.append(event))
            stored = 0 if appended.duplicate else size
            return appended
        except RejectedEvent as error:
            raise Rejected(RejectReason.MALFORMED, f"cannot be stored: {error}") from error
        except (StoreError, TimeoutError) as error:
            detail = str(error) or "the store did not answer in time"
            raise Rejected(RejectReason.STORE, detail) from error
        finally:
            account.end(size, stored)

    def _note(
        self, served: PreparedEndpoint, event: NewEvent, appended: Appended, started: float
    ) -> None:
        seconds = self._clock.monotonic() - started
        if appended.duplicate:
            served.metrics.duplicates.inc()
            self._reporter.duplicate(served.config, conflict=appended.conflict)
        else:
            served.metrics.stored.inc()
            served.metrics.size.inc(len(event.body))
            self._metrics.seconds.observe(seconds)
        self._activity.received(
            served.label,
            appended.event_id,
            event.type,
            len(event.body),
            round(seconds * 1000),
            duplicate=appended.duplicate,
        )

    def _reject(
        self, served: PreparedEndpoint, request: InboundRequest, rejected: Rejected
    ) -> InboundResponse:
        self._metrics.reject(served.label, served.metrics, rejected.reason.value)
        self._reporter.rejected(served.config, rejected.reason, rejected.detail)
        if not served.notes.try_spend(self._clock.monotonic()):
            source = self._source(request)
            self._activity.rejected(served.label, rejected.reason.value, rejected.detail, source)
        return rejected.response()


def check_method(served: PreparedEndpoint, request: InboundRequest) -> None:
    """POST, or what the endpoint's handshake asks by."""
    shake = served.handshake
    if request.method != "POST" and (shake is None or shake.method != request.method):
        raise Rejected(RejectReason.METHOD, "method not allowed", allow=served.allow)


def check_ready(served: PreparedEndpoint) -> None:
    """A missing key is never a reason to let somebody in."""
    if served.not_ready:
        raise Rejected(RejectReason.NOT_READY, served.not_ready)
    if served.config.suspended:
        raise Rejected(RejectReason.SUSPENDED, "the endpoint is suspended")


def check_rate(served: PreparedEndpoint, now: float) -> None:
    """`now`: seconds of the monotonic clock."""
    wait = served.bucket.try_spend(now) if served.bucket is not None else 0
    if wait:
        raise Rejected(RejectReason.RATE, "more requests than the rate allows", retry_seconds=wait)


def check_client(served: PreparedEndpoint, request: InboundRequest, now: Millis) -> None:
    """The certificate that the client showed. `now`: wall clock."""
    flaw = "" if served.demand is None else served.demand.flaw(request.client, now)
    if flaw:
        raise Rejected(RejectReason.CLIENT_CERTIFICATE, flaw)


async def read_body(served: PreparedEndpoint, request: InboundRequest) -> bytes:
    """The raw body, within the endpoint's limit."""
    limit = served.config.max_body_size
    try:
        return await request.read_body(limit)
    except BodyTooLarge:
        raise Rejected(RejectReason.SIZE, f"the body is over {limit} bytes") from None
    except BodyBroken:
        raise Rejected(RejectReason.MALFORMED, "the body is broken off or malformed") from None
    except BodyTimeout:
        raise Rejected(
            RejectReason.MALFORMED, "the body did not come in time", status=408
        ) from None


def check_credentials(served: PreparedEndpoint, request: InboundRequest) -> None:
    """Every layer that is configured must pass."""
    config, headers = served.config, request.headers
    if config.api_key is None and config.basic is None and not config.bearer:
        return
    name = repeated(headers, served.single)
    if name:
        raise Rejected(RejectReason.MALFORMED, f"header {name} is there more than once")
    if config.api_key is not None and not credentials.api_key_matches(config.api_key, headers):
        raise Rejected(RejectReason.API_KEY, f"header {config.api_key.header} does not match")
    if config.basic is not None and not credentials.basic_matches(config.basic, headers):
        raise Rejected(RejectReason.BASIC, "user name or password does not match")
    query = request.target.partition("?")[2] if served.query_token else ""
    if config.bearer and not credentials.bearer_matches(config.bearer, headers, query):
        raise Rejected(RejectReason.BEARER, "the bearer token does not match")


def signed_url(served: PreparedEndpoint, request: InboundRequest) -> str:
    """The configured URL with the query as sent; Host and X-Forwarded-* are strangers' words."""
    _, mark, query = request.target.partition("?")
    return (served.config.public_url or "") + mark + query


def shake_hands(
    served: PreparedEndpoint, request: InboundRequest, body: bytes, *, refuse: bool = False
) -> InboundResponse | None:
    """The answer to a handshake, or None. `refuse`: a request that can only be a handshake."""
    shake = served.handshake
    if shake is None or shake.method != request.method:
        return None
    query = request.target.partition("?")[2]
    ask = Ask(query, request.headers, body, served.config.parameters, _per_minute(served))
    reply = shake.respond(ask)
    if reply is not None:
        return handshake_answer(reply)
    if refuse:
        raise Rejected(RejectReason.HANDSHAKE, "the handshake does not match")
    return None


def _per_minute(served: PreparedEndpoint) -> int | None:
    rate = served.config.rate
    return None if rate is None else max(1, rate.tokens * 60_000 // rate.per)
