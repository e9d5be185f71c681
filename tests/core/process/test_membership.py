"""What a process makes of its heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hookplane.clock import SystemClock
from hookplane.errors import LeaseLost, StoreReplaced, StoreUnavailable
from hookplane.process.membership import (
    CERTAIN_SECONDS,
    LOOK_SECONDS,
    SOONEST_SECONDS,
    Membership,
    SingleProcess,
)
from hookplane.store.liveness import CONFIRM_SECONDS, PROOF_SECONDS
from hookplane.store.notifications import Topic
from hookplane.store.process_registry import LEASE, Member, Presence, Role, Sighting
from hookplane.store.protocol import Store
from support.clocks.manual import ManualClock
from support.clocks.until import until
from support.clocks.virtual import VirtualClock, VirtualLoop
from support.planes.store import open_sqlite


class Faulty:
    """A store whose next heartbeats fail as told."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.errors: list[Exception] = []
        self.look_errors: list[Exception] = []
        self.gone: set[int] = set()
        """Registrations whose connection is to be seen as ended."""
        self.listening = 0
        """Listeners that have not stopped."""
        self.registered = 0
        self.beats: list[float] = []
        """When each heartbeat that worked began."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def listen(self, topic: Topic, callback: Callable[[str], None]) -> Callable[[], None]:
        stop = self._store.listen(topic, callback)
        self.listening += 1

        def stopped() -> None:
            self.listening -= 1
            stop()

        return stopped

    async def heartbeat(self, process: int, presence: Presence) -> list[Member]:
        if self.errors:
            raise self.errors.pop(0)
        begun = asyncio.get_running_loop().time()
        members = await self._store.heartbeat(process, presence)
        self.beats.append(begun)
        return members

    async def look(self, process: int) -> list[Sighting]:
        if self.look_errors:
            raise self.look_errors.pop(0)
        found = await self._store.look(process)
        return [replace(x, gone=x.process in self.gone) for x in found]

    async def register(self, role: Role, instance: str, presence: Presence) -> int:
        self.registered += 1
        return await self._store.register(role, instance, presence)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Faulty]:
    async with open_sqlite(tmp_path, SystemClock()) as opened:
        yield Faulty(opened)


def join(store: Any, name: str = "a", clock: Any = None) -> Membership:
    presence = Presence(ready=True, version=1)
    return Membership(store, Role.DISPATCHER, name, clock or SystemClock(), lambda: presence)


async def test_members_know_each_other(store: Faulty) -> None:
    a, b = join(store, "a"), join(store, "b")
    await a.start()
    await b.start()
    await until(lambda: len(a.members) == 2 and len(b.members) == 2, "both to see both")
    await b.stop()
    await until(lambda: [x.instance for x in a.members] == ["a"], "one to see that the other left")
    await a.stop()
    assert await store.members() == []


async def test_a_lost_lease_is_told_and_replaced(store: Faulty) -> None:
    membership = join(store)
    lost = asyncio.Event()
    membership.listen(on_lost=lost.set)
    await membership.start()
    first = membership.process
    store.errors.append(LeaseLost("dead"))
    membership.beat_soon()
    await asyncio.wait_for(lost.wait(), 10)
    await until(lambda: membership.process not in (None, first), "a new registration")
    assert membership.may_send()
    beaten = len(store.beats)
    await until(
        lambda: len(store.beats) > beaten or store.registered > 2, "heartbeats of the new one"
    )
    assert store.registered == 2
    await membership.stop()


async def test_much_news_makes_no_more_heartbeats_than_are_allowed(store: Faulty) -> None:
    membership = join(store)
    await membership.start()

    def enough() -> bool:
        membership.beat_soon()
        return len(store.beats) >= 4

    await until(enough, "heartbeats", 10)
    pauses = [later - earlier for earlier, later in pairwise(store.beats)]
    assert min(pauses) >= 0.9 * SOONEST_SECONDS
    await membership.stop()


async def test_a_store_that_is_away_is_asked_again(store: Faulty) -> None:
    membership = join(store)
    await membership.start()
    store.errors += [StoreUnavailable("away")] * 2
    membership.beat_soon()
    await until(lambda: not store.errors and membership.members, "the members after the errors")
    await membership.stop()


async def test_another_database_ends_it(store: Faulty) -> None:
    membership = join(store)
    await membership.start()
    store.errors.append(StoreReplaced("another one"))
    membership.beat_soon()
    with pytest.raises(StoreReplaced):
        await asyncio.wait_for(membership.failed(), 10)
    await membership.stop()


async def test_nothing_is_sent_when_the_lease_is_in_doubt(store: Faulty) -> None:
    clock = ManualClock()
    membership = join(store, clock=clock)
    assert not membership.may_send()
    await membership.start()
    assert membership.may_send()
    store.errors += [StoreUnavailable("away")] * 1_000
    clock.advance(round(CERTAIN_SECONDS * 1_000))
    assert not membership.may_send()
    await membership.stop()
    assert SingleProcess().may_send()


async def test_who_was_in_doubt_is_told_when_it_is_certain_again(store: Faulty) -> None:
    """Also when the last heartbeat took long: the lease counts from its beginning."""
    clock = ManualClock()
    membership = join(store, clock=clock)
    beats: list[int] = []
    told: list[bool] = []
    membership.listen(
        on_members=lambda: beats.append(1), on_certain=lambda: told.append(membership.may_send())
    )
    await membership.start()
    await until(lambda: beats, "the first heartbeat")

    async def beat() -> None:
        before = len(beats)
        membership.beat_soon()
        await until(lambda: len(beats) > before, "another heartbeat")

    await beat()
    told.clear()  # it began to be certain
    clock.advance(round(CERTAIN_SECONDS * 1_000))
    assert not membership.may_send()
    await beat()
    await until(lambda: told == [True], "being told that it may send again")
    await beat()
    assert told == [True]
    await membership.stop()


async def test_who_listens_to_something_else_is_not_in_the_way(store: Faulty) -> None:
    clock = ManualClock()
    membership = join(store, clock=clock)
    membership.listen(on_members=lambda: None)
    membership.listen(on_certain=lambda: None)
    membership.listen(on_lost=lambda: None)
    await membership.start()
    await until(lambda: store.beats, "the first heartbeat")
    clock.advance(round(CERTAIN_SECONDS * 1_000))
    store.errors.append(LeaseLost("dead"))
    membership.beat_soon()
    await until(lambda: store.registered == 2, "a new registration")
    clock.advance(round(CERTAIN_SECONDS * 1_000))
    membership.beat_soon()
    await until(membership.may_send, "it to be certain again")
    await membership.stop()


async def test_only_those_of_a_role_that_do_their_work_are_ready(store: Faulty) -> None:
    receiver = Membership(
        store,
        Role.RECEIVER,
        "front",
        SystemClock(),
        lambda: Presence(ready=True, version=1),
    )
    starting = Membership(
        store,
        Role.DISPATCHER,
        "starting",
        SystemClock(),
        lambda: Presence(ready=False, version=1),
    )
    working = join(store, "working")
    for one in (receiver, starting, working):
        await one.start()
    await until(lambda: len(working.members) == 3, "all to be seen")
    assert [x.instance for x in working.ready(Role.DISPATCHER)] == ["working"]
    assert [x.instance for x in working.ready(Role.RECEIVER)] == ["front"]
    for one in (receiver, starting, working):
        await one.stop()


async def test_one_that_left_listens_no_more_and_one_that_never_came_can_leave(
    store: Faulty,
) -> None:
    never = join(store, "never")
    await never.stop()
    a = join(store, "a")
    await a.start()
    assert store.listening == 1
    await a.stop()
    assert store.listening == 0


async def test_nothing_is_sent_without_a_look(store: Faulty) -> None:
    """Heartbeats go on: it is the connection that others see which may have ended."""
    clock = ManualClock()
    membership = join(store, clock=clock)
    told: list[bool] = []
    membership.listen(on_certain=lambda: told.append(membership.may_send()))
    await membership.start()
    assert membership.may_send()
    told.clear()
    store.look_errors += [StoreUnavailable("away")] * 1_000
    clock.advance(round(PROOF_SECONDS * 1_000))
    assert not membership.may_send()
    beaten = len(store.beats)
    membership.beat_soon()
    await until(lambda: len(store.beats) > beaten, "another heartbeat")
    assert not membership.may_send()
    store.look_errors.clear()
    await until(lambda: told == [True], "being told that it may send again")
    await membership.stop()


async def test_a_look_tells_whoever_was_declared_dead(store: Faulty) -> None:
    """At once, also while heartbeats wait."""
    membership = join(store)
    await membership.start()
    first = membership.process
    store.errors += [StoreUnavailable("away")] * 1_000
    store.look_errors += [LeaseLost("dead")] * 1_000
    await until(lambda: not membership.may_send(), "it to send no more")
    store.errors[:] = [LeaseLost("dead")]
    store.look_errors.clear()
    await until(lambda: membership.process != first, "another registration")
    assert membership.may_send()
    await membership.stop()


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[tuple[Faulty, Membership, int, list[float]]]:
    """A membership, another process that says nothing more, and when it was found to be away."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = VirtualClock(loop)
    loop.busy += 1  # a thread is at work
    async with open_sqlite(folder, clock) as opened:
        loop.busy -= 1
        store, alone = Faulty(opened), []
        membership = join(store, "watches", clock)
        membership.listen(
            on_members=lambda: alone.append(loop.time()) if len(membership.members) == 1 else None
        )
        other = await opened.register(Role.DISPATCHER, "other", Presence(ready=True, version=1))
        await membership.start()
        yield store, membership, other, alone
        await membership.stop()
        loop.busy += 1


