"""Writes statuses that differ from those in the cluster, within a budget of writes per second.

A status whose conditions changed is written at once and before others. One of which only counters
changed waits until a minute after the last write of its object.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from hookplane.compile.model import ObjectKey
from hookplane.config.base import RateLimit
from hookplane.kinds.conditions import ConditionType
from hookplane.kinds.status import Status
from hookplane.pacing.token_bucket import TokenBucket
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, Conflict, NotFound, NotLeader
from hookplane_operator.kube.kinds import OURS, Object
from hookplane_operator.kube.objects import Objects
from hookplane_operator.metrics import Metrics

BUDGET: Final = RateLimit(tokens=20, per=1_000, burst=20)
"""Writes of all statuses together."""
AT_ONCE: Final = 4
"""Writes that run at the same time, so that a slow API server does not leave the budget unused."""
COUNTERS_SECONDS: Final = 60.0
"""Between two writes of an object of which only counters change."""
SETTLE_SECONDS: Final = 2.0
"""How long a status that says Reconciling waits. Most changes are in force by then, so that one
write says it instead of two."""
_LOOK_SECONDS: Final = 0.2
_RETRY_SECONDS: Final = 1.0

_log = logging.getLogger("hookplane.operator")

Written = Callable[[ObjectKey, Object, Mapping[str, Any], Mapping[str, Any]], None]
"""Key, object, status before, status after."""


@dataclass(slots=True)
class _Wanted:
    """A status that is to be written."""

    uid: str
    status: dict[str, Any]
    since: float
    not_before: float = 0.0
    counting: bool = False
    """Only numbers, times and sentences changed, so others are written first."""


class StatusWriter:
    """One for the process."""

    def __init__(
        self,
        kube: Kube,
        objects: Objects,
        metrics: Metrics,
        written: Written,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._objects = objects
        self._metrics = metrics
        self._written = written
        self._clock = clock
        self._wanted: dict[ObjectKey, _Wanted] = {}
        self._last: dict[ObjectKey, float] = {}
        self._budget = TokenBucket(BUDGET, clock())

    def offer(self, key: ObjectKey, uid: str, status: Status) -> None:
        """Takes the status of an object as it is now. It replaces one that was not written yet."""
        live = self._objects.get(key)
        if live is None or live["metadata"].get("uid") != uid:
            self._wanted.pop(key, None)
            return
        told = live.get("status") or {}
        dumped = status.model_dump(by_alias=True, exclude_none=True, mode="json")
        wanted = {name: value for name, value in dumped.items() if value != []}
        if _plain(told) == _plain(wanted):
            self._wanted.pop(key, None)
            return
        now = self._clock()
        before = self._wanted.get(key)
        since = before.since if before is not None and before.uid == uid else now
        counting = _essence(told) == _essence(wanted)
        earliest = self._earliest(key, wanted, since, counting=counting)
        self._wanted[key] = _Wanted(uid, wanted, since, earliest, counting)

    def clear(self) -> None:
        """Forgets what was to be written, because another replica leads now."""
        self._wanted.clear()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._metrics.status_waiting.set(len(self._wanted))
            due = self._due() if self._wanted else []
            for start in range(0, len(due), AT_ONCE):
                await asyncio.gather(*map(self._write, due[start : start + AT_ONCE]))

    def _earliest(
        self, key: ObjectKey, wanted: Mapping[str, Any], since: float, *, counting: bool
    ) -> float:
        if counting:
            return self._last.get(key, -COUNTERS_SECONDS) + COUNTERS_SECONDS
        return since + (SETTLE_SECONDS if _is_reconciling(wanted) else 0.0)

    def _due(self) -> list[ObjectKey]:
        """Objects whose status is written now, as many as the budget allows: those with changed
        conditions first, then those that have waited longest."""
        now = self._clock()
        due = ((x.counting, x.not_before, key) for key, x in self._wanted.items())
        taken = heapq.nsmallest(self._budget.available(now), (x for x in due if x[1] <= now))
        self._budget.spend(len(taken))
        return [key for *_, key in taken]

    async def _write(self, key: ObjectKey) -> None:
        wanted = self._wanted.pop(key, None)
        live = self._objects.get(key)
        if wanted is None or live is None:
            return
        resource = OURS[key.kind]
        body = {
            "apiVersion": resource.api_version,
            "kind": key.kind,
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": wanted.uid},
            "status": wanted.status,
        }
        try:
            answer = await self._kube.apply(resource, body, part="status")
        except (NotFound, Conflict, NotLeader):
            return  # it is gone, another object has its name, or another operator writes
        except ApiError as error:
            _log.warning("status of %s: %s", key, error)
            wanted.not_before = self._clock() + _RETRY_SECONDS
            self._wanted.setdefault(key, wanted)
            return
        self._remember(key)
        self._metrics.status_writes.inc()
        self._objects.put(key.kind, answer)
        self._written(key, answer, live.get("status") or {}, wanted.status)

    def _remember(self, key: ObjectKey) -> None:
        """Notes when it was written, in order, and forgets those whose minute is over."""
        now = self._clock()
        self._last.pop(key, None)
        self._last[key] = now
        for old in list(takewhile(lambda x: now - self._last[x] > COUNTERS_SECONDS, self._last)):
            del self._last[old]


def _essence(status: Mapping[str, Any]) -> object:
    """What a person would call a change: conditions, states and addresses, but not numbers, times
    and sentences."""
    conditions = {
        x.get("type"): (x.get("status"), x.get("reason")) for x in status.get("conditions", ())
    }
    words = [status.get(x) for x in ("observedGeneration", "state", "url", "target")]
    summaries = [(status.get(x) or {}).get("summary") for x in ("receivers", "dispatchers")]
    circuit = (status.get("delivery") or {}).get("circuit")
    return conditions, words, summaries, (status.get("store") or {}).get("state"), circuit


def _is_reconciling(status: Mapping[str, Any]) -> bool:
    types = {x.get("type") for x in status.get("conditions", ())}
    return ConditionType.RECONCILING.value in types


def _plain(status: Mapping[str, Any]) -> dict[str, Any]:
    """For comparing: without empty fields, and with conditions by type, in whatever order."""
    plain = {name: value for name, value in status.items() if value not in ([], {}, "", None)}
    plain["conditions"] = {
        x.get("type"): {k: v for k, v in x.items() if v != ""} for x in status.get("conditions", ())
    }
    return plain
