"""Whatever happens in whatever order: dense logs, one state for each delivery, honest numbers."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookplane.store.delivery_store import Counters, DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane.store.maintenance import Retention
from support.clocks.manual import START, ManualClock
from support.planes.store import DAY, DRIVERS, Owner, Scene, attempt, delivery

STATES = [
    DeliveryState.DELIVERED,
    DeliveryState.FILTERED,
    DeliveryState.RETRYING,
    DeliveryState.DEAD,
]

Keys = list[int]
Step = tuple[str, list[Any]]
Steps = st.SearchStrategy[Step]

APPENDS: Steps = st.tuples(st.just("append"), st.lists(st.integers(0, 12), min_size=1, max_size=8))
SETTLES: Steps = st.tuples(st.just("settle"), st.lists(st.sampled_from(STATES), max_size=6))
OTHERS: Steps = st.tuples(st.sampled_from(["claim", "expire", "repeat"]), st.just([]))


class World:
    """A store and what it should contain."""

    def __init__(self, scene: Scene, owner: Owner) -> None:
        self.scene = scene
        self.owner = owner
        self.ids: dict[int, str] = {}
        self.log: list[str] = []
        self.settled: dict[str, DeliveryState] = {}
        self.cursor = 0
        self.floor = 0
        self.expired = 0

    async def append(self, keys: Keys) -> None:
        """All at once, so that they share groups."""
        events = [self.scene.event(dedup_key=bytes([key]), dedup_window=DAY) for key in keys]
        outcomes = await asyncio.gather(*(self.scene.store.append(event) for event in events))
        for key, event, outcome in zip(keys, events, outcomes, strict=True):
            assert outcome.duplicate == (key in self.ids)
            if not outcome.duplicate:
                self.ids[key] = event.event_id
                self.log.append(event.event_id)
            assert outcome.event_id == self.ids[key]

    async def settle(self, states: list[DeliveryState]) -> None:
        """The next deliveries in the log end so."""
        pending = await self.scene.store.read_log("e", self.cursor, len(states))
        ended = list(zip(pending, states, strict=False))
        self.cursor += len(ended)
        self.settled.update((entry.event_id, state) for entry, state in ended)
        rows = {DeliveryState.RETRYING, DeliveryState.DEAD}
        await self.owner.flush(
            cursors={"e": self.cursor},
            upserts=tuple(delivery(entry, state) for entry, state in ended if state in rows),
            attempts=tuple(
                attempt(entry, success=state is DeliveryState.DELIVERED)
                for entry, state in ended
                if state is not DeliveryState.FILTERED
            ),
            counters=Counters(delivered=states[: len(ended)].count(DeliveryState.DELIVERED)),
        )

    async def claim(self, _: Any) -> None:
        self.owner = await self.scene.owner()

    async def repeat(self, _: Any) -> None:
        """The answer to a flush was lost."""
        await self.scene.store.flush(await self.owner.flush())

    async def expire(self, _: Any) -> None:
        """Retention takes the older half of what is stored."""
        stored = len(self.log) - self.floor
        expired = await self.scene.store.expire(
            Retention(DAY, DAY, (stored - stored // 2) * len(self.scene.event().body)), START
        )
        gone = self.log[self.floor : self.floor + expired.events]
        states = [self.settled.get(x, DeliveryState.PENDING) for x in gone]
        self.expired += sum(x in {DeliveryState.PENDING, DeliveryState.RETRYING} for x in states)
        self.floor += expired.events
        self.cursor = max(self.cursor, self.floor)

    async def check(self) -> None:
        entries: list[LogEntry] = await self.scene.store.read_log("e", 0, 1_000)
        assert [x.sequence for x in entries] == list(range(self.floor + 1, len(self.log) + 1))
        assert [x.event_id for x in entries] == self.log[self.floor :]
        expected = {
            x.event_id: self.settled.get(x.event_id, DeliveryState.PENDING) for x in entries
        }
        assert await self.scene.states() == expected
        await self._check_numbers(Counter(expected.values()))

    async def _check_numbers(self, states: Counter[DeliveryState]) -> None:
        status = await self.scene.status()
        assert status.pending == states[DeliveryState.PENDING]
        assert status.retrying == states[DeliveryState.RETRYING]
        assert status.dead == states[DeliveryState.DEAD]
        assert status.counters.expired == self.expired
        delivered = list(self.settled.values()).count(DeliveryState.DELIVERED)
        assert status.counters.delivered == delivered


async def live(driver: str, steps: list[Step]) -> None:
    clock = ManualClock()
    with tempfile.TemporaryDirectory() as folder:
        async with DRIVERS[driver](Path(folder), clock) as store:
            scene = Scene(store, clock)
            await scene.endpoints("e")
            await scene.subscription("s", start_from="Earliest")
            world = World(scene, await scene.owner())
            for name, argument in steps:
                await getattr(world, name)(argument)
                await world.check()


@pytest.mark.parametrize("driver", sorted(DRIVERS))
@settings(max_examples=25, deadline=None)
@given(steps=st.lists(APPENDS | SETTLES | OTHERS, max_size=12))
def test_any_history_leaves_a_consistent_store(driver: str, steps: list[Step]) -> None:
    asyncio.run(live(driver, steps))
