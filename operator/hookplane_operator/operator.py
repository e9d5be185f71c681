"""One replica of the operator: makes its parts and runs them.

What is seen of the cluster becomes keys of a queue (`routing`), and the leader works on them
(`work`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock
from hookplane.compile.model import ObjectKey
from hookplane_operator.config.generated import GeneratedSecrets
from hookplane_operator.config.reconcile import Configurator
from hookplane_operator.config.sweeper import Sweeper
from hookplane_operator.election import Election
from hookplane_operator.events import Events
from hookplane_operator.gateways.default import DefaultGatewayKeeper
from hookplane_operator.gateways.reconcile import Gateways
from hookplane_operator.gateways.reserved import reserved
from hookplane_operator.gateways.user_objects import UserObjects, admits
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import Forbidden, NotFound
from hookplane_operator.kube.kinds import GATEWAY, NAMESPACE, SECRET, SERVICE, Object, Resource
from hookplane_operator.kube.objects import Objects
from hookplane_operator.metrics import Metrics
from hookplane_operator.queue import WorkQueue
from hookplane_operator.referred.polling_cache import Name as ReferredName
from hookplane_operator.referred.secrets import secrets_in_use
from hookplane_operator.referred.services import services_in_use
from hookplane_operator.routing import JobKind, KeyRouter, Task
from hookplane_operator.settings import OperatorSettings, Scope
from hookplane_operator.state.runtime import GatewayRuntime, Name
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.writer import StatusWriter
from hookplane_operator.watch.watcher import Watcher
from hookplane_operator.work import Jobs

FRESH_SECONDS: Final = 60.0
"""A replica elected later than this after its lists reads them again, to find what was deleted."""

_log = logging.getLogger("hookplane.operator")


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
        self._events = Events(kube, instance)
        self._writer = StatusWriter(kube, self._objects, metrics, self._events.written)
        self._secrets = secrets_in_use(
            partial(_find, kube, SECRET),
            clock,
            self._secret_changed,
            watched=settings.watch_secrets,
        )
        self._services = services_in_use(
            partial(_find, kube, SERVICE), clock, self._service_changed
        )
        self._watcher = self._make_watcher(kube, settings, scope)
        self._configurator = self._make_configurator(kube)
        self._gateways = self._make_gateways(kube, settings, scope, cluster)
        self._collector = self._make_collector()
        self._sweeper = Sweeper(kube, self._objects, scope, metrics, clock)
        self._default = DefaultGatewayKeeper(kube, self._objects, settings, scope)
        self._queue = WorkQueue[Task](self._work_on, _job_of, metrics)
        self._router = self._make_router(clock)
        self._jobs = self._make_jobs(clock)

    # The parts ----------------------------------------------------------------------------------

    def _make_watcher(self, kube: Kube, settings: OperatorSettings, scope: Scope) -> Watcher:
        return Watcher(
            kube,
            self._objects,
            scope,
            self._object_seen,
            self._watch_interrupted,
            self._kind_listed,
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
            self._reserved_secrets,
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
            term=self._term,
            opened=self._gateway_opened,
            closed=self._gateway_closed,
            has=self._watcher.optional.has,
        )

    def _make_collector(self) -> Collector:
        return Collector(
            self._objects,
            self._writer,
            self._clock,
            self._gateways.facts.get,
            self._has_dirty,
        )

    def _make_router(self, clock: Clock) -> KeyRouter:
        return KeyRouter(
            objects=self._objects,
            user_objects=self._user_objects,
            secrets=self._secrets,
            gateways=self._gateways,
            collector=self._collector,
            queue=self._queue,
            default=self._default.name,
            clock=clock,
            leads=self._election.leads,
        )

    def _make_jobs(self, clock: Clock) -> Jobs:
        return Jobs(
            user_objects=self._user_objects,
            gateways=self._gateways,
            configurator=self._configurator,
            sweeper=self._sweeper,
            default=self._default,
            collector=self._collector,
            watcher=self._watcher,
            router=self._router,
            queue=self._queue,
            clock=clock,
            leads=self._election.leads,
        )

    # What the parts that are made first tell those that are made after them -----------------------

    def _secret_changed(self, name: ReferredName) -> None:
        self._router.secret_changed(name)

    def _service_changed(self, name: ReferredName) -> None:
        self._router.users_changed(self._services, name)

    def _object_seen(self, kind: str, event: str | None, body: Object) -> None:
        self._router.object_seen(kind, event, body)

    def _watch_interrupted(self, kind: str) -> None:
        self._router.watch_interrupted(kind)

    def _kind_listed(self) -> None:
        self._router.kind_listed(self._watcher.held)

    def _gateway_opened(self, runtime: GatewayRuntime) -> None:
        self._jobs.gateway_opened(runtime)

    def _gateway_closed(self, name: Name) -> None:
        self._jobs.gateway_closed(name)

    async def _work_on(self, task: Task) -> float | None:
        return await self._jobs.work_on(task)

    def _has_dirty(self, runtime: GatewayRuntime) -> None:
        self._queue.enqueue(Task(JobKind.CONFIG, runtime.name))

    # What they ask --------------------------------------------------------------------------------

    def _term(self) -> int:
        return self._election.term

    def _reserved_secrets(self) -> dict[ReferredName, str]:
        return reserved(self._objects.all(GATEWAY.kind))

    def _admitted(self, runtime: GatewayRuntime, namespace: str) -> bool:
        body = self._objects.get(ObjectKey(NAMESPACE.kind, "", namespace))
        labels = None if body is None else body["metadata"].get("labels") or {}
        return admits(runtime.gateway, namespace, labels)

    # Its life -------------------------------------------------------------------------------------

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
            await self._jobs.close()

    async def _lead(self) -> None:
        """Stands for election after the caches are filled, as far as its rights allow."""
        await self._watcher.fill()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._election.run(self._elected))
            tasks.create_task(self._watcher.complete())

    def _elected(self, leads: bool) -> None:
        self._metrics.leader.set(leads)
        _log.info("this replica %s", "leads" if leads else "does not lead any more")
        if not leads:
            self._writer.clear()
            for name in list(self._gateways.runtimes):
                self._jobs.start_over(name)
            return
        if time.monotonic() - self._watcher.filled_at > FRESH_SECONDS:
            self._router.kinds_doubted()
        self._router.all_again()


async def make_operator(
    settings: OperatorSettings,
    scope: Scope,
    instance: str,
    clock: Clock,
    registry: CollectorRegistry,
) -> tuple[Operator, Kube]:
    """The caller closes the client after the operator has ended. Raises ApiError."""
    metrics = Metrics(registry)
    election = Election(lambda: Kube.connect(metrics), scope.own, instance)
    kube = await Kube.connect(metrics, election.leads)
    cluster = await _cluster(kube, scope)
    return Operator(kube, settings, scope, instance, clock, metrics, cluster, election), kube


async def _cluster(kube: Kube, scope: Scope) -> str:
    """The uid of kube-system is what people take for the identity of a cluster; an operator that
    may not read it takes that of its own namespace."""
    for name in ("kube-system", scope.own):
        with contextlib.suppress(Forbidden, NotFound):
            body: dict[str, Any] = await kube.get(NAMESPACE, None, name)
            return str(body["metadata"]["uid"])
    return scope.own


async def _find(kube: Kube, resource: Resource, name: ReferredName) -> Object | None:
    return await kube.find(resource, *name)


def _job_of(task: Task) -> str:
    return task.job.value
