"""Objects of users: which gateway each belongs to, and which namespaces may use it; no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hookplane.compile.model import ObjectKey
from hookplane.compile.references import selects
from hookplane.kinds.base import GatewayRef
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.kube.kinds import REPLAY, SUBSCRIPTION, USER_KINDS, Object
from hookplane_operator.kube.objects import Objects, key_of
from hookplane_operator.settings import OperatorSettings, Scope
from hookplane_operator.state.runtime import Name


class UserObject(NamedTuple):
    """An endpoint, a subscription or a replay."""

    key: ObjectKey
    body: Object


class UserObjects:
    """Looks at the objects as they are now; remembers nothing."""

    def __init__(self, objects: Objects, settings: OperatorSettings, scope: Scope) -> None:
        self._objects = objects
        self._settings = settings
        self._scope = scope

    def all(self, namespace: str | None = None) -> Iterator[UserObject]:
        """Of one namespace, or of all."""
        for resource in USER_KINDS:
            for body in self._objects.all(resource.kind, namespace):
                yield UserObject(key_of(resource.kind, body), body)

    def of(self, gateway: Name) -> Iterator[UserObject]:
        """Those that belong to a gateway, whether it is there or not."""
        return (user_object for user_object in self.all() if self.gateway(user_object) == gateway)

    def gateway(self, user_object: UserObject) -> Name:
        """The one that it belongs to: a replay to that of its subscription."""
        spec = user_object.body.get("spec", {})
        if user_object.key.kind == REPLAY.kind:
            wanted = spec.get("subscriptionRef", {}).get("name", "")
            subscription = self._objects.get(
                ObjectKey(SUBSCRIPTION.kind, user_object.key.namespace, wanted)
            )
            spec = (subscription or {}).get("spec", {})
        return gateway_of(_ref(spec), self._settings, self._scope)


def gateway_of(ref: GatewayRef | None, settings: OperatorSettings, scope: Scope) -> tuple[str, str]:
    """Namespace and name of the gateway that a reference means."""
    if ref is None:
        return scope.own, settings.default_gateway.name
    return ref.namespace or scope.own, ref.name


def admits(gateway: WebhookGateway, namespace: str, labels: Mapping[str, str] | None) -> bool:
    """`labels` of the namespace; None: not known, which a selector takes for no."""
    allowed = gateway.spec.allowed_namespaces
    if namespace == gateway.metadata.namespace or allowed.from_ == "All":
        return True
    if allowed.from_ == "Selector" and allowed.selector is not None and labels is not None:
        return selects(allowed.selector, labels)
    return False


def _ref(spec: Object) -> GatewayRef | None:
    """Not validated, so that objects that cannot be read belong somewhere too."""
    ref = spec.get("gatewayRef")
    if not ref:
        return None
    return GatewayRef.model_construct(name=ref["name"], namespace=ref.get("namespace"))
