"""Which headers of a request are stored with its event: those that somebody has named, and no
others. What looks like a credential is never among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.network.credentials import is_credential, is_surely_credential
from hookplane.network.headers import CLOUD_EVENT_PREFIX, CONNECTION_HEADERS, Headers
from hookplane.providers.registry import EXTRACTORS, FACTS, PRESETS
from hookplane.signatures.scheme import SignatureScheme

GENERAL: Final = frozenset(
    {
        *("content-type", "content-encoding", "content-language", "content-disposition"),
        *("content-location", "content-md5", "content-digest", "repr-digest", "digest"),
        *("user-agent", "date"),
        *("request-id", "x-request-id", "correlation-id", "x-correlation-id"),
        *("traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid"),
        *("x-amzn-trace-id", "x-cloud-trace-context", "cf-ray"),
        *("idempotency-key", "x-idempotency-key", "x-event-key"),
    }
)
"""Stored by every endpoint: what the bytes of a body are, who made the request, and by which ids it
is found again elsewhere."""


@dataclass(frozen=True, slots=True)
class StoredHeaders:
    """What one endpoint stores. Names are in lower case."""

    names: frozenset[str]
    credentials: frozenset[str]
    """Headers that it verifies requests by."""

    def keeps(self, name: str) -> bool:
        """Whether a header of this name is stored. Attributes of a CloudEvent are the event itself,
        and whoever sends it chooses their names."""
        return name in self.names or (
            name.startswith(CLOUD_EVENT_PREFIX) and not self.refusal(name)
        )

    def of(self, headers: Headers) -> Headers:
        """Those of a request's headers that are stored."""
        return tuple([header for header in headers if self.keeps(header[0])])

    def refusal(self, name: str) -> str:
        """Why a header of this name is not stored, whoever asks for it; empty: it may be."""
        return _refusal(name, self.credentials, is_credential)


def stored_headers(config: EndpointConfig) -> StoredHeaders:
    """What an endpoint stores: what all do, what its provider and its verification have, what its
    spec names, and what the type and the keys of its events are read from. Of the last its owner
    says what they are, so that a word alone makes no credential of them."""
    credentials = frozenset(_credentials(config))
    named = (*GENERAL, *FACTS, *_of_provider(config), *config.store_headers)
    kept = {x for x in named if not _refusal(x, credentials, is_credential)}
    kept.update(x for x in _telling(config) if not _refusal(x, credentials, is_surely_credential))
    return StoredHeaders(frozenset(kept), credentials)


def _refusal(name: str, credentials: frozenset[str], looks_like_one: Callable[[str], bool]) -> str:
    if name in credentials:
        return "is what requests are verified by, which is never stored"
    if looks_like_one(name):
        return "looks like a credential, which is never stored"
    if name in CONNECTION_HEADERS:
        return "belongs to the connection and not to what is sent, so it is never stored"
    return ""


def _credentials(config: EndpointConfig) -> Iterator[str]:
    if config.signature is not None:
        yield config.signature.header
    if config.api_key is not None:
        yield config.api_key.header


def _of_provider(config: EndpointConfig) -> Iterator[str]:
    preset = PRESETS.get(config.provider)
    yield from preset.stored if preset is not None else ()
    if config.signature is not None:
        yield from _signed(config.signature)


def _signed(scheme: SignatureScheme) -> Iterator[str]:
    """The id and the time of a request, where they have headers of their own."""
    time = scheme.timestamp.header if scheme.timestamp is not None else None
    yield from (name for name in (scheme.id_header, time) if name is not None)


def _telling(config: EndpointConfig) -> Iterator[str]:
    for source in (config.event_type, config.dedup_key, config.event_key):
        yield from _read(source) if source is not None else ()


def _read(source: Source) -> Iterator[str]:
    if source.header is not None:
        yield source.header
    extractor = EXTRACTORS.get(source.extractor or "")
    yield from extractor.headers if extractor is not None else ()
    for part in source.parts:
        yield from _read(part)
