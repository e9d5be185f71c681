"""The dispatcher: follows the config and runs a worker for every subscription."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Final, Protocol

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock, Millis
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import StoreUnavailable
from hookplane.evaluation.pool import EvaluationPool
from hookplane.pacing.run_forever import run_forever
from hookplane.process.follow import ConfigFollower
from hookplane.process.membership import Membership, SingleProcess
from hookplane.process.rendezvous import owner_of
from hookplane.reporting.activity import ActivityLog
from hookplane.reporting.operational import OperationalEventPublisher
from hookplane.sealing import Opener
from hookplane.steady_clock import LeapWatch
from hookplane.store.config_store import ConfigKind, ConfigStore
from hookplane.store.delivery_store import Asked, DeliveryStore
from hookplane.store.event_log import EventLog
from hookplane.store.notifications import Notifications, Topic
from hookplane.store.process_registry import Role
from hookplane.tracing import NoTracer, Tracer
from hookplane_dispatcher.dependencies import Dependencies
from hookplane_dispatcher.metrics import DispatcherMetrics, ExpressionMetrics
from hookplane_dispatcher.reading.bystanders import Bystanders
from hookplane_dispatcher.reading.content_cache import ContentCache
from hookplane_dispatcher.reading.log_reader import LogReader
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_dispatcher.transports.transport import Transports
from hookplane_dispatcher.worker.worker import SubscriptionWorker

CLAIMS: Final = 16
"""Claims under way at once."""
LOOKS_AFTER_LEAP: Final = 4
"""So many looks after a leap of the clock workers look at it as well: they believe it when it has
lasted for a minute."""


class DispatcherStore(EventLog, DeliveryStore, ConfigStore, Notifications, Protocol):
    """What a dispatcher needs of a store."""


class Dispatcher:
    """Delivers everything that its store holds for its subscriptions."""

    def __init__(
        self,
        *,
        store: DispatcherStore,
        sealer: Opener,
        transports: Transports,
        clock: Clock,
        random: Random,
        activity: ActivityLog,
        registry: CollectorRegistry,
        settings: DispatcherSettings | None = None,
        membership: Membership | None = None,
        tracer: Tracer | None = None,
        expressions: EvaluationPool | None = None,
    ) -> None:
        """`transports`: how each kind of target is delivered to; the caller closes them when the
        dispatcher has stopped. `membership`: its place among other dispatchers, started by the
        caller; None: it is the only one. `tracer`: opens a span for each attempt; None: nothing is
        traced. `expressions`: where those are evaluated that may take long; it is closed here."""
        self._store = store
        self._expressions = expressions or EvaluationPool()
        registry.register(ExpressionMetrics(self._expressions))
        self._names: dict[str, tuple[str, str]] = {}
        self._membership = membership
        self._dependencies = self._make_dependencies(
            transports,
            clock,
            random,
            activity,
            DispatcherMetrics(registry),
            settings or DispatcherSettings(),
            tracer or NoTracer(),
        )
        if membership is not None:
            membership.listen(on_members=self._share, on_certain=self._wake, on_lost=self._abandon)
        self._configs: dict[str, SubscriptionConfig] = {}
        self._peers: frozenset[str] = frozenset()
        self._follower = ConfigFollower(store, sealer, self._apply, self._version_changed)
        self._following: list[asyncio.Task[None]] = []
        self._moving: list[asyncio.Task[None]] = []
        """Moves cursors as long as there are workers."""
        self._workers: dict[str, SubscriptionWorker] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._unlisten: list[Callable[[], None]] = []
        self.ready = False
        """All configuration is loaded and being served."""

    def _make_dependencies(
        self,
        transports: Transports,
        clock: Clock,
        random: Random,
        activity: ActivityLog,
        metrics: DispatcherMetrics,
        settings: DispatcherSettings,
        tracer: Tracer,
    ) -> Dependencies:
        store = self._store
        contents = ContentCache(store, self._name_of, settings.body_bytes, settings.readers)
        logs = LogReader(
            store,
            settings.poll_seconds,
            settings.readers,
            settings.tail_bytes,
            metrics.failures("log"),
            contents.offer,
        )
        metrics.body_bytes.set_function(lambda: contents.used)
        metrics.body_bytes_in_use.set_function(lambda: contents.in_use)
        metrics.tail_bytes.set_function(lambda: logs.kept_bytes)
        return Dependencies(
            store=store,
            transports=transports,
            clock=clock,
            random=random,
            activity=activity,
            logs=logs,
            contents=contents,
            metrics=metrics,
            publisher=OperationalEventPublisher(store, clock),
            settings=settings,
            ownership=self._membership or SingleProcess(),
            bystanders=Bystanders(store),
            expressions=self._expressions,
            claims=asyncio.Semaphore(CLAIMS),
            tracer=tracer,
        )

    @property
    def version(self) -> int:
        """The config version in force."""
        return self._follower.version

    @property
    def refused(self) -> dict[str, str]:
        """Uid → why its newest document is not in force, or why nothing can be sent as it says."""
        return self._follower.refused | self._dependencies.unusable

    async def start(self) -> None:
        """Loads the config and begins. Raises StoreUnavailable."""
        logs = self._dependencies.logs
        self._unlisten = [
            self._store.listen(Topic.EVENTS, logs.nudge),
            self._store.listen(Topic.SUBSCRIPTION, self._look),
        ]
        await self._follower.load()
        self._following = [self._run_forever("configuration", self._follower.run)]
        self._following.append(self._run_forever("requests", self._look_for_all))
        self._moving = [self._run_forever("cursors", self._dependencies.bystanders.run)]
        self.ready = True
        self._version_changed()

    async def stop(self, grace: Millis) -> None:
        """Starts nothing more, waits at most `grace` for what is under way, flushes it, and
        releases what it owns."""
        self.ready = False
        if self._membership is not None:
            self._membership.beat_soon()
        for unlisten in self._unlisten:
            unlisten()
        await _end(self._following)
        for worker in self._workers.values():
            worker.stop(leaving=True)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace / 1000)
        await _end([*self._tasks, *self._moving])
        await self._dependencies.logs.close()
        await self._dependencies.publisher.close()
        await self._expressions.close()

    def _run_forever(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        failed = self._dependencies.metrics.failures(name)
        return asyncio.create_task(run_forever(name, work, failed))

    def _look(self, subscription: str) -> None:
        if (worker := self._workers.get(subscription)) is not None:
            worker.look_soon()

    async def _look_for_all(self) -> None:
        """Looks once in a while for what a worker would find that looked for itself: another time
        of day, and what people asked. A store that does not answer is asked the next time."""
        clock, restless = LeapWatch(self._dependencies.clock), 0
        while True:
            await asyncio.sleep(self._dependencies.settings.look_seconds)
            restless = LOOKS_AFTER_LEAP if clock.has_leapt() else max(restless - 1, 0)
            if restless:
                self._wake()
            with contextlib.suppress(StoreUnavailable):
                self._tell(await self._store.asked())

    def _tell(self, asked: Mapping[str, Asked]) -> None:
        for uid, worker in self._workers.items():
            worker.note_asked(asked.get(uid, Asked()))

    def _name_of(self, endpoint: str) -> tuple[str, str]:
        return self._names.get(endpoint, ("", endpoint))

    def _apply(self, kind: ConfigKind, uid: str, document: Document | None) -> None:
        if isinstance(document, EndpointConfig):
            self._names[uid] = (document.namespace, document.name)
        elif isinstance(document, SubscriptionConfig):
            self._configure(document)
        elif kind is ConfigKind.SUBSCRIPTION:
            self._configs.pop(uid, None)
            self._stop_worker(uid)

    def _version_changed(self) -> None:
        """Tells the other processes soon which version is in force here."""
        if self._membership is not None:
            self._membership.beat_soon()

    # Sharing with other dispatchers -------------------------------------------------------------

    def _share(self) -> None:
        """Releases subscriptions that belong to another process now, and serves those that became
        ours."""
        if not self.ready:
            return
        peers = self._live_instances()
        if peers != self._peers:
            self._peers = peers
            self._wake()  # what waits for somebody who is gone may be claimed now
            for config in self._configs.values():
                self._place(config)

    def _wake(self) -> None:
        """Wakes all workers: what could not start while ownership was in doubt may start now."""
        for worker in self._workers.values():
            worker.wake()

    def _live_instances(self) -> frozenset[str]:
        if self._membership is None:
            return frozenset()
        return frozenset(member.instance for member in self._membership.ready(Role.DISPATCHER))

    def _place(self, config: SubscriptionConfig) -> None:
        if not self._owns(config.uid):
            self._stop_worker(config.uid)
        elif not self._is_served(config.uid):
            self._configure(config)

    def _is_served(self, uid: str) -> bool:
        worker = self._workers.get(uid)
        return worker is not None and not worker.stopping

    def _owns(self, uid: str) -> bool:
        membership = self._membership
        if membership is None:
            return True
        return owner_of(uid, self._peers) == membership.instance

    def _abandon(self) -> None:
        """Drops all workers at once. Nothing may be written, because others may own everything
        now."""
        for task in self._tasks:
            task.cancel()
        for worker in self._workers.values():
            worker.forget()
        self._workers.clear()
        self._peers = frozenset()

    # Workers ------------------------------------------------------------------------------------

    def _stop_worker(self, uid: str) -> None:
        if (worker := self._workers.get(uid)) is not None:
            worker.stop()

    def _configure(self, config: SubscriptionConfig) -> None:
        self._configs[config.uid] = config
        if not self._owns(config.uid):
            return
        worker = self._workers.get(config.uid)
        if worker is not None and not worker.stopping:
            worker.configure(config)
            return
        before = [task for task, uid in self._tasks.items() if uid == config.uid] if worker else []
        worker = self._workers[config.uid] = SubscriptionWorker(self._dependencies, config, worker)
        task = asyncio.create_task(_run(worker, before), name=f"worker {config.uid}")
        self._tasks[task] = config.uid
        task.add_done_callback(lambda done: self._ended(done, worker))

    def _ended(self, task: asyncio.Task[None], worker: SubscriptionWorker) -> None:
        uid = self._tasks.pop(task)
        if self._workers.get(uid) is worker:
            del self._workers[uid]
            worker.forget()


async def _run(worker: SubscriptionWorker, before: list[asyncio.Task[None]]) -> None:
    """Runs a worker when its predecessors in this process have ended: its claim would take from
    them what is under way."""
    if before:
        await asyncio.wait(before)
    await worker.run()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
