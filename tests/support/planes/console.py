"""A console on a real store, in a thread of its own so that blocking clients can ask it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter

from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.config.subscription import HttpTargetConfig, RetryConfig, SubscriptionConfig
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import (
    Attempt,
    CircuitState,
    Counters,
    Delivery,
    DeliveryState,
    Flush,
    TargetHealth,
)
from hookplane.store.event_log import EndpointReport, NewEvent
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_console.console import Console, SampleSigning
from hookplane_console.trigger import SampleWish, TriggerRefused, TriggerResult
from support.clocks.manual import ManualClock

NOON: Final = 1_795_521_601_000
"""2026-11-24T12:00:01Z."""
ORDERS: Final = "webhookendpoints/default/orders"
SHOP: Final = "webhooksubscriptions/default/shop"
TOP_SECRET: Final = "a-key-that-nobody-may-see"
SEALER: Final = Sealer({"k": bytes(32)}, "k")


def event_id(number: int) -> str:
    return f"evt_{number:026d}"


class RecordingTrigger:
    """Remembers what it was asked for; refuses type `refused`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.wishes: list[SampleWish] = []

    async def __call__(self, endpoint: EndpointConfig, wish: SampleWish) -> TriggerResult:
        self.asked.append((endpoint.name, wish.type))
        self.wishes.append(wish)
        if wish.type == "refused":
            raise TriggerRefused("no sample of this")
        status = 401 if wish.type == "wrong" else 200
        return TriggerResult(wish.type or "order.created", status, '{"id":"…"}', event_id(7))


class RunningConsole:
    """A console, its store, and ways to ask both from the test's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: SQLiteStore) -> None:
        self._loop = loop
        self.store = store
        self.trigger = RecordingTrigger()
        self.registry = CollectorRegistry()
        self.parts = {"receiver": True, "dispatcher": True}
        self.url = ""
        self._closed = False
        Counter("hookplane_test", "A metric.", registry=self.registry).inc()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs in the console's loop."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(30)

    def close_store(self) -> None:
        if not self._closed:
            self._closed = True
            self.run(self.store.close())

    def apply(self, *rows: ConfigRow, cursors: tuple[CursorPlan, ...] = ()) -> None:
        self.run(self.store.apply_config(ConfigChange(upserts=rows, cursors=cursors)))


def endpoint_row(name: str = "orders", namespace: str = "default", **facts: Any) -> ConfigRow:
    uid = f"webhookendpoints/{namespace}/{name}"
    config = EndpointConfig(
        uid=uid,
        namespace=namespace,
        name=name,
        path=f"/{namespace}/{name}",
        provider="StandardWebhooks",
        keys=(Secret(TOP_SECRET),),
        event_type=Source(body_path="type"),
        **facts,
    )
    return ConfigRow(ConfigKind.ENDPOINT, uid, config.dump(SEALER))


def subscription_row(name: str = "shop", namespace: str = "default", **facts: Any) -> ConfigRow:
    uid = f"webhooksubscriptions/{namespace}/{name}"
    config = SubscriptionConfig(
        uid=uid,
        namespace=namespace,
        name=name,
        endpoints=(ORDERS,),
        target=HttpTargetConfig(url=Secret(f"http://shop.test/{TOP_SECRET}"), host="shop.test"),
        retry=RetryConfig(schedule=(5000,)),
        **facts,
    )
    return ConfigRow(ConfigKind.SUBSCRIPTION, uid, config.dump(SEALER))


async def fill(store: SQLiteStore) -> None:
    """Five events: 1 delivered, 2 filtered, 3 retrying, 4 dead, 5 pending; then rejections."""
    rows = (endpoint_row(), subscription_row())
    await store.apply_config(ConfigChange(rows, (), (CursorPlan(SHOP, (ORDERS,)),)))
    for number in range(1, 6):
        await store.append(
            NewEvent(
                endpoint=ORDERS,
                event_id=event_id(number),
                received=NOON - 60_000 + number,
                type="order.created" if number % 2 else "order.paid",
                headers=(("content-type", "application/json"),),
                body=b'{"number":%d,"text":"\xc3\xa4<script>"}' % number,
            )
        )
    claimed = await store.claim(SHOP)
    await store.flush(flush_of(claimed.epoch, claimed.flush_number + 1))
    await store.report_endpoints([REPORT])


REPORT: Final = EndpointReport(
    endpoint=ORDERS,
    duplicates=2,
    rejected={"SignatureMismatch": 3, "TooLarge": 1},
    last_rejected=NOON,
    last_rejected_reason="SignatureMismatch",
    last_rejected_detail="signature does not match (1 key tried)",
)


def flush_of(epoch: int, number: int) -> Flush:
    return Flush(
        subscription=SHOP,
        epoch=epoch,
        number=number,
        cursors={ORDERS: 4},
        upserts=(
            _row(3, DeliveryState.RETRYING, due=NOON + 5000),
            _row(4, DeliveryState.DEAD, due=0),
        ),
        attempts=(
            _attempt(1, success=True, code=200, error=""),
            _attempt(3, success=False, code=503, error="503 Service Unavailable"),
            _attempt(4, success=False, code=0, error="no route to host"),
        ),
        counters=Counters(delivered=1, filtered=1, dead=1, attempts=3, failed_attempts=2),
        state=STATE,
    )


STATE: Final = TargetHealth(
    circuit=CircuitState.CLOSED,
    consecutive_failures=2,
    failing_since=NOON - 2000,
    failed_attempts=2,
    last_success=NOON - 9000,
    last_success_event=event_id(1),
    last_success_code=200,
    last_success_duration=4,
    last_failure=NOON - 1000,
    last_failure_event=event_id(4),
    last_failure_error="no route to host",
    last_failure_attempt=2,
)


def _row(number: int, state: DeliveryState, due: int) -> Delivery:
    return Delivery(
        endpoint=ORDERS,
        sequence=number,
        event_id=event_id(number),
        type="order.created" if number % 2 else "order.paid",
        state=state,
        attempts=2,
        due=due,
        deadline=NOON + 10_000,
        status_code=503 if number == 3 else 0,
        error="503 Service Unavailable" if number == 3 else "no route to host",
    )


def _attempt(number: int, *, success: bool, code: int, error: str) -> Attempt:
    return Attempt(
        endpoint=ORDERS,
        sequence=number,
        event_id=event_id(number),
        at=NOON - 10_000 + number,
        number=1,
        duration=4,
        success=success,
        status_code=code,
        error=error,
        answer=b"busy \xff" if code == 503 else b"",
    )


@contextmanager
def running_console(folder: Path, *, may_sign: bool = True) -> Iterator[RunningConsole]:
    """A console over a filled store."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with _started(loop, folder, may_sign=may_sign) as running:
            yield running
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def _started(
    loop: asyncio.AbstractEventLoop, folder: Path, *, may_sign: bool
) -> Iterator[RunningConsole]:
    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    store = run(SQLiteStore.open(folder, ManualClock(NOON)))
    running = RunningConsole(loop, store)
    console = Console(
        store=store,
        clock=ManualClock(NOON),
        registry=running.registry,
        listen="127.0.0.1:0",
        health=lambda: running.parts,
        signing=SampleSigning(SEALER, running.trigger) if may_sign else None,
        receiver_url="http://127.0.0.1:8080",
    )
    try:
        run(fill(store))
        running.url = run(console.start())
        yield running
    finally:
        run(console.stop())
        running.close_store()
