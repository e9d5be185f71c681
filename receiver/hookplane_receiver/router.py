"""Which endpoint a path belongs to. Paths are stable and no secret is in them."""

from __future__ import annotations

from collections.abc import Collection

from hookplane.clock import Clock
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.errors import InvalidValue
from hookplane.reporting.activity import ActivityLog
from hookplane.store.config_store import ConfigKind
from hookplane_receiver.metrics import AllEndpointsMetrics
from hookplane_receiver.prepared import PreparedEndpoint, prepare_endpoint


class Router:
    """Endpoints by path, kept by a ConfigFollower. Built-in endpoints have no path."""

    def __init__(self, metrics: AllEndpointsMetrics, clock: Clock, activity: ActivityLog) -> None:
        self._metrics = metrics
        self._clock = clock
        self._activity = activity
        self._by_path: dict[str, PreparedEndpoint] = {}
        self._by_uid: dict[str, PreparedEndpoint] = {}
        self._asking: set[str] = set()
        """Uids of endpoints that want a client certificate."""

    @property
    def asks_for_certificates(self) -> bool:
        """Whether clients are to be asked for certificates: an endpoint wants one."""
        return bool(self._asking)

    @property
    def paths(self) -> Collection[str]:
        """Those of all endpoints."""
        return self._by_path.keys()

    def find(self, path: str) -> PreparedEndpoint | None:
        """The endpoint of this path, compared as it was sent: nothing is unescaped or folded."""
        return self._by_path.get(path)

    def apply(self, kind: ConfigKind, uid: str, document: Document | None) -> None:
        """Takes an endpoint in, or lets go of it; a ConfigFollower's callback. Raises
        InvalidValue."""
        if kind is not ConfigKind.ENDPOINT:
            return
        if not isinstance(document, EndpointConfig) or document.builtin:
            self._remove(uid)
            return
        try:
            endpoint = self._prepare(document)
        except ValueError as error:
            message = f"this version cannot serve it: {error}"
            self._activity.noted(uid, "ConfigRefused", message)
            raise InvalidValue(message) from error
        self._replace(uid, endpoint)

    def _prepare(self, config: EndpointConfig) -> PreparedEndpoint:
        metrics = self._metrics.of(f"{config.namespace}/{config.name}")
        return prepare_endpoint(config, metrics, self._clock.monotonic())

    def _replace(self, uid: str, endpoint: PreparedEndpoint) -> None:
        former = self._by_uid.get(uid)
        named = former or self._by_path.get(endpoint.config.path)  # or one that was made again
        if named is not None:
            endpoint.metrics.rejected = named.metrics.rejected
        if former is not None:
            self._by_path.pop(former.config.path, None)
        self._by_uid[uid] = endpoint
        self._by_path[endpoint.config.path] = endpoint
        self._asking.discard(uid)
        if endpoint.client_verifier is not None:
            self._asking.add(uid)

    def _remove(self, uid: str) -> None:
        former = self._by_uid.pop(uid, None)
        self._asking.discard(uid)
        if former is None:
            return
        if self._by_path.get(former.config.path) is former:
            del self._by_path[former.config.path]
            self._metrics.forget(former.label, former.metrics)
