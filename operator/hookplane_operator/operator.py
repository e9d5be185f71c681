"""One replica of the operator: makes its parts and runs them.

What is seen of the cluster becomes keys of a queue (`routing`), and the leader works on them
(`work`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock
from hookplane.compile.model import ObjectKey
from hookplane.pacing.backoff import Backoff
from hookplane.pacing.run_forever import FIRST_PAUSE, LONGEST_PAUSE, run_forever
from hookplane.store.operator_store import WriterFence
from hookplane_operator.config.finished_replays import FinishedReplays
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
from hookplane_operator.kube.cluster import ClusterIdentity
from hookplane_operator.kube.errors import ApiError
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
from hookplane_operator.state.seen_deletions import SeenDeletions
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.writer import StatusWriter
from hookplane_operator.watch.knowledge import Knowledge
from hookplane_operator.watch.watcher import Watcher
from hookplane_operator.work import Jobs

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
        cluster: ClusterIdentity,
        election: Election,
    ) -> None:
        """Use `make_operator`."""
        self._clock = clock
        self._metrics = metrics
        self._election = election
        self._filled = asyncio.Event()
        self._objects = Objects()
        self._deletions = SeenDeletions()
        self._knowledge = Knowledge(metrics, clock)
        self._user_objects = UserObjects(self._objects, settings, scope)
        self._events = Events(kube, instance)
        self._writer = StatusWriter(
            kube,
            self._objects,
            metrics,
            self._object_answered,
            self._events.written,
            self._events.status_refused,
            most=settings.status_writes_per_second,
        )
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
        self._sweeper = Sweeper(kube, self._objects, self._deletions, scope, metrics, clock)
        self._finished = FinishedReplays(kube, self._objects, clock, election.leads)
        self._default = DefaultGatewayKeeper(kube, self._objects, settings, scope)
        self._queue = WorkQueue[Task](self._work_on, _job_of, metrics)
        self._router = self._make_router(clock)
        self._jobs = self._make_jobs(clock)
        metrics.stores_refused.set_function(lambda: len(self._gateways.contests.lost))

    # The parts ----------------------------------------------------------------------------------

    def _make_watcher(self, kube: Kube, settings: OperatorSettings, scope: Scope) -> Watcher:
        return Watcher(
            kube,
            scope,
            self._object_seen,
            self._kind_listed,
            self._knowledge,
            self._metrics.failures("watches"),
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
            partial(kube.find, NAMESPACE, None),
        )

    def _make_gateways(
        self, kube: Kube, settings: OperatorSettings, scope: Scope, cluster: ClusterIdentity
    ) -> Gateways:
        return Gateways(
            kube=kube,
            objects=self._objects,
            settings=settings,
            scope=scope,
            metrics=self._metrics,
            clock=self._clock,
            cluster=cluster,
            fence=self._fence,
            outbid=self._election.outbid,
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
            self._knowledge.judge,
            self._has_dirty,
            lambda gateway, ready: self._metrics.gateways.ready.labels(gateway).set(ready),
        )

    def _make_router(self, clock: Clock) -> KeyRouter:
        return KeyRouter(
            objects=self._objects,
            deletions=self._deletions,
            user_objects=self._user_objects,
            secrets=self._secrets,
            gateways=self._gateways,
            collector=self._collector,
            queue=self._queue,
            default=self._default.name,
            clock=clock,
            leads=self._election.leads,
            is_writing=self._writer.is_writing,
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
            failed=self._metrics.failures("collections"),
        )

    # What the parts that are made first tell those that are made after them -----------------------

    def _secret_changed(self, name: ReferredName) -> None:
        self._router.secret_changed(name)

    def _service_changed(self, name: ReferredName) -> None:
        self._router.users_changed(self._services, name)

    def _object_seen(self, kind: str, event: str | None, body: Object) -> None:
        self._router.object_seen(kind, event, body)

    def _object_answered(self, kind: str, body: Object) -> None:
        self._router.object_answered(kind, body)

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

    def _fence(self, owner: str) -> WriterFence:
        return WriterFence(owner, self._election.term, self._election.holder)

    def _reserved_secrets(self) -> dict[ReferredName, str]:
        return reserved(self._objects.all(GATEWAY.kind))

    def _admitted(self, runtime: GatewayRuntime, namespace: str) -> bool:
        body = self._objects.get(ObjectKey(NAMESPACE.kind, "", namespace))
        labels = None if body is None else body["metadata"].get("labels") or {}
        return admits(runtime.gateway, namespace, labels)

    # Its life -------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """All caches are filled, and nothing in them is old."""
        return self._watcher.filled and self._knowledge.is_fresh

    @property
    def health(self) -> dict[str, bool]:
        """Part → whether it does its work."""
        return {"operator": self.ready, "stores": not self._gateways.contests.lost}

    async def serve(self, stopped: asyncio.Event) -> None:
        """Until `stopped`. No error ends a part of it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                own = [
                    tasks.create_task(run_forever(name, work, self._metrics.failures(name)))
                    for name, work in self._endless().items()
                ]
                await stopped.wait()
                for task in own:
                    task.cancel()
        finally:
            await self._jobs.close()

    def _endless(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """All that runs as long as the operator, by its name in the log and in metrics."""
        return {
            "lists": self._list,
            "election": self._stand_for_election,
            "queue": self._queue.run,
            "statuses": self._writer.run,
            "events": self._events.run,
            "secrets": self._secrets.keep_fresh,
            "services": self._services.keep_fresh,
            "watches": self._watcher.run,
            "replays": self._finished.run,
        }

    async def _list(self) -> None:
        """Returns when the caches are filled."""
        await self._watcher.fill()
        self._filled.set()

    async def _stand_for_election(self) -> None:
        """Once the caches are filled, as far as its rights allow."""
        await self._filled.wait()
        if not any(map(_has_status, self._objects.all(GATEWAY.kind))):
            self._election.expect_no_leader()
        await self._election.run(self._elected)

    def _elected(self, leads: bool) -> None:
        self._metrics.leader.set(leads)
        _log.info("this replica %s", "leads" if leads else "does not lead any more")
        if not leads:
            self._gateways.contests.clear()
            self._writer.clear()
            for name in list(self._gateways.runtimes):
                self._jobs.start_over(name)
            return
        self._router.all_again()


async def make_operator(
    settings: OperatorSettings,
    scope: Scope,
    instance: str,
    clock: Clock,
    registry: CollectorRegistry,
) -> tuple[Operator, Kube]:
    """Returns when the API server has answered. The caller closes the client after the operator has
    ended. Raises InvalidValue for the kubeconfig."""
    metrics = Metrics(registry)
    election = Election(lambda: Kube.connect(metrics), scope.own, instance)
    kube, cluster = await _connect(metrics, election, scope)
    return Operator(kube, settings, scope, instance, clock, metrics, cluster, election), kube


async def _connect(
    metrics: Metrics, election: Election, scope: Scope
) -> tuple[Kube, ClusterIdentity]:
    """A client, and the cluster that answered."""
    backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
    while True:
        kube = None
        try:
            kube = await Kube.connect(metrics, election.leads)
            cluster = ClusterIdentity(kube, scope.own)
            await cluster.look()
            return kube, cluster
        except ApiError as error:
            _log.warning("waiting for the API server: %s", error)
        if kube is not None:
            await kube.close()
        await asyncio.sleep(backoff.next_pause())


def _has_status(body: Object) -> bool:
    """Whether an operator has ever looked at it: until then its CRD says -1."""
    return bool((body.get("status") or {}).get("observedGeneration", -1) != -1)


async def _find(kube: Kube, resource: Resource, name: ReferredName) -> Object | None:
    return await kube.find(resource, *name)


def _job_of(task: Task) -> str:
    return task.job.value
