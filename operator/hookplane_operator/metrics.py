"""What the operator counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_SECONDS: Final = (0.005, 0.02, 0.1, 0.5, 2, 10)


class GatewayMetrics:
    """What is wrong with gateways, each by its `namespace/name`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Gauge(
            "hookplane_operator_children_refused",
            "Objects and pods of a gateway that the API server refuses.",
            ["gateway"],
            registry=registry,
        )
        self.blocked = Gauge(
            "hookplane_operator_sweep_blocked",
            "Objects whose rows are kept though they are gone.",
            ["gateway"],
            registry=registry,
        )
        self.ready = Gauge(
            "hookplane_operator_gateway_ready",
            "1: the gateway's condition Ready is True.",
            ["gateway"],
            registry=registry,
        )
        self.keys_lost = Gauge(
            "hookplane_operator_keys_lost",
            "Documents in the database that the encryption keys of a gateway did not open.",
            ["gateway"],
            registry=registry,
        )

    def forget(self, gateway: str) -> None:
        """It is gone, or another replica tells of it now."""
        self.ready.remove(gateway)
        self.refused.remove(gateway)
        self.blocked.remove(gateway)
        self.keys_lost.remove(gateway)


class Metrics:
    """One for the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        ProcessCollector(registry=registry)
        build = gauge("hookplane_operator_build_info", "Which version this is.", ["version"])
        build.labels(version("hookplane")).set(1)
        self.queue_depth = gauge("hookplane_operator_queue_depth", "Keys that wait for a worker.")
        self.reconcile_seconds = Histogram(
            "hookplane_operator_reconcile_seconds",
            "How long one reconciliation takes.",
            ["kind"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.reconcile_errors = counter(
            "hookplane_operator_reconcile_errors", "Reconciliations that are tried again.", ["kind"]
        )
        self._failures = counter(
            "hookplane_operator_task_failures",
            "How often a task that runs as long as the operator ended with an error.",
            ["task"],
        )
        self.api_calls = counter(
            "hookplane_operator_api_calls",
            "Requests to the API server; code 0: no answer.",
            ["verb", "resource", "code"],
        )
        self.known_age = gauge(
            "hookplane_operator_known_age_seconds",
            "How old is what this replica knows of the objects of a kind.",
            ["kind"],
        )
        self.watches_interrupted = counter(
            "hookplane_operator_watches_interrupted",
            "Lists and watches that failed; each is followed by a full list.",
            ["kind"],
        )
        self.leader = gauge("hookplane_operator_leader", "1: this replica writes.")
        self.stores_refused = gauge(
            "hookplane_operator_stores_refused",
            "Gateways whose database takes another process for the operator that writes.",
        )
        self.status_writes = counter("hookplane_operator_status_writes", "Statuses written.")
        self.status_waiting = gauge("hookplane_operator_status_waiting", "Statuses that differ.")
        self.status_refused = counter(
            "hookplane_operator_status_refused",
            "Status writes that the API server refused; they are tried again.",
            ["kind"],
        )
        self.gateways = GatewayMetrics(registry)

    def failures(self, task: str) -> Callable[[], None]:
        """Counts one more failure of this task."""
        return self._failures.labels(task).inc
