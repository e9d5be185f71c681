"""What is known of a gateway besides what its store tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.gateway import WebhookGateway
from hookplane.store.process_registry import Role


@dataclass(frozen=True, slots=True)
class Blocker:
    """A condition that does not hold."""

    type: ConditionType
    reason: Reason
    message: str
    truth: Literal["False", "Unknown"] = "False"
    """Unknown: it could not be found out."""


@dataclass(frozen=True, slots=True)
class WayIn:
    """What others make of a gateway's HTTPRoute or Ingress."""

    truth: Literal["True", "False", "Unknown"]
    reason: Reason
    message: str
    needed: bool
    """Whether the gateway is not Ready without it."""


@dataclass(frozen=True, slots=True)
class Informed:
    """Whether the operator sees what happens in the cluster."""

    truth: Literal["True", "False"]
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """One generation of a gateway."""

    uid: str
    generation: int
    gateway: WebhookGateway | None = None
    """None: it could not be read."""
    blockers: tuple[Blocker, ...] = ()
    desired: Mapping[Role, int] = field(default_factory=dict)
    """Pods that there should be."""
    url: str = ""
    keys_lost: str = ""
    """What is to be told of documents that were sealed with other keys; empty: there were none."""
    way_in: WayIn | None = None
    """None: neither is wanted."""
