"""What the operator counts."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.005, 0.02, 0.1, 0.5, 2, 10)


class Metrics:
    """One for the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queue_depth = Gauge(
            "hookplane_operator_queue_depth", "Keys that wait for a worker.", registry=registry
        )
        self.reconcile_seconds = Histogram(
            "hookplane_operator_reconcile_seconds",
            "How long one reconciliation takes.",
            ["kind"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.reconcile_errors = Counter(
            "hookplane_operator_reconcile_errors",
            "Reconciliations that are tried again.",
            ["kind"],
            registry=registry,
        )
        self.api_calls = Counter(
            "hookplane_operator_api_calls",
            "Requests to the API server; code 0: no answer.",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self.leader = Gauge(
            "hookplane_operator_leader", "1: this replica writes.", registry=registry
        )
        self.status_writes = Counter(
            "hookplane_operator_status_writes", "Statuses written.", registry=registry
        )
        self.status_waiting = Gauge(
            "hookplane_operator_status_waiting", "Statuses that differ.", registry=registry
        )
        self.sweeps_blocked = Gauge(
            "hookplane_operator_sweep_blocked",
            "Objects whose rows are kept though they are gone.",
            ["gateway"],
            registry=registry,
        )
