"""A process's place among the others that share its store: registration, heartbeats, and an eye on
the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from hookplane.clock import Clock, Millis
from hookplane.errors import LeaseLost, StoreReplaced, StoreUnavailable
from hookplane.pacing.waiting import Waker
from hookplane.store.liveness import PROOF_SECONDS, Liveness
from hookplane.store.notifications import Notifications, Topic
from hookplane.store.process_registry import LEASE, Member, Presence, ProcessRegistry, Role

BEAT_SECONDS: Final = 2.0
SOONEST_SECONDS: Final = 0.1
"""Between two heartbeats, however much happens."""
AWAY_SECONDS: Final = 0.5
"""Until the store is asked again."""
LOOK_SECONDS: Final = 0.25
"""Between two looks at the others, of those who own something and so must prove that they live."""
SELDOM_SECONDS: Final = 0.5
"""The same of all others, which only have to find in time that their own connection has ended."""
MARGIN: Final[Millis] = 2_000
"""So long before its lease ends a process stops sending: what is on its way may take its time."""
CERTAIN_SECONDS: Final = (LEASE - MARGIN) / 1000
"""How long after the beginning of a heartbeat what is ours is certainly ours."""


class OwnershipGuard(Protocol):
    """Whether, and as whom, this process may own subscriptions."""

    @property
    def process(self) -> int | None:
        """The registration that ownership hangs on; None: this is the only process."""

    def may_send(self) -> bool:
        """False: another process may own by now what was ours."""


class SingleProcess:
    """The only process of its store."""

    process: Final = None

    def may_send(self) -> bool:
        """See OwnershipGuard."""
        return True


class MembershipStore(ProcessRegistry, Notifications, Protocol):
    """What a membership needs of a store."""


class Membership:
    """Registers the process, keeps its lease, knows who else is alive, and ends who is dead.

    Two things must be certain for it to send: that no lease has passed since its last heartbeat,
    and that a look was taken a moment ago, because others take it for dead soon after its
    connection has ended. Both count from the beginning of the call, by the monotonic clock.
    """

    def __init__(
        self,
        store: MembershipStore,
        role: Role,
        instance: str,
        clock: Clock,
        presence: Callable[[], Presence],
    ) -> None:
        """`presence` says at every heartbeat how this process is."""
        self._store = store
        self._role = role
        self.instance = instance
        self._clock = clock
        self._presence = presence
        self._look_seconds = LOOK_SECONDS if role is Role.DISPATCHER else SELDOM_SECONDS
        self._liveness = Liveness()
        self._until = 0.0
        self._proven_until = 0.0
        self._waker = Waker()
        self._task: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] | None = None
        self._members: list[Member] = []
        self._on_members: list[Callable[[], None]] = []
        self._on_certain: list[Callable[[], None]] = []
        self._on_lost: list[Callable[[], None]] = []
        self.process: int | None = None
        """The registration; None before `start` and after `stop`."""

    def listen(
        self,
        *,
        on_members: Callable[[], None] | None = None,
        on_certain: Callable[[], None] | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """Adds listeners; to be called before `start`.

        `on_members`: after every heartbeat that the store took. `on_certain`: `may_send` was False
        for a while and is True again. `on_lost`: this process counts as dead, so what it owned may
        be somebody else's.
        """
        self._on_members += [on_members] if on_members else []
        self._on_certain += [on_certain] if on_certain else []
        self._on_lost += [on_lost] if on_lost else []

    @property
    def members(self) -> Sequence[Member]:
        """Who was alive at the last heartbeat."""
        return self._members

    def ready(self, role: Role) -> list[Member]:
        """Those of a role that do their work, as of the last heartbeat."""
        return [x for x in self._members if x.role is role and x.presence.ready]

    def may_send(self) -> bool:
        """See OwnershipGuard."""
        return self._clock.monotonic() < min(self._until, self._proven_until)

    def beat_soon(self) -> None:
        """Makes the next heartbeat at once, because there is news about this or another process."""
        self._waker.wake()

    async def start(self) -> None:
        """Registers. Raises StoreUnavailable."""
        await self._register()
        self._unlisten = self._store.listen(Topic.PROCESSES, lambda _: self.beat_soon())
        self._task = asyncio.create_task(self._live())
        self.beat_soon()

    async def failed(self) -> None:
        """Never returns; raises what ended heartbeats or looks."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Leaves, so that others go on at once; a store that is away finds out by itself."""
        if self._unlisten is not None:
            self._unlisten()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.process is not None:
            with contextlib.suppress(StoreUnavailable, StoreReplaced):
                await self._store.leave(self.process)
        self.process, self._until = None, 0.0

    async def _live(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_beating())
                tasks.create_task(self._keep_looking())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _keep_beating(self) -> None:
        while True:
            pause = BEAT_SECONDS
            try:
                await self._beat()
            except LeaseLost:
                await self._start_over()
                continue
            except StoreUnavailable:
                pause = AWAY_SECONDS
            await asyncio.sleep(SOONEST_SECONDS)
            await self._waker.wait_until_woken(pause - SOONEST_SECONDS)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._look_seconds)
            with contextlib.suppress(StoreUnavailable):
                await self._look()

    async def _beat(self) -> None:
        assert self.process is not None  # noqa: S101 - `start` registered it
        begun = self._clock.monotonic()
        self._members = await self._store.heartbeat(self.process, self._presence())
        lapsed = not self.may_send()
        self._prolong(begun)
        _call(self._on_members)
        self._tell_certain(lapsed)

    async def _look(self) -> None:
        process, begun = self.process, self._clock.monotonic()
        assert process is not None  # noqa: S101 - `start` registered it
        try:
            sightings = await self._store.look(process)
        except LeaseLost:
            self._proven_until = 0.0
            self.beat_soon()  # which finds the same and starts over
            return
        except StoreUnavailable:
            self._liveness.missed()
            raise
        if process == self.process:
            self._prove(begun)
        dead = self._liveness.judge(begun, self._clock.monotonic(), sightings)
        if dead:
            await self._store.declare_dead(dead)

    def _prove(self, begun: float) -> None:
        lapsed = not self.may_send()
        self._proven_until = begun + PROOF_SECONDS
        self._tell_certain(lapsed)

    def _tell_certain(self, lapsed: bool) -> None:
        if lapsed and self.may_send():
            _call(self._on_certain)

    async def _start_over(self) -> None:
        self._until = 0.0
        _call(self._on_lost)
        while True:
            try:
                await self._register()
                return
            except StoreUnavailable:
                await asyncio.sleep(AWAY_SECONDS)

    async def _register(self) -> None:
        begun = self._clock.monotonic()
        self.process = await self._store.register(self._role, self.instance, self._presence())
        self._prolong(begun)
        await self._look()

    def _prolong(self, begun: float) -> None:
        """From the beginning of the call: others count from a moment after that."""
        self._until = begun + CERTAIN_SECONDS


def _call(listeners: list[Callable[[], None]]) -> None:
    for listener in listeners:
        listener()
