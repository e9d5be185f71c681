"""What others make of the HTTPRoute, Ingress or load balancer that leads to a gateway's receivers;
pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hookplane.compile.model import ObjectKey
from hookplane.kinds.conditions import Reason
from hookplane.kinds.gateway import ParentRef, WebhookGateway
from hookplane.store.process_registry import Role
from hookplane_operator.kube.kinds import Object
from hookplane_operator.kube.names import Names
from hookplane_operator.kube.objects import Objects
from hookplane_operator.state.facts import WayIn

_REFUSALS: Final = (
    ("Accepted", Reason.ROUTE_NOT_ACCEPTED),
    ("ResolvedRefs", Reason.REFS_NOT_RESOLVED),
)
_A_GATEWAY: Final = ("gateway.networking.k8s.io", "Gateway")
_SHOWN_ADDRESSES: Final = 4


def way_in(gateway: WebhookGateway, objects: Objects) -> WayIn | None:
    """None: the spec asks for none."""
    receiver, own = gateway.spec.receiver, gateway.metadata
    name = Names(gateway).of(Role.RECEIVER)
    if receiver.route is not None:
        live = objects.get(ObjectKey("HTTPRoute", own.namespace, name)) or {}
        return of_route(receiver.route.parent_refs, live, own.namespace)
    if receiver.ingress is not None:
        return of_ingress(objects.get(ObjectKey("Ingress", own.namespace, name)) or {})
    if receiver.service.type == "LoadBalancer":
        return of_balancer(objects.get(ObjectKey("Service", own.namespace, name)) or {})
    return None


def of_ingress(live: Object) -> WayIn:
    """An Ingress says where it is, at best."""
    missing = "the Ingress has no address so far; some controllers never publish one"
    return _by_address(live, missing)


def of_balancer(live: Object) -> WayIn:
    """Of the Service, where nothing else leads in."""
    missing = "the Service has no address so far; is there a controller that makes load balancers?"
    return _by_address(live, missing)


def _by_address(live: Object, missing: str) -> WayIn:
    found = live.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    addresses = [str(x.get("ip") or x.get("hostname")) for x in found][:_SHOWN_ADDRESSES]
    if addresses:
        return WayIn("True", Reason.EXPOSED, f"at {', '.join(addresses)}", needed=False)
    return WayIn("Unknown", Reason.NO_ADDRESS, missing, needed=False)


def of_route(refs: list[ParentRef], live: Object, namespace: str) -> WayIn:
    """All of its Gateways have to accept it; the worst decides."""
    each = [_of_parent(ref, live, namespace) for ref in refs]
    for truth in ("False", "Unknown"):
        if (worst := next((x for x in each if x.truth == truth), None)) is not None:
            return worst
    names = ", ".join(_spoken(ref, namespace) for ref in refs)
    return WayIn("True", Reason.EXPOSED, f"accepted by {names}", needed=True)


def _of_parent(ref: ParentRef, live: Object, namespace: str) -> WayIn:
    who = _spoken(ref, namespace)
    said = _said(ref, live, namespace)
    for condition, reason in _REFUSALS:
        for one in said:
            if one.get("type") == condition and one.get("status") == "False":
                words = f"{one.get('reason', condition)}: {one.get('message', '')}".rstrip(": ")
                return WayIn("False", reason, f"{who} says {words}", needed=True)
    if any(x.get("type") == "Accepted" and x.get("status") == "True" for x in said):
        return WayIn("True", Reason.EXPOSED, "", needed=True)
    message = f"no controller has accepted the HTTPRoute for {who} so far; is that Gateway there?"
    return WayIn("Unknown", Reason.NOT_REPORTED, message, needed=True)


def _said(ref: ParentRef, live: Object, namespace: str) -> list[Mapping[str, Any]]:
    """Conditions about this Gateway and about the spec as it is now; others are of no concern."""
    generation = live.get("metadata", {}).get("generation", 0)
    return [
        condition
        for parent in live.get("status", {}).get("parents") or ()
        if _identity(parent.get("parentRef", {}), namespace) == _identity(_written(ref), namespace)
        for condition in parent.get("conditions") or ()
        if (condition.get("observedGeneration") or generation) >= generation
    ]


def _written(ref: ParentRef) -> Object:
    return ref.model_dump(by_alias=True, exclude_none=True)


def _identity(ref: Mapping[str, Any], namespace: str) -> tuple[Any, ...]:
    """What a parentRef refers to, its defaults filled in."""
    group, kind = _A_GATEWAY
    return (
        ref.get("group", group),
        ref.get("kind", kind),
        ref.get("namespace", namespace),
        ref.get("name"),
        ref.get("sectionName"),
        ref.get("port"),
    )


def _spoken(ref: ParentRef, namespace: str) -> str:
    section = f", listener {ref.section_name}" if ref.section_name else ""
    return f"Gateway {ref.namespace or namespace}/{ref.name}{section}"
