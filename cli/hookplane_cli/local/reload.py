"""Brings manifests into force: read, compile, generate keys, write what changed, start replays.

An object that a load does not find goes only when a second load, a while later, does not find it
either: editors empty a file before they fill it. What an endpoint that goes had accepted is still
delivered. Fields that an API server would refuse to change are refused here as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from hookplane.applied_config import AppliedConfig
from hookplane.clock import Clock, Millis
from hookplane.compile.change import ConfigDiff, Configured, plan_diff
from hookplane.compile.model import (
    Compiled,
    Options,
    Problem,
    Resource,
    SecretObject,
    WantedSecret,
    local_uid,
    uid_of,
)
from hookplane.compile.problems import Problems
from hookplane.compile.resources import compile_resources
from hookplane.config.base import Document
from hookplane.config.endpoint import operational_endpoint
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.registry import KIND_BY_NAME
from hookplane.kinds.replay import ReplayEvents, WebhookReplay
from hookplane.kinds.subscription import LocalName, WebhookSubscription
from hookplane.manifests.files import read_files
from hookplane.manifests.model import Manifests
from hookplane.manifests.read import read_manifests
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigKind, ConfigStore
from hookplane.store.delivery_store import NewReplay, ReplayJob, ReplayPhase
from hookplane.store.queries import Queries
from hookplane_cli.local.report import CheckReport, make_report
from hookplane_cli.local.secret_files import SecretFiles

CONFIRM_AFTER: Final[Millis] = 2_000
"""An object that is gone is looked for once more after this time."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load found in the manifests, and what it changed."""

    report: CheckReport
    change: ConfigDiff
    wanted: tuple[WantedSecret, ...] = ()
    """Generated Secrets that are in use."""
    replays: tuple[str, ...] = ()
    """`namespace/name` of the replay jobs that began."""
    missing: tuple[Configured, ...] = ()
    """In force, not in the manifests; to be deleted if a load at `again_at` misses them too."""
    again_at: Millis | None = None
    """When to load again though no file changes; None: then only."""


class ReloadedStore(ConfigStore, Queries, Protocol):
    """What bringing manifests into force needs of a store."""

    async def create_replay(self, replay: NewReplay) -> ReplayJob: ...

    async def cancel_replay(self, uid: str) -> None: ...


