"""The config document of a subscription."""

from __future__ import annotations

import operator

from pydantic import Field

from hookplane.clock import Millis
from hookplane.config.base import Document, DocumentPart, RateLimit
from hookplane.secret import Secret
from hookplane.signatures.signing import SigningConfig


class TransformConfig(DocumentPart):
    """What is sent instead of the body; exactly one field is set."""

    cel: str | None = None
    cloud_events: str | None = None
    """Binary or Structured."""


class OAuth2Config(DocumentPart):
    """A client credentials grant (RFC 6749 §4.4)."""

    token_url: str
    client_id: str
    client_secret: Secret
    scopes: tuple[str, ...] = ()


class TLSConfig(DocumentPart):
    """TLS towards the target; all fields are PEM texts."""

    ca: str | None = None
    certificate: str | None = None
    private_key: Secret | None = None


class TargetConfig(DocumentPart):
    """Where deliveries go: what a target of any kind says. Each kind has a model of its own, by
    whose type a dispatcher finds the transport."""

    host: str
    """What status and logs may show of the target: host[:port], or `(Secret)`."""
    timeout: Millis = 15_000
    """Of one attempt."""


class HttpTargetConfig(TargetConfig):
    """A URL."""

    url: Secret
    """Always sealed, because a URL may be a secret itself, such as those of team chats."""
    headers: tuple[tuple[str, Secret], ...] = ()
    """Name and value; `Authorization` for basic and bearer is already among them."""
    forward_headers: tuple[str, ...] = ()
    """Names in lower case, of headers of an event that are sent besides those that always are."""
    oauth2: OAuth2Config | None = None
    tls: TLSConfig | None = None
    keep_answers: bool = Field(default=True, exclude_if=operator.truth)
    """Whether the first bytes of answers are kept with attempts. Not written when they are:
    versions before it know no such field."""
    services: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """Addresses of the Service that it leads to, which may be dialled for this subscription alone.
    Left out where there are none: versions before this one refuse a field that they do not know."""


class RetryConfig(DocumentPart):
    """Pauses between attempts, in milliseconds; each is lengthened by up to `jitter_percent`."""

    schedule: tuple[Millis, ...]
    jitter_percent: int = 10


class CircuitConfig(DocumentPart):
    """When the whole subscription pauses, and how often it is probed."""

    failures: int = 10
    probe_every: Millis = 30_000
    probe_at_most_every: Millis = 300_000


class SubscriptionConfig(Document):
    """Everything a dispatcher needs to know of a subscription."""

    endpoints: tuple[str, ...]
    """Uids of its endpoints, sorted."""
    start_from: str = "Latest"
    """Latest, Earliest or an RFC 3339 time; for the endpoints known at its creation."""
    types: tuple[str, ...] = ()
    """Patterns with `*`; empty: all."""
    keys: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """Patterns with `*` of the keys of events; empty: all, also those without a key. Not written
    when there are none: versions before it know no such field."""
    filter_cel: str | None = None
    transform: TransformConfig | None = None
    target: HttpTargetConfig | None = None
    """None when `not_ready`."""
    signing: SigningConfig = SigningConfig()
    max_in_flight: int = 16
    strict: bool = False
    by_key: bool = Field(default=False, exclude_if=operator.not_)
    """In order for each key. Written only where it is so: versions before it know no such field."""
    rate: RateLimit | None = None
    retry: RetryConfig
    circuit: CircuitConfig = CircuitConfig()
    disable_after: Millis = 432_000_000
    """0: never."""
    operational: bool = False
    """It subscribes to operational events, so none are made about it."""
    suspended: bool = False
    not_ready: str = ""
    """Why nothing is sent, such as a missing Secret; empty: it is served. Events are kept."""
