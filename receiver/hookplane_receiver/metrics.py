"""Numbers for Prometheus. Labels are endpoints and reasons of ours, never what a sender wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
STORED: Final = "stored"
DUPLICATE: Final = "duplicate"


@dataclass(slots=True)
class EndpointMetrics:
    """The counters of one endpoint, looked up once."""

    stored: Counter
    duplicates: Counter
    conflicts: Counter
    size: Counter
    keyless: Counter
    rejected: dict[str, Counter] = field(default_factory=dict)


class AllEndpointsMetrics:
    """The counters of all endpoints."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._received = Counter(
            "hookplane_received",
            "Requests that were verified, by endpoint and result.",
            ("endpoint", "result"),
            registry=registry,
        )
        self._conflicts = Counter(
            "hookplane_conflicts",
            "Requests with a known deduplication key and another body, by endpoint.",
            ("endpoint",),
            registry=registry,
        )
        self._rejected = Counter(
            "hookplane_rejected",
            "Requests that were not accepted, by endpoint and reason.",
            ("endpoint", "reason"),
            registry=registry,
        )
        self._keyless = Counter(
            "hookplane_events_without_key",
            "Stored events that had no usable key where their endpoint's `spec.key` looks for it.",
            ("endpoint",),
            registry=registry,
        )
        self._bytes = Counter(
            "hookplane_ingest_bytes", "Bytes of stored bodies.", ("endpoint",), registry=registry
        )

    def of(self, endpoint: str) -> EndpointMetrics:
        """The counters of `namespace/name`."""
        return EndpointMetrics(
            stored=self._received.labels(endpoint, STORED),
            duplicates=self._received.labels(endpoint, DUPLICATE),
            conflicts=self._conflicts.labels(endpoint),
            size=self._bytes.labels(endpoint),
            keyless=self._keyless.labels(endpoint),
        )

    def reject(self, endpoint: str, own: EndpointMetrics, reason: str) -> None:
        """Counts a request that was not accepted."""
        counter = own.rejected.get(reason)
        if counter is None:
            counter = own.rejected[reason] = self._rejected.labels(endpoint, reason)
        counter.inc()

    def forget(self, endpoint: str, own: EndpointMetrics) -> None:
        """Drops the counters of an endpoint that is gone."""
        self._received.remove(endpoint, STORED)
        self._received.remove(endpoint, DUPLICATE)
        self._conflicts.remove(endpoint)
        self._bytes.remove(endpoint)
        self._keyless.remove(endpoint)
        for reason in own.rejected:
            self._rejected.remove(endpoint, reason)


class ReceiverMetrics:
    """All that a receiver counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.endpoints = AllEndpointsMetrics(registry)
        self.seconds = Histogram(
            "hookplane_ingest_seconds",
            "From the end of a request's headers to its answer, stored requests only.",
            buckets=SECONDS,
            registry=registry,
        )
        self._stored = Gauge(
            "hookplane_stored_bytes",
            "Bytes of bodies that are stored, by namespace; every receiver tells the same.",
            ("namespace",),
            registry=registry,
        )
        self.handshakes_failed = Counter(
            "hookplane_tls_handshakes_failed",
            "TLS connections that ended before their handshake did.",
            registry=registry,
        )
        self._registry = registry
        self._namespaces: frozenset[str] = frozenset()
        self._failures = Counter(
            "hookplane_receiver_task_failures",
            "How often a task that runs as long as the receiver ended with an error.",
            ("task",),
            registry=registry,
        )
        self.unrouted = Counter(
            "hookplane_unrouted", "Requests to paths that no endpoint has.", registry=registry
        )

    def failures(self, task: str) -> Callable[[], None]:
        """Counts one more failure of this task."""
        return self._failures.labels(task).inc

    def connections_shed(self, bounds: Iterable[str]) -> Callable[[str], None]:
        """Returns what counts a connection that was ended, or not taken, at one of `bounds`."""
        shed = Counter(
            "hookplane_connections_shed",
            "Connections that gave way to a new one or were not taken, by the bound that was met.",
            ("bound",),
            registry=self._registry,
        )
        counters = {bound: shed.labels(bound) for bound in bounds}
        return lambda bound: counters[bound].inc()

    def watch_strangers(self, held: Callable[[], float], connections: Callable[[], float]) -> None:
        """`held`: bytes that bodies take whose sender is not known yet. `connections`: how many
        are open."""
        Gauge(
            "hookplane_connections", "Open connections of all doors.", registry=self._registry
        ).set_function(connections)
        Gauge(
            "hookplane_unverified_bytes",
            "Room that bodies take while they come in, beyond 16 KiB of each.",
            registry=self._registry,
        ).set_function(held)

    def watch_certificate(self, ends_at: Callable[[], float]) -> None:
        """`ends_at`: Unix seconds of the end of the certificate that is shown."""
        Gauge(
            "hookplane_tls_certificate_expiry_timestamp_seconds",
            "When the certificate that this receiver shows ends.",
            registry=self._registry,
        ).set_function(ends_at)

    def set_stored_bytes(self, stored: Mapping[str, int]) -> None:
        """By namespace; one that is not there any more goes."""
        for namespace, size in stored.items():
            self._stored.labels(namespace).set(size)
        for namespace in self._namespaces - stored.keys():
            self._stored.remove(namespace)
        self._namespaces = frozenset(stored)
