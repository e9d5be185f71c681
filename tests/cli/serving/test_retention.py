"""Old events go by themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry

from hookplane.clock import Millis
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.errors import StoreUnfit
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.event_log import NewEvent
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_cli.serving.retention import enforce_retention
from support.clocks.manual import ManualClock
from support.clocks.until import until
from support.planes.compiled import NOW
from support.planes.store import DAY

ENDPOINT = EndpointConfig(
    uid="e", namespace="d", name="e", path="/d/e", provider="X", event_type=Source(value="x")
)

READER = ConfigChange(
    upserts=(ConfigRow(ConfigKind.SUBSCRIPTION, "s", b"{}"),), cursors=(CursorPlan("s", ("e",)),)
)


async def until_stored(store: SQLiteStore, count: int) -> None:
    async def holds() -> bool:
        (status,) = await store.endpoint_stats(["e"])
        return status.stored == count

    await until(holds, f"{count} stored events")


class Refusing(SQLiteStore):
    """Refuses to remove anything, as a database does whose rights were taken away."""

    refusals = 0

    async def expire(self, retention: Retention, now: Millis) -> Expired:
        if self.refusals > 0:
            self.refusals -= 1
            raise StoreUnfit("permission denied for table event")
        return await super().expire(retention, now)


def event_of(time: Millis) -> NewEvent:
    return NewEvent("e", f"evt_{time:026}", time, "x", (), b"{}")


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


async def test_retention_at_work(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    store = await SQLiteStore.open(tmp_path, clock)
    document = ENDPOINT.dump(Sealer({"k": bytes(32)}, "k"))
    await store.apply_config(ConfigChange((ConfigRow(ConfigKind.ENDPOINT, "e", document),)))
    await store.apply_config(READER)
    for pause in (0, 1_000, 8_998, 1, 1):
        clock.advance(pause)
        await store.append(event_of(clock.now()))
    registry = CollectorRegistry()
    task = asyncio.create_task(
        enforce_retention(store, Retention(5_000, 5_000, 4), clock, registry)
    )
    await until_stored(store, 2)
    await until(lambda: value(registry, "hookplane_expired_total") == 3, "the events to go")
    assert value(registry, "hookplane_retention_events_total", reason="age") == 2
    assert value(registry, "hookplane_retention_events_total", reason="size") == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()


class Watched:
    """A store that tells by which time it was asked to expire."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[int] = asyncio.Queue()

    async def expire(self, _retention: Retention, now: int) -> Expired:
        await self.asked.put(now)
        return Expired(more=True)


async def test_a_clock_that_jumps_removes_nothing() -> None:
    clock, store = ManualClock(NOW), Watched()
    keep = Retention(DAY, DAY, 1 << 40)
    task = asyncio.create_task(enforce_retention(store, keep, clock, CollectorRegistry()))
    assert await store.asked.get() == NOW
    clock.shift = 8 * DAY
    assert await store.asked.get() == NOW
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_retention_goes_on_when_it_may_again(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    store = await Refusing.open(tmp_path, clock)
    assert isinstance(store, Refusing)
    store.refusals = 1
    registry = CollectorRegistry()
    document = ENDPOINT.dump(Sealer({"k": bytes(32)}, "k"))
    await store.apply_config(ConfigChange((ConfigRow(ConfigKind.ENDPOINT, "e", document),)))
    await store.append(event_of(clock.now()))
    clock.advance(10_000)
    task = asyncio.create_task(
        enforce_retention(store, Retention(5_000, 5_000, 4), clock, registry)
    )
    await until_stored(store, 0)
    assert value(registry, "hookplane_retention_failures_total") == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
