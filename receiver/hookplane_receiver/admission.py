"""What happens to a request, in this order: path, method, readiness, source, rate of the source,
client certificate, credentials in headers, size, signature, rate, handshake, key and type, quota,
append, answer. Cheap and harmless steps come first: no body is read that could not let its sender
in, and nothing of a request is believed, parsed or stored before it is known who sent it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.errors import RejectedEvent, StoreError
from hookplane.ids import RandomPool, event_id
from hookplane.network.headers import Headers
from hookplane.providers.handshakes import Ask
from hookplane.rejections import RejectReason
from hookplane.reporting.activity import ActivityLog
from hookplane.signatures.verify import (
    ReadSignature,
    SignatureRefused,
    SignedRequest,
    VerifyResult,
    hashed_bytes,
    read_signature,
    verify,
)
from hookplane.store.event_log import Appended, EventLog, NewEvent
from hookplane.tracing import Step, Tracer
from hookplane_receiver import credentials
from hookplane_receiver.addresses import Network, client_address, contains, network_of
from hookplane_receiver.event_reader import EventReader, Told
from hookplane_receiver.ingress.server import (
    BodyBroken,
    BodyTimeout,
    BodyTooLarge,
    InboundRequest,
    InboundResponse,
    NoRoomForBody,
)
from hookplane_receiver.metrics import ReceiverMetrics
from hookplane_receiver.off_loop import off_loop
from hookplane_receiver.prepared import PreparedEndpoint
from hookplane_receiver.quotas import NamespaceUsage, Quotas
from hookplane_receiver.reporter import Reporter
from hookplane_receiver.responses import Rejected, handshake_answer, plain
from hookplane_receiver.router import Router
from hookplane_receiver.shared_timeout import SharedTimeout
from hookplane_receiver.source_rates import SourceRates

APPEND_SECONDS: Final = 1.5
"""Longer than this nobody waits for the store: the sender gets its 503 within 2 s."""


class Admission:
    """The handler behind the front door."""

    def __init__(
        self,
        *,
        router: Router,
        store: EventLog,
        clock: Clock,
        activity: ActivityLog,
        metrics: ReceiverMetrics,
        reporter: Reporter,
        quotas: Quotas,
        tracer: Tracer,
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        self._router = router
        self._store = store
        self._clock = clock
        self._activity = activity
        self._metrics = metrics
        self._reporter = reporter
        self._quotas = quotas
        self._tracer = tracer
        self._trusted = trusted_proxies
        self._source_rates = SourceRates()
        self._append_timeout = SharedTimeout(APPEND_SECONDS)
        self._random_bytes = RandomPool()
        self._reader = EventReader()

    async def handle(self, request: InboundRequest) -> InboundResponse:
        """Answers every request; never raises but when it is cancelled."""
        endpoint = self._router.find(request.path)
        if endpoint is None:
            return self._unrouted(request)
        source = client_address(request.peer, request.headers, self._trusted)
        try:
            return await self._admit(endpoint, request, source)
        except Rejected as rejected:
            return self._reject(endpoint, source, rejected)

    def _unrouted(self, request: InboundRequest) -> InboundResponse:
        self._metrics.unrouted.inc()
        if request.method == "POST":
            source = client_address(request.peer, request.headers, self._trusted)
            self._activity.unrouted(request.path, source, self._router.paths)
        return plain(404)

    async def _admit(
        self, endpoint: PreparedEndpoint, request: InboundRequest, source: str
    ) -> InboundResponse:
        started = self._clock.monotonic()
        check_method(endpoint, request)
        check_ready(endpoint)
        check_source(endpoint, source)
        network = network_of(source)
        self._check_source_rate(endpoint, network, started)
        check_client(endpoint, request, self._clock.now())
        if request.method != "POST":
            return shake_hands(endpoint, request, b"", refuse=True) or plain(500)
        check_credentials(endpoint, request)
        signature = check_signature_headers(endpoint, request)
        body = await read_body(endpoint, request, network)
        await self._check_signature(endpoint, request, body, signature)
        check_rate(endpoint, self._clock.monotonic())
        greeting = shake_hands(endpoint, request, body)
        if greeting is not None:
            return greeting
        refuse_repeated(endpoint, request)
        told = await self._reader.read(endpoint, request.headers, body)
        event = self._event(endpoint, request, body, told)
        usage = self._quotas.admit(endpoint.config.namespace, len(body))
        appended = await self._append(endpoint, event, usage)
        self._note(endpoint, event, appended, started)
        return endpoint.answers.response(event.type, appended.event_id)

    def _check_source_rate(self, endpoint: PreparedEndpoint, network: str, now: float) -> None:
        """Before it is known who sends."""
        config = endpoint.config
        if config.rate is None:
            return
        wait = self._source_rates.try_spend(config.uid, config.rate, network, now)
        if wait:
            detail = "more requests from one address than the rate allows in all"
            raise Rejected(RejectReason.RATE, detail, retry_seconds=wait)

    async def _check_signature(
        self,
        endpoint: PreparedEndpoint,
        request: InboundRequest,
        body: bytes,
        read: ReadSignature | None,
    ) -> None:
        config = endpoint.config
        if config.signature is None:
            return
        facts = SignedRequest(request.method, signed_url(endpoint, request), request.headers, body)
        hashed = hashed_bytes(config.signature, len(endpoint.keys), len(body))
        refuse_failed(
            await off_loop(
                hashed, verify, config.signature, endpoint.keys, facts, self._clock.now(), read
            )
        )

    def _event(
        self, endpoint: PreparedEndpoint, request: InboundRequest, body: bytes, told: Told
    ) -> NewEvent:
        now = self._clock.now()
        return NewEvent(
            endpoint=endpoint.config.uid,
            event_id=event_id(now, self._random_bytes),
            received=now,
            type=told.type,
            headers=endpoint.stored.of(request.headers),
            body=body,
            dedup_key=told.dedup_key,
            dedup_window=0 if endpoint.dedup_key is None else endpoint.config.dedup_window,
            repeats_identical=endpoint.repeats_identical,
            key=told.key,
        )

    async def _append(
        self, endpoint: PreparedEndpoint, event: NewEvent, usage: NamespaceUsage
    ) -> Appended:
        size, stored = len(event.body), 0
        try:
            append = self._append_timeout.limit(self._store.append(event))
            appended = await self._tracer.trace(Step.APPEND, event.event_id, endpoint.label, append)
            stored = 0 if appended.duplicate else size
            return appended
        except RejectedEvent as error:
            raise Rejected(RejectReason.MALFORMED, f"cannot be stored: {error}") from error
        except (StoreError, TimeoutError) as error:
            detail = str(error) or "the store did not answer in time"
            raise Rejected(RejectReason.STORE, detail) from error
        finally:
            usage.end(size, stored)

    def _note(
        self, endpoint: PreparedEndpoint, event: NewEvent, appended: Appended, started: float
    ) -> None:
        seconds = self._clock.monotonic() - started
        if appended.duplicate or appended.conflict:
            self._reporter.repeated(endpoint.config, appended)
        if appended.conflict:
            endpoint.metrics.conflicts.inc()
        if appended.duplicate:
            endpoint.metrics.duplicates.inc()
        else:
            endpoint.metrics.stored.inc()
            if endpoint.event_key is not None and not event.key:
                endpoint.metrics.keyless.inc()
            endpoint.metrics.size.inc(len(event.body))
            self._metrics.seconds.observe(seconds)
        self._activity.received(
            endpoint.label,
            appended.event_id,
            event.type,
            len(event.body),
            round(seconds * 1000),
            duplicate=appended.duplicate,
            conflict=appended.conflict,
        )

    def _reject(
        self, endpoint: PreparedEndpoint, source: str, rejected: Rejected
    ) -> InboundResponse:
        self._metrics.endpoints.reject(endpoint.label, endpoint.metrics, rejected.reason.value)
        self._reporter.rejected(endpoint.config, rejected.reason, rejected.detail, source)
        if not endpoint.notes.try_spend(self._clock.monotonic()):
            self._activity.rejected(endpoint.label, rejected.reason.value, rejected.detail, source)
        return rejected.response()


def check_method(endpoint: PreparedEndpoint, request: InboundRequest) -> None:
    """POST, or what the endpoint's handshake asks by."""
    shake = endpoint.handshake
    if request.method != "POST" and (shake is None or shake.method != request.method):
        raise Rejected(RejectReason.METHOD, "method not allowed", allow=endpoint.allow)


