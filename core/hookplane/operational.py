"""Operational events: what Hookplane itself tells a namespace, as events like any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hookplane.clock import Millis
from hookplane.ids import event_id
from hookplane.store.event_log import NewEvent
from hookplane.units import format_time

QUIET_PERIOD: Final[Millis] = 300_000
"""At most one event per subject and kind in this time; what was left out is counted."""
MAX_SUBJECTS: Final = 10_000
"""So many subjects are remembered for the quiet period."""


class OperationalType(StrEnum):
    """Types of operational events."""

    SUBSCRIPTION_DISABLED = "hookplane.subscription.disabled"
    CIRCUIT_OPEN = "hookplane.subscription.circuit_open"
    DELIVERY_DEAD = "hookplane.delivery.dead"
    ENDPOINT_REJECTING = "hookplane.endpoint.rejecting"
    EVENTS_QUOTA_EXCEEDED = "hookplane.quota.events_exceeded"
    STORAGE_QUOTA_EXCEEDED = "hookplane.quota.storage_exceeded"


def operational_endpoint(namespace: str) -> str:
    """Uid of the built-in endpoint of a namespace."""
    return f"operational/{namespace}"


@dataclass(frozen=True, slots=True)
class OperationalEvent:
    """Something worth telling."""

    type: OperationalType
    kind: str
    namespace: str
    name: str
    reason: str
    message: str


class Notices:
    """Makes events of notices, at most one per subject and type in the quiet period."""

    def __init__(self, new_id: Callable[[Millis], str] = event_id) -> None:
        self._new_id = new_id
        self._told: dict[tuple[str, str, str], tuple[Millis, int]] = {}

    def event(self, notice: OperationalEvent, now: Millis) -> NewEvent | None:
        """The event to append, or None when the same was told a short while ago."""
        subject = (notice.type, notice.namespace, notice.name)
        told_at, left_out = self._told.get(subject, (-QUIET_PERIOD, 0))
        if now - told_at < QUIET_PERIOD:
            self._told[subject] = (told_at, left_out + 1)
            return None
        if len(self._told) >= MAX_SUBJECTS:
            self._told.pop(next(iter(self._told)))
        self._told.pop(subject, None)
        self._told[subject] = (now, 0)
        return self._event(notice, now, left_out + 1)

    def _event(self, notice: OperationalEvent, now: Millis, count: int) -> NewEvent:
        body = {
            "type": notice.type,
            "timestamp": format_time(now),
            "data": {
                "kind": notice.kind,
                "namespace": notice.namespace,
                "name": notice.name,
                "reason": notice.reason,
                "message": notice.message,
                "count": count,
            },
        }
        return NewEvent(
            endpoint=operational_endpoint(notice.namespace),
            event_id=self._new_id(now),
            received=now,
            type=notice.type,
            headers=(("content-type", "application/json"),),
            body=json.dumps(body, separators=(",", ":")).encode(),
        )
