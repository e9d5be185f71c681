"""The manifests that are measured, as anyone could write them."""

from __future__ import annotations

import json
from typing import Any, Final

from benchmarks.payload import KEY

IN_FLIGHT: Final = 64
"""Deliveries under way for the one subscription that is to be as fast as may be."""
MANY_IN_FLIGHT: Final = 16
"""The default, where many subscriptions share one process: each has connections of its own."""
_API: Final = "hookplane.dev/v1alpha1"
_KEYS: Final = [{"secretKeyRef": {"name": "bench", "key": "key"}}]

Manifest = dict[str, Any]


def secret(namespace: str = "default") -> Manifest:
    """The one key that everything here is signed with."""
    string_data = {"key": f"whsec_{KEY}"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bench", "namespace": namespace},
        "stringData": string_data,
    }


def endpoint(name: str, namespace: str = "default") -> Manifest:
    """Standard Webhooks, all limits and the deduplication as they are by default."""
    return _ours("WebhookEndpoint", name, {"verification": {"keys": _KEYS}}, namespace)


def subscription(
    name: str,
    endpoint: str,
    url: str,
    *,
    earliest: bool = False,
    timeout: str = "15s",
    types: tuple[str, ...] = (),
    cel: str = "",
    namespace: str = "default",
    **delivery: Any,
) -> Manifest:
    """`types` and `cel`: what it wants; none: all. `delivery`: fields of `spec.delivery`."""
    spec = {
        "endpointRefs": [{"name": endpoint}],
        "target": {"url": url, "timeout": timeout},
        "signing": {"keys": _KEYS},
        "startFrom": "Earliest" if earliest else "Latest",
        "delivery": {"maxInFlight": IN_FLIGHT} | delivery,
    }
    if types or cel:
        spec["filter"] = {"types": list(types)} | ({"cel": cel} if cel else {})
    return _ours("WebhookSubscription", name, spec, namespace)


def text(*manifests: Manifest) -> str:
    """One file; JSON is YAML."""
    return "\n---\n".join(json.dumps(manifest) for manifest in manifests)


def _ours(kind: str, name: str, spec: dict[str, Any], namespace: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}
