"""Names, labels and ports of what a gateway is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.kube.kinds import GATEWAY, Object

GATEWAY_LABEL: Final = "hookplane.dev/gateway"
"""Label of everything that a gateway is made of."""
CONFIRM_DELETIONS: Final = "hookplane.dev/confirm-deletions"
"""Annotation of a gateway: how many deletions are meant, of which namespaces."""
CONFIRM_ALL: Final = "ALL"
"""In it, all namespaces together; none of them has capital letters."""
PART_OF: Final = "app.kubernetes.io/part-of"
OURS: Final = "hookplane"
ROLE: Final = "app.kubernetes.io/component"
HTTP: Final = 8080
HTTPS: Final = 8443
METRICS: Final = 8081
CONSOLE: Final = 8090
SERVICE_HTTP: Final = 80
SERVICE_HTTPS: Final = 443


def keys_of(gateway: str) -> str:
    """The Secret of a gateway's encryption keys."""
    return f"{gateway}-encryption"


@dataclass(frozen=True, slots=True)
class Names:
    """Of one gateway."""

    gateway: WebhookGateway

    @property
    def keys(self) -> str:
        """The Secret of encryption keys."""
        return keys_of(self.gateway.metadata.name)

    def of(self, role: str) -> str:
        return f"{self.gateway.metadata.name}-{role}"

    def labels(self, role: str) -> dict[str, str]:
        """Of a child; nothing of the gateway's own is copied."""
        return {
            "app.kubernetes.io/name": "hookplane",
            PART_OF: OURS,
            "app.kubernetes.io/managed-by": "hookplane-operator",
            ROLE: role,
            GATEWAY_LABEL: self.gateway.metadata.name,
        }

    def selector(self, role: str) -> dict[str, str]:
        return {ROLE: role, GATEWAY_LABEL: self.gateway.metadata.name}

    def metadata(self, role: str, name: str = "") -> Object:
        """Of a child that goes with its gateway."""
        own = self.gateway.metadata
        return {
            "name": name or self.of(role),
            "namespace": own.namespace,
            "labels": self.labels(role),
            "ownerReferences": [
                {
                    "apiVersion": GATEWAY.api_version,
                    "kind": GATEWAY.kind,
                    "name": own.name,
                    "uid": own.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        }
