"""The leader's jobs, each on a gateway that is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from prometheus_client import CollectorRegistry

from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.partitions import AHEAD
from hookplane_operator.gateways.default import DefaultGatewayKeeper
from hookplane_operator.gateways.reconcile import Gateways
from hookplane_operator.gateways.user_objects import UserObjects
from hookplane_operator.metrics import Metrics
from hookplane_operator.queue import WorkQueue
from hookplane_operator.routing import JobKind, Task
from hookplane_operator.settings import DefaultGateway, OperatorSettings, Scope
from hookplane_operator.state.runtime import GatewayRuntime
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.writer import StatusWriter
from hookplane_operator.watch.watcher import Watcher
from hookplane_operator.work import Jobs
from support.clocks.until import until
from support.planes.gateway_store import Place, place

SETTINGS = OperatorSettings(
    image="hookplane:test", default_gateway=DefaultGateway(enabled=False, name="usual")
)
SCOPE = Scope(own="system", gateways=("system",), user_namespaces=())
NOBODY = cast(Any, None)
"""For parts that the job under test does not use."""


@asynccontextmanager
async def leading(made: Place, runtime: GatewayRuntime, job: JobKind) -> AsyncIterator[None]:
    """The leader works on this gateway, which was just opened, but does only one kind of job."""
    metrics = Metrics(CollectorRegistry())

    async def work(task: Task) -> float | None:
        return await jobs.work_on(task) if task.job is job else None

    queue = WorkQueue[Task](work, str, metrics)
    user_objects = UserObjects(made.objects, SETTINGS, SCOPE)
    gateways = Gateways(
        kube=made.kube,
        objects=made.objects,
        settings=SETTINGS,
        scope=SCOPE,
        clock=made.clock,
        cluster="cluster",
        term=lambda: 1,
        opened=lambda _: None,
        closed=lambda _: None,
        has=NOBODY,
    )
    gateways.runtimes[runtime.name] = runtime
    writer = StatusWriter(made.kube, made.objects, metrics, lambda *_: None)
    jobs = Jobs(
        user_objects=user_objects,
        gateways=gateways,
        configurator=made.configurator,
        sweeper=NOBODY,
        default=DefaultGatewayKeeper(made.kube, made.objects, SETTINGS, SCOPE),
        collector=Collector(made.objects, writer, made.clock, gateways.facts.get, lambda _: None),
        watcher=Watcher(
            made.kube,
            made.objects,
            SCOPE,
            lambda *_: None,
            lambda _: None,
            lambda: None,
            secrets=False,
        ),
        router=NOBODY,
        queue=queue,
        clock=made.clock,
        leads=lambda: True,
    )
    working = asyncio.create_task(queue.run())
    jobs.gateway_opened(runtime)
    try:
        yield
    finally:
        jobs.gateway_closed(runtime.name)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def partitions(made: Place) -> list[str]:
    """Those of events."""
    async with made.store.connections.use(Purpose.OTHER) as db:
        rows = await db.fetch(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'event'::regclass"
        )
    return [row[0] for row in rows]


async def test_the_next_partitions_are_made_without_any_dispatcher() -> None:
    async with place() as made:
        runtime = await made.opened()
        async with made.store.connections.use(Purpose.OTHER) as db:
            for name in await partitions(made):
                await db.execute(f"drop table {name}")
        async with leading(made, runtime, JobKind.PARTITIONS):

            async def are_there() -> bool:
                return len(await partitions(made)) == AHEAD + 1

            await until(are_there, "the partitions of this era and the next ones")
