"""Three dispatchers, two receivers and an operator, on one store, with targets."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from hookplane.clock import Millis
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.config.subscription import HttpTargetConfig, SubscriptionConfig
from hookplane.errors import StoreError, StoreUnavailable, UnknownObject
from hookplane.process.membership import Membership
from hookplane.reporting.activity import ActivityLog
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import DeliveryState, NewReplay
from hookplane.store.event_log import NewEvent
from hookplane.store.process_registry import Presence, Role
from hookplane.store.sqlite.connection import connect_reader
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_dispatcher.dispatcher import Dispatcher
from hookplane_dispatcher.transports.http.target import HttpTransport
from support.simulation.account import Account
from support.simulation.connection import AT_COMMIT, StoreConnection, Weather, make_inline
from support.simulation.processes import SimulatedProcess, SimulationLoop
from support.simulation.targets import EventClass, ProcessEgress, Targets

DISPATCHERS: Final = ("a", "b", "c")
RECEIVERS: Final = ("r", "s")
PROVIDER_TRIES: Final = 200
"""How often a provider sends a request again that was not answered 2xx."""


class _StrictLog(ActivityLog):
    """A fault of ours in a worker is a violation, though the worker goes on."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def noted(self, subject: str, reason: str, message: str) -> None:
        if reason == "WorkerFailed":
            self._account.fail(f"{subject}: {message}")


@dataclass
class RunningDispatcher:
    """A dispatcher's process and what is in it."""

    process: SimulatedProcess
    connection: StoreConnection
    dispatcher: Dispatcher | None = None
    membership: Membership | None = None


