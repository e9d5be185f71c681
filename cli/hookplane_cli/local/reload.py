"""Brings manifests into force: read, compile, generate keys, write what changed, start replays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from pydantic import ValidationError

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
from hookplane.config.endpoint import EndpointConfig, operational_endpoint
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import SecretUnreadable
from hookplane.kinds.registry import KIND_BY_NAME
from hookplane.kinds.replay import ReplaySpec, WebhookReplay
from hookplane.kinds.subscription import WebhookSubscription
from hookplane.manifests.files import read_files
from hookplane.manifests.model import Manifests
from hookplane.manifests.read import read_manifests
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigKind, ConfigRow, ConfigStore
from hookplane.store.delivery_store import NewReplay, ReplayJob, ReplayPhase
from hookplane.store.queries import Queries
from hookplane_cli.local.report import CheckReport, make_report
from hookplane_cli.local.secret_files import SecretFiles

CONFIRM_AFTER: Final[Millis] = 2_000
"""An object that is gone is looked for once more after this time."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load found and did."""

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
    """Keeps what is in force; `restore` first, then `load` as often as something changed."""

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
        self._sealer = sealer
        self._generated = generated
        self._options = options
        self._clock = clock
        self._immutables = Immutables()
        self._secrets: dict[tuple[str, str], SecretObject] = {}
        self._missed = Missed()
        self._replays: set[str] = set()
        self._stale: set[str] = set()
        """Uids of documents that were sealed with an old key."""
        self.in_force: dict[str, Configured] = {}
        """Uid → document, as the store has it."""

    async def restore(self) -> None:
        """Takes over what the store has from an earlier run. Raises StoreUnavailable."""
        _, rows = await self._store.load_config(0)
        documents = (self._document(row) for row in rows)
        self.in_force = {x.uid: x for x in documents if x is not None}
        sealed = [row for row in rows if row.document is not None]
        self._stale = {x.uid for x in sealed if self._sealer.is_stale(x.document or b"")}
        running = [x.uid for x in await self._store.replays() if x.phase is ReplayPhase.RUNNING]
        self._replays = {uid for uid in running if uid.startswith(_REPLAY_PREFIX)}

    async def load(self) -> Loaded:
        """Raises StoreUnavailable, SecretUnreadable, OSError; then nothing has changed."""
        manifests = await asyncio.to_thread(self._read)
        named = _named(manifests)
        present = self.in_force.keys() | self._replays
        now = self._clock.now()
        gone = missed(present, named, self._missed, manifests.complete, now)
        resources, problems = self._immutables.check(manifests.resources, self.in_force)
        compiled = await asyncio.to_thread(self._compile, manifests, resources, gone)
        problems += compiled.problems
        change = plan_diff(
            self.in_force,
            (*compiled.endpoints, *compiled.subscriptions),
            gone.doomed,
            trusted=_secrets_known(manifests),
            stale=self._stale,
        )
        await self._apply(change)
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

    def _document(self, row: ConfigRow) -> Configured | None:
        """None: it cannot be read any more, so it is written anew."""
        if row.document is None:
            return None
        model = EndpointConfig if row.kind is ConfigKind.ENDPOINT else SubscriptionConfig
        try:
            return model.load(row.uid, row.document, self._sealer)
        except (ValidationError, SecretUnreadable):
            return None

    def _read(self) -> Manifests:
        return read_manifests(read_files(self._sources))

    def _compile(
        self, manifests: Manifests, resources: Sequence[Resource], gone: Missed
    ) -> Compiled:
        """Twice when keys are to be generated: the first time tells which."""
        given = self._given_secrets(manifests)
        known = [x for uid, x in self.in_force.items() if uid not in gone.doomed]
        now = self._clock.now()

        def compiled(secrets: Sequence[SecretObject]) -> Compiled:
            return compile_resources(resources, secrets, self._options, now=now, known=known)

        first = compiled(given)
        wanted = _free(first.wanted, given)
        made = self._generated.make_or_rotate(wanted, now)
        return compiled([*given, *made]) if made else first

    def _given_secrets(self, manifests: Manifests) -> list[SecretObject]:
        """Those of the files; while some cannot be read, also those that were there before."""
        found = {(x.namespace, x.name): x for x in manifests.secrets}
        self._secrets = found if _secrets_known(manifests) else self._secrets | found
        return list(self._secrets.values())

    async def _apply(self, change: ConfigDiff) -> None:
        if not change:
            return
        await self._store.apply_config(change.rows(lambda _: self._sealer))
        for document in change.deleted:
            del self.in_force[document.uid]
        self._stale -= {document.uid for document in change.changed}
        for document in (*change.created, *change.changed):
            self.in_force[document.uid] = document

    async def _run_replays(self, jobs: Sequence[NewReplay], gone: Missed) -> tuple[str, ...]:
        """Starts jobs whose subscription is in force, cancels those whose object is gone."""
        begun = []
        for job in jobs:
            if job.uid in self._replays or job.subscription not in self.in_force:
                continue
            created = await self._store.create_replay(job)
            self._replays.add(job.uid)
            if created.created == job.created:
                begun.append(f"{job.namespace}/{job.name}")
        for uid in self._replays & gone.doomed:
            await self._store.cancel_replay(uid)
            self._replays.discard(uid)
        return tuple(begun)


