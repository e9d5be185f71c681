"""One attempt under way."""

from __future__ import annotations

from dataclasses import dataclass

from hookplane.clock import Millis
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.bodies import Body
from hookplane_dispatcher.lane.progress import Key
from hookplane_dispatcher.lane.rows import Row


@dataclass(slots=True)
class Job:
    """What is needed when the answer comes."""

    entry: LogEntry
    body: Body
    row: Row | None
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
