"""Removes the rows of objects that are gone, after full lists of every kind said so."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.compile.change import ConfigDiff, Configured
from hookplane.compile.generated import SIGNING_SUFFIX, VERIFICATION_SUFFIX
from hookplane.config.endpoint import EndpointConfig
from hookplane.store.postgres.orphans import Orphan
from hookplane_operator.config.sweep import CONFIRM, plan_sweep
from hookplane_operator.gateways.plane import Plane
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import REPLAY, SECRET, TENANTS
from hookplane_operator.metrics import Metrics
from hookplane_operator.referred.secrets import GENERATED_FOR
from hookplane_operator.settings import Scope
from hookplane_operator.watch.objects import Objects

EVERY_SECONDS: Final = 600.0
WINDOW_SECONDS: Final = 60.0
"""Deletions within this time count as one."""
SOONEST_SECONDS: Final = 1.0
"""Between two sweeps, however much is deleted."""

KEEP_SECRETS: Final[Millis] = 24 * 3_600_000
"""A generated Secret outlives its object for as long: who makes the object again keeps the key."""

_log = logging.getLogger("hookplane.operator")


class Sweeper:
    """For all gateways."""

    def __init__(
        self, kube: Kube, objects: Objects, scope: Scope, metrics: Metrics, clock: Clock
    ) -> None:
        self._kube = kube
        self._clock = clock
        self._objects = objects
        self._scope = scope
        self._metrics = metrics

    async def sweep(self, plane: Plane) -> float:
        """Seconds until the next one is due. Raises ApiError when anything could not be listed;
        then nothing is removed."""
        wait = plane.swept_at + SOONEST_SECONDS - time.monotonic()
        if wait > 0:
            return wait
        plane.swept_at, plane.sweep_wanted = time.monotonic(), False
        known = list(plane.applied.documents.values())  # what comes from now on may not be listed
        uids, namespaces, replays = await self._list()
        await self._check_whole()
        async with plane.changing:
            await self._remove(plane, known, uids, namespaces)
        await self._delete_orphans(plane)
        await self._cancel(plane, replays)
        return SOONEST_SECONDS if plane.sweep_wanted else EVERY_SECONDS

    async def _remove(
        self, plane: Plane, known: Iterable[Configured], uids: set[str], namespaces: set[str]
    ) -> None:
        """Of what was known before the lists, what is in none of them."""
        documents = [x for x in known if x.uid in plane.applied.documents]
        new = {body["metadata"]["namespace"] for x in TENANTS for body in self._objects.all(x.kind)}
        confirmed = plane.gateway.metadata.annotations.get(CONFIRM, "")
        recent = plane.recently_swept(time.monotonic(), WINDOW_SECONDS)
        planned = plan_sweep(documents, uids, namespaces | new, self._scope, confirmed, recent)
        self._note_blocked(plane, planned.blocked)
        if not planned.doomed:
            return
        change = ConfigDiff(deleted=planned.doomed)
        await plane.applied.write(change)
        plane.sweeps.append((time.monotonic(), len(planned.doomed)))
        plane.news = True
        plane.rounds += 1
        await plane.store.add_orphans(self._orphans(planned.doomed))

    async def _list(self) -> tuple[set[str], set[str], set[str]]:
        """Uids of all objects, the namespaces that they are in, and uids of replays."""
        uids: set[str] = set()
        namespaces: set[str] = set()
        replays: set[str] = set()
        for resource in TENANTS:
            for namespace in self._scope.lists:
                async for body in self._kube.list(resource, namespace, metadata_only=True):
                    metadata = body["metadata"]
                    uids.add(metadata["uid"])
                    namespaces.add(metadata["namespace"])
                    if resource == REPLAY:
                        replays.add(metadata["uid"])
        return uids, namespaces, replays

    async def _check_whole(self) -> None:
        """A CRD that is being deleted takes its objects along, one after the other; nobody meant
        them. Raises ApiError."""
        if not await self._kube.takes_new(TENANTS):
            raise ApiError(404, "a CRD is being deleted, so nothing is removed")

    def _note_blocked(self, plane: Plane, blocked: int) -> None:
        if blocked and blocked != plane.blocked:
            _log.warning(
                "gateway %s/%s: %d objects are gone at once; their rows are kept until annotation "
                "%s=%d confirms it",
                *plane.name,
                blocked,
                CONFIRM,
                blocked,
            )
        plane.blocked = blocked
        self._metrics.sweeps_blocked.labels("/".join(plane.name)).set(blocked)

    def _orphans(self, gone: Iterable[Configured]) -> list[Orphan]:
        """Secrets that may have been generated for these; whether they were is looked at when they
        are due."""
        due = self._clock.now() + KEEP_SECRETS
        return [Orphan(x.namespace, f"{x.name}{_suffix(x)}", x.uid, due) for x in gone]

    async def _delete_orphans(self, plane: Plane) -> None:
        for orphan in await plane.store.due_orphans(self._clock.now()):
            body = await self._kube.find(SECRET, orphan.namespace, orphan.name)
            if body is not None:
                labels = body["metadata"].get("labels") or {}
                if labels.get(GENERATED_FOR) == orphan.owner:
                    uid = body["metadata"]["uid"]
                    await self._kube.delete(SECRET, orphan.namespace, orphan.name, uid)
            await plane.store.remove_orphan(orphan)

    async def _cancel(self, plane: Plane, there: set[str]) -> None:
        """Jobs whose object was deleted; one that is new may not be listed yet."""
        known = {x["metadata"].get("uid") for x in self._objects.all(REPLAY.kind)}
        for uid in plane.replays - there - known:
            await plane.store.cancel_replay(uid)
            plane.replays.discard(uid)


def _suffix(document: Configured) -> str:
    is_endpoint = isinstance(document, EndpointConfig)
    return VERIFICATION_SUFFIX if is_endpoint else SIGNING_SUFFIX
