"""Removes events that are too old or too many, in steps so small that they delay nothing else."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from hookplane.clock import Clock
from hookplane.errors import StoreUnavailable
from hookplane.pacing.run_forever import run_forever
from hookplane.store.believed_time import BelievedTime
from hookplane.store.maintenance import Expired, Maintenance, Retention

LOOK_SECONDS: Final = 30.0
STEP_SECONDS: Final = 0.05
"""Pause between two steps while there is more to do."""


async def enforce_retention(
    store: Maintenance, retention: Retention, clock: Clock, registry: CollectorRegistry
) -> None:
    """Runs until cancelled; a store that is away or refuses is asked again later. A clock that
    jumps removes nothing until it has told the same time for long."""
    metrics, time = _RetentionMetrics(registry), BelievedTime(clock)
    work = partial(_expire, store, retention, time, metrics)
    await run_forever("retention", work, metrics.failures.inc)


async def _expire(
    store: Maintenance, retention: Retention, time: BelievedTime, metrics: _RetentionMetrics
) -> None:
    while True:
        try:
            step = await store.expire(retention, time.now())
        except StoreUnavailable:
            step = Expired()
        metrics.count(step)
        await asyncio.sleep(STEP_SECONDS if step.more else LOOK_SECONDS)


class _RetentionMetrics:
    """Counts the events that went, and the deliveries that were lost with them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        events = Counter(
            "hookplane_retention_events",
            "Events that retention removed",
            ["reason"],
            registry=registry,
        )
        self._age, self._size = events.labels("age"), events.labels("size")
        self._expired = Counter(
            "hookplane_expired",
            "Deliveries that were not done when retention removed event or subscription",
            registry=registry,
        )
        self.failures = Counter(
            "hookplane_retention_failures",
            "Tries to remove what is too old or too much that an error ended",
            registry=registry,
        )

    def count(self, step: Expired) -> None:
        self._age.inc(step.events - step.surplus)
        self._size.inc(step.surplus)
        self._expired.inc(step.skipped_deliveries)
