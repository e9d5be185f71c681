"""An endpoint made ready: everything that can be worked out before a request comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hookplane.config.base import RateLimit
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.errors import InvalidValue
from hookplane.pacing.token_bucket import TokenBucket
from hookplane.providers.extract import Extractor
from hookplane.providers.handshakes import Handshake
from hookplane.providers.registry import (
    HANDSHAKES,
    event_key_reader,
    key_reader,
    reader,
    repeats_identical,
)
from hookplane.providers.stored_headers import StoredHeaders, stored_headers
from hookplane.signatures.keys import VerificationKey, prepare
from hookplane_receiver.addresses import Network, networks
from hookplane_receiver.client_certificates import ClientVerifier
from hookplane_receiver.metrics import EndpointMetrics
from hookplane_receiver.responses import PreparedAnswers, prepare_answers

NOTES: Final = RateLimit(tokens=10, per=1000, burst=20)
"""So many rejections of an endpoint are written into the activity; all are counted."""
_CLOUDEVENTS: Final = "CloudEventsOptions"


@dataclass(slots=True)
class PreparedEndpoint:
    """One endpoint as the front door needs it."""

    config: EndpointConfig
    label: str
    """`namespace/name`."""
    not_ready: str
    """Why requests are answered 503; empty: they are served."""
    keys: tuple[VerificationKey, ...]
    client_verifier: ClientVerifier | None
    """What a client certificate must be; None: none is asked for."""
    handshake: Handshake | None
    networks: tuple[Network, ...]
    bucket: TokenBucket | None
    notes: TokenBucket
    stored: StoredHeaders
    """Which headers are kept with an event."""
    single: frozenset[str]
    """Headers that must not be repeated."""
    event_type: Extractor
    dedup_key: Extractor | None
    event_key: Extractor | None
    """Reads what an event is about; None: that is not asked."""
    repeats_identical: bool
    """Another body under the key is another event."""
    answers: PreparedAnswers
    query_token: bool
    """A bearer token may stand in the query as `access_token`, as CloudEvents wants it."""
    metrics: EndpointMetrics

    @property
    def allow(self) -> str:
        """Methods that are answered, as a header lists them."""
        shake = self.handshake
        return "POST" if shake is None or shake.method == "POST" else f"{shake.method}, POST"


def prepare_endpoint(
    config: EndpointConfig, metrics: EndpointMetrics, now: float
) -> PreparedEndpoint:
    """Prepares an endpoint; what cannot be prepared makes it not ready, never open.

    `now`: seconds of the monotonic clock. Raises ValueError for a document that names what this
    version does not know.
    """
    keys, key_problem = _keys(config)
    client_verifier, authorities_problem = _client_verifier(config)
    event_type, dedup_key = reader(config.event_type), _key_reader(config.dedup_key)
    event_key = None if config.event_key is None else event_key_reader(config.event_key)
    query_token = config.handshake == _CLOUDEVENTS and bool(config.bearer)
    return PreparedEndpoint(
        config=config,
        label=f"{config.namespace}/{config.name}",
        not_ready=config.not_ready or key_problem or authorities_problem or _open(config),
        keys=keys,
        client_verifier=client_verifier,
        handshake=_handshake(config),
        networks=networks(config.sources),
        bucket=TokenBucket(config.rate, now) if config.rate else None,
        notes=TokenBucket(NOTES, now),
        stored=stored_headers(config),
        single=frozenset(_single(config, event_type, dedup_key, event_key)),
        event_type=event_type,
        dedup_key=dedup_key,
        event_key=event_key,
        repeats_identical=repeats_identical(config.provider, config.dedup_key),
        answers=prepare_answers(config.answer, config.answers, private=query_token),
        query_token=query_token,
        metrics=metrics,
    )


def _handshake(config: EndpointConfig) -> Handshake | None:
    if not config.handshake:
        return None
    known = HANDSHAKES.get(config.handshake)
    if known is None:
        raise InvalidValue(f'there is no handshake "{config.handshake}"')
    return known


def _key_reader(source: Source | None) -> Extractor | None:
    return None if source is None else key_reader(source)


def _keys(config: EndpointConfig) -> tuple[tuple[VerificationKey, ...], str]:
    """The keys, and what is wrong when there is none to verify with."""
    if config.signature is None:
        return (), ""
    try:
        keys = tuple(prepare(config.signature, secret) for secret in config.keys)
    except InvalidValue as error:
        return (), str(error)
    return keys, "" if keys else "there is no key"


def _client_verifier(config: EndpointConfig) -> tuple[ClientVerifier | None, str]:
    """What verifies client certificates, and what is wrong when it cannot be made."""
    if config.client_certificate is None:
        return None, ""
    try:
        return ClientVerifier(config.client_certificate), ""
    except InvalidValue as error:
        return None, f"the authorities of client certificates: {error}"


def _open(config: EndpointConfig) -> str:
    """An endpoint that anybody could send to is not served."""
    if config.api_key is not None and not _all_set(config.api_key.keys):
        return "an API key is empty"
    if config.basic is not None and not _all_set(config.basic.passwords):
        return "a password is empty"
    if config.bearer and not _all_set(config.bearer):
        return "a bearer token is empty"
    layers = (
        config.signature,
        config.api_key,
        config.basic,
        config.bearer or None,
        config.client_certificate,
    )
    return "" if any(layer is not None for layer in layers) else "nothing says who may send"


def _all_set(secrets: Sequence[object]) -> bool:
    return bool(secrets) and all(secrets)


def _single(config: EndpointConfig, *extractors: Extractor | None) -> Iterator[str]:
    """The signature's own headers are looked after by `verify`."""
    yield "authorization"
    if config.api_key is not None:
        yield config.api_key.header
    for extractor in extractors:
        yield from extractor.headers if extractor is not None else ()
