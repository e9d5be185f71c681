"""Status of a WebhookGateway."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hookplane.kinds.base import Spec, Time
from hookplane.kinds.status import Count, ShortText, Status


class ProcessesStatus(Spec):
    """Processes of one role."""

    ready: Count
    """Alive, with all configuration loaded."""
    desired: Count
    """How many there should be."""
    summary: Annotated[str, Field(max_length=24)]
    """Both in one, such as `2/2`."""


class StoreStatus(Spec):
    """The store."""

    state: Literal["OK", "Unavailable", "InUse"]
    """InUse: the database belongs to another gateway."""
    since: Time | None = None
    """Since when it is so."""
    message: ShortText = ""
    """What is wrong with it."""


class ResourcesStatus(Spec):
    """What a gateway serves."""

    endpoints: Count
    """Endpoints that are in force."""
    subscriptions: Count
    """Subscriptions that are in force."""


class GatewayStatus(Status):
    """What became of a gateway."""

    url: Annotated[str, Field(max_length=2048)] | None = None
    """`publicURL`, or the URL of the receiver's Service."""
    receivers: ProcessesStatus | None = None
    """Processes that take requests in."""
    dispatchers: ProcessesStatus | None = None
    """Processes that send deliveries out."""
    store: StoreStatus | None = None
    """The store."""
    backlog: Count | None = None
    """Pending and retrying deliveries of all subscriptions."""
    resources: ResourcesStatus | None = None
    """What it serves."""
