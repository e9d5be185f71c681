"""One attempt under way."""

from __future__ import annotations

from dataclasses import dataclass

from hookplane.clock import Millis
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.reading.content_cache import CachedEvent
from hookplane_dispatcher.worker.flush_buffer import Key
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery


@dataclass(slots=True)
class RunningAttempt:
    """What is needed when the answer comes."""

    entry: LogEntry
    body: CachedEvent
    row: QueuedDelivery | None
    """None: the event's first attempt, and it does not take long yet."""
    number: int
    """0: a probe."""
    started: Millis
    since: float
    """Seconds, monotonic."""
    done: bool = False

    @property
    def key(self) -> Key:
        return (self.entry.endpoint, self.entry.sequence)
