"""The dispatcher: follows the config and runs a lane for every subscription."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final

from prometheus_client import CollectorRegistry

from hookplane.activity import ActivityLog
from hookplane.clock import Clock, Millis
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.follow import ConfigFollower
from hookplane.membership import Membership, SingleProcess
from hookplane.operational import Notices
from hookplane.rendezvous import owner_of
from hookplane.run_forever import run_forever
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigKind
from hookplane.store.notifications import Topic
from hookplane.store.process_registry import Role
from hookplane.store.protocol import Store
from hookplane_dispatcher.bodies import Bodies
from hookplane_dispatcher.egress.client import EgressClient
from hookplane_dispatcher.lane.lane import Lane
from hookplane_dispatcher.logs import Logs
from hookplane_dispatcher.meters import Meters
from hookplane_dispatcher.sender import Sender
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_dispatcher.shared import Shared
from hookplane_dispatcher.teller import Teller

CLAIMS: Final = 16
"""Under way at once."""


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
        activity: ActivityLog,
        registry: CollectorRegistry,
        settings: DispatcherSettings | None = None,
        notices: Notices | None = None,
        membership: Membership | None = None,
    ) -> None:
        """`membership`: its place among other dispatchers, started by the caller; None: it is the
        only one."""
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
            activity=activity,
            logs=Logs(store, settings.poll, settings.readers),
            bodies=bodies,
            meters=meters,
            teller=Teller(store, clock, notices or Notices()),
            settings=settings,
            ownership=membership or SingleProcess(),
            claims=asyncio.Semaphore(CLAIMS),
        )
        self._membership = membership
        if membership is not None:
            membership.on_members = self._share
            membership.on_certain = self._wake
            membership.on_lost = self._abandon
        self._configs: dict[str, SubscriptionConfig] = {}
        self._peers: frozenset[str] = frozenset()
        self._follower = ConfigFollower(store, sealer, self._apply, self._loaded)
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
        """Uid → why its newest document was not taken, or nothing can be sent as it says."""
        return self._follower.refused | self._shared.flaws

    async def start(self) -> None:
        """Loads the config and begins. Raises StoreUnavailable."""
        logs = self._shared.logs
        self._unlisten = [
            self._store.listen(Topic.EVENTS, logs.nudge),
            self._store.listen(Topic.SUBSCRIPTION, self._look),
        ]
        await self._follower.load()
        self._following = asyncio.create_task(run_forever("configuration", self._follower.run))
        self.ready = True
        self._loaded()

    async def stop(self, grace: Millis) -> None:
        """Starts nothing more, waits at most `grace` for what is under way, writes it down, and
        releases what it owns."""
        self.ready = False
        if self._membership is not None:
            self._membership.beat_soon()
        for unlisten in self._unlisten:
            unlisten()
        await _end([self._following] if self._following else [])
        for lane in self._lanes.values():
            lane.stop(leaving=True)
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
        elif kind is ConfigKind.SUBSCRIPTION:
            self._configs.pop(uid, None)
            self._stop_lane(uid)

    def _loaded(self) -> None:
        """The others should know which version is in force here."""
        if self._membership is not None:
            self._membership.beat_soon()

    # Sharing with other dispatchers -------------------------------------------------------------

    def _share(self) -> None:
        """Lets go of what is another's by now, takes what has become ours."""
        if not self.ready:
            return
        peers = self._live()
        if peers != self._peers:
            self._peers = peers
            for config in self._configs.values():
                self._place(config)

    def _wake(self) -> None:
        """What did not start while this process was not certain of what it owns may start now."""
        for lane in self._lanes.values():
            lane.wake()

    def _live(self) -> frozenset[str]:
        if self._membership is None:
            return frozenset()
        return frozenset(member.instance for member in self._membership.ready(Role.DISPATCHER))

    def _place(self, config: SubscriptionConfig) -> None:
        if not self._owns(config.uid):
            self._stop_lane(config.uid)
        elif not self._is_served(config.uid):
            self._configure(config)

    def _is_served(self, uid: str) -> bool:
        lane = self._lanes.get(uid)
        return lane is not None and not lane.stopping

    def _owns(self, uid: str) -> bool:
        membership = self._membership
        if membership is None:
            return True
        return owner_of(uid, self._peers) == membership.instance

    def _abandon(self) -> None:
        """Nothing of it is ours any more, and nothing may be written: another may have it."""
        for task in self._tasks:
            task.cancel()
        for lane in self._lanes.values():
            lane.forget()
        self._lanes.clear()
        self._peers = frozenset()

    # Lanes --------------------------------------------------------------------------------------

    def _stop_lane(self, uid: str) -> None:
        if (lane := self._lanes.get(uid)) is not None:
            lane.stop()

    def _configure(self, config: SubscriptionConfig) -> None:
        self._configs[config.uid] = config
        if not self._owns(config.uid):
            return
        lane = self._lanes.get(config.uid)
        if lane is not None and not lane.stopping:
            lane.configure(config)
            return
        before = [task for task, uid in self._tasks.items() if uid == config.uid] if lane else []
        lane = self._lanes[config.uid] = Lane(self._shared, config)
        task = asyncio.create_task(_run(lane, before), name=f"lane {config.uid}")
        self._tasks[task] = config.uid
        task.add_done_callback(lambda done: self._ended(done, lane))

    def _ended(self, task: asyncio.Task[None], lane: Lane) -> None:
        uid = self._tasks.pop(task)
        if self._lanes.get(uid) is lane:
            del self._lanes[uid]
            lane.forget()


async def _run(lane: Lane, before: list[asyncio.Task[None]]) -> None:
    """After its predecessors here have finished: a claim would take from them what is under way."""
    if before:
        await asyncio.wait(before)
    await lane.run()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
