"""What drivers share when they group appends and flushes: bounds, weights, which logs grew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hookplane.errors import StoreError
from hookplane.store.delivery_store import Flush
from hookplane.store.event_log import Appended, LogId, NewEvent
from hookplane.store.grouping import GroupBounds

APPENDS: Final = GroupBounds(group_items=512, group_weight=8 << 20, queue_weight=64 << 20)
"""In events and bytes."""
FLUSH_GROUP: Final = 1_000
"""The most flushes of one group."""
FLUSH_QUEUE_ROWS: Final = 1_000_000
"""Rows that may wait or be under way."""
_EVENT_OVERHEAD: Final = 512
"""Bytes that an event without a body weighs in the queue."""


def flush_bounds(group_rows: int) -> GroupBounds:
    """In flushes and rows. How many rows one transaction should have is the driver's to say."""
    return GroupBounds(
        group_items=FLUSH_GROUP, group_weight=group_rows, queue_weight=FLUSH_QUEUE_ROWS
    )


def event_weight(event: NewEvent) -> int:
    """In bytes."""
    return _EVENT_OVERHEAD + len(event.body)


def flush_weight(flush: Flush) -> int:
    """In rows."""
    return flush.rows


def logs_that_grew(
    events: Sequence[NewEvent], outcomes: Sequence[Appended | StoreError]
) -> set[LogId]:
    """The logs that have something new for their readers after a group was committed."""
    return {
        event.endpoint
        for event, outcome in zip(events, outcomes, strict=True)
        if isinstance(outcome, Appended) and not outcome.duplicate
    }
