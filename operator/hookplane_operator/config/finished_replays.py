"""Deletes replays that say how long they are to be kept when they have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.errors import InvalidValue
from hookplane.kinds.replay import ENDED
from hookplane.units import parse_time
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, NotLeader
from hookplane_operator.kube.kinds import REPLAY, Object
from hookplane_operator.kube.objects import Objects

LOOK_SECONDS: Final = 5.0

_log = logging.getLogger("hookplane.operator")


class FinishedReplays:
    """Looks at all replays from time to time. One that cannot be deleted now is tried again with
    the next look, and holds up no other."""

    def __init__(
        self, kube: Kube, objects: Objects, clock: Clock, leads: Callable[[], bool]
    ) -> None:
        """`leads`: whether this replica may write."""
        self._kube = kube
        self._objects = objects
        self._clock = clock
        self._leads = leads
        self._told: dict[str, str] = {}
        """Uid → why it could not be deleted, as it was logged."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._leads():
                await self.delete_old()

    async def delete_old(self) -> None:
        """Deletes those whose time is over."""
        old = list(self._old())
        self._told = {x: self._told[x] for x in self._told.keys() & {_uid(body) for body in old}}
        for body in old:
            try:
                await self._delete(body)
            except NotLeader:
                return
            except ApiError as error:
                self._tell(body, str(error))

    def _old(self) -> Iterator[Object]:
        now = self._clock.now()
        return (body for body in self._objects.all(REPLAY.kind) if is_old(body, now))

    async def _delete(self, body: Object) -> None:
        metadata = body["metadata"]
        await self._kube.delete(REPLAY, metadata["namespace"], metadata["name"], metadata["uid"])

    def _tell(self, body: Object, error: str) -> None:
        uid, metadata = _uid(body), body["metadata"]
        if self._told.get(uid) != error:
            self._told[uid] = error
            name = f"{metadata['namespace']}/{metadata['name']}"
            _log.warning("replay %s has ended and cannot be deleted: %s", name, error)


def is_old(body: Object, now: Millis) -> bool:
    """Whether a replay ended longer ago than it is to be kept. One that is being deleted already,
    or whose status nobody can read, is not."""
    keep, status = body.get("spec", {}).get("ttlSecondsAfterFinished"), body.get("status") or {}
    ended = status.get("completionTime") if status.get("state") in ENDED else None
    if keep is None or ended is None or "deletionTimestamp" in body["metadata"]:
        return False
    try:
        return parse_time(ended) + int(keep) * 1000 <= now
    except InvalidValue:
        return False


def _uid(body: Object) -> str:
    return str(body["metadata"]["uid"])
