"""Metrics of a dispatcher. Labels are names of resources, so there are only as many as those."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from hookplane.evaluation.evaluator import End
from hookplane.evaluation.pool import EvaluationPool
from hookplane.store.delivery_store import Counters

_SECONDS: Final = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 15, 30, 60)
_NAME: Final = ("subscription",)
_OUTCOMES: Final = ("delivered", "failed", "dead", "filtered", "filter_error", "missing")


class ExpressionMetrics(Collector):
    """The processes in which expressions are evaluated, as the pool counts them."""

    def __init__(self, pool: EvaluationPool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See Collector."""
        yield CounterMetricFamily(
            "hookplane_expression_processes_started",
            "Processes for expressions that were started.",
            value=self._pool.starts,
        )
        ended = CounterMetricFamily(
            "hookplane_expression_processes_ended",
            "Processes for expressions that ended while they evaluated, by reason.",
            labels=["reason"],
        )
        for end in set(End) - {End.TURN_OVER}:
            ended.add_metric([end], self._pool.ends[end])
        yield ended


class SubscriptionMetrics:
    """The children of one name, looked up once. Of several that had the name one after the other
    only the last may say how things are, and remove the children."""

    def __init__(self, metrics: DispatcherMetrics, subscription: str) -> None:
        self._metrics = metrics
        self._name = subscription
        self._outcomes = {o: metrics.deliveries.labels(subscription, o) for o in _OUTCOMES}
        self._circuit_open = metrics.circuit_open.labels(subscription)
        self._disabled = metrics.disabled.labels(subscription)
        self._held = metrics.held.labels(subscription)
        self._retrying = metrics.retrying.labels(subscription)
        self._shown: tuple[bool, bool, bool, int] | None = None
        self._rows = 0

    def show(self, *, circuit_open: bool, disabled: bool, held: bool, retrying: int) -> None:
        """What holds now; called far more often than anything changes."""
        shown = (circuit_open, disabled, held, retrying)
        if shown != self._shown and self._metrics.is_last(self._name, self):
            self._shown = shown
            self._circuit_open.set(circuit_open)
            self._disabled.set(disabled)
            self._held.set(held)
            self._retrying.set(retrying)

    def hold(self, rows: int) -> None:
        """So many deliveries that are not done are in memory."""
        self._metrics.rows_in_memory += rows - self._rows
        self._rows = rows

    def count(self, counters: Counters) -> None:
        """Adds what one flush wrote."""
        for outcome, count in (
            ("delivered", counters.delivered),
            ("failed", counters.failed_attempts),
            ("dead", counters.dead),
            ("filtered", counters.filtered - counters.filter_errors),
            ("filter_error", counters.filter_errors),
            ("missing", counters.expired),
        ):
            if count:
                self._outcomes[outcome].inc(count)

    def forget(self) -> None:
        """Removes the children, unless another has the name by now: this one is no longer here."""
        if not self._metrics.is_last(self._name, self):
            return
        self._metrics.release(self._name)
        for outcome in _OUTCOMES:
            self._metrics.deliveries.remove(self._name, outcome)
        for gauge in self._metrics.by_subscription:
            gauge.remove(self._name)


class DispatcherMetrics:
    """The metrics of one process, and the children of each subscription."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._last: dict[str, SubscriptionMetrics] = {}
        """Name → who was given its children last."""
        self.in_flight = 0
        """Attempts waiting for their answer; a number, because it changes so often."""
        self.rows_in_memory = 0
        """Deliveries that are not done; a number, because it changes so often."""
        self._make_counters(registry)
        self._make_gauges(partial(Gauge, registry=registry))

    def _make_counters(self, registry: CollectorRegistry) -> None:
        self.deliveries = Counter(
            "hookplane_deliveries_total",
            "Deliveries by subscription and outcome; `failed` counts attempts.",
            (*_NAME, "outcome"),
            registry=registry,
        )
        self._failures = Counter(
            "hookplane_dispatcher_task_failures",
            "How often a task that runs as long as the dispatcher ended with an error.",
            ("task",),
            registry=registry,
        )
        histogram = partial(Histogram, buckets=_SECONDS, registry=registry)
        self.seconds = histogram("hookplane_delivery_seconds", "Time of one attempt.")
        self.flush_seconds = histogram(
            "hookplane_flush_seconds", "Time until progress was on the disk."
        )

    def _make_gauges(self, gauge: Callable[..., Gauge]) -> None:
        """Of the process first, then of each subscription."""
        in_flight = gauge("hookplane_in_flight", "Attempts waiting for their answer.")
        in_flight.set_function(lambda: self.in_flight)
        rows = gauge("hookplane_rows_in_memory", "Deliveries that are not done in memory.")
        rows.set_function(lambda: self.rows_in_memory)
        self.body_bytes = gauge("hookplane_body_bytes", "Bytes of events in memory.")
        self.body_bytes_in_use = gauge(
            "hookplane_body_bytes_in_use", "Bytes of events that attempts, filters and reads use."
        )
        self.tail_bytes = gauge(
            "hookplane_tail_bytes",
            "Bytes of the newest events of all endpoints in memory, without their contents.",
        )
        self.circuit_open = gauge("hookplane_circuit_open", "1 while only probes are sent.", _NAME)
        self.disabled = gauge(
            "hookplane_subscription_disabled", "1 while a subscription is disabled.", _NAME
        )
        self.held = gauge(
            "hookplane_expression_held", "1 while a filter or a transform is held back.", _NAME
        )
        self.retrying = gauge("hookplane_retrying", "Deliveries that are not done.", _NAME)
        self.by_subscription = (self.circuit_open, self.disabled, self.held, self.retrying)

    def failures(self, task: str) -> Callable[[], None]:
        """Counts one more failure of this task."""
        return self._failures.labels(task).inc

    def for_subscription(self, subscription: str) -> SubscriptionMetrics:
        """The children of one name, for somebody who serves it from now on."""
        made = self._last[subscription] = SubscriptionMetrics(self, subscription)
        return made

    def is_last(self, subscription: str, held: SubscriptionMetrics) -> bool:
        """Whether nobody has been given the children of this name since."""
        return self._last.get(subscription) is held

    def release(self, subscription: str) -> None:
        """Nobody serves this name any more."""
        self._last.pop(subscription, None)
