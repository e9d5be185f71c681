"""What tenants write: objects by their names, so that the same draw means the same object."""

from __future__ import annotations

import base64
import random
from typing import Any, Final

from support.kubernetes.manifests import endpoint, secret, subscription

Object = dict[str, Any]
HOME: Final = "hookplane-system"
GATEWAY: Final = "default"
TENANTS: Final = ("shop", "books", "games")
STEADY: Final = "shop"
"""A namespace that nobody deletes."""
ENDPOINTS: Final = ("orders", "users", "mail")
READERS: Final[dict[str, tuple[str, ...]]] = {
    "to-erp": ("orders",),
    "to-crm": ("users", "orders"),
    "to-archive": ("mail",),
}
"""Subscription → the endpoints that it reads, always."""
SHARED: Final = "shared-key"
"""A Secret that endpoints may refer to."""
KEY: Final = "key"
BROKEN_FILTER: Final = "event.type +"
PATIENT: Final = {"retry": {"schedule": ["1s"] * 16 + ["15s"] * 16}, "circuit": {"failures": 1000}}
"""Whatever a target does here, nothing dies of it."""


def placed(wanted: Object, namespace: str) -> Object:
    return {**wanted, "metadata": {**wanted["metadata"], "namespace": namespace}}


def drawn_endpoint(namespace: str, name: str, chance: random.Random) -> Object:
    """By a generated key or by the shared one."""
    ref = {"secretKeyRef": {"name": SHARED, "key": KEY}}
    keys: Object = {"verification": {"keys": [ref]}} if chance.random() < 0.4 else {}
    return placed(endpoint(name, **keys, suspend=chance.random() < 0.2), namespace)


def reader(namespace: Object, name: str, url: str, **spec: Any) -> Object:
    """A subscription; `namespace`: the object, whose uid is in the path of the target."""
    own = namespace["metadata"]
    spec = {"delivery": PATIENT, **spec}
    return placed(
        subscription(name, [*READERS[name]], f"{url}{path_of(own['uid'], name)}", **spec),
        own["name"],
    )


def path_of(namespace_uid: str, subscription: str) -> str:
    """Where its target takes deliveries."""
    return f"/{namespace_uid}/{subscription}"


def shared_key(namespace: str, chance: random.Random, **more: Any) -> Object:
    key = "whsec_" + base64.b64encode(chance.randbytes(32)).decode()
    return placed(secret(SHARED, **{KEY: key}), namespace) | more


def namespace_object(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
