"""Kubernetes Events on transitions: one object for each (subject, reason), counted up while it
repeats. The same words stand in a condition, because Events vanish after an hour."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hookplane.compile.model import ObjectKey
from hookplane.kinds.conditions import ConditionType
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, NotFound, NotLeader
from hookplane_operator.kube.kinds import EVENT, OURS, Object

QUEUE: Final = 1_000
"""How many Events may wait. Further ones are dropped, because an Event is only a convenience."""
PER_SECOND: Final = 5.0
STATUS_REFUSED: Final = "StatusRefused"
MAX_MESSAGE: Final = 1024
SERIES_SECONDS: Final = 600.0
"""An Event that repeats within this time raises the count of the last one; no other is made."""
_TOLD: Final = frozenset(
    x.value
    for x in (
        ConditionType.READY,
        ConditionType.DELIVERING,
        ConditionType.FILTERING,
        ConditionType.RECEIVING,
        ConditionType.SWEEP_BLOCKED,
        ConditionType.KEYS_LOST,
        ConditionType.COMPLETE,
    )
)
"""Conditions whose changes become Events."""
_BAD_WHEN_TRUE: Final = frozenset(
    x.value for x in (ConditionType.SWEEP_BLOCKED, ConditionType.KEYS_LOST)
)
"""Those of them that are there only while something is wrong."""

_log = logging.getLogger("hookplane.operator")


@dataclass(frozen=True, slots=True)
class KubernetesEvent:
    """An Event that is to be written."""

    key: ObjectKey
    uid: str
    api_version: str
    kind: str
    """Normal or Warning."""
    reason: str
    message: str


class Events:
    """One for the process."""

    def __init__(self, kube: Kube, instance: str) -> None:
        self._kube = kube
        self._instance = instance
        self._waiting: asyncio.Queue[KubernetesEvent] = asyncio.Queue(QUEUE)
        self._series: dict[str, tuple[float, int]] = {}

    def written(
        self, key: ObjectKey, body: Object, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        """To be called when a status was written that differs from the one before."""
        for event in kubernetes_events(key, body, before, after):
            self._enqueue(event)

    def status_refused(self, key: ObjectKey, body: Object, words: str) -> None:
        """To be called when the API server does not take a status: nothing else can tell it."""
        metadata, version = body["metadata"], OURS[key.kind].api_version
        message = f"the status cannot be written, so it may not be true: {words}"
        event = KubernetesEvent(
            key, metadata["uid"], version, "Warning", STATUS_REFUSED, message[:MAX_MESSAGE]
        )
        self._enqueue(event)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            event = await self._waiting.get()
            try:
                await self._post(event)
            except (ApiError, NotLeader) as error:
                _log.info("an Event could not be written: %s", error)
            await asyncio.sleep(1 / PER_SECOND)

    def _enqueue(self, event: KubernetesEvent) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(event)

    async def _post(self, event: KubernetesEvent) -> None:
        text = f"{event.uid}/{event.reason}/{event.kind}"
        name = f"{event.key.name}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        last, count = self._series.get(name, (0.0, 0))
        again = count > 0 and time.monotonic() - last < SERIES_SECONDS
        count = count + 1 if again else 1
        self._remember(name, count)
        if again:
            metadata = {"name": name, "namespace": event.key.namespace}
            change = {"count": count, "lastTimestamp": now, "message": event.message}
            try:
                await self._kube.merge(EVENT, {"metadata": metadata, **change})
                return
            except NotFound:
                pass
        await self._kube.apply(EVENT, self._body(event, name, now, count))

    def _remember(self, name: str, count: int) -> None:
        self._series.pop(name, None)
        self._series[name] = (time.monotonic(), count)
        while len(self._series) > QUEUE:
            del self._series[next(iter(self._series))]

    def _body(self, event: KubernetesEvent, name: str, now: str, count: int) -> Object:
        key = event.key
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": name, "namespace": key.namespace},
            "involvedObject": {
                "apiVersion": event.api_version,
                "kind": key.kind,
                "name": key.name,
                "namespace": key.namespace,
                "uid": event.uid,
            },
            "type": event.kind,
            "reason": event.reason,
            "message": event.message,
            "source": {"component": "hookplane"},
            "reportingComponent": "hookplane.dev/operator",
            "reportingInstance": self._instance,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": count,
        }


def kubernetes_events(
    key: ObjectKey, body: Object, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[KubernetesEvent]:
    """The Events that a new status is worth; pure. A condition becomes one when it turns bad, when
    its reason changes while it is bad, and when it is not bad any more. So the first status of an
    object makes none unless something is wrong."""
    old = {x["type"]: x for x in before.get("conditions", ())}
    made = []
    for condition in after.get("conditions", ()):
        known = old.get(condition["type"], {})
        bad = _is_bad(condition)
        flipped = (known.get("status"), known.get("reason")) != (
            condition["status"],
            condition["reason"],
        )
        was_bad = bool(known) and _is_bad(known)
        if condition["type"] in _TOLD and flipped and (bad or was_bad):
            made.append(
                KubernetesEvent(
                    key=key,
                    uid=body["metadata"]["uid"],
                    api_version=body["apiVersion"],
                    kind="Warning" if bad else "Normal",
                    reason=condition["reason"],
                    message=condition.get("message") or f"{condition['type']} again",
                )
            )
    return made


def _is_bad(condition: Mapping[str, Any]) -> bool:
    wrong = "True" if condition["type"] in _BAD_WHEN_TRUE else "False"
    return bool(condition["status"] == wrong)
