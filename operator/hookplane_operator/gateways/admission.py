"""Which namespaces may use a gateway; pure."""

from __future__ import annotations

from collections.abc import Mapping

from hookplane.compile.references import selects
from hookplane.kinds.base import GatewayRef
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.settings import OperatorSettings, Scope


def admits(gateway: WebhookGateway, namespace: str, labels: Mapping[str, str] | None) -> bool:
    """`labels` of the namespace; None: not known, which a selector takes for no."""
    allowed = gateway.spec.allowed_namespaces
    if namespace == gateway.metadata.namespace or allowed.from_ == "All":
        return True
    if allowed.from_ == "Selector" and allowed.selector is not None and labels is not None:
        return selects(allowed.selector, labels)
    return False


def gateway_of(ref: GatewayRef | None, settings: OperatorSettings, scope: Scope) -> tuple[str, str]:
    """Namespace and name of the gateway that a reference means."""
    if ref is None:
        return scope.own, settings.default_gateway.name
    return ref.namespace or scope.own, ref.name
