"""A dispatcher on the real store, a scripted network, and time that passes only when all wait."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from prometheus_client import CollectorRegistry

from hookplane.clock import Millis
from hookplane.config.endpoint import EndpointConfig, Source, operational_endpoint
from hookplane.config.subscription import HttpTargetConfig, RetryConfig, SubscriptionConfig
from hookplane.evaluation.limits import EvaluationLimits
from hookplane.evaluation.pool import EvaluationPool, Judged
from hookplane.process.membership import Membership, SingleProcess
from hookplane.reporting.operational import OperationalEventPublisher
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.signatures.signing import SigningConfig, SigningScheme
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import (
    Delivery,
    DeliveryState,
    NewReplay,
    ReplayJob,
    ReplayPhase,
)
from hookplane.store.event_log import NewEvent
from hookplane.store.notifications import Topic
from hookplane.store.protocol import Store
from hookplane.store.queries import AttemptRow, DeliveryRow, Page, SubscriptionStats
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane.tracing import Tracer
from hookplane_dispatcher.dependencies import Dependencies
from hookplane_dispatcher.dispatcher import Dispatcher
from hookplane_dispatcher.metrics import DispatcherMetrics
from hookplane_dispatcher.reading.bystanders import Bystanders
from hookplane_dispatcher.reading.content_cache import ContentCache
from hookplane_dispatcher.reading.log_reader import LogReader
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_dispatcher.transports.http.target import HttpTransport
from hookplane_dispatcher.worker.worker import SubscriptionWorker
from support.clocks.virtual import VirtualClock, VirtualLoop
from support.http.scripted_egress import ScriptedEgress
from support.planes.activity import RecordingActivityLog

HOUR = 3600.0
LOG_READS = frozenset({"read_log", "read_events"})
"""Calls of the store that read a log."""


class Watched:
    """The store itself, with its calls under way counted."""

    def __init__(self, store: SQLiteStore, loop: VirtualLoop) -> None:
        self.store = store
        self._loop = loop
        self.fail: Callable[[str, tuple[Any, ...]], None] = lambda _name, _arguments: None
        """May raise instead of the call."""
        self.delays: dict[str, float] = {}
        """Seconds that calls of a name take longer."""
        self.lose: Callable[[str], None] = lambda _name: None
        """May raise when the call was carried out."""
        self.unheard: set[Topic] = set()
        """What nobody is told of."""

    def listen(self, topic: Topic, told: Callable[[str], None]) -> Callable[[], None]:
        def tell(about: str) -> None:
            if topic not in self.unheard:
                told(about)

        return self.store.listen(topic, tell)

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self.store, name)
        if not inspect.iscoroutinefunction(inner):
            return inner

        async def call(*arguments: Any, **named: Any) -> Any:
            self.fail(name, arguments)
            if name in self.delays:
                await asyncio.sleep(self.delays[name])
            self._loop.busy += 1
            try:
                answer = await inner(*arguments, **named)
            finally:
                self._loop.busy -= 1
            self.lose(name)
            return answer

        return call


class Awaited:
    """Evaluator processes, which a loop waits for as it does for the store."""

    def __init__(self, pool: EvaluationPool, loop: VirtualLoop) -> None:
        self._pool = pool
        self._loop = loop
        self.close = pool.close
        self.ends = pool.ends

    @property
    def starts(self) -> int:
        return self._pool.starts

    async def evaluate(self, *arguments: Any) -> Judged:
        self._loop.busy += 1
        try:
            return await self._pool.evaluate(*arguments)
        finally:
            self._loop.busy -= 1


class World:
    """Everything around a dispatcher, and the dispatcher."""

    def __init__(self, loop: VirtualLoop, store: SQLiteStore, seed: int = 1) -> None:
        self.loop = loop
        self.clock = VirtualClock(loop)
        self.watched = Watched(store, loop)
        self.store = cast(Store, self.watched)
        self.egress = ScriptedEgress(loop)
        self.activity = RecordingActivityLog()
        self.sealer = Sealer({"a": bytes(32)}, "a")
        self.random = random.Random(seed)
        self.settings = DispatcherSettings()
        self.dispatcher: Dispatcher | None = None
        self.registry = CollectorRegistry()
        self._ids = 0

    # Config -------------------------------------------------------------------------------------

    async def endpoint(self, *names: str) -> None:
        """Adds endpoints; their uids are their names."""
        rows = [self._endpoint_row(name) for name in names]
        await self.store.apply_config(ConfigChange(upserts=tuple(rows)))

    async def make_endpoint_again(
        self, before: str, name: str, *readers: SubscriptionConfig
    ) -> None:
        """It has the log of its predecessor, and these read it at once; others are as they were."""
        row = replace(self._endpoint_row(name), predecessor=before)
        read = [x.model_copy(update={"endpoints": (name,)}) for x in readers]
        rows = [ConfigRow(ConfigKind.SUBSCRIPTION, x.uid, x.dump(self.sealer)) for x in read]
        plans = tuple(CursorPlan(x.uid, x.endpoints, x.start_from) for x in read)
        await self.store.apply_config(ConfigChange(upserts=(row, *rows), cursors=plans))

    async def operational(self) -> str:
        uid = operational_endpoint("default")
        await self.endpoint(uid)
        return uid

    def _endpoint_row(self, uid: str) -> ConfigRow:
        config = EndpointConfig(
            uid=uid,
            namespace="default",
            name=uid,
            path=f"/default/{uid}",
            provider="Generic",
            event_type=Source(value="x"),
        )
        return ConfigRow(ConfigKind.ENDPOINT, uid, config.dump(self.sealer))

    async def subscribe(self, config: SubscriptionConfig) -> SubscriptionConfig:
        """Adds or changes a subscription."""
        return await self._write(config)

    async def make_again(self, before: SubscriptionConfig, uid: str) -> SubscriptionConfig:
        """It is deleted, and made in the same place."""
        return await self._write(before.model_copy(update={"uid": uid}), before.uid)

    async def _write(self, config: SubscriptionConfig, before: str = "") -> SubscriptionConfig:
        document = config.dump(self.sealer)
        row = ConfigRow(ConfigKind.SUBSCRIPTION, config.uid, document, predecessor=before)
        plan = CursorPlan(config.uid, config.endpoints, config.start_from)
        await self.store.apply_config(ConfigChange(upserts=(row,), cursors=(plan,)))
        return config

    async def change(self, config: SubscriptionConfig, **fields: Any) -> SubscriptionConfig:
        return await self.subscribe(config.model_copy(update=fields))

    # Events -------------------------------------------------------------------------------------

    async def publish(
        self,
        endpoint: str = "orders",
        type: str = "order.created",  # noqa: A002
        body: Any = None,
        content_type: str = "application/json",
        key: str = "",
    ) -> str:
        """Appends an event and gives its id."""
        self._ids += 1
        data = body if isinstance(body, bytes) else json.dumps(body or {"n": self._ids}).encode()
        event = NewEvent(
            endpoint,
            f"evt_{self._ids:026d}",
            self.clock.now(),
            type,
            (("content-type", content_type),),
            data,
            key=key,
        )
        return (await self.store.append(event)).event_id

    async def publish_many(self, count: int, endpoint: str = "orders") -> list[str]:
        return list(await asyncio.gather(*[self.publish(endpoint) for _ in range(count)]))

    async def replay(self, uid: str, config: SubscriptionConfig, **fields: Any) -> ReplayJob:
        job = NewReplay(uid, "default", uid, config.uid, self.clock.now(), **fields)
        return await self.store.create_replay(job)

    async def finished(self, uid: str) -> ReplayJob:
        """A replay job, when it has ended."""

        async def look() -> ReplayJob | None:
            jobs = [job for job in await self.store.replays() if job.uid == uid]
            return jobs[0] if jobs[0].phase is not ReplayPhase.RUNNING else None

        found: ReplayJob = await self.until(look, step=0.5)
        return found

    # The dispatcher -----------------------------------------------------------------------------

    async def start(
        self, membership: Membership | None = None, tracer: Tracer | None = None
    ) -> Dispatcher:
        self.registry = CollectorRegistry()
        self.dispatcher = Dispatcher(
            store=self.store,
            sealer=self.sealer,
            transports={HttpTargetConfig: HttpTransport(self.egress, self.clock)},
            clock=self.clock,
            random=self.random,
            activity=self.activity,
            registry=self.registry,
            settings=self.settings,
            membership=membership,
            tracer=tracer,
            expressions=self.expressions(),
        )
        await self.dispatcher.start()
        return self.dispatcher

    def expressions(self) -> EvaluationPool:
        """The processes themselves; no time passes while they are at work."""
        pool = EvaluationPool(EvaluationLimits(cpu_seconds=0.3), now=self.loop.time)
        return cast(EvaluationPool, Awaited(pool, self.loop))

    async def start_worker(self, config: SubscriptionConfig) -> SubscriptionWorker:
        """One worker without anything that polls, so that weeks pass quickly."""
        settings = DispatcherSettings(poll_seconds=100 * HOUR, look_seconds=100 * HOUR)
        metrics = DispatcherMetrics(CollectorRegistry())
        bodies = ContentCache(self.store, lambda uid: ("default", uid), 1 << 20, 4)
        logs = LogReader(
            self.store,
            settings.poll_seconds,
            4,
            settings.tail_bytes,
            lambda: None,
            bodies.offer,
        )
        self.store.listen(Topic.EVENTS, logs.nudge)
        dependencies = Dependencies(
            self.store,
            {HttpTargetConfig: HttpTransport(self.egress, self.clock)},
            self.clock,
            self.random,
            self.activity,
            logs,
            bodies,
            metrics,
            OperationalEventPublisher(self.store, self.clock),
            settings,
            SingleProcess(),
            Bystanders(self.store),
            self.expressions(),
            asyncio.Semaphore(1),
        )
        worker = SubscriptionWorker(dependencies, config)
        self._worker_tasks = [asyncio.create_task(worker.run())]
        return worker

    async def crash(self) -> None:
        """The process is gone: nothing of the dispatcher runs on, nothing is written any more."""
        doomed = [task for task in asyncio.all_tasks() if _is_ours(task)]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        self._end()

    async def stop(self, grace: Millis = 10_000) -> None:
        if self.dispatcher is not None:
            await self.dispatcher.stop(grace)
            self._end()

    def _end(self) -> None:
        """Whatever happened, all contents were given back: what is not is lost to others."""
        if self.dispatcher is not None:
            assert self.in_use == 0
        self.dispatcher = None

    # Seeing -------------------------------------------------------------------------------------

    async def until(
        self, condition: Callable[[], Any], patience: float = 600.0, step: float = 0.05
    ) -> Any:
        """Lets time pass until the condition holds; `patience` in seconds of the virtual time."""
        end = self.loop.time() + patience
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            assert self.loop.time() < end, f"waited {patience} s in vain"
            await asyncio.sleep(step)

    @property
    def in_use(self) -> float:
        """Bytes of contents that the dispatcher uses."""
        return self.registry.get_sample_value("hookplane_body_bytes_in_use") or 0.0

    @property
    def in_flight(self) -> float:
        """Attempts under way."""
        return self.registry.get_sample_value("hookplane_in_flight") or 0.0

    async def status(self, config: SubscriptionConfig) -> SubscriptionStats:
        return (await self.store.subscription_stats([config.uid]))[0]

    async def until_status(
        self,
        config: SubscriptionConfig,
        condition: Callable[[SubscriptionStats], Any],
        patience: float = 600.0,
        step: float = 0.5,
    ) -> SubscriptionStats:
        async def look() -> SubscriptionStats | None:
            status = await self.status(config)
            return status if condition(status) else None

        return cast(SubscriptionStats, await self.until(look, patience, step))

    async def attempts(self, config: SubscriptionConfig) -> list[AttemptRow]:
        """Oldest first."""
        rows = (await self.store.attempts(Page(limit=10_000), config.uid)).rows
        return sorted(rows, key=lambda row: row.attempt.at)

    async def deliveries(
        self, config: SubscriptionConfig, *states: DeliveryState
    ) -> list[DeliveryRow]:
        return (await self.store.deliveries(Page(limit=10_000), config.uid, frozenset(states))).rows

    async def rows(self, config: SubscriptionConfig) -> tuple[Delivery, ...]:
        """Takes the subscription over and gives what its owner would start from."""
        return (await self.store.claim(config.uid)).deliveries

    def count_calls(self) -> Counter[str]:
        """Of the store, by name, from now on."""
        calls: Counter[str] = Counter()
        self.watched.fail = lambda name, _: calls.update([name])
        return calls

    @property
    def events(self) -> list[str]:
        return [sent.event for sent in self.egress.sent]


def _is_ours(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    file = "" if code is None else code.co_filename
    return "hookplane_dispatcher" in file or file.endswith(("run_forever.py", "operational.py"))


def subscription(
    name: str = "shop", endpoints: tuple[str, ...] = ("orders",), **fields: Any
) -> Any:
    """A config document with a target of its own."""
    given: dict[str, Any] = {
        "uid": name,
        "namespace": "default",
        "name": name,
        "endpoints": endpoints,
        "target": HttpTargetConfig(url=Secret(f"http://{name}.test/"), host=f"{name}.test"),
        "signing": SigningConfig(scheme=SigningScheme.NONE),
        "retry": RetryConfig(schedule=(5_000, 60_000), jitter_percent=0),
    }
    return SubscriptionConfig(**(given | fields))


def url(name: str = "shop") -> str:
    return f"http://{name}.test/"


@asynccontextmanager
async def living(folder: Path, seed: int) -> AsyncIterator[World]:
    """A world with an endpoint `orders`; nothing of it runs on afterwards. The loop that runs must
    be a `VirtualLoop`."""
    loop = cast(VirtualLoop, asyncio.get_running_loop())
    loop.busy += 1
    store = await SQLiteStore.open(folder / "data", VirtualClock(loop))
    loop.busy -= 1
    world = World(loop, store, seed)
    try:
        await world.endpoint("orders")
        yield world
    finally:
        await world.crash()
        loop.busy += 1
        await store.close()
        loop.busy -= 1
