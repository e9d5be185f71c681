"""The table of kinds: everything that differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from hookplane.kinds.base import GROUP, Spec
from hookplane.kinds.conditions import ConditionType
from hookplane.kinds.endpoint import EndpointSpec, EndpointStatus, WebhookEndpoint
from hookplane.kinds.gateway import GatewaySpec, GatewayStatus, WebhookGateway
from hookplane.kinds.replay import ReplaySpec, ReplayStatus, WebhookReplay
from hookplane.kinds.status import Status
from hookplane.kinds.subscription import SubscriptionSpec, SubscriptionStatus, WebhookSubscription

Model = type[WebhookGateway | WebhookEndpoint | WebhookSubscription | WebhookReplay]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. A `date` column shows the time since, so what lies in the future
    is a `string`."""

    name: str
    path: str
    description: str
    type: Literal["string", "integer", "date"] = "string"
    wide: bool = False
    """Only with `-o wide`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. All are namespaced and in the category `webhooks`."""

    kind: str
    singular: str
    plural: str
    short_name: str
    model: Model
    """What a manifest is parsed into."""
    spec: type[Spec]
    status: type[Status]
    columns: tuple[Column, ...]
    """Between NAME and AGE."""
    selectable: tuple[str, ...]
    """Fields for `kubectl get --field-selector`: scalars, at most 8."""

    @property
    def description(self) -> str:
        return self.model.__doc__ or ""

    @property
    def crd_name(self) -> str:
        return f"{self.plural}.{GROUP}"


def _of_condition(condition: ConditionType, field: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].{field}'


READY: Final = Column(
    "Ready",
    _of_condition(ConditionType.READY, "status"),
    "Whether our side is in order.",
)
REASON: Final = Column(
    "Reason",
    _of_condition(ConditionType.READY, "reason"),
    "Why it is ready or not.",
    wide=True,
)
WHY: Final = Column(
    "Why",
    _of_condition(ConditionType.READY, "message"),
    "Why it is not ready, for people.",
    wide=True,
)
STATE: Final = Column("State", ".status.state", "What happens now, in one word.")

KINDS: Final = (
    Kind(
        kind="WebhookGateway",
        singular="webhookgateway",
        plural="webhookgateways",
        short_name="whg",
        model=WebhookGateway,
        spec=GatewaySpec,
        status=GatewayStatus,
        columns=(
            READY,
            Column("Receivers", ".status.receivers.summary", "Ready receivers of all."),
            Column("Dispatchers", ".status.dispatchers.summary", "Ready dispatchers of all."),
            Column(
                "Endpoints", ".status.resources.endpoints", "Endpoints in force.", type="integer"
            ),
            Column(
                "Subscriptions",
                ".status.resources.subscriptions",
                "Subscriptions in force.",
                type="integer",
            ),
            Column("Backlog", ".status.backlog", "Deliveries not done yet.", type="integer"),
            Column("Store", ".status.store.state", "State of the store."),
            Column("URL", ".status.url", "The URL that endpoints are below."),
            REASON,
            WHY,
        ),
        selectable=(".status.store.state",),
    ),
    Kind(
        kind="WebhookEndpoint",
        singular="webhookendpoint",
        plural="webhookendpoints",
        short_name="whe",
        model=WebhookEndpoint,
        spec=EndpointSpec,
        status=EndpointStatus,
        columns=(
            READY,
            STATE,
            Column("Provider", ".spec.provider", "Who sends."),
            Column("Accepted", ".status.requests.accepted", "Stored requests.", type="integer"),
            Column("Rejected", ".status.requests.rejected", "Refused requests.", type="integer"),
            Column(
                "Last Event",
                ".status.requests.lastAcceptedTime",
                "Time since the last accepted request.",
                type="date",
            ),
            Column("URL", ".status.url", "The URL to give to the sender."),
            Column(
                "Duplicates",
                ".status.requests.duplicates",
                "Requests that were seen before.",
                type="integer",
                wide=True,
            ),
            Column(
                "Conflicts",
                ".status.requests.conflicts",
                "Requests with a known deduplication key and another body.",
                type="integer",
                wide=True,
            ),
            REASON,
            WHY,
            Column(
                "Message",
                _of_condition(ConditionType.RECEIVING, "message"),
                "What senders do.",
                wide=True,
            ),
        ),
        selectable=(
            ".spec.provider",
            ".spec.gatewayRef.name",
            ".spec.suspend",
            ".status.state",
        ),
    ),
    Kind(
        kind="WebhookSubscription",
        singular="webhooksubscription",
        plural="webhooksubscriptions",
        short_name="whs",
        model=WebhookSubscription,
        spec=SubscriptionSpec,
        status=SubscriptionStatus,
        columns=(
            READY,
            STATE,
            Column("Pending", ".status.delivery.pending", "Not tried yet.", type="integer"),
            Column("Retrying", ".status.delivery.retrying", "To be tried again.", type="integer"),
            Column("Dead", ".status.delivery.dead", "Failed for good.", type="integer"),
            Column(
                "Last Success",
                ".status.delivery.lastSuccess.time",
                "Time since the last success.",
                type="date",
            ),
            Column("Next Retry", ".status.delivery.nextRetryTime", "The earliest next attempt."),
            Column("Target", ".status.target", "Host of the target."),
            Column(
                "Delivered",
                ".status.delivery.delivered",
                "Deliveries that the target took.",
                type="integer",
                wide=True,
            ),
            Column(
                "Filter Errors",
                ".status.delivery.filterErrors",
                "Events that the filter could not judge.",
                type="integer",
                wide=True,
            ),
            REASON,
            WHY,
            Column(
                "Message",
                _of_condition(ConditionType.DELIVERING, "message"),
                "What the target does.",
                wide=True,
            ),
        ),
        selectable=(
            ".spec.gatewayRef.name",
            ".spec.target.serviceRef.name",
            ".spec.operationalEvents",
            ".spec.suspend",
            ".status.state",
        ),
    ),
    Kind(
        kind="WebhookReplay",
        singular="webhookreplay",
        plural="webhookreplays",
        short_name="whr",
        model=WebhookReplay,
        spec=ReplaySpec,
        status=ReplayStatus,
        columns=(
            Column("Subscription", ".spec.subscriptionRef.name", "To which it delivers."),
            STATE,
            Column("Matched", ".status.matched", "Events found.", type="integer"),
            Column("Delivered", ".status.delivered", "Events delivered.", type="integer"),
            Column("Failed", ".status.failed", "Events that failed.", type="integer"),
            REASON,
            WHY,
        ),
        selectable=(".spec.subscriptionRef.name", ".status.state"),
    ),
)
"""In the order in which they are explained."""

KIND_BY_NAME: Final[Mapping[str, Kind]] = MappingProxyType({kind.kind: kind for kind in KINDS})
