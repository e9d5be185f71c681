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
from hookplane.store.operator_store import Orphan
from hookplane_operator.config.confirmations import Confirmations
from hookplane_operator.config.deletion_guard import told_numbers
from hookplane_operator.config.sweep_plan import (
    GoneObjects,
    ListedObjects,
    SweepPlan,
    key_of_document,
    plan_sweep,
)
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, Forbidden
from hookplane_operator.kube.kinds import NAMESPACE, REPLAY, SECRET, USER_KINDS
from hookplane_operator.kube.names import CONFIRM_DELETIONS
from hookplane_operator.kube.objects import Objects, key_of
from hookplane_operator.metrics import Metrics
from hookplane_operator.referred.secrets import GENERATED_FOR
from hookplane_operator.settings import Scope
from hookplane_operator.state.held_deletions import HeldDeletions
from hookplane_operator.state.runtime import GatewayRuntime
from hookplane_operator.state.seen_deletions import SeenDeletions

EVERY_SECONDS: Final = 600.0
WINDOW_SECONDS: Final = 60.0
"""What goes within this time counts as one."""
SOONEST_SECONDS: Final = 1.0
"""Between two sweeps, however much is deleted."""
KEEP_SECRETS: Final[Millis] = 24 * 3_600_000
"""A generated Secret is kept this long after its object, which keeps its key if made again."""

_MISSING_KIND: Final = 404

_log = logging.getLogger("hookplane.operator")


