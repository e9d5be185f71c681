"""What stands in the way of an object that a gateway is made of; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.kube.kinds import DEPLOYMENT, GATEWAY, Object
from hookplane_operator.kube.names import GATEWAY_LABEL, ROLE, Names
from hookplane_operator.state.facts import Blocker

SHOWN: Final = 3
"""Further ones are only counted."""
_WORST_FIRST: Final = (Reason.CHILD_NAME_TAKEN, Reason.CHILD_REFUSED, Reason.PENDING)


class ChildRefusal(NamedTuple):
    """One object is not as it is to be."""

    reason: Reason
    message: str


def blockers(refusals: Sequence[ChildRefusal]) -> tuple[Blocker, ...]:
    """All of them in one sentence, by the worst of their reasons."""
    if not refusals:
        return ()
    ordered = sorted(refusals, key=lambda x: _WORST_FIRST.index(x.reason))
    more = f"; and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    message = "; ".join(x.message for x in ordered[:SHOWN]) + more
    return (Blocker(ConditionType.PROGRAMMED, ordered[0].reason, message),)


def refused(child: Object, words: str) -> ChildRefusal:
    """`words`: of the API server."""
    return ChildRefusal(Reason.CHILD_REFUSED, f"{spoken(child)}: {words}")


def spoken(child: Object) -> str:
    return f'{child["kind"]} "{child["metadata"]["name"]}"'


def of_live(gateway: WebhookGateway, child: Object, live: Object) -> ChildRefusal | None:
    """Why an object that is there is not to be touched; None: it is the gateway's, or was left
    behind by one of its name."""
    metadata = live["metadata"]
    if metadata.get("deletionTimestamp"):
        return ChildRefusal(Reason.PENDING, f"{spoken(child)} {_on_its_way_out(metadata)}")
    if _is_owned(gateway, live):
        return None
    owner = next((x for x in _owners(live) if x.get("controller")), None)
    if owner is not None:
        return _of_another(gateway, child, owner)
    if _was_ours(gateway, metadata):
        return None
    what = "exists and is not Hookplane's; remove it, or give the gateway another name"
    return ChildRefusal(Reason.CHILD_NAME_TAKEN, f"{spoken(child)} {what}")


def of_pods(gateway: WebhookGateway, deployments: Iterable[Object]) -> list[ChildRefusal]:
    """What its Deployments say of pods that could not be made."""
    return [
        refused({**body, "kind": DEPLOYMENT.kind}, condition.get("message", ""))
        for body in deployments
        if _is_owned(gateway, body)
        for condition in body.get("status", {}).get("conditions") or ()
        if (condition.get("type"), condition.get("status")) == ("ReplicaFailure", "True")
    ]


def is_left_over(gateway: WebhookGateway, live: Object) -> bool:
    """Whether it was made for this gateway and is not on its way out yet."""
    metadata = live["metadata"]
    labelled = (metadata.get("labels") or {}).get(GATEWAY_LABEL) == gateway.metadata.name
    return labelled and _is_owned(gateway, live) and not metadata.get("deletionTimestamp")


def _is_owned(gateway: WebhookGateway, body: Object) -> bool:
    return any(x.get("uid") == gateway.metadata.uid for x in _owners(body))


def _owners(body: Object) -> list[Mapping[str, Any]]:
    return body["metadata"].get("ownerReferences") or []


def _on_its_way_out(metadata: Mapping[str, Any]) -> str:
    holders = ", ".join(metadata.get("finalizers") or ())
    kept = f", and kept by the finalizers {holders}" if holders else ""
    return f"is being deleted{kept}; it is made again when it is gone"


def _of_another(gateway: WebhookGateway, child: Object, owner: Mapping[str, Any]) -> ChildRefusal:
    same = (owner.get("kind"), owner.get("name")) == (GATEWAY.kind, gateway.metadata.name)
    if same:
        what = "belongs to a former gateway of this name; it is made again when it is removed"
        return ChildRefusal(Reason.PENDING, f"{spoken(child)} {what}")
    what = f'belongs to {owner.get("kind")} "{owner.get("name")}"; give the gateway another name'
    return ChildRefusal(Reason.CHILD_NAME_TAKEN, f"{spoken(child)} {what}")


def _was_ours(gateway: WebhookGateway, metadata: Mapping[str, Any]) -> bool:
    """It lost its owner, as by `kubectl delete --cascade=orphan`."""
    labels: Mapping[str, str] = metadata.get("labels") or {}
    own = Names(gateway).labels(labels.get(ROLE, ""))
    return all(labels.get(name) == value for name, value in own.items())
