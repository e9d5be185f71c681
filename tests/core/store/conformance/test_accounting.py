"""However endpoints leave and come back, and whatever retention takes, while an owner who knows
nothing of it goes on: each delivery is counted exactly once."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from hookplane.store.delivery_store import Counters, Delivery, DeliveryState, Ending, Span
from hookplane.store.event_log import LogEntry
from hookplane.store.maintenance import Retention
from support.clocks.manual import START, ManualClock
from support.planes.store import DAY, DRIVERS, Owner, Scene, attempt, delivery

STATES = [
    DeliveryState.DELIVERED,
    DeliveryState.FILTERED,
    DeliveryState.DEAD,
    DeliveryState.RETRYING,
]
ENDED = STATES[:3]
NEVER = 1 << 39
"""A sequence behind all that there are."""
Ends = list[tuple[LogEntry, DeliveryState]]


def counters_of(ends: Ends) -> Counters:
    states = [state for _, state in ends]
    return Counters(
        delivered=states.count(DeliveryState.DELIVERED),
        filtered=states.count(DeliveryState.FILTERED),
        dead=states.count(DeliveryState.DEAD),
    )


def endings_of(ends: Ends) -> tuple[Ending, ...]:
    return tuple(Ending(x.endpoint, x.sequence, state) for x, state in ends if state in ENDED)


def rows_of(ends: Ends) -> tuple[Delivery, ...]:
    rows = {DeliveryState.DEAD, DeliveryState.RETRYING}
    return tuple(delivery(entry, state) for entry, state in ends if state in rows)


class Subscriber:
    """An owner that works by what it knew, and how many deliveries the subscription has."""

    def __init__(self, scene: Scene, owner: Owner, chance: random.Random) -> None:
        self.scene = scene
        self.owner = owner
        self.chance = chance
        self.reads = {"e", "f"}
        self.accepted = 0
        self.taken: dict[str, list[LogEntry]] = {"e": [], "f": []}
        """Under way, in the order of the log."""
        self.read_to = dict.fromkeys(self.taken, 0)
        self.cursors = dict.fromkeys(self.taken, 0)
        self.rows: dict[tuple[str, int], LogEntry] = {}

    async def append(self) -> None:
        for _ in range(self.chance.randrange(1, 5)):
            endpoint = self.chance.choice(["e", "f"])
            await self.scene.append(endpoint)
            self.accepted += endpoint in self.reads

    async def read(self) -> None:
        for endpoint, taken in self.taken.items():
            found = await self.scene.store.read_log(endpoint, self.read_to[endpoint], 3)
            taken += [x for x in found if (endpoint, x.sequence) not in self.rows]
            if found:
                self.read_to[endpoint] = found[-1].sequence

    async def finish(self) -> None:
        """The first ones under way at one endpoint, and perhaps one out of order with a row."""
        endpoint = self.chance.choice(["e", "f"])
        taken = self.taken[endpoint]
        number = self.chance.randrange(len(taken) + 1)
        ends = [(x, self.chance.choice(STATES)) for x in taken[:number]]
        del taken[:number]
        if taken and self.chance.random() < 0.3:
            ends.append((taken.pop(), DeliveryState.RETRYING))
        if number:
            self.cursors[endpoint] = ends[number - 1][0].sequence
        self.rows |= {
            (x.endpoint, x.sequence): x for x, state in ends if state is DeliveryState.RETRYING
        }
        await self.owner.flush(
            cursors={endpoint: self.cursors[endpoint]} if number else {},
            upserts=rows_of(ends),
            attempts=tuple(attempt(x) for x, _ in ends),
            counters=counters_of(ends),
            endings=endings_of(ends),
        )

    async def retry(self) -> None:
        """Some rows end. What ends above the cursor would be held back until that passes it."""
        passed = [key for key in self.rows if key[1] <= self.cursors[key[0]]]
        keys = [key for key in passed if self.chance.random() < 0.5]
        ends = [(self.rows.pop(key), self.chance.choice(ENDED[::2])) for key in keys]
        await self.owner.flush(
            upserts=rows_of(ends),
            removes=tuple(
                (x.endpoint, x.sequence) for x, end in ends if end is DeliveryState.DELIVERED
            ),
            counters=counters_of(ends),
            endings=endings_of(ends),
        )

    async def change(self) -> None:
        """Endpoints leave, or come back."""
        self.reads = set(self.chance.choice([(), ("e",), ("f",), ("e", "f"), ("e", "f")]))
        await self.scene.subscription("s", sorted(self.reads))

    async def expire(self) -> None:
        size, kept = len(self.scene.event().body), self.chance.randrange(6)
        await self.scene.store.expire(Retention(DAY, DAY, kept * size), START)

    async def claim(self) -> None:
        """Somebody else goes on with what the store has."""
        self.owner = await self.scene.owner()
        claimed = self.owner.claimed
        self.taken = {"e": [], "f": []}
        self.cursors = {"e": NEVER, "f": NEVER} | dict(claimed.cursors)
        self.read_to = dict(self.cursors)
        self.rows = {(x.endpoint, x.sequence): entry_of(x) for x in claimed.deliveries}

    async def check(self) -> None:
        stats = await self.scene.status()
        counted = stats.counters
        ended = counted.delivered + counted.filtered + counted.dead + counted.expired
        assert ended + stats.pending + stats.retrying + stats.sending == self.accepted


def entry_of(row: Delivery) -> LogEntry:
    return LogEntry(row.endpoint, row.sequence, row.event_id, START, row.type, 0)


STEPS = [
    "append",
    "append",
    "read",
    "read",
    "finish",
    "finish",
    "retry",
    "change",
    "expire",
    "claim",
]


async def live(driver: str, seed: int, steps: Iterable[str]) -> None:
    clock = ManualClock()
    with tempfile.TemporaryDirectory() as folder:
        async with DRIVERS[driver](Path(folder), clock) as store:
            scene = Scene(store, clock)
            await scene.endpoints("e", "f")
            await scene.subscription("s", ["e", "f"])
            subscriber = Subscriber(scene, await scene.owner(), random.Random(seed))
            for step in steps:
                await getattr(subscriber, step)()
                await subscriber.check()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_what_was_accepted_is_the_sum_of_all_states(driver: str, seed: int) -> None:
    asyncio.run(live(driver, seed, random.Random(seed).choices(STEPS, k=80)))


@pytest.mark.parametrize("comes_back", [False, True])
async def test_what_is_under_way_when_its_endpoint_leaves_is_expired_and_nothing_else(
    scene: Scene, comes_back: bool
) -> None:
    await scene.subscription("s")
    owner, entries = await scene.owner(), await scene.fill(4)
    await owner.hold(delivery(entries[0]))
    await scene.subscription("s", [])
    if comes_back:
        await scene.subscription("s")
    states = [DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.RETRYING]
    ends = list(zip(entries[1:], states, strict=True))
    await owner.flush(
        cursors={"e": 4},
        upserts=rows_of(ends),
        attempts=tuple(attempt(x) for x in entries[1:]),
        counters=counters_of(ends),
        endings=endings_of(ends),
    )
    stats = await scene.status()
    assert (stats.counters.expired, stats.retrying, stats.dead) == (3, 1, 0)
    assert stats.counters == Counters(expired=3)


async def test_a_row_outlives_the_leave_of_its_endpoint_and_is_counted_by_its_end(
    scene: Scene,
) -> None:
    await scene.subscription("s")
    owner, (entry,) = await scene.owner(), await scene.fill(1)
    await owner.hold(delivery(entry))
    await scene.subscription("s", [])
    ends = [(entry, DeliveryState.DELIVERED)]
    await owner.flush(removes=(("e", 1),), counters=counters_of(ends), endings=endings_of(ends))
    assert (await scene.status()).counters == Counters(delivered=1)


async def test_a_replay_counts_though_its_event_was_left_behind(scene: Scene) -> None:
    await scene.subscription("s")
    owner, (entry,) = await scene.owner(), await scene.fill(1)
    for endpoints in ([], ["e"]):
        await scene.subscription("s", endpoints)
    ends = [(entry, DeliveryState.DELIVERED)]
    replayed = Ending("e", entry.sequence, DeliveryState.DELIVERED, replayed=True)
    await owner.flush(counters=counters_of(ends), endings=(replayed,))
    assert (await scene.status()).counters == Counters(delivered=1, expired=1)


async def test_a_filter_error_is_not_counted_either(scene: Scene) -> None:
    await scene.subscription("s")
    owner, (entry,) = await scene.owner(), await scene.fill(1)
    await scene.subscription("s", [])
    failed = Ending("e", entry.sequence, DeliveryState.FILTERED, filter_error=True)
    counters = Counters(filtered=1, filter_errors=1)
    await owner.flush(counters=counters, endings=(failed,))
    assert (await scene.status()).counters == Counters(expired=1)


async def test_a_gap_is_counted_by_its_flush(scene: Scene) -> None:
    await scene.subscription("s")
    owner = await scene.owner()
    await scene.fill(4)
    await owner.flush(cursors={"e": 3}, counters=Counters(expired=3), gaps=(Span("e", 0, 3),))
    status = await scene.status()
    assert (status.counters.expired, status.pending) == (3, 1)
    await scene.store.expire(Retention(DAY, DAY, 0), scene.clock.now())
    assert (await scene.status()).counters.expired == 4


@pytest.mark.parametrize(("kept", "taken"), [(0, 4), (1, 3), (4, 0)])
async def test_what_retention_took_of_a_gap_is_not_counted_again(
    scene: Scene, kept: int, taken: int
) -> None:
    await scene.subscription("s")
    owner = await scene.owner()
    await scene.fill(4, body=b"x")
    await scene.store.expire(Retention(DAY, DAY, kept), scene.clock.now())
    assert (await scene.status()).counters.expired == taken
    assert await scene.store.floor("e") == taken
    await owner.flush(cursors={"e": 4}, counters=Counters(expired=4), gaps=(Span("e", 0, 4),))
    status = await scene.status()
    assert (status.counters.expired, status.pending) == (4, 0)


async def test_a_gap_of_an_endpoint_that_left_is_counted_with_it(scene: Scene) -> None:
    await scene.subscription("s")
    owner = await scene.owner()
    await scene.fill(2)
    await scene.subscription("s", endpoints=())
    await owner.flush(cursors={"e": 2}, counters=Counters(expired=2), gaps=(Span("e", 0, 2),))
    assert (await scene.status()).counters.expired == 2
