"""Operational events: what Hookplane itself reports to a namespace, as events like any other.

Each namespace may have a built-in endpoint that no request reaches. What happens to the namespace's
own endpoints and subscriptions is appended to its log, and subscriptions can deliver it. The same
thing is reported at most once in the quiet period, so a failing target does not fill the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hookplane import fault
from hookplane.clock import Clock, Millis
from hookplane.config.endpoint import operational_endpoint
from hookplane.errors import StoreError
from hookplane.ids import event_id
from hookplane.store.event_log import EventLog, NewEvent
from hookplane.units import format_time

QUIET_PERIOD: Final[Millis] = 300_000
"""At most one event of a type about one object in this time; what was left out is counted."""
MAX_SUBJECTS: Final = 10_000
"""How many pairs of type and object are remembered; beyond, the oldest is forgotten, which at worst
reports it once more."""

_log = logging.getLogger("hookplane.operational")


class OperationalType(StrEnum):
    """What is reported."""

    SUBSCRIPTION_DISABLED = "hookplane.subscription.disabled"
    """Nothing is sent any more until somebody resumes the subscription."""
    CIRCUIT_OPEN = "hookplane.subscription.circuit_open"
    """The target failed so often in a row that only probes are sent."""
    DELIVERY_DEAD = "hookplane.delivery.dead"
    """A delivery failed for the last time that its retry schedule allows."""
    EVENTS_MISSING = "hookplane.subscription.events_missing"
    """Events are not in the store, though retention did not remove them."""
    EXPRESSION_HELD = "hookplane.subscription.expression_held"
    """A filter or a transform took too much CPU or memory again and again, so events wait for a
    while."""
    ENDPOINT_REJECTING = "hookplane.endpoint.rejecting"
    """An endpoint began to reject requests for a reason that the sender can mend."""
    EVENTS_QUOTA_EXCEEDED = "hookplane.quota.events_exceeded"
    """Requests are rejected because the namespace receives more events than it may."""
    STORAGE_QUOTA_EXCEEDED = "hookplane.quota.storage_exceeded"
    """Requests are rejected because the namespace stores as much as it may."""


@dataclass(frozen=True, slots=True)
class OperationalEvent:
    """Something worth reporting about one object."""

    type: OperationalType
    kind: str
    namespace: str
    name: str
    reason: str
    message: str


class OperationalEventPublisher:
    """Appends operational events to the log of their namespace, in the background.

    An event that the store cannot take now is lost: the same facts stand in the object's state. A
    namespace without a built-in endpoint is one to which nothing is reported.
    """

    def __init__(
        self, log: EventLog, clock: Clock, new_id: Callable[[Millis], str] = event_id
    ) -> None:
        self._log = log
        self._clock = clock
        self._new_id = new_id
        self._quiet = QuietPeriods()
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, event: OperationalEvent, *, only_onset: bool = False) -> None:
        """Returns at once. `only_onset`: for a caller that reports a state again and again while it
        lasts; it is published only when the caller was silent for the whole quiet period before."""
        now = self._clock.now()
        subject = (event.type, event.namespace, event.name)
        count = self._quiet.count(subject, now, only_onset=only_onset)
        if not count:
            return
        new = new_event(event, self._new_id(now), now, count)
        task = asyncio.create_task(self._append(new))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Waits for the events that are being appended."""
        await asyncio.gather(*self._tasks)

    async def _append(self, event: NewEvent) -> None:
        try:
            await self._log.append(event)
        except StoreError:
            return
        except Exception as error:
            _log.warning("%s was not published: %s", event.type, fault.describe(error))


Subject = tuple[str, str, str]
"""Type, namespace and name."""


class QuietPeriods:
    """Decides which reports are published, and how many each of them stands for."""

    def __init__(self) -> None:
        self._subjects: dict[Subject, _Reported] = {}
        """The one that was reported longest ago comes first."""

    def count(self, subject: Subject, now: Millis, *, only_onset: bool = False) -> int:
        """How many reports, this one included, an event published now stands for; 0: leave it out.
        See `OperationalEventPublisher.publish`."""
        reported = self._subjects.pop(subject, None) or _Reported()
        self._remember(subject, reported)
        since = reported.last if only_onset else reported.published
        reported.last = now
        reported.left_out += 1
        if now - since < QUIET_PERIOD:
            return 0
        count, reported.left_out, reported.published = reported.left_out, 0, now
        return count

    def _remember(self, subject: Subject, reported: _Reported) -> None:
        if len(self._subjects) >= MAX_SUBJECTS:
            del self._subjects[next(iter(self._subjects))]
        self._subjects[subject] = reported


@dataclass(slots=True)
class _Reported:
    """When something was published and last reported, and how many reports were left out since it
    was published."""

    published: Millis = -QUIET_PERIOD
    last: Millis = -QUIET_PERIOD
    left_out: int = 0


def new_event(event: OperationalEvent, id: str, now: Millis, count: int) -> NewEvent:  # noqa: A002
    """What is appended; `count`: how many reports it stands for."""
    body = {
        "type": event.type,
        "timestamp": format_time(now),
        "data": {
            "kind": event.kind,
            "namespace": event.namespace,
            "name": event.name,
            "reason": event.reason,
            "message": event.message,
            "count": count,
        },
    }
    return NewEvent(
        endpoint=operational_endpoint(event.namespace),
        event_id=id,
        received=now,
        type=event.type,
        headers=(("content-type", "application/json"),),
        body=json.dumps(body, separators=(",", ":")).encode(),
    )