class Reloader:
    """Loads manifests and brings them into force. Call `restore` once, then `load` after each
    change and at the time that the last load says."""

    def __init__(
        self,
        *,
        sources: Sequence[Path],
        store: ReloadedStore,
        sealer: Sealer,
        generated: SecretFiles,
        options: Options,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._store = store
        self._sealers = dict.fromkeys(ConfigKind, sealer)
        self._generated = generated
        self._options = options
        self._clock = clock
        self._applied = AppliedConfig(store, self._sealers)
        self._immutable_fields = ImmutableFields()
        self._secrets: dict[tuple[str, str], SecretObject] = {}
        self._missed = MissedObjects()
        self._replays: set[str] = set()

    @property
    def in_force(self) -> Mapping[str, Configured]:
        """Uid → document, as the store has it."""
        return self._applied.documents

    async def restore(self) -> None:
        """Takes over what the store has from an earlier run. Raises StoreUnavailable."""
        self._applied = await AppliedConfig.load(self._store, self._sealers)
        running = [x.uid for x in await self._store.replays() if x.phase is ReplayPhase.RUNNING]
        self._replays = {uid for uid in running if uid.startswith(_REPLAY_PREFIX)}

    async def load(self) -> Loaded:
        """Reads all manifests and writes what changed. Raises StoreUnavailable, SecretUnreadable,
        OSError; then nothing has changed."""
        manifests = await asyncio.to_thread(self._read)
        named = _named(manifests)
        present = self.in_force.keys() | self._replays
        now = self._clock.now()
        gone = find_missed(present, named, self._missed, manifests.complete, now)
        resources, problems = self._immutable_fields.check(manifests.resources, self.in_force)
        compiled = await asyncio.to_thread(self._compile, manifests, resources, gone)
        problems += compiled.problems
        change = plan_diff(
            self.in_force,
            (*compiled.endpoints, *await self._with_departed(compiled, gone)),
            gone.to_delete,
            _doubtful(manifests, compiled),
            stale=self._applied.stale,
        )
        if change:
            await self._applied.write(change)
        begun = await self._run_replays(compiled.replays, gone)
        self._missed = gone
        return Loaded(
            report=make_report(manifests, problems, strict=True),
            change=change,
            wanted=compiled.wanted,
            replays=begun,
            missing=tuple(self.in_force[uid] for uid in gone.waiting if uid in self.in_force),
            again_at=min(
                (x for x in (gone.due, self._generated.due) if x is not None), default=None
            ),
        )

    def _read(self) -> Manifests:
        return read_manifests(read_files(self._sources))

    def _compile(
        self, manifests: Manifests, resources: Sequence[Resource], gone: MissedObjects
    ) -> Compiled:
        """Compiles twice when keys are to be generated: the first time says which."""
        given = self._given_secrets(manifests)
        known = [x for uid, x in self.in_force.items() if uid not in gone.to_delete]
        now = self._clock.now()

        def compiled(secrets: Sequence[SecretObject]) -> Compiled:
            return compile_resources(resources, secrets, self._options, now=now, known=known)

        first = compiled(given)
        wanted = _not_given(first.wanted, given)
        made = self._generated.make_or_rotate(wanted, now)
        return compiled([*given, *made]) if made else first

    async def _with_departed(
        self, compiled: Compiled, gone: MissedObjects
    ) -> list[SubscriptionConfig]:
        """The subscriptions, which read the endpoints that were deleted until all that these had
        accepted is delivered. What is deleted only now may still accept something."""
        there = {x.uid for x in compiled.endpoints} | (self.in_force.keys() - gone.to_delete)
        read = {x.uid: await self._read_before(x.uid) for x in compiled.subscriptions}
        departed = {uid: endpoints - there for uid, endpoints in read.items()}
        busy = await self._busy([uid for uid, endpoints in departed.items() if endpoints])
        kept = {
            uid: endpoints if uid in busy else endpoints & gone.to_delete
            for uid, endpoints in departed.items()
        }
        return [_reading_on(x, kept[x.uid]) for x in compiled.subscriptions]

    async def _read_before(self, subscription: str) -> frozenset[str]:
        """The endpoints that it reads so far; one that was deleted may come back."""
        known = self.in_force.get(subscription)
        if isinstance(known, SubscriptionConfig):
            return frozenset(known.endpoints)
        return frozenset(await self._store.endpoints_of(subscription))

    async def _busy(self, subscriptions: Sequence[str]) -> frozenset[str]:
        """Those of them that have something to deliver."""
        found = await self._store.subscription_stats(subscriptions) if subscriptions else ()
        return frozenset(x.subscription for x in found if x.pending + x.sending + x.retrying)

    def _given_secrets(self, manifests: Manifests) -> list[SecretObject]:
        """The Secrets of the files. Those that cannot be read are as they were at the load before;
        any may be among them while some file says nothing at all."""
        found = {(x.namespace, x.name): x for x in manifests.secrets}
        broken = _broken_secrets(manifests)
        kept = {
            name: secret
            for name, secret in self._secrets.items()
            if name in broken or not manifests.complete
        }
        self._secrets = kept | found
        return list(self._secrets.values())

    async def _run_replays(self, jobs: Sequence[NewReplay], gone: MissedObjects) -> tuple[str, ...]:
        """Starts jobs whose subscription is in force, and cancels jobs whose object is gone. The
        names of those that began."""
        begun = []
        for job in jobs:
            if job.uid in self._replays or job.subscription not in self.in_force:
                continue
            created = await self._store.create_replay(job)
            self._replays.add(job.uid)
            if created.created == job.created:
                begun.append(f"{job.namespace}/{job.name}")
        for uid in self._replays & gone.to_delete:
            await self._store.cancel_replay(uid)
            self._replays.discard(uid)
        return tuple(begun)


_KEPT: Final = "deletes the object in a cluster; here the manifest stays, and the job in the list"
_REPLAY_PREFIX: Final = local_uid("WebhookReplay", "", "").rstrip("/") + "/"


def _named(manifests: Manifests) -> frozenset[str]:
    """Uids of all objects in the files, and of the built-in endpoint of each namespace."""
    ours = [key for key in manifests.origins if key.kind in KIND_BY_NAME]
    builtin = {operational_endpoint(key.namespace) for key in ours}
    return frozenset({local_uid(*key) for key in ours} | builtin)


def _reading_on(document: SubscriptionConfig, departed: AbstractSet[str]) -> SubscriptionConfig:
    endpoints = tuple(sorted({*document.endpoints, *departed}))
    return document.model_copy(update={"endpoints": endpoints})


def _broken_secrets(manifests: Manifests) -> AbstractSet[tuple[str, str]]:
    """Namespace and name of Secrets whose manifests say nothing that can be used."""
    return {(key.namespace, key.name) for key in manifests.broken if key.kind == "Secret"}


def _doubtful(manifests: Manifests, compiled: Compiled) -> AbstractSet[str]:
    """Uids of objects that lack something which may be in what could not be read: in a Secret that
    is broken, or in any while some file says nothing at all."""
    if not manifests.complete:
        return compiled.lacking
    broken = _broken_secrets(manifests)
    return {
        local_uid(x.kind, x.namespace, x.name)
        for x in compiled.problems
        if x.absent and x.absent.kind == "Secret" and (x.namespace, x.absent.name) in broken
    }


def _not_given(wanted: Sequence[WantedSecret], given: Sequence[SecretObject]) -> list[WantedSecret]:
    """Without those for which the manifests have a Secret of the same name."""
    taken = {(secret.namespace, secret.name) for secret in given}
    return [want for want in wanted if (want.namespace, want.name) not in taken]


@dataclass(frozen=True, slots=True)
class MissedObjects:
    """Uids of objects that a load did not find: those to delete now, and those that are waiting for
    a second load, with the time (Millis) when they were first missed."""

    to_delete: frozenset[str] = frozenset()
    waiting: Mapping[str, Millis] = field(default_factory=dict)

    @property
    def due(self) -> Millis | None:
        """When the next of them would be deleted."""
        return min((since + CONFIRM_AFTER for since in self.waiting.values()), default=None)


def find_missed(
    in_force: AbstractSet[str],
    named: AbstractSet[str],
    before: MissedObjects,
    complete: bool,
    now: Millis,
) -> MissedObjects:
    """`named`: uids that the files know; `before`: what the load before missed. A load that could
    not read everything deletes nothing."""
    if not complete:
        return MissedObjects()
    since = {uid: before.waiting.get(uid, now) for uid in in_force - named}
    to_delete = frozenset(uid for uid, time in since.items() if now - time >= CONFIRM_AFTER)
    waiting = {uid: time for uid, time in since.items() if uid not in to_delete}
    return MissedObjects(to_delete, waiting)


class ImmutableFields:
    """What an API server would not let change: a replay, and where a subscription starts. Replays
    are remembered as they were first seen; the other is in the document in force."""

    def __init__(self) -> None:
        self._replays: dict[str, tuple[LocalName, ReplayEvents]] = {}

    def check(
        self, resources: Iterable[Resource], in_force: Mapping[str, Document]
    ) -> tuple[list[Resource], list[Problem]]:
        """The resources that changed nothing immutable, and the problems of the others."""
        allowed: list[Resource] = []
        found: list[Problem] = []
        for resource in resources:
            problems = Problems(resource)
            if isinstance(resource, WebhookSubscription):
                _check_start(resource, in_force.get(uid_of(resource)), problems)
            if isinstance(resource, WebhookReplay):
                self._check_replay(resource, problems)
            found += problems.found
            if not problems.failed:
                allowed.append(resource)
        return allowed, found

    def _check_replay(self, resource: WebhookReplay, problems: Problems) -> None:
        spec = resource.spec
        job = (spec.subscription_ref, spec.events)
        if self._replays.setdefault(uid_of(resource), job) != job:
            problems.error("spec", "is immutable; a replay runs once, so create another")
        if spec.ttl_seconds_after_finished is not None:
            problems.note("spec.ttlSecondsAfterFinished", _KEPT)


def _check_start(resource: WebhookSubscription, old: Document | None, problems: Problems) -> None:
    if isinstance(old, SubscriptionConfig) and old.start_from != resource.spec.start_from:
        problems.error(
            "spec.startFrom",
            f'is immutable and was "{old.start_from}"; put it back, or create a subscription of '
            "another name",
        )
