"""The jobs of the leader: each is about one gateway, or about one kind of objects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from hookplane.clock import Clock
from hookplane.errors import StaleWriter, StoreReplaced, StoreUnavailable
from hookplane.pacing.run_forever import run_forever
from hookplane_operator.config.reconcile import Configurator
from hookplane_operator.config.sweeper import Sweeper
from hookplane_operator.gateways.default import DefaultGatewayKeeper
from hookplane_operator.gateways.reconcile import Gateways
from hookplane_operator.gateways.user_objects import UserObjects
from hookplane_operator.queue import WorkQueue
from hookplane_operator.routing import JobKind, KeyRouter, Task
from hookplane_operator.state.runtime import GatewayRuntime, Name
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.gateway import ServedCounts
from hookplane_operator.watch.watcher import Watcher

STORE_RETRY_SECONDS: Final = 2.0
"""Until a store that failed is asked again."""
PARTITIONS_SECONDS: Final = 600.0
"""Between two looks whether the next partitions are there."""

_log = logging.getLogger("hookplane.operator")


class Jobs:
    """Does what keys of the queue ask for, and runs the collection of each gateway's statuses."""

    def __init__(
        self,
        *,
        user_objects: UserObjects,
        gateways: Gateways,
        configurator: Configurator,
        sweeper: Sweeper,
        default: DefaultGatewayKeeper,
        collector: Collector,
        watcher: Watcher,
        router: KeyRouter,
        queue: WorkQueue[Task],
        clock: Clock,
        leads: Callable[[], bool],
        failed: Callable[[], None],
    ) -> None:
        """`failed`: called when a collection ended with an error, before it is begun again."""
        self._user_objects = user_objects
        self._gateways = gateways
        self._configurator = configurator
        self._sweeper = sweeper
        self._collector = collector
        self._watcher = watcher
        self._router = router
        self._queue = queue
        self._clock = clock
        self._leads = leads
        self._failed = failed
        self._collections: dict[Name, asyncio.Task[None]] = {}
        self._jobs: dict[JobKind, Callable[[Name], Awaitable[float | None]]] = {
            JobKind.GATEWAY: self._reconcile_gateway,
            JobKind.CONFIG: self._configure,
            JobKind.SWEEP: self._sweep,
            JobKind.PARTITIONS: self._make_partitions,
            JobKind.DEFAULT: default.reconcile,
        }

    async def close(self) -> None:
        """Ends collections and closes the stores."""
        for running in self._collections.values():
            running.cancel()
        await self._gateways.close_all()

    async def work_on(self, task: Task) -> float | None:
        """Seconds until the key is wanted again; None: when somebody asks. Raises ApiError,
        StoreError, NotLeader; then the queue tries again."""
        if not self._leads():
            await self._gateways.forget(task.name)
            return None
        try:
            return await self._jobs[task.job](task.name)
        except StoreReplaced as error:
            _log.warning("%s: starting over, because %s", task, error)
            self.start_over(task.name)
        except StaleWriter as error:
            await self._gateways.lose(task.name, error)
            self._queue.enqueue(Task(JobKind.GATEWAY, task.name))
        return None

    def start_over(self, name: Name) -> None:
        """The store of a gateway is opened again, and everything of it is read again."""
        if (runtime := self._gateways.runtimes.get(name)) is not None:
            runtime.want_reopening()
        self._queue.enqueue(Task(JobKind.GATEWAY, name))

    async def _reconcile_gateway(self, name: Name) -> float | None:
        known = name in self._gateways.facts
        again = await self._gateways.reconcile(name)
        runtime = self._gateways.runtimes.get(name)
        if runtime is not None and runtime.held:
            self._queue.enqueue(Task(JobKind.SWEEP, name))  # it may have been confirmed by now
        if name not in self._gateways.runtimes:
            self._collector.report_gateway(name, ServedCounts(), None)
        if name not in self._gateways.runtimes or not known:
            self._router.compile_all_again(self._user_objects.of(name))
        return again

    async def _configure(self, name: Name) -> float | None:
        runtime = self._gateways.runtimes.get(name)
        if runtime is None:
            return None
        runtime.mark_dirty(runtime.take_due(self._clock.now()))
        try:
            again = await self._configurator.reconcile(runtime)
        except StoreUnavailable:
            self._queue.enqueue_later(Task(JobKind.CONFIG, name), STORE_RETRY_SECONDS)
            raise
        if runtime.sweep_wanted:
            self._queue.enqueue(Task(JobKind.SWEEP, name))
        return again

    async def _sweep(self, name: Name) -> float | None:
        runtime = self._gateways.runtimes.get(name)
        return None if runtime is None else await self._sweeper.sweep(runtime)

    async def _make_partitions(self, name: Name) -> float | None:
        """Dispatchers do it too, as long as one runs."""
        runtime = self._gateways.runtimes.get(name)
        if runtime is None:
            return None
        await runtime.store.make_partitions()
        return PARTITIONS_SECONDS

    def gateway_opened(self, runtime: GatewayRuntime) -> None:
        """Its store is open and ours, or its spec is another: everything of it is compiled."""
        runtime.hold(self._watcher.held)
        if runtime.name not in self._collections:
            work = partial(self._collect, runtime)
            endless = run_forever(
                "status of gateway {}/{}".format(*runtime.name), work, self._failed
            )
            self._collections[runtime.name] = asyncio.create_task(endless)
        runtime.mark_dirty(user_object.key for user_object in self._user_objects.of(runtime.name))
        self._queue.enqueue(Task(JobKind.CONFIG, runtime.name))
        self._queue.enqueue(Task(JobKind.SWEEP, runtime.name))
        self._queue.enqueue(Task(JobKind.PARTITIONS, runtime.name))

    def gateway_closed(self, name: Name) -> None:
        """Stops collecting its statuses."""
        task = self._collections.pop(name, None)
        if task is not None:
            task.cancel()

    async def _collect(self, runtime: GatewayRuntime) -> None:
        try:
            await self._collector.run(runtime)
        except StoreReplaced:
            self.start_over(runtime.name)
