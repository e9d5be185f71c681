"""What a controller of the Gateway API says of an HTTPRoute; tests play it."""

from __future__ import annotations

import json
from typing import Any, Final

from support.kubernetes.kubectl import Kubectl

ACCEPTED: Final = {"type": "Accepted", "status": "True", "reason": "Accepted"}
RESOLVED: Final = {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs"}


def parent(ref: dict[str, Any], *conditions: dict[str, Any]) -> dict[str, Any]:
    """What the controller of one Gateway reports."""
    times = {"lastTransitionTime": "2026-01-01T00:00:00Z", "message": ""}
    return {
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", **ref},
        "controllerName": "example.com/controller",
        "conditions": [times | x for x in conditions],
    }


def report(kubectl: Kubectl, name: str, *parents: dict[str, Any]) -> None:
    """Conditions that name no generation get the current one."""
    generation = kubectl.get("httproute", name)["metadata"]["generation"]
    for one in parents:
        one["conditions"] = [{"observedGeneration": generation} | x for x in one["conditions"]]
    write_status(kubectl, "httproute", name, {"parents": list(parents)})


def write_status(kubectl: Kubectl, kind: str, name: str, status: dict[str, Any]) -> None:
    """As a controller of `kind` would."""
    patch = json.dumps({"status": status})
    kubectl.run("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)
