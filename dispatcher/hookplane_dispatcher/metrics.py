"""Metrics of a dispatcher. Labels are names of resources, so there are only as many as those."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hookplane.store.delivery_store import Counters

_SECONDS: Final = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 15, 30, 60)
_OUTCOMES: Final = ("delivered", "failed", "dead", "filtered", "filter_error", "missing")


class SubscriptionMetrics:
    """The children of one name, looked up once. Of several that had the name one after the other
    only the last may say how things are, and remove the children."""

    def __init__(self, metrics: DispatcherMetrics, subscription: str) -> None:
        self._metrics = metrics
        self._name = subscription
        self._outcomes = {o: metrics.deliveries.labels(subscription, o) for o in _OUTCOMES}
        self._circuit_open = metrics.circuit_open.labels(subscription)
        self._disabled = metrics.disabled.labels(subscription)
        self._retrying = metrics.retrying.labels(subscription)
        self._shown: tuple[bool, bool, int] | None = None

    def show(self, *, circuit_open: bool, disabled: bool, retrying: int) -> None:
        """What holds now; called far more often than anything changes."""
        shown = (circuit_open, disabled, retrying)
        if shown != self._shown and self._metrics.is_last(self._name, self):
            self._shown = shown
            self._circuit_open.set(circuit_open)
            self._disabled.set(disabled)
            self._retrying.set(retrying)

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
        for gauge in (self._metrics.circuit_open, self._metrics.disabled, self._metrics.retrying):
            gauge.remove(self._name)


class DispatcherMetrics:
    """The metrics of one process, and the children of each subscription."""

    def __init__(self, registry: CollectorRegistry) -> None:
        name = ("subscription",)
        self._last: dict[str, SubscriptionMetrics] = {}
        """Name → who was given its children last."""
        self.deliveries = Counter(
            "hookplane_deliveries_total",
            "Deliveries by subscription and outcome; `failed` counts attempts.",
            (*name, "outcome"),
            registry=registry,
        )
        self.seconds = Histogram(
            "hookplane_delivery_seconds",
            "Time of one attempt.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.flush_seconds = Histogram(
            "hookplane_flush_seconds",
            "Time until progress was on the disk.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = 0
        """Attempts waiting for their answer; a number, because it changes so often."""
        Gauge(
            "hookplane_in_flight", "Attempts waiting for their answer.", registry=registry
        ).set_function(lambda: self.in_flight)
        self.body_bytes = Gauge(
            "hookplane_body_bytes", "Bytes of events in memory.", registry=registry
        )
        self.circuit_open = Gauge(
            "hookplane_circuit_open", "1 while only probes are sent.", name, registry=registry
        )
        self.disabled = Gauge(
            "hookplane_subscription_disabled",
            "1 while a subscription is disabled.",
            name,
            registry=registry,
        )
        self.retrying = Gauge(
            "hookplane_retrying", "Deliveries that are not done.", name, registry=registry
        )

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
