"""Writes statuses that differ from those in the cluster, within a budget of writes per second.

A status whose conditions changed is written at once and before others. One of which only counters
changed waits until a minute after the last write of its object. Namespaces take turns, and none has
more than some writes under way: one that hangs or is refused holds up no other.

A status is ours alone: what others have written into it is replaced and taken out.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from hookplane.compile.model import ObjectKey
from hookplane.kinds.status import Status
from hookplane.pacing.backoff import pause_after
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, NotFound, NotLeader
from hookplane_operator.kube.kinds import OURS, Object
from hookplane_operator.kube.objects import Objects
from hookplane_operator.metrics import Metrics
from hookplane_operator.status.budget import MOST, WriteBudget
from hookplane_operator.status.difference import (
    essence,
    is_reconciling,
    is_same,
    removals,
    without_empty,
)

AT_ONCE: Final = 32
"""Writes that run at the same time, so that a slow API server does not leave the budget unused."""
OF_NAMESPACE: Final = 8
"""Of those, at most so many in one namespace."""
COUNTERS_SECONDS: Final = 60.0
"""Between two writes of an object of which only counters change."""
SETTLE_SECONDS: Final = 2.0
"""How long a status that says Reconciling waits. Most changes are in force by then, so that one
write says it instead of two."""
_LOOK_SECONDS: Final = 0.2
_SOONEST_SECONDS: Final = 0.05
_ONE_LOOK: Final = 4
"""Writes that a look is worth: of several, namespaces have turns."""
FIRST_PAUSE_SECONDS: Final = 1.0
"""Until a write that failed is tried again; doubled each time."""
LONGEST_PAUSE_SECONDS: Final = 60.0
LONGEST_SILENCE_SECONDS: Final = 8.0
"""The longest pause where the API server did not refuse, but gave no answer."""

_log = logging.getLogger("hookplane.operator")

Written = Callable[[ObjectKey, Object, Mapping[str, Any], Mapping[str, Any]], None]
"""Key, object, status before, status after."""
Answered = Callable[[str, Object], object]
"""Kind, object."""
Refused = Callable[[ObjectKey, Object, str], None]
"""Key, object, the API server's words."""


@dataclass(slots=True)
class _Wanted:
    """A status that is to be written."""

    uid: str
    status: dict[str, Any]
    since: float
    not_before: float = 0.0
    counting: bool = False
    """Only numbers, times and sentences changed, so others are written first."""


@dataclass(slots=True)
class _Failure:
    """A write that did not succeed."""

    uid: str
    essence: object
    """Of the status that was not taken. Another one is tried at once."""
    words: str
    times: int
    """In a row."""
    until: float


