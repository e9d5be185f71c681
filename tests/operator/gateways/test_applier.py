"""What is applied, and what its answers tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from hookplane.kinds.conditions import Reason
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.gateways.applier import ChildApplier
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.kinds import Object
from hookplane_operator.kube.names import Names
from hookplane_operator.kube.objects import ObjectChange, Objects

GATEWAY = WebhookGateway.model_validate(
    {
        "metadata": {"name": "g", "namespace": "system", "uid": "u"},
        "spec": {"store": {"postgresql": {"dsn": {"secretKeyRef": {"name": "db", "key": "dsn"}}}}},
    }
)
WANTED: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": Names(GATEWAY).metadata("receiver"),
    "spec": {"ports": [{"port": 80}]},
}


@dataclass
class Server:
    """Holds what was applied, and may say that it is on its way out."""

    noted: dict[str, Any] = field(default_factory=dict)
    applied: int = 0

    async def apply(self, _resource: object, body: Object) -> Object:
        self.applied += 1
        noted = {"uid": "x", "resourceVersion": str(9 + self.applied)} | self.noted
        return {**body, "metadata": {**body["metadata"], **noted}}

    async def find(self, _resource: object, _namespace: str, _name: str) -> Object | None:
        return None


def seen(objects: Objects, **noted: Any) -> ObjectChange:
    """A watch tells of it."""
    metadata = {**WANTED["metadata"], "uid": "x", **noted}
    return objects.follow("Service", {**WANTED, "spec": {}, "metadata": metadata})


async def test_what_an_answer_tells_is_told_at_once() -> None:
    """The watch says the same a moment later, which is no news then."""
    server, objects = Server({"deletionTimestamp": "2026-11-30T00:00:00Z"}), Objects()
    seen(objects, resourceVersion="9")
    (refusal,) = await ChildApplier(cast(Kube, server), objects).bring_about(GATEWAY, [WANTED])
    assert refusal.reason is Reason.PENDING
    assert "is being deleted; it is made again when it is gone" in refusal.message
    told = seen(objects, resourceVersion="10", deletionTimestamp="2026-11-30T00:00:00Z")
    assert told is ObjectChange.NOTHING


async def test_what_was_applied_is_not_applied_again() -> None:
    server, objects = Server(), Objects()
    applier = ChildApplier(cast(Kube, server), objects)
    seen(objects, resourceVersion="9")
    assert await applier.bring_about(GATEWAY, [WANTED]) == []
    assert await applier.bring_about(GATEWAY, [WANTED]) == []
    assert server.applied == 1