def check_ready(endpoint: PreparedEndpoint) -> None:
    """A missing key is never a reason to let somebody in."""
    if endpoint.not_ready:
        raise Rejected(RejectReason.NOT_READY, endpoint.not_ready)
    if endpoint.config.suspended:
        raise Rejected(RejectReason.SUSPENDED, "the endpoint is suspended")


def check_source(endpoint: PreparedEndpoint, source: str) -> None:
    """`source`: the address that the request comes from."""
    if endpoint.networks and not contains(endpoint.networks, source):
        raise Rejected(RejectReason.SOURCE, "its address is not among the allowed sources")


def check_rate(endpoint: PreparedEndpoint, now: float) -> None:
    """Of those that are known to come from its senders. `now`: seconds of the monotonic clock."""
    wait = endpoint.bucket.try_spend(now) if endpoint.bucket is not None else 0
    if wait:
        raise Rejected(RejectReason.RATE, "more requests than the rate allows", retry_seconds=wait)


def check_client(endpoint: PreparedEndpoint, request: InboundRequest, now: Millis) -> None:
    """The certificate that the client showed. `now`: wall clock."""
    verifier = endpoint.client_verifier
    refusal = "" if verifier is None else verifier.refusal(request.client, now)
    if refusal:
        raise Rejected(RejectReason.CLIENT_CERTIFICATE, refusal)