_REPLAY_PREFIX: Final = local_uid("WebhookReplay", "", "").rstrip("/") + "/"


def _named(manifests: Manifests) -> frozenset[str]:
    """Uids of all objects that the files know, and of what belongs to their namespaces."""
    ours = [key for key in manifests.origins if key.kind in KIND_BY_NAME]
    builtin = {operational_endpoint(key.namespace) for key in ours}
    return frozenset({local_uid(*key) for key in ours} | builtin)


def _secrets_known(manifests: Manifests) -> bool:
    return manifests.complete and not any(key.kind == "Secret" for key in manifests.broken)


def _free(wanted: Sequence[WantedSecret], given: Sequence[SecretObject]) -> list[WantedSecret]:
    """Without those whose name a Secret of the user's has."""
    taken = {(secret.namespace, secret.name) for secret in given}
    return [want for want in wanted if (want.namespace, want.name) not in taken]


@dataclass(frozen=True, slots=True)
class Missed:
    """Uids that a load did not find: those to delete now, and those that have one more chance, with
    the time when they were first missed."""

    doomed: frozenset[str] = frozenset()
    waiting: Mapping[str, Millis] = field(default_factory=dict)

    @property
    def due(self) -> Millis | None:
        """When the next of them would be deleted."""
        return min((since + CONFIRM_AFTER for since in self.waiting.values()), default=None)


def missed(
    in_force: AbstractSet[str],
    named: AbstractSet[str],
    before: Missed,
    complete: bool,
    now: Millis,
) -> Missed:
    """`named`: uids that the files know; `before`: what the load before missed. A load that could
    not read everything dooms nothing."""
    if not complete:
        return Missed()
    since = {uid: before.waiting.get(uid, now) for uid in in_force - named}
    doomed = frozenset(uid for uid, time in since.items() if now - time >= CONFIRM_AFTER)
    return Missed(doomed, {uid: time for uid, time in since.items() if uid not in doomed})


class Immutables:
    """Remembers the replays that were seen; where a subscription starts is in its document."""

    def __init__(self) -> None:
        self._replays: dict[str, ReplaySpec] = {}

    def check(
        self, resources: Iterable[Resource], in_force: Mapping[str, Document]
    ) -> tuple[list[Resource], list[Problem]]:
        """The resources that may be used as they are, and what is wrong with the others."""
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
        if self._replays.setdefault(uid_of(resource), resource.spec) != resource.spec:
            problems.error("spec", "is immutable; a replay runs once, so create another")


def _check_start(resource: WebhookSubscription, old: Document | None, problems: Problems) -> None:
    if isinstance(old, SubscriptionConfig) and old.start_from != resource.spec.start_from:
        problems.error(
            "spec.startFrom",
            f'is immutable and was "{old.start_from}"; put it back, or create a subscription of '
            "another name",
        )
