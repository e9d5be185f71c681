"""The dispatcher: follows the config and runs a lane for every subscription."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock, Millis
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.follow import ConfigFollower
from hookplane.journal import Journal
from hookplane.operational import Notices
from hookplane.sealing import Sealer
from hookplane.store.model import ConfigKind
from hookplane.store.protocol import Store, Topic
from hookplane_dispatcher.bodies import Bodies
from hookplane_dispatcher.egress.client import EgressClient
from hookplane_dispatcher.lane.lane import Lane
from hookplane_dispatcher.logs import Logs
from hookplane_dispatcher.meters import Meters
from hookplane_dispatcher.sender import Sender
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_dispatcher.shared import Shared
from hookplane_dispatcher.teller import Teller


class Dispatcher:
    """Delivers everything that its store holds for its subscriptions."""

    def __init__(
        self,
        *,
        store: Store,
        sealer: Sealer,
        egress: EgressClient,
        clock: Clock,
        random: Random,
        journal: Journal,
        registry: CollectorRegistry,
        settings: DispatcherSettings | None = None,
        notices: Notices | None = None,
    ) -> None:
        settings = settings or DispatcherSettings()
        meters = Meters(registry)
        self._store = store
        self._names: dict[str, tuple[str, str]] = {}
        bodies = Bodies(store, self._name_of, settings.body_bytes, settings.readers)
        meters.body_bytes.set_function(lambda: bodies.used)
        self._shared = Shared(
            store=store,
            sender=Sender(egress, clock),
            clock=clock,
            random=random,
            journal=journal,
            logs=Logs(store, settings.poll, settings.readers),
            bodies=bodies,
            meters=meters,
            teller=Teller(store, clock, notices or Notices()),
            settings=settings,
        )
        self._follower = ConfigFollower(store, sealer, self._apply)
        self._following: asyncio.Task[None] | None = None
        self._lanes: dict[str, Lane] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._unlisten: list[Callable[[], None]] = []
        self.ready = False
        """All configuration is loaded and being served."""

    @property
    def version(self) -> int:
        """The config version in force."""
        return self._follower.version

    @property
    def refused(self) -> dict[str, str]:
        """Uid → why its newest document was not taken."""
        return self._follower.refused

    async def start(self) -> None:
        """Loads the config and begins. Raises StoreUnavailable."""
        logs = self._shared.logs
        self._unlisten = [
            self._store.listen(Topic.EVENTS, logs.nudge),
            self._store.listen(Topic.SUBSCRIPTION, self._look),
        ]
        await self._follower.load()
        self._following = asyncio.create_task(self._follower.run())
        self.ready = True

    async def stop(self, grace: Millis) -> None:
        """Starts nothing more, waits at most `grace` for what is under way, writes it down."""
        self.ready = False
        for unlisten in self._unlisten:
            unlisten()
        await _end([self._following] if self._following else [])
        for lane in self._lanes.values():
            lane.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace / 1000)
        await _end(list(self._tasks))
        await self._shared.logs.close()
        await self._shared.teller.close()

    def _look(self, subscription: str) -> None:
        if (lane := self._lanes.get(subscription)) is not None:
            lane.look_soon()

    def _name_of(self, endpoint: str) -> tuple[str, str]:
        return self._names.get(endpoint, ("", endpoint))

    def _apply(self, kind: ConfigKind, uid: str, document: Document | None) -> None:
        if isinstance(document, EndpointConfig):
            self._names[uid] = (document.namespace, document.name)
        elif isinstance(document, SubscriptionConfig):
            self._configure(document)
        elif kind is ConfigKind.SUBSCRIPTION and uid in self._lanes:
            self._lanes[uid].stop()

    def _configure(self, config: SubscriptionConfig) -> None:
        lane = self._lanes.get(config.uid)
        if lane is not None and not lane.stopping:
            lane.configure(config)
            return
        lane = self._lanes[config.uid] = Lane(self._shared, config)
        task = asyncio.create_task(lane.run(), name=f"lane {config.uid}")
        self._tasks[task] = config.uid
        task.add_done_callback(lambda done: self._ended(done, lane))

    def _ended(self, task: asyncio.Task[None], lane: Lane) -> None:
        uid = self._tasks.pop(task)
        if self._lanes.get(uid) is lane:
            del self._lanes[uid]
            lane.forget()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