class SimulationWorld:
    """Everything, and what one can do to it."""

    def __init__(self, loop: SimulationLoop, folder: Path, seed: int) -> None:
        self.loop = loop
        self.chance = random.Random(seed)
        self.weather = Weather(loop, self.chance)
        self.targets = Targets(loop)
        self.sealer = Sealer({"a": bytes(32)}, "a")
        self.subscriptions: dict[str, SubscriptionConfig] = {}
        self.endpoints: list[str] = []
        self.dispatchers: dict[str, RunningDispatcher] = {}
        self.counts: Counter[str] = Counter()
        self._offsets: Counter[str] = Counter()
        """How wrong the wall clock of each machine is."""
        self._folder = folder
        self._ended: list[SimulatedProcess] = []
        self._ids = itertools.count(1)
        self._fresh = itertools.count(1)
        self._under_way: set[asyncio.Task[None]] = set()
        self._config_turn = asyncio.Lock()
        self.store: Any = None
        self.account: Account
        self.receivers: dict[str, tuple[SimulatedProcess, StoreConnection]] = {}
        self.operator: StoreConnection

    async def open(self) -> None:
        """The store, the receivers and the operator; no dispatcher runs yet."""
        self.store = await SQLiteStore.open(
            self._folder, self.weather, make_worker=make_inline(self.weather)
        )
        reader = connect_reader(self._folder / "hookplane.db")
        self.account = Account(reader, self.loop, self.targets, self.weather)
        self.targets.on_arrival = self.account.arrived
        for name in RECEIVERS:
            process = SimulatedProcess(self.loop, name)
            self.receivers[name] = process, StoreConnection(self.store, self.weather, process)
        operator = SimulatedProcess(self.loop, "operator")
        self.operator = StoreConnection(self.store, self.weather, operator)

    async def close(self) -> None:
        """Ends every process and the store."""
        for running in self.dispatchers.values():
            running.process.kill()
        ended = [*self._ended, *(x.process for x in self.dispatchers.values())]
        self.weather.away_until, self.weather.away_silently = 1e18, False
        for process in ended:
            await process.bury()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.store.close()
        self.account.close()

    # Config -------------------------------------------------------------------------------------

    async def configure(
        self,
        *,
        endpoints: tuple[str, ...] = (),
        subscriptions: tuple[SubscriptionConfig, ...] = (),
        deleted: tuple[str, ...] = (),
    ) -> None:
        """What the operator does in one round: one transaction, tried until it is written."""
        async with self._config_turn:
            await self._configure(endpoints, subscriptions, deleted)

    async def change(self, uid: str, **fields: Any) -> None:
        """Somebody edits a subscription, if it is still there."""
        async with self._config_turn:
            if (config := self.subscriptions.get(uid)) is not None:
                await self._configure((), (config.model_copy(update=fields),), ())

    async def _configure(
        self,
        endpoints: tuple[str, ...],
        subscriptions: tuple[SubscriptionConfig, ...],
        deleted: tuple[str, ...],
    ) -> None:
        rows = [ConfigRow(ConfigKind.ENDPOINT, x, self._endpoint(x)) for x in endpoints]
        rows += [
            ConfigRow(ConfigKind.SUBSCRIPTION, x.uid, x.dump(self.sealer)) for x in subscriptions
        ]
        plans = tuple(CursorPlan(x.uid, x.endpoints, x.start_from) for x in subscriptions)
        gone = tuple((ConfigKind.SUBSCRIPTION, uid) for uid in deleted)
        change = ConfigChange(tuple(rows), gone, plans)
        await self._until_written(lambda: self._write(change))
        self.endpoints += [x for x in endpoints if x not in self.endpoints]
        self.subscriptions |= {x.uid: x for x in subscriptions}
        for uid in deleted:
            self.subscriptions.pop(uid, None)

    async def _write(self, change: ConfigChange) -> None:
        def committed(db: sqlite3.Connection) -> None:
            self.account.configured(db, change)

        token = AT_COMMIT.set(committed)
        try:
            await self.operator.apply_config(change)
        finally:
            AT_COMMIT.reset(token)

    async def _until_written(self, write: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await write()
                return
            except StoreUnavailable:
                await asyncio.sleep(1)

    def _endpoint(self, uid: str) -> bytes:
        return EndpointConfig(
            uid=uid,
            namespace="default",
            name=uid,
            path=f"/default/{uid}",
            provider="Generic",
            event_type=Source(value="x"),
        ).dump(self.sealer)

    # Events -------------------------------------------------------------------------------------

    def publish(self, endpoint: str, kind: str, event_class: EventClass) -> None:
        """A provider sends an event, and again until it is answered."""
        number = next(self._ids)
        task = self.loop.create_task(self._provide(number, endpoint, kind, event_class))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _provide(
        self, number: int, endpoint: str, kind: str, event_class: EventClass
    ) -> None:
        body = json.dumps({"n": number, "class": event_class}).encode()
        for attempt in range(PROVIDER_TRIES):
            process, connection = self.receivers[self.chance.choice(RECEIVERS)]
            event = NewEvent(
                endpoint,
                f"evt_{number:020d}{attempt:06d}",
                process.now(),
                kind,
                (("content-type", "application/json"),),
                body,
                dedup_key=str(number).encode(),
                dedup_until=process.now() + 86_400_000 * 400,
            )
            try:
                appended = await connection.append(event)
            except (StoreUnavailable, UnknownObject):
                await asyncio.sleep(self.chance.uniform(0.5, 5))
                continue
            self.account.accepted(endpoint, appended.event_id, kind, event_class)
            self.counts["accepted"] += 1
            return

    # Dispatchers --------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """A process that is dead starts again under its name."""
        if name in self.dispatchers and self.dispatchers[name].process.alive:
            return
        process = SimulatedProcess(self.loop, name)
        process.wall_offset = self._offsets[name]
        running = RunningDispatcher(process, StoreConnection(self.store, self.weather, process))
        self.dispatchers[name] = running
        process.spawn(self._run(running))

    async def _run(self, running: RunningDispatcher) -> None:
        store: Any = self.account.watch(running.connection, running.process)
        while True:
            with suppress(StoreUnavailable):
                await self._begin(running, store)
                return
            await asyncio.sleep(1)

    async def _begin(self, running: RunningDispatcher, store: Any) -> None:
        process = running.process

        def presence() -> Presence:
            ready = running.dispatcher is not None and running.dispatcher.ready
            return Presence(ready=ready, version=0)

        membership = Membership(store, Role.DISPATCHER, process.name, process, presence)
        dispatcher = Dispatcher(
            store=store,
            sealer=self.sealer,
            transports={
                HttpTargetConfig: HttpTransport(ProcessEgress(self.targets, process), process)
            },
            clock=process,
            random=self.chance,
            activity=_StrictLog(self.account),
            registry=CollectorRegistry(),
            membership=membership,
        )
        await membership.start()
        try:
            await dispatcher.start()
        except StoreUnavailable:
            await membership.stop()
            raise
        running.dispatcher, running.membership = dispatcher, membership

    def set_clock(self, name: str, offset: Millis) -> None:
        """Of the machine: a process that starts on it again has the same clock."""
        self.counts["jumps"] += offset != self._offsets[name]
        self._offsets[name] = self.dispatchers[name].process.wall_offset = offset

    def kill(self, name: str) -> None:
        """With SIGKILL."""
        running = self.dispatchers[name]
        if running.process.alive:
            running.process.kill()
            self._ended.append(running.process)
            self.counts["crashes"] += 1

    async def stop(self, name: str) -> None:
        """With SIGTERM: it leaves in order, unless somebody kills it meanwhile."""
        running = self.dispatchers[name]
        if not running.process.running or running.dispatcher is None:
            return
        dispatcher, membership = running.dispatcher, running.membership

        async def leave() -> None:
            with suppress(StoreError):
                await dispatcher.stop(10_000)
            if membership is not None:
                await membership.stop()
            running.process.kill()
            self._ended.append(running.process)

        running.process.spawn(leave())
        self.counts["stops"] += 1

    # People -------------------------------------------------------------------------------------

    async def replay(self, config: SubscriptionConfig) -> None:
        """Asks for what is dead or retrying once more."""
        uid = self.fresh_name("replay")
        states = frozenset({DeliveryState.DEAD, DeliveryState.RETRYING})
        job = NewReplay(uid, "default", uid, config.uid, self.weather.now(), states=states)
        with suppress(StoreError):
            await self.operator.create_replay(job)
            self.counts["replays"] += 1

    async def resume(self, config: SubscriptionConfig) -> None:
        """As `hookplane resume`."""
        with suppress(StoreError):
            await self.operator.request_resume(config.uid)

    def fresh_name(self, kind: str) -> str:
        """One that nothing had before."""
        return f"{kind}{next(self._fresh)}"

    async def mend(self) -> None:
        """Ends whatever is wrong, and waits until every provider has its answer."""
        self.weather.mend()
        self.targets.trouble.clear()
        for name in DISPATCHERS:
            self.set_clock(name, 0)
            self.dispatchers[name].process.go_on()
            self.dispatchers[name].connection.cut_until = 0.0
            self.start(name)
        self.account.hinder()
        for uid in list(self.subscriptions):
            await self.change(uid, suspended=False)
        while self._under_way:
            await asyncio.wait(set(self._under_way))
