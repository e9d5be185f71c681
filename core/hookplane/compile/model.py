"""What compile takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.conditions import Reason
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.kinds.gateway import WebhookGateway
from hookplane.kinds.replay import WebhookReplay
from hookplane.kinds.subscription import WebhookSubscription
from hookplane.secret import Secret
from hookplane.store.delivery_store import NewReplay

Resource = WebhookEndpoint | WebhookSubscription | WebhookReplay | WebhookGateway


class ObjectKey(NamedTuple):
    """Identity of an object for as long as it has this name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Severity(StrEnum):
    """ERROR: the object is not as it must be. MISSING: something it needs is not there (yet).
    NOTE: worth knowing, nothing is wrong."""

    ERROR = "error"
    MISSING = "missing"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Absent:
    """Something that is not at hand and may well exist elsewhere."""

    kind: str
    name: str
    key: str = ""
    """Key of a Secret."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of one object, and what would be right."""

    kind: str
    namespace: str
    name: str
    path: str
    """Such as `spec.delivery.retry.schedule[2]`; empty: the whole object."""
    message: str
    severity: Severity = Severity.ERROR
    absent: Absent | None = None
    """What it would take, when nothing is wrong but that."""
    reason: Reason = Reason.INVALID
    """The condition's reason that stands for it in a cluster."""


@dataclass(frozen=True, slots=True)
class SecretObject:
    """A Secret: its keys with their values."""

    namespace: str
    name: str
    data: Mapping[str, Secret]
    type: str = "Opaque"
    generated: bool = False
    """We made it; only then are its keys `key` and `previous` used for a WantedSecret."""
    reserved: str = ""
    """What it is for that nothing else may refer to it; empty: it is anybody's."""


class GeneratedKind(StrEnum):
    """What is generated into a Secret of ours."""

    WHSEC = "whsec"
    """A Standard Webhooks v1 secret: `whsec_` and base64 of 32 random bytes."""
    WHSK = "whsk"
    """A Standard Webhooks v1a private key: `whsk_` and base64 of an Ed25519 seed."""
    HEX = "hex"
    """64 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A Secret that is to be generated: its keys are `key` and, during overlap, `previous`."""

    namespace: str
    name: str
    kind: GeneratedKind
    owner: str
    """Uid of the object that it is for."""
    rotate_every: int = 0
    """Milliseconds; 0: never."""
    overlap: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """What differs between a laptop and a cluster."""

    loopback_allowed: bool = False
    allowed_cidrs: tuple[str, ...] = ()
    """Private address ranges that targets may live in."""
    services: Mapping[str, str] = field(default_factory=dict)
    """Service name → base URL (`--service NAME=URL`); a cluster makes URLs of its own."""
    cluster_services: bool = False
    """True: serviceRef becomes `http://<name>.<namespace>.svc:<port>`."""
    refused_services: Mapping[str, str] = field(default_factory=dict)
    """`namespace/name` of Services that cannot be targets → why."""
    public_url: str | None = None
    retention_events: int = 604_800_000
    """Milliseconds; a schedule longer than this less 24 h is refused."""
    gateways: bool = False
    """False: there is one data plane and no WebhookGateway has a meaning; that is said once."""
    receiver_tls: bool = False
    """Whether receivers end TLS themselves, so that client certificates can be asked for."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Everything that is in order, and everything that is not."""

    endpoints: tuple[EndpointConfig, ...]
    subscriptions: tuple[SubscriptionConfig, ...]
    replays: tuple[NewReplay, ...]
    wanted: tuple[WantedSecret, ...]
    """All generated Secrets that objects need, whether they exist or not."""
    problems: tuple[Problem, ...]
