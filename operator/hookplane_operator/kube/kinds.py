"""The API resources that the operator reads or writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from hookplane.kinds.base import GROUP, VERSION
from hookplane.kinds.registry import KINDS

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Where objects of a kind are found."""

    kind: str
    plural: str
    version: str
    group: str = ""
    """Empty: the core group."""
    namespaced: bool = True
    optional: bool = False
    """Whether a cluster may be without it."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", part: str = "") -> str:
        """`part`: a subresource, such as `status`."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return root + inside + "".join(f"/{x}" for x in (self.plural, name, part) if x)


OURS: Final = {kind.kind: Resource(kind.kind, kind.plural, VERSION, GROUP) for kind in KINDS}
GATEWAY: Final = OURS["WebhookGateway"]
ENDPOINT: Final = OURS["WebhookEndpoint"]
SUBSCRIPTION: Final = OURS["WebhookSubscription"]
REPLAY: Final = OURS["WebhookReplay"]
USER_KINDS: Final = (ENDPOINT, SUBSCRIPTION, REPLAY)

NAMESPACE: Final = Resource("Namespace", "namespaces", "v1", namespaced=False)
SECRET: Final = Resource("Secret", "secrets", "v1")
SERVICE: Final = Resource("Service", "services", "v1")
EVENT: Final = Resource("Event", "events", "v1")
LEASE: Final = Resource("Lease", "leases", "v1", "coordination.k8s.io")
QUOTA: Final = Resource("ResourceQuota", "resourcequotas", "v1")
LIMITS: Final = Resource("LimitRange", "limitranges", "v1")
BOUNDS: Final = (QUOTA, LIMITS)
"""What can refuse objects of a namespace: when one changes, what was refused is tried again."""
DEPLOYMENT: Final = Resource("Deployment", "deployments", "v1", "apps")

CHILDREN: Final = {
    x.kind: x
    for x in (
        Resource("ServiceAccount", "serviceaccounts", "v1"),
        SERVICE,
        DEPLOYMENT,
        Resource("PodDisruptionBudget", "poddisruptionbudgets", "v1", "policy"),
        Resource("NetworkPolicy", "networkpolicies", "v1", "networking.k8s.io"),
        Resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", "v2", "autoscaling"),
        Resource("Ingress", "ingresses", "v1", "networking.k8s.io"),
        Resource("HTTPRoute", "httproutes", "v1", "gateway.networking.k8s.io", optional=True),
    )
}
"""What a gateway is made of, by kind, in the order in which it is applied."""
OPTIONAL: Final = tuple(x for x in CHILDREN.values() if x.optional)
