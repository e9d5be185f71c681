"""Removes the rows of objects that are gone, after full lists of every kind said so."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.compile.change import ConfigDiff, Configured
from hookplane.compile.generated import SIGNING_SUFFIX, VERIFICATION_SUFFIX
from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig
from hookplane.store.operator_store import Orphan
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import ENDPOINT, REPLAY, SECRET, SUBSCRIPTION, USER_KINDS
from hookplane_operator.kube.names import CONFIRM_DELETIONS
from hookplane_operator.kube.objects import Objects, key_of
from hookplane_operator.metrics import Metrics
from hookplane_operator.referred.secrets import GENERATED_FOR
from hookplane_operator.settings import Scope
from hookplane_operator.state.runtime import GatewayRuntime

EVERY_SECONDS: Final = 600.0
WINDOW_SECONDS: Final = 60.0
"""Deletions within this time count as one."""
SOONEST_SECONDS: Final = 1.0
"""Between two sweeps, however much is deleted."""
FEW: Final = 10
SHARE: Final = 0.2
"""Deletions that are more than both at once are held back until somebody confirms them."""
KEEP_SECRETS: Final[Millis] = 24 * 3_600_000
"""A generated Secret is kept this long after its object, which keeps its key if made again."""

_log = logging.getLogger("hookplane.operator")


@dataclass(slots=True)
class ListedObjects:
    """What full lists of all users' kinds found."""

    uids: set[str] = field(default_factory=set)
    keys: set[ObjectKey] = field(default_factory=set)

    @property
    def namespaces(self) -> set[str]:
        """In which there is anything."""
        return {key.namespace for key in self.keys}


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

    async def sweep(self, runtime: GatewayRuntime) -> float:
        """Seconds until the next one is due. Raises ApiError when anything could not be listed;
        then nothing is removed."""
        wait = runtime.swept_at + SOONEST_SECONDS - time.monotonic()
        if wait > 0:
            return wait
        runtime.begin_sweep(time.monotonic())
        known = list(runtime.applied.documents.values())  # what comes from now on may not be listed
        listed = await self._list()
        await self._check_whole()
        async with runtime.changing:
            await self._remove(runtime, known, listed)
        await self._delete_orphans(runtime, listed.uids)
        await self._cancel(runtime, listed.uids)
        return SOONEST_SECONDS if runtime.sweep_wanted else EVERY_SECONDS

    async def _remove(
        self, runtime: GatewayRuntime, known: Iterable[Configured], listed: ListedObjects
    ) -> None:
        """Of what was known before the lists, what is in none of them."""
        documents = [x for x in known if x.uid in runtime.applied.documents]
        new = {
            body["metadata"]["namespace"] for x in USER_KINDS for body in self._objects.all(x.kind)
        }
        confirmed = runtime.gateway.metadata.annotations.get(CONFIRM_DELETIONS, "")
        recent = runtime.recently_lost(time.monotonic(), WINDOW_SECONDS)
        planned = plan_sweep(documents, listed, new, self._scope, confirmed, recent)
        self._note_blocked(runtime, planned.blocked)
        if not planned.doomed:
            return
        change = ConfigDiff(deleted=planned.doomed)
        await runtime.applied.write(change)
        runtime.record_deletions(map(_key, planned.lost), time.monotonic())
        await runtime.store.add_orphans(_orphans(planned.doomed), self._clock.now(), KEEP_SECRETS)

    async def _list(self) -> ListedObjects:
        listed = ListedObjects()
        for resource in USER_KINDS:
            for namespace in self._scope.lists:
                async for body in self._kube.list(resource, namespace, metadata_only=True):
                    listed.uids.add(body["metadata"]["uid"])
                    listed.keys.add(key_of(resource.kind, body))
        return listed

    async def _check_whole(self) -> None:
        """A CRD that is being deleted takes its objects along, one after the other, though nobody
        asked to delete them. Raises ApiError."""
        if not await self._kube.takes_new(USER_KINDS):
            raise ApiError(404, "a CRD is being deleted, so nothing is removed")

    def _note_blocked(self, runtime: GatewayRuntime, blocked: int) -> None:
        if blocked and blocked != runtime.blocked:
            _log.warning(
                "gateway %s/%s: %d objects are gone at once; their rows are kept until annotation "
                "%s=%d confirms it",
                *runtime.name,
                blocked,
                CONFIRM_DELETIONS,
                blocked,
            )
        runtime.record_blocked(blocked)
        self._metrics.gateways.blocked.labels("/".join(runtime.name)).set(blocked)

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


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What is to go, or how much would go if somebody confirmed it."""

    doomed: tuple[Configured, ...] = ()
    lost: tuple[Configured, ...] = ()
    """Those of them that nothing has the name of now."""
    blocked: int = 0


def plan_sweep(
    documents: Iterable[Configured],
    listed: ListedObjects,
    new: AbstractSet[str],
    scope: Scope,
    confirmed: str = "",
    recent: AbstractSet[ObjectKey] = frozenset(),
) -> SweepPlan:
    """`new`: namespaces in which there is something, besides those that were listed. `confirmed`:
    what the annotation says. `recent`: what was lost a short while ago; it counts too, because a
    fault may delete one after the other. What has a living successor of its name is no loss,
    however often it was made again."""
    seen = [x for x in documents if scope.holds(x.namespace)]
    own = [x for x in seen if not _builtin(x)]
    gone = [x for x in own if x.uid not in listed.uids]
    lost = tuple(x for x in gone if _key(x) not in listed.keys)
    replaced = tuple(x for x in gone if _key(x) in listed.keys)
    idle = tuple(x for x in seen if _builtin(x) and x.namespace not in listed.namespaces | new)
    names = {_key(x) for x in lost} | (recent - listed.keys)
    there = len(own) - len(gone) + len(names)
    if lost and len(names) > max(FEW, SHARE * there) and confirmed != str(len(lost)):
        return SweepPlan(doomed=replaced, blocked=len(lost))
    return SweepPlan(doomed=(*replaced, *lost, *idle), lost=lost)


def _builtin(document: Configured) -> bool:
    return isinstance(document, EndpointConfig) and document.builtin


def _key(document: Configured) -> ObjectKey:
    kind = ENDPOINT if isinstance(document, EndpointConfig) else SUBSCRIPTION
    return ObjectKey(kind.kind, document.namespace, document.name)
