"""The leader's jobs, each on a gateway that is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from prometheus_client import CollectorRegistry

from hookplane.store.operator_store import WriterFence
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.partitions import AHEAD
from hookplane_operator.gateways.default import DefaultGatewayKeeper
from hookplane_operator.gateways.reconcile import Gateways
from hookplane_operator.gateways.user_objects import UserObjects
from hookplane_operator.kube.cluster import ClusterIdentity
from hookplane_operator.metrics import Metrics
from hookplane_operator.queue import WorkQueue
from hookplane_operator.routing import JobKind, Task
from hookplane_operator.settings import DefaultGateway, OperatorSettings, Scope
from hookplane_operator.state.runtime import GatewayRuntime
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.writer import StatusWriter
from hookplane_operator.watch.knowledge import Knowledge
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
async def at_work(
    made: Place,
    runtime: GatewayRuntime,
    job: JobKind,
    metrics: Metrics | None = None,
    *,
    leads: bool = True,
) -> AsyncIterator[None]:
    """A replica works on this gateway, which was just opened, but does only one kind of job."""
    metrics = metrics or Metrics(CollectorRegistry())

    async def work(task: Task) -> float | None:
        return await jobs.work_on(task) if task.job is job else None

    queue = WorkQueue[Task](work, str, metrics)
    user_objects = UserObjects(made.objects, SETTINGS, SCOPE)
    gateways = Gateways(
        kube=made.kube,
        objects=made.objects,
        settings=SETTINGS,
        scope=SCOPE,
        metrics=metrics,
        clock=made.clock,
        cluster=ClusterIdentity(made.kube, "shop"),
        fence=lambda owner: WriterFence(owner, 1, "a"),
        outbid=lambda _: None,
        opened=lambda _: None,
        closed=lambda _: None,
        has=NOBODY,
    )
    gateways.runtimes[runtime.name] = runtime
    knowledge = Knowledge(metrics, made.clock)
    told = made.objects.answered
    writer = StatusWriter(made.kube, made.objects, metrics, told, lambda *_: None, lambda *_: None)
    jobs = Jobs(
        user_objects=user_objects,
        gateways=gateways,
        configurator=made.configurator,
        sweeper=NOBODY,
        default=DefaultGatewayKeeper(made.kube, made.objects, SETTINGS, SCOPE),
        collector=Collector(
            made.objects,
            writer,
            made.clock,
            gateways.facts.get,
            knowledge.judge,
            lambda _: None,
            lambda *_: None,
        ),
        watcher=Watcher(
            made.kube,
            SCOPE,
            lambda *_: None,
            lambda: None,
            knowledge,
            lambda: None,
            secrets=False,
        ),
        router=NOBODY,
        queue=queue,
        clock=made.clock,
        leads=lambda: leads,
        failed=lambda: None,
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
        async with at_work(made, runtime, JobKind.PARTITIONS):

            async def are_there() -> bool:
                return len(await partitions(made)) == AHEAD + 1

            await until(are_there, "the partitions of this era and the next ones")


async def test_who_does_not_lead_any_more_tells_no_trouble_of_gateways() -> None:
    registry = CollectorRegistry()
    metrics, label = Metrics(registry), {"gateway": "shop/default"}
    told = ("children_refused", "sweep_blocked", "keys_lost")
    names = [f"hookplane_operator_{x}" for x in told]
    metrics.gateways.refused.labels(**label).set(2)
    metrics.gateways.blocked.labels(**label).set(12)
    metrics.gateways.keys_lost.labels(**label).set(3)
    async with place() as made:
        runtime = await made.opened()
        async with at_work(made, runtime, JobKind.PARTITIONS, metrics, leads=False):

            async def is_over() -> bool:
                return all(registry.get_sample_value(x, label) is None for x in names)

            await until(is_over, "no trouble to be told")