async def read_body(endpoint: PreparedEndpoint, request: InboundRequest, network: str) -> bytes:
    """The raw body, within the endpoint's limit and what `network` may keep."""
    limit = endpoint.config.max_body_size
    try:
        return await request.read_body(limit, network)
    except NoRoomForBody:
        detail = "too many large bodies come in at once, or this one came too slowly meanwhile"
        raise Rejected(RejectReason.NO_ROOM, detail) from None
    except BodyTooLarge:
        raise Rejected(RejectReason.SIZE, f"the body is over {limit} bytes") from None
    except BodyBroken:
        raise Rejected(RejectReason.MALFORMED, "the body is broken off or malformed") from None
    except BodyTimeout:
        raise Rejected(
            RejectReason.MALFORMED, "the body did not come in time", status=408
        ) from None


def refuse_repeated(endpoint: PreparedEndpoint, request: InboundRequest) -> None:
    """A header that decides something may come once: never does the first one win."""
    name = credentials.repeated(request.headers, endpoint.single)
    if name:
        raise Rejected(RejectReason.MALFORMED, f"header {name} is there more than once")


def check_credentials(endpoint: PreparedEndpoint, request: InboundRequest) -> None:
    """Every layer that is configured must pass."""
    config, headers = endpoint.config, request.headers
    if config.api_key is None and config.basic is None and not config.bearer:
        return
    refuse_repeated(endpoint, request)
    if config.api_key is not None and not credentials.api_key_matches(config.api_key, headers):
        raise Rejected(RejectReason.API_KEY, _wrong(headers, config.api_key.header))
    if config.basic is not None and not credentials.basic_matches(config.basic, headers):
        told = _wrong(headers, credentials.AUTHORIZATION, "user name or password does not match")
        raise Rejected(RejectReason.BASIC, told)
    query = request.target.partition("?")[2] if endpoint.query_token else ""
    if config.bearer and not credentials.bearer_matches(config.bearer, headers, query):
        mismatch = "the bearer token does not match"
        told = mismatch if query else _wrong(headers, credentials.AUTHORIZATION, mismatch)
        raise Rejected(RejectReason.BEARER, told)


def _wrong(headers: Headers, name: str, mismatch: str = "") -> str:
    """What is wrong with a header that lets nobody in."""
    if all(header != name for header, _ in headers):
        return f"header {name} is missing"
    return mismatch or f"header {name} does not match"


def check_signature_headers(
    endpoint: PreparedEndpoint, request: InboundRequest
) -> ReadSignature | None:
    """What no body can make right. None: no signature is wanted."""
    scheme = endpoint.config.signature
    if scheme is None:
        return None
    try:
        return read_signature(scheme, request.headers)
    except SignatureRefused as refused:
        raise _refusal(refused.result) from None


def refuse_failed(result: VerifyResult) -> None:
    """Raises Rejected, if something is wrong with the signature."""
    if result.failure is not None:
        raise _refusal(result)


def _refusal(result: VerifyResult) -> Rejected:
    assert result.failure is not None  # noqa: S101 - whoever asks has looked
    return Rejected(RejectReason(result.failure.value), result.detail)


def signed_url(endpoint: PreparedEndpoint, request: InboundRequest) -> str:
    """The configured URL with the query as sent; Host and X-Forwarded-* are strangers' words."""
    _, mark, query = request.target.partition("?")
    return (endpoint.config.public_url or "") + mark + query


def shake_hands(
    endpoint: PreparedEndpoint, request: InboundRequest, body: bytes, *, refuse: bool = False
) -> InboundResponse | None:
    """The answer to a handshake, or None. `refuse`: a request that can only be a handshake."""
    shake = endpoint.handshake
    if shake is None or shake.method != request.method:
        return None
    query = request.target.partition("?")[2]
    ask = Ask(query, request.headers, body, endpoint.config.parameters, _per_minute(endpoint))
    reply = shake.respond(ask)
    if reply is not None:
        return handshake_answer(reply)
    if refuse:
        raise Rejected(RejectReason.HANDSHAKE, "the handshake does not match")
    return None


def _per_minute(endpoint: PreparedEndpoint) -> int | None:
    rate = endpoint.config.rate
    return None if rate is None else max(1, rate.tokens * 60_000 // rate.per)
