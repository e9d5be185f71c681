"""The operator: what it sees becomes keys of a queue, and the leader works on them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock
from hookplane.compile.model import ObjectKey
from hookplane.errors import StaleWriter, StoreError, StoreReplaced, StoreUnavailable
from hookplane_operator.config.generated import GeneratedSecrets
from hookplane_operator.config.reconcile import Configurator
from hookplane_operator.config.sweeper import Sweeper
from hookplane_operator.election import Election
from hookplane_operator.events import Events
from hookplane_operator.gateways.admission import admits
from hookplane_operator.gateways.default import DefaultGatewayKeeper
from hookplane_operator.gateways.reconcile import Gateways
from hookplane_operator.gateways.reserved import reserved
from hookplane_operator.gateways.user_objects import UserObject, UserObjects
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import Forbidden, NotFound
from hookplane_operator.kube.kinds import (
    CHILDREN,
    GATEWAY,
    NAMESPACE,
    SECRET,
    SERVICE,
    USER_KINDS,
    Object,
)
from hookplane_operator.kube.names import GATEWAY as LABEL
from hookplane_operator.kube.objects import ObjectChange, Objects, key_of
from hookplane_operator.metrics import Metrics
from hookplane_operator.queue import WorkQueue
from hookplane_operator.referred.polling_cache import Name as ReferredName
from hookplane_operator.referred.polling_cache import PollingCache
from hookplane_operator.referred.secrets import found_of, name_of, secrets_in_use
from hookplane_operator.referred.services import services_in_use
from hookplane_operator.settings import OperatorSettings, Scope
from hookplane_operator.state.runtime import GatewayRuntime, Name
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.gateway import ServedCounts
from hookplane_operator.status.gateway_missing import gateway_missing
from hookplane_operator.status.writer import StatusWriter
from hookplane_operator.watch.watcher import Watcher

STORE_RETRY_SECONDS: Final = 2.0
"""Until a store that failed is asked again."""
RELIST_SECONDS: Final = 3.0
"""After the first object of a kind was listed again, most of the others were as well."""
FRESH_SECONDS: Final = 60.0
"""Who becomes the leader later than this after its lists looks whether they still hold."""

_log = logging.getLogger("hookplane.operator")


class JobKind(StrEnum):
    """What a key asks for."""

    GATEWAY = "gateway"
    CONFIG = "config"
    SWEEP = "sweep"
    DEFAULT = "default"
    RELIST = "relist"


class Task(NamedTuple):
    """A key of the queue: a job about one gateway, or a relist of one kind."""

    job: JobKind
    name: Name

    def __str__(self) -> str:
        return f"{self.job} {self.name[0]}/{self.name[1]}"


class Operator:
    """One replica."""

    def __init__(
        self,
        kube: Kube,
        settings: OperatorSettings,
        scope: Scope,
        instance: str,
        clock: Clock,
        metrics: Metrics,
        cluster: str,
        election: Election,
    ) -> None:
        """Use `make_operator`."""
        self._clock = clock
        self._metrics = metrics
        self._election = election
        self._objects = Objects()
        self._user_objects = UserObjects(self._objects, settings, scope)
        self._collections: dict[Name, asyncio.Task[None]] = {}
        self._events = Events(kube, instance)
        self._writer = StatusWriter(kube, self._objects, metrics, self._events.written)
        self._secrets = secrets_in_use(
            lambda name: kube.find(SECRET, *name),
            clock,
            self._secret_changed,
            watched=settings.watch_secrets,
        )
        self._services = services_in_use(
            lambda name: kube.find(SERVICE, *name),
            clock,
            lambda name: self._touch_users(self._services, name),
        )
        self._watcher = self._make_watcher(kube, settings, scope)
        self._configurator = self._make_configurator(kube)
        self._gateways = self._make_gateways(kube, settings, scope, cluster)
        self._collector = Collector(
            self._objects, self._writer, clock, self._gateways.facts.get, self._has_dirty
        )
        self._sweeper = Sweeper(kube, self._objects, scope, metrics, clock)
        self._default = DefaultGatewayKeeper(kube, self._objects, settings, scope)
        self._queue = WorkQueue[Task](self._work, lambda task: task.job.value, metrics)
        self._jobs: dict[JobKind, Callable[[Name], Awaitable[float | None]]] = {
            JobKind.GATEWAY: self._reconcile_gateway,
            JobKind.CONFIG: self._configure,
            JobKind.SWEEP: self._sweep,
            JobKind.DEFAULT: self._default.reconcile,
            JobKind.RELIST: self._relist,
        }

    def _make_watcher(self, kube: Kube, settings: OperatorSettings, scope: Scope) -> Watcher:
        return Watcher(
            kube,
            self._objects,
            scope,
            self._saw,
            self._interrupted,
            self._listed,
            secrets=settings.watch_secrets,
        )

    def _make_configurator(self, kube: Kube) -> Configurator:
        return Configurator(
            self._objects,
            self._secrets,
            self._services,
            GeneratedSecrets(kube, self._secrets, self._clock, self._objects.has),
            self._clock,
            self._admitted,
            self._reserved,
        )

    def _make_gateways(
        self, kube: Kube, settings: OperatorSettings, scope: Scope, cluster: str
    ) -> Gateways:
        return Gateways(
            kube=kube,
            objects=self._objects,
            settings=settings,
            scope=scope,
            clock=self._clock,
            cluster=cluster,
            term=lambda: self._election.term,
            opened=self._opened,
            closed=self._closed,
            has=self._watcher.optional.has,
        )

    @property
    def ready(self) -> bool:
        """All caches are filled."""
        return self._watcher.filled_at > 0

    async def serve(self, stopped: asyncio.Event) -> None:
        """Until `stopped`. Raises what ended a part of it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                own = [
                    tasks.create_task(x)
                    for x in (
                        self._lead(),
                        self._queue.run(),
                        self._writer.run(),
                        self._events.run(),
                        self._secrets.keep_fresh(),
                        self._services.keep_fresh(),
                        self._watcher.run(),
                    )
                ]
                await stopped.wait()
                for task in own:
                    task.cancel()
        finally:
            for running in self._collections.values():
                running.cancel()
            await self._gateways.close_all()

    # What is seen -------------------------------------------------------------------------------

    async def _lead(self) -> None:
        """The election comes when everything is known, as far as it may be seen."""
        await self._watcher.fill()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._election.run(self._elected))
            tasks.create_task(self._watcher.complete())

    def _listed(self) -> None:
        """All objects of one more kind are known: what waited for it can be compiled."""
        for runtime in self._gateways.runtimes.values():
            runtime.hold(self._watcher.held)
            self._queue.add(Task(JobKind.CONFIG, runtime.name))

    def _interrupted(self, kind: str) -> None:
        """Its watch was interrupted, and what was deleted meanwhile is told by nobody."""
        self._queue.add_later(Task(JobKind.RELIST, ("", kind)), RELIST_SECONDS)

    async def _relist(self, name: Name) -> None:
        await self._watcher.relist(name[1])

    def _saw(self, kind: str, type: str | None, body: Object) -> None:  # noqa: A002
        if kind == SECRET.kind:
            found = found_of(body)
            self._secrets.saw(name_of(found), None if type == "DELETED" else found)
            return
        remove = type == "DELETED"
        change = self._objects.remove(kind, body) if remove else self._objects.put(kind, body)
        if change is ObjectChange.NOTHING or not self._election.leads():
            return
        if kind in CHILDREN:
            self._child_changed(body)
        elif change is not ObjectChange.STATUS:
            self._meant(kind, body)

    def _meant(self, kind: str, body: Object) -> None:
        key = key_of(kind, body)
        if kind == GATEWAY.kind:
            self._queue.add(Task(JobKind.GATEWAY, (key.namespace, key.name)))
            for name in reserved([body]):  # whoever uses one of them may not any more
                self._secret_changed(name)
            if (key.namespace, key.name) == self._default.name:
                self._queue.add(Task(JobKind.DEFAULT, self._default.name))
        elif kind == NAMESPACE.kind:
            self._touch_all(self._user_objects.all(key.name))
        else:
            self._touch(UserObject(key, body))

    def _child_changed(self, body: Object) -> None:
        metadata = body["metadata"]
        gateway = (metadata.get("labels") or {}).get(LABEL)
        if gateway:
            self._queue.add(Task(JobKind.GATEWAY, (metadata["namespace"], gateway)))

    def _touch(self, user_object: UserObject) -> None:
        """It is to be compiled again."""
        name = self._user_objects.gateway(user_object)
        runtime = self._gateways.runtimes.get(name)
        if runtime is None:
            self._report_gateway_missing(user_object, name)
        else:
            runtime.mark_dirty([user_object.key])
            self._queue.add(Task(JobKind.CONFIG, name))

    def _touch_all(self, user_objects: Iterable[UserObject]) -> None:
        for user_object in user_objects:
            self._touch(user_object)

    def _secret_changed(self, name: ReferredName) -> None:
        self._touch_users(self._secrets, name)

    def _touch_users(self, readings: PollingCache[Any], name: ReferredName) -> None:
        for user in readings.users(name):
            if isinstance(user, ObjectKey) and (body := self._objects.get(user)) is not None:
                self._touch(UserObject(user, body))

    def _reserved(self) -> dict[ReferredName, str]:
        return reserved(self._objects.all(GATEWAY.kind))

    def _admitted(self, runtime: GatewayRuntime, namespace: str) -> bool:
        body = self._objects.get(ObjectKey(NAMESPACE.kind, "", namespace))
        labels = None if body is None else body["metadata"].get("labels") or {}
        return admits(runtime.gateway, namespace, labels)

    # Leading ------------------------------------------------------------------------------------

    def _elected(self, leads: bool) -> None:
        self._metrics.leader.set(leads)
        _log.info("this replica %s", "leads" if leads else "does not lead any more")
        if not leads:
            self._writer.clear()
            for name in list(self._gateways.runtimes):
                self._start_over(name)
            return
        if time.monotonic() - self._watcher.filled_at > FRESH_SECONDS:
            for kind in (GATEWAY.kind, *(x.kind for x in USER_KINDS)):
                self._interrupted(kind)
        self._queue.add(Task(JobKind.DEFAULT, self._default.name))
        for body in self._objects.all(GATEWAY.kind):
            key = key_of(GATEWAY.kind, body)
            self._queue.add(Task(JobKind.GATEWAY, (key.namespace, key.name)))
        self._touch_all(self._user_objects.all())

    async def _work(self, task: Task) -> float | None:
        if not self._election.leads():
            self._gateways.facts.pop(task.name, None)  # they may be others when we lead again
            await self._gateways.close(task.name)
            return None
        try:
            return await self._jobs[task.job](task.name)
        except StoreReplaced as error:
            _log.warning("%s: starting over, because %s", task, error)
            self._start_over(task.name)
        except StaleWriter as error:
            _log.warning("%s: another leader writes: %s", task, error)
            await self._gateways.close(task.name)
            return STORE_RETRY_SECONDS
        return None

    def _start_over(self, name: Name) -> None:
        if (runtime := self._gateways.runtimes.get(name)) is not None:
            runtime.want_reopening()
        self._queue.add(Task(JobKind.GATEWAY, name))

    async def _reconcile_gateway(self, name: Name) -> float | None:
        known = name in self._gateways.facts
        again = await self._gateways.reconcile(name)
        runtime = self._gateways.runtimes.get(name)
        if runtime is not None and runtime.blocked:
            self._queue.add(Task(JobKind.SWEEP, name))  # it may have been confirmed by now
        if name not in self._gateways.runtimes:
            self._collector.tell_gateway(name, ServedCounts(), None)
        if name not in self._gateways.runtimes or not known:
            self._touch_all(self._user_objects.of(name))
        return again

    async def _configure(self, name: Name) -> float | None:
        runtime = self._gateways.runtimes.get(name)
        if runtime is None:
            return None
        runtime.mark_dirty(runtime.take_due(self._clock.now()))
        try:
            again = await self._configurator.reconcile(runtime)
        except StoreUnavailable:
            self._queue.add_later(Task(JobKind.CONFIG, name), STORE_RETRY_SECONDS)
            raise
        if runtime.sweep_wanted:
            self._queue.add(Task(JobKind.SWEEP, name))
        return again

    async def _sweep(self, name: Name) -> float | None:
        runtime = self._gateways.runtimes.get(name)
        return None if runtime is None else await self._sweeper.sweep(runtime)

    # Planes -------------------------------------------------------------------------------------

    def _opened(self, runtime: GatewayRuntime) -> None:
        runtime.hold(self._watcher.held)
        if runtime.name not in self._collections:
            self._collections[runtime.name] = asyncio.create_task(self._collect(runtime))
        runtime.mark_dirty(user_object.key for user_object in self._user_objects.of(runtime.name))
        self._queue.add(Task(JobKind.CONFIG, runtime.name))
        self._queue.add(Task(JobKind.SWEEP, runtime.name))

    def _closed(self, name: Name) -> None:
        task = self._collections.pop(name, None)
        if task is not None:
            task.cancel()

    async def _collect(self, runtime: GatewayRuntime) -> None:
        while True:
            try:
                await self._collector.run(runtime)
            except StoreReplaced:
                self._start_over(runtime.name)
                return
            except StoreError as error:
                _log.warning("status of gateway %s/%s: %s", *runtime.name, error)
            except Exception:
                _log.exception("status of gateway %s/%s", *runtime.name)
            await asyncio.sleep(STORE_RETRY_SECONDS)

    def _has_dirty(self, runtime: GatewayRuntime) -> None:
        self._queue.add(Task(JobKind.CONFIG, runtime.name))

    def _report_gateway_missing(self, user_object: UserObject, gateway: Name) -> None:
        there = self._objects.get(ObjectKey(GATEWAY.kind, *gateway)) is not None
        facts = self._gateways.facts.get(gateway)
        told = gateway_missing(*user_object, gateway, there, facts, self._clock.now())
        if told is not None:
            self._collector.tell(user_object.key, told.result, None, frozenset(), told.seen)


async def make_operator(
    settings: OperatorSettings,
    scope: Scope,
    instance: str,
    clock: Clock,
    registry: CollectorRegistry,
) -> tuple[Operator, Kube]:
    """Whoever gets them closes the second after the first has ended. Raises ApiError."""
    metrics = Metrics(registry)
    election = Election(lambda: Kube.connect(metrics), scope.own, instance)
    kube = await Kube.connect(metrics, election.leads)
    cluster = await _cluster(kube, scope)
    return Operator(kube, settings, scope, instance, clock, metrics, cluster, election), kube


async def _cluster(kube: Kube, scope: Scope) -> str:
    """The uid of kube-system is what people take for the identity of a cluster; who may not read it
    takes that of the operator's own namespace."""
    for name in ("kube-system", scope.own):
        with contextlib.suppress(Forbidden, NotFound):
            body: dict[str, Any] = await kube.get(NAMESPACE, None, name)
            return str(body["metadata"]["uid"])
    return scope.own
