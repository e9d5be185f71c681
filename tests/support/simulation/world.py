"""Three dispatchers, two receivers and an operator, on one store, with targets."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
from hookplane.store.believed_time import BelievedTime
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import DeliveryState, NewReplay
from hookplane.store.event_log import NewEvent
from hookplane.store.maintenance import Retention
from hookplane.store.process_registry import Presence, Role
from hookplane.store.queries import DeliveryRow, Page
from hookplane_dispatcher.dispatcher import Dispatcher
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_dispatcher.transports.http.target import HttpTransport
from support.simulation.account import Account, Violated
from support.simulation.connection import AT_COMMIT, StoreConnection, Weather
from support.simulation.postgres_side import PostgresSide
from support.simulation.processes import SimulatedProcess, SimulationLoop
from support.simulation.reader import key_of
from support.simulation.stores import SimulatedStore, SqliteSide
from support.simulation.targets import EventClass, ProcessEgress, Targets

DISPATCHERS: Final = ("a", "b", "c")
RECEIVERS: Final = ("r", "s")
SQLITE: Final = "sqlite"
POSTGRES: Final = "postgres"
OPERATOR: Final = "operator"
"""It also does what keeps the store within its bounds."""
BODY_BYTES: Final = 1 << 16
"""Contents in a dispatcher's memory: some thirty events."""
TAIL_BYTES: Final = 1 << 13
"""Newest events in a dispatcher's memory, without their contents: some twenty."""
ONE_READ: Final = 1 << 12
"""What a single read may take beyond its budget."""
SPARE_ROWS: Final = 64
"""Of a subscription, besides those that memory is for: what is under way, not flushed, or a page of
a replay."""
PROVIDER_TRIES: Final = 200
"""How often a provider sends a request again that was not answered 2xx."""


class _StrictLog(ActivityLog):
    """A fault of ours in a worker is a violation, though the worker goes on."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def noted(self, subject: str, reason: str, message: str) -> None:
        if reason == "WorkerFailed":
            self._account.fail(f"{subject}: {message}")


@dataclass(frozen=True)
class Edit:
    """What a round of the operator writes."""

    endpoints: tuple[str, ...] = ()
    subscriptions: tuple[SubscriptionConfig, ...] = ()
    deleted: tuple[tuple[ConfigKind, str], ...] = ()
    predecessors: Mapping[str, str] = field(default_factory=dict)
    """Uid of an object that was made again → its former one."""

    def renamed(self, called_now: Callable[[str], str]) -> Edit:
        """Endpoints that were made again are meant by their former uids too."""
        return replace(
            self,
            endpoints=tuple(map(called_now, self.endpoints)),
            subscriptions=tuple(
                x.model_copy(update={"endpoints": tuple(sorted(set(map(called_now, x.endpoints))))})
                for x in self.subscriptions
            ),
            deleted=tuple((kind, called_now(uid)) for kind, uid in self.deleted),
        )

    def change(self, sealer: Sealer) -> ConfigChange:
        """As the store takes it."""
        documents = [(ConfigKind.ENDPOINT, x, _endpoint(x, sealer)) for x in self.endpoints]
        documents += [(ConfigKind.SUBSCRIPTION, x.uid, x.dump(sealer)) for x in self.subscriptions]
        rows = [
            ConfigRow(kind, uid, document, predecessor=self.predecessors.get(uid, ""))
            for kind, uid, document in documents
        ]
        plans = [CursorPlan(x.uid, x.endpoints, x.start_from) for x in self.subscriptions]
        return ConfigChange(tuple(rows), self.deleted, tuple(plans))


def _endpoint(uid: str, sealer: Sealer) -> bytes:
    return EndpointConfig(
        uid=uid,
        namespace="default",
        name=uid,
        path=f"/default/{uid}",
        provider="Generic",
        event_type=Source(value="x"),
    ).dump(sealer)


@dataclass
class RunningDispatcher:
    """A dispatcher's process and what is in it."""

    process: SimulatedProcess
    connection: StoreConnection
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    dispatcher: Dispatcher | None = None
    membership: Membership | None = None


