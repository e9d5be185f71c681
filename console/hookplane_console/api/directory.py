"""The endpoints and subscriptions now in force, by name and by uid."""

from __future__ import annotations

from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import UnknownObject
from hookplane.store.config_store import ConfigKind

QualifiedName = tuple[str, str]
"""Namespace and name."""


class Directory:
    """Filled by a `ConfigFollower` through `apply`."""

    def __init__(self) -> None:
        self._endpoints: dict[str, EndpointConfig] = {}
        self._subscriptions: dict[str, SubscriptionConfig] = {}

    def apply(self, kind: ConfigKind, uid: str, document: Document | None) -> None:
        """A document is new or changed; None: it is gone."""
        if isinstance(document, EndpointConfig):
            self._endpoints[uid] = document
        elif isinstance(document, SubscriptionConfig):
            self._subscriptions[uid] = document
        elif kind is ConfigKind.ENDPOINT:
            self._endpoints.pop(uid, None)
        else:
            self._subscriptions.pop(uid, None)

    def endpoints(self, namespace: str | None = None) -> list[EndpointConfig]:
        """By namespace and name."""
        found = [x for x in self._endpoints.values() if namespace in (None, x.namespace)]
        return sorted(found, key=_key)

    def subscriptions(self, namespace: str | None = None) -> list[SubscriptionConfig]:
        """By namespace and name."""
        found = [x for x in self._subscriptions.values() if namespace in (None, x.namespace)]
        return sorted(found, key=_key)

    def endpoint_uids(self, namespace: str | None) -> frozenset[str] | None:
        """Of a namespace; None: of all."""
        if namespace is None:
            return None
        return frozenset(x.uid for x in self.endpoints(namespace))

    def subscription_uids(self, namespace: str | None) -> frozenset[str] | None:
        """Likewise."""
        if namespace is None:
            return None
        return frozenset(x.uid for x in self.subscriptions(namespace))

    def endpoint(self, key: QualifiedName) -> EndpointConfig:
        """Raises UnknownObject."""
        for endpoint in self._endpoints.values():
            if _key(endpoint) == key:
                return endpoint
        raise UnknownObject(_unknown("endpoint", key, self.endpoints()))

    def subscription(self, key: QualifiedName) -> SubscriptionConfig:
        """Raises UnknownObject."""
        for subscription in self._subscriptions.values():
            if _key(subscription) == key:
                return subscription
        raise UnknownObject(_unknown("subscription", key, self.subscriptions()))

    def name(self, uid: str) -> str:
        """`namespace/name`; of what is gone, the uid."""
        document = self._endpoints.get(uid) or self._subscriptions.get(uid)
        return uid if document is None else f"{document.namespace}/{document.name}"


def _key(document: Document) -> QualifiedName:
    return document.namespace, document.name


def _unknown(
    kind: str, key: QualifiedName, known: list[EndpointConfig] | list[SubscriptionConfig]
) -> str:
    names = [f"{x.namespace}/{x.name}" for x in known[:10]]
    return f"no {kind} {'/'.join(key)}; there is: {', '.join(names) or 'none'}"