class StatusWriter:
    """One for the process."""

    def __init__(
        self,
        kube: Kube,
        objects: Objects,
        metrics: Metrics,
        answered: Answered,
        written: Written,
        refused: Refused,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        """`answered`: called with every object that a write is answered with, which may be another
        than was known. `refused`: called when a write is refused, for the first time or in other
        words. `most`: writes of all statuses together in a second."""
        self._kube = kube
        self._objects = objects
        self._metrics = metrics
        self._answered = answered
        self._written = written
        self._refused = refused
        self._clock = clock
        self._wanted: dict[ObjectKey, _Wanted] = {}
        self._writing: set[ObjectKey] = set()
        self._failures: dict[ObjectKey, _Failure] = {}
        self._last: dict[ObjectKey, float] = {}
        self._budget = WriteBudget(most, clock())
        self._flips_wait = False
        """Whether more statuses with changed conditions are due than the budget let through."""

    def offer(self, key: ObjectKey, uid: str, status: Status) -> None:
        """Takes the status of an object as it is now. It replaces one that was not written yet."""
        live = self._objects.get(key)
        if live is None or live["metadata"].get("uid") != uid:
            self._wanted.pop(key, None)
            return
        told = live.get("status") or {}
        dumped = status.model_dump(by_alias=True, exclude_none=True, mode="json")
        wanted: dict[str, Any] = without_empty(dumped)
        if is_same(told, wanted):
            self._wanted.pop(key, None)
            return
        now = self._clock()
        before = self._wanted.get(key)
        since = before.since if before is not None and before.uid == uid else now
        counting = essence(told) == essence(wanted)
        earliest = self._earliest(key, wanted, since, counting=counting)
        self._wanted[key] = _Wanted(uid, wanted, since, earliest, counting)

    def is_writing(self, key: ObjectKey) -> bool:
        """Whether a change of its status that is seen now may be our own."""
        return key in self._writing

    def clear(self) -> None:
        """Forgets what was to be written, because another replica leads now."""
        self._wanted.clear()
        self._failures.clear()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as writes:
            while True:
                pause = _ONE_LOOK / self._budget.per_second
                await asyncio.sleep(min(max(pause, _SOONEST_SECONDS), _LOOK_SECONDS))
                self._metrics.status_waiting.set(len(self._wanted))
                for key in self._due():
                    self._writing.add(key)
                    writes.create_task(self._write(key, self._wanted.pop(key)))

    def _earliest(
        self, key: ObjectKey, wanted: Mapping[str, Any], since: float, *, counting: bool
    ) -> float:
        failure = self._failures.get(key)
        held = failure.until if failure and failure.essence == essence(wanted) else 0.0
        if counting:
            return max(held, self._last.get(key, -COUNTERS_SECONDS) + COUNTERS_SECONDS)
        return max(held, since + (SETTLE_SECONDS if is_reconciling(wanted) else 0.0))

    def _due(self) -> list[ObjectKey]:
        """Objects whose status is written now, as many as the budget allows: those with changed
        conditions first, namespaces in turns, then those that have waited longest."""
        now = self._clock()
        free = min(self._budget.available(now), AT_ONCE - len(self._writing))
        taken = heapq.nsmallest(free, self._in_turns(now)) if free > 0 else []
        self._budget.spend(len(taken))
        keys = [key for *_, key in taken]
        self._flips_wait = self._have_flips(now, frozenset(keys))
        return keys

    def _have_flips(self, now: float, taken: Collection[ObjectKey]) -> bool:
        """Whether more is due than was taken, of which not only counters changed."""
        return any(
            x.not_before <= now and not x.counting
            for key, x in self._wanted.items()
            if key not in taken
        )

    def _in_turns(self, now: float) -> Iterator[tuple[bool, int, float, ObjectKey]]:
        """With the place that each has in the row of its namespace."""
        rows = Counter(key.namespace for key in self._writing)
        due = sorted(
            (x.counting, x.not_before, key)
            for key, x in self._wanted.items()
            if x.not_before <= now and key not in self._writing
        )
        for counting, not_before, key in due:
            place = rows[key.namespace]
            if place < OF_NAMESPACE:
                rows[key.namespace] += 1
                yield counting, place, not_before, key

    async def _write(self, key: ObjectKey, wanted: _Wanted) -> None:
        """Raises nothing that an API server can cause."""
        try:
            await self._put(key, wanted)
        except (NotFound, NotLeader):
            self._failures.pop(key, None)  # it is gone, or another operator writes
        except ApiError as error:
            self._failed(key, wanted, error)
        finally:
            self._writing.discard(key)

    async def _put(self, key: ObjectKey, wanted: _Wanted) -> None:
        live = self._objects.get(key)
        if live is None:
            return
        resource = OURS[key.kind]
        own = {"name": key.name, "namespace": key.namespace, "uid": wanted.uid}
        body = {"apiVersion": resource.api_version, "kind": key.kind, "metadata": own}
        answer = await self._kube.apply(resource, {**body, "status": wanted.status}, part="status")
        if foreign := removals(answer.get("status") or {}, wanted.status):
            answer = await self._kube.edit(resource, body, foreign, part="status")
        self._failures.pop(key, None)
        self._remember(key)
        self._metrics.status_writes.inc()
        self._budget.was_taken(self._clock(), others_wait=self._flips_wait)
        self._answered(key.kind, answer)
        self._written(key, answer, live.get("status") or {}, wanted.status)
        self._doubt(key, wanted)

    def _doubt(self, key: ObjectKey, wanted: _Wanted) -> None:
        """Somebody wrote at the same time, and has been seen already."""
        live = self._objects.get(key)
        if live is not None and not is_same(live.get("status") or {}, wanted.status):
            wanted.not_before = self._clock() + FIRST_PAUSE_SECONDS
            self._wanted.setdefault(key, wanted)

    def _failed(self, key: ObjectKey, wanted: _Wanted, error: ApiError) -> None:
        """Tried again with growing pauses, and told."""
        refused = error.status >= 400 and error.status != 429
        if not refused:
            self._budget.was_held_back(self._clock())
        known = self._failures.get(key)
        times = known.times + 1 if known and known.uid == wanted.uid else 1
        longest = LONGEST_PAUSE_SECONDS if refused else LONGEST_SILENCE_SECONDS
        until = self._clock() + pause_after(times, FIRST_PAUSE_SECONDS, longest)
        own = essence(wanted.status)
        self._failures[key] = _Failure(wanted.uid, own, error.said, times, until)
        wanted.not_before = until
        self._wanted.setdefault(key, wanted)
        if refused:
            self._metrics.status_refused.labels(key.kind).inc()
        if known is None or known.words != error.said:
            _log.warning("status of %s: %s", key, error)
            if refused and (live := self._objects.get(key)) is not None:
                self._refused(key, live, error.said)

    def _remember(self, key: ObjectKey) -> None:
        """Notes when it was written, in order, and forgets those whose minute is over."""
        now = self._clock()
        self._last.pop(key, None)
        self._last[key] = now
        for old in list(takewhile(lambda x: now - self._last[x] > COUNTERS_SECONDS, self._last)):
            del self._last[old]
