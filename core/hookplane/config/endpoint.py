"""The config document of an endpoint."""

from __future__ import annotations

import operator

from pydantic import Field

from hookplane.clock import Millis
from hookplane.config.base import Document, DocumentPart, RateLimit
from hookplane.secret import Secret
from hookplane.signatures.scheme import SignatureScheme


class ApiKey(DocumentPart):
    """A header (lower case) that must equal one of the keys."""

    header: str
    keys: tuple[Secret, ...]


class Basic(DocumentPart):
    """HTTP basic authentication."""

    username: str
    passwords: tuple[Secret, ...]


class ClientCertificate(DocumentPart):
    """A certificate that the other end of a TLS connection must show."""

    authorities: Secret
    """PEM; any of them may have issued it."""
    subjects: tuple[str, ...] = ()
    """RFC 4514; its whole subject must be one of these. Empty: any."""


class Answer(DocumentPart):
    """The response to an accepted request; {event.id} in `body` stands for the event's id."""

    status: int = 200
    content_type: str = "application/json"
    body: str = '{"id":"{event.id}"}'


class Source(DocumentPart):
    """Where a value is in a request: exactly one field is set.

    `extractor` names a function of a preset in `hookplane.providers.presets`, for values that
    no single header or path holds. `parts` of a key are sources themselves, and are all needed.
    """

    header: str | None = None
    body_path: str | None = None
    value: str | None = None
    extractor: str | None = None
    parts: tuple[Source, ...] = Field(default=(), exclude_if=operator.not_)
    """Not written when there are none: versions before it know no such field."""


class EndpointConfig(Document):
    """Everything a receiver needs to know of an endpoint."""

    path: str
    """Path of its URL: `/<namespace>/<name>`."""
    labels: dict[str, str] = {}
    provider: str
    """Name of the preset that the axes below came from, for messages."""
    builtin: bool = False
    """The endpoint of a namespace's operational events: nobody can POST to it."""
    suspended: bool = False
    not_ready: str = ""
    """Why requests are answered 503, such as a missing key; empty: they are served."""
    keys: tuple[Secret, ...] = ()
    """Keys of `signature`; any that matches accepts."""
    signature: SignatureScheme | None = None
    public_url: str | None = None
    """The URL as the provider calls it, for signatures over {url}."""
    parameters: dict[str, Secret] = {}
    handshake: str | None = None
    """Name of a handshake in `hookplane.providers.registry`."""
    api_key: ApiKey | None = None
    basic: Basic | None = None
    bearer: tuple[Secret, ...] = ()
    client_certificate: ClientCertificate | None = None
    sources: tuple[str, ...] = ()
    """Address ranges that may send; empty: any."""
    event_type: Source
    dedup_key: Source | None = None
    """None: every request is an event of its own."""
    dedup_window: Millis = 86_400_000
    event_key: Source | None = Field(default=None, exclude_if=operator.not_)
    """Where it stands what an event is about; None: events have no key. Not written when there is
    none: versions before it know no such field."""
    store_headers: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """Headers (lower case) that are stored with an event, besides those that every endpoint of this
    provider stores. Not written when there are none: versions before it know no such field."""
    max_body_size: int = Field(default=1 << 20, ge=1)
    rate: RateLimit | None = None
    answer: Answer = Answer()
    answers: dict[str, Answer] = {}
    """Answers to events of certain types, before `answer`."""


def operational_endpoint(namespace: str) -> str:
    """Uid of the built-in endpoint that takes a namespace's operational events."""
    return f"operational/{namespace}"
