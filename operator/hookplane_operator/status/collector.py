"""Asks a gateway's store how things are, and reports it in the statuses that differ."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hookplane import fault
from hookplane.clock import Clock, Millis
from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import StoreError, StoreUnavailable, StoreUnfit
from hookplane.reporting.states import endpoint_state, subscription_state
from hookplane.store.process_registry import Presence, Role
from hookplane.store.queries import EndpointStats, SubscriptionStats
from hookplane_operator.kube.kinds import ENDPOINT, GATEWAY, REPLAY, SUBSCRIPTION
from hookplane_operator.kube.objects import Objects
from hookplane_operator.state.facts import GatewayFacts, Informed
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.state.runtime import GatewayRuntime
from hookplane_operator.status.endpoint import endpoint_status
from hookplane_operator.status.gateway import ServedCounts, gateway_status, is_ready
from hookplane_operator.status.observation import Observation
from hookplane_operator.status.replay import replay_status
from hookplane_operator.status.resuming import wants_resume
from hookplane_operator.status.subscription import subscription_status
from hookplane_operator.status.writer import StatusWriter

BREATH: Final = 50
"""After so many objects others have a turn."""
AT_ONCE: Final = 500
"""Objects of one query."""
SHORTEST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 6.0
SHARE: Final = 40
"""A round is followed by so many times its own length, within these bounds."""
FULL_SECONDS: Final = 300.0
"""Everything is asked for again, though nothing seems to have happened."""
WORDS_SECONDS: Final = 60.0
"""Statuses are made again after this time, because a subscription becomes Idle by time alone."""
SOON_SECONDS: Final = 0.2
"""While processes have not taken the newest version yet."""
AWAY_SECONDS: Final = 30.0
"""Objects report a store that has not answered for this long; its gateway reports it at once."""

_log = logging.getLogger("hookplane.operator")
_ROLES: Final = {
    ENDPOINT.kind: Role.RECEIVER,
    SUBSCRIPTION.kind: Role.DISPATCHER,
    REPLAY.kind: Role.DISPATCHER,
}
"""Whose processes have to take an object in."""
Seen = tuple[object, ...]
"""All that a status is made of; equal means that it is the same."""


@dataclass
class RoundMemory:
    """What is remembered of a runtime from round to round."""

    seen: Observation | None = None
    marks: tuple[int, ...] = ()
    """The store's activity when `seen` was asked for."""
    writes: int = -1
    """Of `AppliedConfig` at that time."""
    asked_at: float = 0.0
    told_for: object = None
    """What was told last, and everything that it depends on."""
    told_at: float = 0.0
    away_since: float | None = None
    told: dict[ObjectKey, Seen] = field(default_factory=dict)
    resumed: dict[str, Millis] = field(default_factory=dict)
    """Uids of subscriptions whose dispatcher was asked to resume them, and since when they were
    disabled then."""


@dataclass(frozen=True, slots=True)
class _Dependencies:
    """What the statuses of all objects depend on."""

    seen: Observation
    working: Mapping[Role, Sequence[Presence]]
    """Those that are ready."""
    living: frozenset[str]
    """Uids of documents in force."""
    base: str
    """The gateway's URL."""