class SimulationWorld:
    """Everything, and what one can do to it."""

    def __init__(
        self, loop: SimulationLoop, folder: Path, seed: int, rows: int, driver: str = SQLITE
    ) -> None:
        """`rows`: of a subscription that a dispatcher has in memory. `driver`: of the store."""
        self.loop = loop
        self._rows = rows
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
        self._driver = driver
        self._ended: list[SimulatedProcess] = []
        self._ids = itertools.count(1)
        self._fresh = itertools.count(1)
        self._under_way: set[asyncio.Task[None]] = set()
        self._config_turn = asyncio.Lock()
        self._side: SimulatedStore
        self.store: Any
        """For the world itself; nothing goes wrong with it."""
        self.account: Account
        self.receivers: list[tuple[SimulatedProcess, StoreConnection]] = []
        self.operator: StoreConnection
        self._keeper: SimulatedProcess
        self._time_of_retention: BelievedTime

    async def open(self) -> None:
        """The store, the receivers and the operator; no dispatcher runs yet."""
        self._side = await self._open_side()
        self.store = self._side.of_process(SimulatedProcess(self.loop, "world"))
        self.account = Account(self._side.view, self.loop, self.targets, self.weather)
        self.targets.on_arrival = self.account.arrived
        self.receivers = [self._connect(name) for name in RECEIVERS]
        self._keeper, self.operator = self._connect(OPERATOR)
        self._time_of_retention = BelievedTime(self._keeper)

    async def _open_side(self) -> SimulatedStore:
        if self._driver == SQLITE:
            return await SqliteSide.open(self._folder, self.weather)
        return PostgresSide(self._folder, self.weather)

    def _connect(self, name: str) -> tuple[SimulatedProcess, StoreConnection]:
        process = SimulatedProcess(self.loop, name)
        return process, StoreConnection(self._side.of_process(process), self.weather, process)

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
        await self._side.close()

    # Config -------------------------------------------------------------------------------------

    async def edit(self, make: Callable[[], Edit]) -> None:
        """What the operator does in one round: one transaction, tried until it is written. `make`
        is called when it is its turn."""
        async with self._config_turn:
            edit = make().renamed(self.account.called_now)
            change = edit.change(self.sealer)
            await self._until_written(lambda: self._write(change))
            self._note(edit)

    async def change(self, uid: str, **fields: Any) -> None:
        """Somebody edits a subscription, if it is still there."""
        await self.edit(lambda: Edit(subscriptions=self._known(uid, fields)))

    def _known(self, uid: str, fields: dict[str, Any]) -> tuple[SubscriptionConfig, ...]:
        config = self.subscriptions.get(self.account.called_now(uid))
        return () if config is None else (config.model_copy(update=fields),)

    def _note(self, edit: Edit) -> None:
        former = set(edit.predecessors.values())
        self.endpoints = [x for x in self.endpoints if x not in former]
        self.subscriptions = {x: y for x, y in self.subscriptions.items() if x not in former}
        self.counts["made again"] += len(former)
        self.endpoints += [x for x in edit.endpoints if x not in self.endpoints]
        self.subscriptions |= {x.uid: x for x in edit.subscriptions}
        for kind, uid in edit.deleted:
            if kind is ConfigKind.SUBSCRIPTION:
                del self.subscriptions[uid]

    async def _write(self, change: ConfigChange) -> None:
        token = AT_COMMIT.set(lambda: self.account.configured(change))
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
            process, connection = self.chance.choice(self.receivers)
            endpoint = self.account.called_now(endpoint)
            event = NewEvent(
                endpoint,
                f"evt_{number:020d}{attempt:06d}",
                process.now(),
                kind,
                (("content-type", "application/json"),),
                body,
                dedup_key=str(number).encode(),
                dedup_window=86_400_000 * 400,
                key=key_of(number, event_class),
            )
            try:
                appended = await connection.append(event)
            except (StoreUnavailable, UnknownObject):
                await asyncio.sleep(self.chance.uniform(0.5, 5))
                continue
            self.account.accepted(number, endpoint, appended.event_id, kind, event_class)
            self.counts["accepted"] += 1
            return

    # Dispatchers --------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """A process that is dead starts again under its name."""
        if name in self.dispatchers and self.dispatchers[name].process.alive:
            return
        running = RunningDispatcher(*self._connect(name))
        running.process.wall_offset = self._offsets[name]
        self.dispatchers[name] = running
        running.process.spawn(self._run(running))

    async def _run(self, running: RunningDispatcher) -> None:
        store: Any = self.account.watch(running.connection, running.process)
        while True:
            with suppress(StoreUnavailable):
                await self._begin(running, store)
                return
            await asyncio.sleep(1)

    async def _begin(self, running: RunningDispatcher, store: Any) -> None:
        process = running.process
        running.registry = CollectorRegistry()

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
            registry=running.registry,
            settings=DispatcherSettings(
                body_bytes=BODY_BYTES, tail_bytes=TAIL_BYTES, rows=self._rows
            ),
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
        self._offsets[name] = self._process(name).wall_offset = offset

    def _process(self, name: str) -> SimulatedProcess:
        lasting = (self._keeper, *(process for process, _ in self.receivers))
        running = self.dispatchers.get(name)
        return running.process if running else next(x for x in lasting if x.name == name)

    def kill(self, name: str) -> None:
        """With SIGKILL."""
        running = self.dispatchers[name]
        if running.process.alive:
            self._end(running.process)
            self.counts["crashes"] += 1

    def _end(self, process: SimulatedProcess) -> None:
        process.kill()
        self._side.ended(process)
        self._ended.append(process)

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
            self._end(running.process)

        running.process.spawn(leave())
        self.counts["stops"] += 1

    # People -------------------------------------------------------------------------------------

    async def replay(self, config: SubscriptionConfig, states: frozenset[DeliveryState]) -> str:
        """Asks for events in some states once more. The uid of the job, which may not be there."""
        uid = self.fresh_name("replay")
        self.account.replayed(config.uid, states)
        job = NewReplay(uid, "default", uid, config.uid, self.weather.now(), states=states)
        with suppress(StoreError):
            await self.operator.create_replay(job)
            self.counts["replays"] += 1
        return uid

    async def cancel(self, replay: str) -> None:
        """As when the object of a replay is deleted: until the store has heard of it."""
        await self._until_written(lambda: self.operator.cancel_replay(replay))
        self.counts["cancelled"] += 1

    async def resume(self, config: SubscriptionConfig) -> None:
        """As `hookplane resume`."""
        with suppress(StoreError):
            await self.operator.request_resume(config.uid)

    async def expire(self, age: Millis, most_bytes: int) -> None:
        """Retention, until nothing is too old or too much."""
        more = True
        while more:
            with suppress(StoreUnavailable):
                retention = Retention(age, age, most_bytes)
                step = await self.operator.expire(retention, self._time_of_retention.now())
                more = step.more
                self.counts["expired"] += step.events
            self.account.retained(age, most_bytes)
            await asyncio.sleep(0.05)

    def fill_disk(self, is_full: bool) -> None:
        """The files of the store cannot grow; what is free in them is still used."""
        self._side.fill_disk(is_full)

    async def deliveries(self, uid: str) -> list[DeliveryRow]:
        """All of a subscription, as a listing shows them page by page."""
        rows: list[DeliveryRow] = []
        before: str | None = ""
        while before is not None:
            page = await self.store.deliveries(Page(1_000, before), uid, frozenset())
            rows += page.rows
            before = page.following
        return rows

    def check(self) -> None:
        """What must hold at any moment. Raises Violated."""
        self.account.check()
        for name, running in self.dispatchers.items():
            if running.process.alive and running.dispatcher is not None:
                self._check_memory(name, running.registry)

    @property
    def holding(self) -> list[str]:
        """The dispatchers that use contents of events, for attempts or otherwise."""
        gauge = "hookplane_body_bytes_in_use"
        return [x for x, y in self.dispatchers.items() if y.registry.get_sample_value(gauge)]

    def _check_memory(self, name: str, registry: CollectorRegistry) -> None:
        for gauge, most in self._budgets().items():
            found = registry.get_sample_value(gauge)
            if found is None or found > most:
                raise Violated(f"{name} has {found} {gauge}, {most} at most")

    def _budgets(self) -> dict[str, int]:
        return {
            "hookplane_body_bytes": BODY_BYTES + ONE_READ,
            "hookplane_tail_bytes": TAIL_BYTES,
            "hookplane_rows_in_memory": len(self.account.readers) * (self._rows + SPARE_ROWS),
        }

    def fresh_name(self, kind: str) -> str:
        """One that nothing had before."""
        return f"{kind}{next(self._fresh)}"

    async def mend(self) -> None:
        """Ends whatever is wrong, and waits until every provider has its answer."""
        self.weather.mend()
        self.targets.trouble.clear()
        self.fill_disk(False)
        for name in (*DISPATCHERS, *RECEIVERS, OPERATOR):
            self.set_clock(name, 0)
        for name in DISPATCHERS:
            self.dispatchers[name].process.go_on()
            self.dispatchers[name].connection.cut_until = 0.0
            self.start(name)
        self.account.hinder()
        await self.edit(lambda: Edit(subscriptions=tuple(map(_awake, self.subscriptions.values()))))
        while self._under_way:
            await asyncio.wait(set(self._under_way))


def _awake(config: SubscriptionConfig) -> SubscriptionConfig:
    return config.model_copy(update={"suspended": False})