class Sweeper:
    """For all gateways."""

    def __init__(
        self,
        kube: Kube,
        objects: Objects,
        deletions: SeenDeletions,
        scope: Scope,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._kube = kube
        self._clock = clock
        self._objects = objects
        self._deletions = deletions
        self._scope = scope
        self._metrics = metrics

    async def sweep(self, runtime: GatewayRuntime) -> float:
        """Seconds until the next one is due. Raises ApiError when anything could not be listed;
        then nothing is removed but what was seen to be deleted where that is so."""
        wait = runtime.swept_at + SOONEST_SECONDS - time.monotonic()
        if wait > 0:
            return wait
        runtime.begin_sweep(time.monotonic())
        known = list(runtime.applied.documents.values())  # what comes from now on may not be listed
        listed, error = await self._look()
        async with runtime.changing:
            await self._remove(runtime, known, listed)
        if error is not None:
            raise error
        await self._delete_orphans(runtime, listed.uids)
        await self._cancel(runtime, listed.uids)
        return SOONEST_SECONDS if runtime.sweep_wanted else EVERY_SECONDS

    # What there is ------------------------------------------------------------------------------

    async def _look(self) -> tuple[ListedObjects, ApiError | None]:
        """What there is, and why a namespace could not be listed. Raises ApiError when nothing
        follows from it for anybody."""
        try:
            found = await self._list()
            await self._check_whole()
        except ApiError as error:
            if error.status == _MISSING_KIND:
                self._deletions.doubt()
            raise
        self._deletions.trust()
        return found

    async def _list(self) -> tuple[ListedObjects, ApiError | None]:
        """One namespace that cannot be listed, such as one that was deleted with the right to do
        it, holds up no other."""
        listed, failed = ListedObjects(), None
        for namespace in self._scope.lists:
            try:
                await self._list_in(namespace, listed)
            except Forbidden as error:
                if namespace is None:
                    raise
                listed.missed.add(namespace)
                failed = error
        return listed, failed

    async def _list_in(self, namespace: str | None, listed: ListedObjects) -> None:
        for resource in USER_KINDS:
            async for body in self._kube.list(resource, namespace, metadata_only=True):
                listed.add(body["metadata"]["uid"], key_of(resource.kind, body))

    async def _check_whole(self) -> None:
        """A CRD that is being deleted takes its objects along, one after the other, though nobody
        asked to delete them. Raises ApiError."""
        if not await self._kube.takes_new(USER_KINDS):
            raise ApiError(_MISSING_KIND, "a CRD is being deleted, so nothing is removed")

    # Removing -----------------------------------------------------------------------------------

    async def _remove(
        self, runtime: GatewayRuntime, known: Iterable[Configured], listed: ListedObjects
    ) -> None:
        """Of what was known before the lists, what is in none of them."""
        documents = [x for x in known if x.uid in runtime.applied.documents]
        self._add_unheard(documents, listed)
        note = runtime.gateway.metadata.annotations.get(CONFIRM_DELETIONS, "")
        confirmed = Confirmations.parse(note, self._clock.now())
        former = await self._former(runtime, documents, listed)
        planned = plan_sweep(
            documents,
            listed,
            {x["metadata"]["namespace"] for y in USER_KINDS for x in self._objects.all(y.kind)},
            self._scope,
            lambda x: self._deletions.has(x.uid) or x.uid in former,
            confirmed,
            runtime.recently_doubted(time.monotonic(), WINDOW_SECONDS),
        )
        self._note_held(runtime, planned, confirmed)
        await self._write(runtime, planned)

    def _add_unheard(self, documents: Iterable[Configured], listed: ListedObjects) -> None:
        """What no watch and no list of the caches has missed yet is there: the next sweep knows
        whether somebody deleted it."""
        for document in documents:
            if self._objects.has(document.uid):
                listed.add(document.uid, key_of_document(document))

    async def _write(self, runtime: GatewayRuntime, planned: SweepPlan) -> None:
        if not planned.doomed:
            return
        await runtime.applied.write(ConfigDiff(deleted=planned.doomed))
        runtime.record_deletions(planned.doubted, time.monotonic())
        await runtime.store.add_orphans(_orphans(planned.doomed), self._clock.now(), KEEP_SECRETS)

    def _note_held(
        self, runtime: GatewayRuntime, planned: SweepPlan, confirmed: Confirmations
    ) -> None:
        before = runtime.held.namespaces
        held = HeldDeletions(told_numbers(before, planned.held), confirmed.objection)
        if held.namespaces.keys() - before.keys():
            _log.warning(
                "gateway %s/%s: %d objects of %d namespaces are gone and nobody was seen deleting "
                "them; their rows are kept, and its condition SweepBlocked says how to confirm it",
                *runtime.name,
                held.total,
                len(held.namespaces),
            )
        runtime.record_held(held)
        self._metrics.gateways.blocked.labels("/".join(runtime.name)).set(held.total)

    # Namespaces that are gone -------------------------------------------------------------------

    async def _former(
        self, runtime: GatewayRuntime, documents: Iterable[Configured], listed: ListedObjects
    ) -> set[str]:
        """Uids of what was lost with its namespace. Raises ApiError."""
        own = [x for x in documents if self._scope.holds(x.namespace)]
        lost = [x for x in GoneObjects.of(own, listed).lost if not self._deletions.has(x.uid)]
        uids = {x: await self._namespace_uid(x) for x in {y.namespace for y in lost}}
        return {x.uid for x in lost if _is_former(runtime, x, uids[x.namespace])}

    async def _namespace_uid(self, name: str) -> str | None:
        """As the API server has it, not as a watch had it. Empty: it is gone, or is going; None:
        we may not know. Raises ApiError."""
        try:
            body = await self._kube.find(NAMESPACE, None, name)
        except Forbidden:
            return None
        if body is None or "deletionTimestamp" in body["metadata"]:
            return ""
        return str(body["metadata"]["uid"])

    # What goes with it --------------------------------------------------------------------------

    async def _delete_orphans(self, runtime: GatewayRuntime, there: set[str]) -> None:
        """`there`: uids of objects. One that is there again, as after a restore of etcd, keeps its
        Secret."""
        for orphan in await runtime.store.due_orphans(self._clock.now()):
            if orphan.owner not in there:
                await self._delete_secret(orphan)
            await runtime.store.remove_orphan(orphan)

    async def _delete_secret(self, orphan: Orphan) -> None:
        """Unless somebody else has its name now."""
        body = await self._kube.find(SECRET, orphan.namespace, orphan.name)
        if body is None:
            return
        labels = body["metadata"].get("labels") or {}
        if labels.get(GENERATED_FOR) == orphan.owner:
            uid = body["metadata"]["uid"]
            await self._kube.delete(SECRET, orphan.namespace, orphan.name, uid)

    async def _cancel(self, runtime: GatewayRuntime, there: set[str]) -> None:
        """Jobs whose object was deleted; one that is new may not be listed yet."""
        known = {x["metadata"].get("uid") for x in self._objects.all(REPLAY.kind)}
        for uid in runtime.replays_besides(there | known):
            await runtime.store.cancel_replay(uid)
            runtime.forget_replay(uid)


def _orphans(gone: Iterable[Configured]) -> list[Orphan]:
    """Secrets that may have been generated for these; whether they were is looked at when they are
    due."""
    return [Orphan(x.namespace, f"{x.name}{_suffix(x)}", x.uid) for x in gone]


def _suffix(document: Configured) -> str:
    is_endpoint = isinstance(document, EndpointConfig)
    return VERIFICATION_SUFFIX if is_endpoint else SIGNING_SUFFIX


def _is_former(runtime: GatewayRuntime, document: Configured, uid: str | None) -> bool:
    """Whether it lived in a namespace that is gone, though one of its name may be there. `uid`: of
    the one that is there."""
    if not uid:
        return uid is not None
    place = runtime.applied.places.get(document.uid, "")
    return bool(place) and place.partition("/")[0] != uid