class Collector:
    """For all runtimes; `run` is a task of each."""

    def __init__(
        self,
        objects: Objects,
        writer: StatusWriter,
        clock: Clock,
        facts: Callable[[tuple[str, str]], GatewayFacts | None],
        informed: Callable[[], Informed],
        drained: Callable[[GatewayRuntime], None],
        told_ready: Callable[[str, bool], None],
    ) -> None:
        """`informed`: whether we see what happens in the cluster. `drained`: called when a runtime
        has subscriptions that endpoints may leave by now. `told_ready`: called with a gateway's
        `namespace/name` and whether it is Ready, each time that this is told."""
        self._objects = objects
        self._writer = writer
        self._clock = clock
        self._facts = facts
        self._informed = informed
        self._drained = drained
        self._told_ready = told_ready

    async def run(self, runtime: GatewayRuntime) -> None:
        """Until cancelled. Raises StoreError when the store is not what it was."""
        state = RoundMemory()
        while True:
            begun = time.monotonic()
            await self.collect(runtime, state)
            took = time.monotonic() - begun
            pause = min(max(SHARE * took, SHORTEST_SECONDS), LONGEST_SECONDS)
            await self._wait(runtime, state, pause)

    async def collect(self, runtime: GatewayRuntime, state: RoundMemory) -> None:
        """One round: asks the store and reports what differs. Raises StoreError when the store is
        not what it was."""
        await self._look(runtime, state)
        await self._report(runtime, state)

    async def _wait(self, runtime: GatewayRuntime, state: RoundMemory, pause: float) -> None:
        """Shorter while something is on its way into force."""
        end = time.monotonic() + pause
        while time.monotonic() < end:
            await asyncio.sleep(SOON_SECONDS)
            if runtime.take_news():
                return
            if state.seen is not None and _is_behind(runtime, state.seen):
                await self._look_at_members(runtime, state)
                await self._report(runtime, state)

    async def _look(self, runtime: GatewayRuntime, state: RoundMemory) -> None:
        try:
            marks = (runtime.rounds, *await runtime.store.activity())
            if state.seen is None or self._is_old(state, marks):
                writes = runtime.applied.writes
                seen = await self._observe(runtime)
                await self._resume(runtime, state, seen)
                state.seen = seen
                state.marks, state.writes, state.asked_at = marks, writes, time.monotonic()
            else:
                members = tuple(await runtime.store.members())
                heard = replace(state.seen, at=self._clock.now(), members=members)
                state.seen = replace(heard, away="", silent="")
            state.away_since = None
        except (StoreUnavailable, StoreUnfit) as error:
            self._missed(state, error)

    @staticmethod
    def _is_old(state: RoundMemory, marks: tuple[int, ...]) -> bool:
        return marks != state.marks or time.monotonic() - state.asked_at > FULL_SECONDS

    async def _look_at_members(self, runtime: GatewayRuntime, state: RoundMemory) -> None:
        try:
            members = tuple(await runtime.store.members())
        except (StoreUnavailable, StoreUnfit) as error:
            self._missed(state, error)
            return
        if state.seen is not None:
            state.seen = replace(state.seen, members=members)

    def _missed(self, state: RoundMemory, error: StoreError) -> None:
        """It does not answer, or refuses us: a password or a right was changed there alone."""
        now = time.monotonic()
        state.away_since = state.away_since or now
        what = "refuses the operator" if isinstance(error, StoreUnfit) else "does not answer"
        silent = f"the store {what}: {error}"
        away = silent if now - state.away_since >= AWAY_SECONDS else ""
        if state.seen is not None or away:
            before = state.seen or Observation(self._clock.now())
            state.seen = replace(before, away=away, silent=silent)

    async def _observe(self, runtime: GatewayRuntime) -> Observation:
        store = runtime.store
        members = tuple(await store.members())
        endpoints: dict[str, EndpointStats] = {}
        subscriptions: dict[str, SubscriptionStats] = {}
        own = list(runtime.applied.of_users())
        for uids in _chunks([x.uid for x in own if isinstance(x, EndpointConfig)]):
            endpoints |= {x.endpoint: x for x in await store.endpoint_stats(uids)}
        for uids in _chunks([x.uid for x in own if isinstance(x, SubscriptionConfig)]):
            found = await store.subscription_stats(uids)
            subscriptions |= {x.subscription: x for x in found}
        jobs = await store.replays() if self._objects.count(REPLAY.kind) else []
        replays = {x.uid: x for x in jobs}
        now = self._clock.now()
        return Observation(now, "", members, endpoints, subscriptions, replays)

    async def _resume(self, runtime: GatewayRuntime, state: RoundMemory, seen: Observation) -> None:
        """Passes on what owners ask for by annotation, once for each time that it was disabled."""
        disabled = {
            uid: since for uid, x in seen.subscriptions.items() if (since := x.state.disabled_at)
        }
        state.resumed = {uid: at for uid, at in state.resumed.items() if uid in disabled}
        for key in list(runtime.results) if disabled else ():
            body = self._objects.get(key) or {}
            metadata = body.get("metadata", {})
            since = disabled.get(metadata.get("uid", ""), 0)
            notes = metadata.get("annotations") or {}
            if wants_resume(notes, since, seen.at) and state.resumed.get(metadata["uid"]) != since:
                await runtime.store.request_resume(metadata["uid"])
                state.resumed[metadata["uid"]] = since
                _log.info("%s: resumed, as its annotation asks", key)

    # Reporting ------------------------------------------------------------------------------------

    async def _report(self, runtime: GatewayRuntime, state: RoundMemory) -> None:
        doubted = runtime.take_doubted()
        for key in doubted:
            state.told.pop(key, None)
        if state.seen is not None and not doubted and self._is_told(runtime, state, state.seen):
            return
        self._report_runtime(runtime, state)
        if state.seen is None:
            return
        for gone in state.told.keys() - runtime.results.keys():
            del state.told[gone]
        living = frozenset(runtime.applied.documents)
        working = {role: [x.presence for x in state.seen.ready(role)] for role in _ROLES.values()}
        dependencies = _Dependencies(state.seen, working, living, self._base(runtime))
        for number, (key, result) in enumerate(list(runtime.results.items())):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            seen = _inputs(runtime, result, dependencies)
            before, state.told[key] = state.told.get(key), seen  # the same objects compare quickly
            if before != seen:
                self.report_object(key, result, runtime, living, state.seen)
        if state.writes == runtime.applied.writes:
            # after another write, what was counted may be older than a deletion
            self._find_drained(runtime, state.seen, living)

    def _is_told(self, runtime: GatewayRuntime, state: RoundMemory, seen: Observation) -> bool:
        """Nothing has changed since the last report, and that was not long ago: some states depend
        on the time alone."""
        members = [(x.process, x.presence) for x in seen.members]
        depends = (
            state.marks,
            runtime.rounds,
            runtime.held,
            members,
            seen.away,
            seen.silent,
            dict(runtime.drained),
            self._facts(runtime.name),
            self._informed(),
        )
        now = time.monotonic()
        if depends == state.told_for and now - state.told_at < WORDS_SECONDS:
            return True
        state.told_for, state.told_at = depends, now
        return False

    def report_object(
        self,
        key: ObjectKey,
        result: ReconcileResult,
        runtime: GatewayRuntime | None,
        living: frozenset[str],
        seen: Observation | None,
    ) -> None:
        """One object; `runtime` None: its gateway does not work. An unexpected error is logged, so
        that others are still reported."""
        with _alone(key):
            body = self._objects.get(key)
            if body is None:
                return
            old: Mapping[str, Any] = body.get("status") or {}
            now = self._clock.now()
            document = runtime.applied.documents.get(result.uid) if runtime else None
            version = runtime.applied.versions.get(result.uid) if runtime else None
            if key.kind == ENDPOINT.kind:
                base = self._base(runtime) if runtime else ""
                own = document if isinstance(document, EndpointConfig) else None
                status = endpoint_status(result, own, version, base, seen, old, now)
                self._writer.offer(key, result.uid, status)
            elif key.kind == SUBSCRIPTION.kind:
                sub = document if isinstance(document, SubscriptionConfig) else None
                told = subscription_status(result, sub, version, living, seen, old, now)
                self._writer.offer(key, result.uid, told)
            else:
                self._writer.offer(key, result.uid, replay_status(result, seen, old, now))

    def _base(self, runtime: GatewayRuntime) -> str:
        """The gateway's URL."""
        facts = self._facts(runtime.name)
        return facts.url if facts else ""

    def _report_runtime(self, runtime: GatewayRuntime, state: RoundMemory) -> None:
        documents = list(runtime.applied.of_users())
        endpoints = sum(1 for x in documents if isinstance(x, EndpointConfig))
        served = ServedCounts(
            endpoints=endpoints,
            subscriptions=len(documents) - endpoints,
            version=runtime.applied.newest,
            held=runtime.held,
        )
        self.report_gateway(runtime.name, served, state.seen)

    def report_gateway(
        self, name: tuple[str, str], served: ServedCounts, seen: Observation | None
    ) -> None:
        key = ObjectKey(GATEWAY.kind, *name)
        facts, body = self._facts(name), self._objects.get(key)
        if facts is not None and body is not None:
            old = body.get("status") or {}
            now, informed = self._clock.now(), self._informed()
            status = gateway_status(facts, informed, served, seen, old, now)
            self._writer.offer(key, facts.uid, status)
            self._told_ready("/".join(name), is_ready(status))

    def _find_drained(
        self, runtime: GatewayRuntime, seen: Observation, living: frozenset[str]
    ) -> None:
        """Subscriptions that still have endpoints which are gone, and nothing left of them."""
        runtime.forget_drained(runtime.drained.keys() - runtime.applied.documents.keys())
        for document in runtime.applied.of_users():
            if not isinstance(document, SubscriptionConfig):
                continue
            gone = frozenset(document.endpoints) - living
            numbers = seen.subscriptions.get(document.uid)
            left = numbers and numbers.pending + numbers.sending + numbers.retrying
            if not gone:
                runtime.forget_drained([document.uid])
            elif left == 0 and runtime.drained.get(document.uid) != gone:
                key = ObjectKey(SUBSCRIPTION.kind, document.namespace, document.name)
                runtime.record_drained(document.uid, key, gone)
        if runtime.has_work:
            self._drained(runtime)


