"""What is set when a dispatcher is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DispatcherSettings:
    """Bounds on delays, memory and reads of one process."""

    poll_seconds: float = 5.0
    """How long a lost wake-up for an event can delay it."""
    look_seconds: float = 60.0
    """How long a lost wake-up for a replay or a resume can delay it: so often one statement asks
    for those of all subscriptions."""
    body_bytes: int = 128 << 20
    """Bytes of contents in memory, all subscriptions together."""
    tail_bytes: int = 16 << 20
    """Bytes of the newest events of all endpoints, without their contents."""
    rows: int = 10_000
    """Unfinished deliveries of one subscription in memory; the others wait in the store."""
    readers: int = 4
    """Reads from the store at once for subscriptions that lag behind."""
