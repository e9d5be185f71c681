"""What compile takes and gives, and how objects are identified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from hookplane.clock import Millis
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.conditions import Reason
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.kinds.gateway import WebhookGateway
from hookplane.kinds.registry import KIND_BY_NAME
from hookplane.kinds.replay import WebhookReplay
from hookplane.kinds.subscription import WebhookSubscription
from hookplane.network.addresses import OwnPlace
from hookplane.secret import Secret
from hookplane.signatures.signing import GeneratedKind
from hookplane.store.delivery_store import NewReplay

Resource = WebhookEndpoint | WebhookSubscription | WebhookReplay | WebhookGateway


def kind_of(resource: Resource) -> str:
    """`WebhookEndpoint` and so on."""
    return type(resource).__name__


def uid_of(resource: Resource) -> str:
    """The object's uid in a cluster, `<plural>/<namespace>/<name>` on a laptop."""
    metadata = resource.metadata
    return metadata.uid or local_uid(kind_of(resource), metadata.namespace, metadata.name)


def local_uid(kind: str, namespace: str, name: str) -> str:
    """The uid of an object on a laptop, where nothing but its name tells it from others."""
    return f"{KIND_BY_NAME[kind].plural}/{namespace}/{name}"


class ObjectKey(NamedTuple):
    """Identity of an object for as long as it has this name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Severity(StrEnum):
    """How bad a problem is."""

    ERROR = "error"
    """The object is not as it must be. It gets no document; an older one stays in force."""
    MISSING = "missing"
    """Something that the object refers to is not there, or not yet. It gets a document, which may
    say that it is not ready."""
    NOTE = "note"
    """Worth knowing; nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Something that an object refers to and that compile was not given; it may yet appear."""

    kind: str
    name: str
    key: str = ""
    """Key of a Secret."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of one object. The message also says what would be right."""

    kind: str
    namespace: str
    name: str
    path: str
    """Such as `spec.delivery.retry.schedule[2]`; empty: the whole object."""
    message: str
    severity: Severity = Severity.ERROR
    absent: Absent | None = None
    """What has to be there to solve it, when nothing else is wrong."""
    reason: Reason = Reason.INVALID
    """The reason that the object's condition gets in a cluster."""


ALLOW_REFERENCE: Final = "hookplane.dev/allow-reference"
"""Label of Secrets that objects may refer to where the gateway wants it so."""


def allows_reference(labels: Mapping[str, str]) -> bool:
    """Whether the labels of a Secret say that objects may refer to it."""
    return labels.get(ALLOW_REFERENCE) == "true"


@dataclass(frozen=True, slots=True)
class SecretObject:
    """A Secret: its keys with their values."""

    namespace: str
    name: str
    data: Mapping[str, Secret]
    type: str = "Opaque"
    generated: bool = False
    """Whether Hookplane made it; only then are its keys `key` and `previous` used for a
    WantedSecret."""
    reserved: str = ""
    """What it is, when it serves one purpose only and no object may refer to it; empty: any object
    may."""
    labelled: bool = False
    """Whether its label says that objects may refer to it (`allows_reference`)."""


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A Secret that is to be generated: its keys are `key` and, during overlap, `previous`."""

    namespace: str
    name: str
    kind: GeneratedKind
    owner: str
    """Uid of the object that it is for."""
    rotate_every: Millis = 0
    """0: never."""
    overlap: Millis = 0
    """For how long the previous key is used after a rotation; 0: not at all."""
    rotate: str = ""
    """What its object's annotation says: another value than before asks for a new key."""


@dataclass(frozen=True, slots=True)
class Options:
    """What differs between a laptop and a cluster, and between gateways."""

    loopback_allowed: bool = False
    """Whether targets may be on this machine."""
    allowed_cidrs: tuple[str, ...] = ()
    """Private address ranges that targets may live in."""
    own: frozenset[OwnPlace] = frozenset()
    """Where Hookplane and the cluster itself are, where no target may lead."""
    services: Mapping[str, str] = field(default_factory=dict)
    """Service name → base URL (`--service NAME=URL`); only for a laptop."""
    cluster_services: bool = False
    """True: serviceRef becomes `http://<name>.<namespace>.svc:<port>`."""
    refused_services: Mapping[str, str] = field(default_factory=dict)
    """`namespace/name` of Services that cannot be targets → why."""
    service_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`namespace/name` of the others → their addresses in the cluster."""
    service_ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """And their ports there; none: not known, or whatever their pods listen at."""
    public_url: str | None = None
    """The URL that endpoints are below, as senders see it; None: not known."""
    least_pause: Millis = 0
    """Between attempts: shorter ones take as long."""
    most: Mapping[str, int] = field(default_factory=dict)
    """Kind → how many objects of it a namespace may have in force; others have no bound."""
    retention_events: Millis = 604_800_000
    """How long events are kept; a longer retry schedule is refused."""
    gateways: bool = False
    """False: there is one data plane, so a WebhookGateway means nothing, which a note says."""
    labelled_secrets: bool = False
    """Whether objects may only refer to Secrets that are labelled so, and to generated ones."""
    receiver_tls: bool = False
    """Whether receivers end TLS themselves, so that client certificates can be asked for."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The documents of all objects that have no error, and the problems of all objects."""

    endpoints: tuple[EndpointConfig, ...]
    subscriptions: tuple[SubscriptionConfig, ...]
    replays: tuple[NewReplay, ...]
    wanted: tuple[WantedSecret, ...]
    """All generated Secrets that objects need, whether they exist or not."""
    problems: tuple[Problem, ...]
    lacking: frozenset[str] = frozenset()
    """Uids of the objects that lack all or part of what they need from Secrets, or are not ready
    for another reason."""
