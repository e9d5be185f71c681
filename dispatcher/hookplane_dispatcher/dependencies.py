"""What all workers of a dispatcher have in common."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

from hookplane.clock import Clock
from hookplane.evaluation.pool import EvaluationPool
from hookplane.process.membership import OwnershipGuard
from hookplane.reporting.activity import ActivityLog
from hookplane.reporting.operational import OperationalEventPublisher
from hookplane.store.delivery_store import DeliveryStore
from hookplane.tracing import NoTracer, Tracer
from hookplane_dispatcher.metrics import DispatcherMetrics
from hookplane_dispatcher.reading.bystanders import Bystanders
from hookplane_dispatcher.reading.content_cache import ContentCache
from hookplane_dispatcher.reading.log_reader import LogReader
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_dispatcher.transports.transport import Transports


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Made once by the dispatcher. Nothing in here is a slot that one worker could take from
    another: contents are bounded for each worker besides the bound for all together."""

    store: DeliveryStore
    transports: Transports
    clock: Clock
    random: Random
    activity: ActivityLog
    logs: LogReader
    contents: ContentCache
    metrics: DispatcherMetrics
    publisher: OperationalEventPublisher
    settings: DispatcherSettings
    ownership: OwnershipGuard
    bystanders: Bystanders
    expressions: EvaluationPool
    """Where filters and transforms are evaluated that may take long."""
    claims: asyncio.Semaphore
    """Claims under way at once: ten thousand workers may start together."""
    tracer: Tracer = field(default_factory=NoTracer)
    unusable: dict[str, str] = field(default_factory=dict)
    """Uid of a subscription → why nothing can be sent as its document says."""