def on_virtual_time(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())


def test_who_is_silent_for_a_lease_is_ended(tmp_path: Path) -> None:
    async def story() -> None:
        async with watching(tmp_path) as (_, _, _, alone):
            await asyncio.sleep(2 * LEASE / 1_000)
            assert LEASE / 1_000 <= alone[0] < LEASE / 1_000 + 2 * LOOK_SECONDS + SOONEST_SECONDS

    on_virtual_time(story)


def test_whose_connection_ended_is_ended_soon(tmp_path: Path) -> None:
    async def story() -> None:
        async with watching(tmp_path) as (store, _, other, alone):
            await asyncio.sleep(1)
            store.gone.add(other)
            await asyncio.sleep(2)
            took = alone[0] - 1
            assert CONFIRM_SECONDS <= took < CONFIRM_SECONDS + 2 * LOOK_SECONDS + SOONEST_SECONDS

    on_virtual_time(story)


def test_after_an_outage_nobody_is_ended_before_a_lease(tmp_path: Path) -> None:
    async def story() -> None:
        async with watching(tmp_path) as (store, _, _, alone):
            store.look_errors += [StoreUnavailable("away")] * 80
            away = 80 * LOOK_SECONDS
            await asyncio.sleep(away + 2 * LEASE / 1_000)
            assert away + LEASE / 1_000 <= alone[0]

    on_virtual_time(story)