@contextmanager
def _alone(key: ObjectKey) -> Iterator[None]:
    """Logs an error about one object, so that the others are still reported."""
    try:
        yield
    except Exception as error:
        _log.error("the status of %s cannot be told: %s", key, fault.describe(error))


def _inputs(runtime: GatewayRuntime, result: ReconcileResult, dependencies: _Dependencies) -> Seen:
    uid, seen = result.uid, dependencies.seen
    document = runtime.applied.documents.get(uid)
    version = runtime.applied.versions.get(uid, 0)
    ready = dependencies.working[_ROLES[result.key.kind]]
    current = sum(1 for x in ready if x.version >= version)
    refused = tuple(x.refused.get(uid, "") for x in ready)
    numbers: object = seen.replays.get(uid)
    word: object = None
    beside: object = dependencies.base if result.key.kind == ENDPOINT.kind else None
    if isinstance(document, EndpointConfig):
        own = numbers = seen.endpoints.get(uid)
        word = own and endpoint_state(document, own, seen.at)
    elif isinstance(document, SubscriptionConfig):
        sub = numbers = seen.subscriptions.get(uid)
        word = sub and subscription_state(document, sub, seen.at)
        beside = len(dependencies.living.intersection(document.endpoints))
    return result, document, len(ready), current, refused, numbers, word, beside, seen.away


def _is_behind(runtime: GatewayRuntime, seen: Observation) -> bool:
    version = runtime.applied.newest
    working = [x for x in seen.members if x.role in (Role.RECEIVER, Role.DISPATCHER)]
    return any(x.presence.version < version for x in working)


def _chunks(uids: list[str]) -> list[list[str]]:
    return [uids[start : start + AT_ONCE] for start in range(0, len(uids), AT_ONCE)]
