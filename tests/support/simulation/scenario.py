"""The course of a run: what a seed draws happens, everything is mended, and everything ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hookplane.store.delivery_store import ReplayJob, ReplayPhase
from hookplane.store.queries import SubscriptionStats
from support.simulation.account import Violated
from support.simulation.actions import ACTIONS, APART, LASTING, TYPES, WEIGHTS, Act
from support.simulation.targets import EventClass
from support.simulation.traits import Traits
from support.simulation.world import DISPATCHERS, Edit, SimulationWorld

CALM_SECONDS: Final = 6 * 3_600.0
"""How long everything may take to end when nothing goes wrong any more."""
LOOK_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Planned:
    """An action of a run. What is by chance in it comes from a seed of its own, so that it stays
    the same when others are left out."""

    at: float
    name: str
    seed: int


class Scenario:
    """A run of one seed."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.seed = seed
        self._traits = Traits.draw(chance, [x.__name__ for x in WEIGHTS]).for_seed(seed)
        self.rows = self._traits.rows
        """Of a subscription that a dispatcher has in memory."""
        self.plan = _draw_plan(chance, self._traits)
        for acts in [acts for (of, rest), acts in APART.items() if seed % of == rest]:
            self.plan += _draw_apart(random.Random(seed + 2), self._traits, acts)
            self.plan.sort(key=lambda x: x.at)
        self._world: SimulationWorld
        self._under_way: list[asyncio.Task[None]] = []

    async def run(self, world: SimulationWorld, places: Iterable[int]) -> None:
        """Carries out these places of the plan. Raises Violated."""
        self._world = world
        await self._begin()
        checking = asyncio.create_task(self._check())
        course = asyncio.create_task(self._take_its_course([self.plan[x] for x in places]))
        try:
            await asyncio.wait([checking, course], return_when=asyncio.FIRST_COMPLETED)
            (checking if checking.done() else course).result()
        finally:
            for task in (checking, course, *self._under_way):
                task.cancel()
        await self._check_end()

    async def _begin(self) -> None:
        world, chance = self._world, random.Random(self.seed + 1)
        names = [f"shop{number}" for number in range(self._traits.subscriptions)]
        drawn = tuple(self._traits.draw_subscription(name, chance) for name in names)
        await world.edit(lambda: Edit(("orders", LASTING), drawn))
        for name in DISPATCHERS:
            world.start(name)
        for _ in range(self._traits.backlog):
            world.publish(LASTING, TYPES[0], EventClass.POISON)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(self._traits.check_seconds)
            self._world.check()

    async def _take_its_course(self, plan: list[Planned]) -> None:
        await self._act(plan)
        await asyncio.gather(*self._under_way)
        await self._world.mend()
        await self._end()

    async def _act(self, plan: list[Planned]) -> None:
        begun = self._world.loop.time()
        for planned in plan:
            await asyncio.sleep(max(begun + planned.at - self._world.loop.time(), 0))
            act = ACTIONS[planned.name](self._world, self._traits, random.Random(planned.seed))
            self._under_way.append(asyncio.create_task(act))
            self._world.counts["actions"] += 1

    async def _end(self) -> None:
        """Nothing goes wrong any more, so everything has to end: good events whatever becomes of
        others, and these when their targets take them."""
        await self._wait_until_none(self._without_attempt)
        self._world.targets.mend()
        await self._wait_until_none(self._unfinished)
        await self._wait_for_replays()
        await self._wait_for_contents()

    async def _wait_until_none(self, left: Callable[[SubscriptionStats], bool]) -> None:
        world = self._world
        deadline = world.loop.time() + CALM_SECONDS
        while found := [x for x in await self._stats() if left(x)]:
            if world.loop.time() > deadline:
                raise Violated(f"{found[0].subscription} does not end: {found[0]}")
            await self._resume(found)
            await asyncio.sleep(LOOK_SECONDS)

    async def _resume(self, found: Iterable[SubscriptionStats]) -> None:
        """What is disabled sends nothing until somebody says so, replays neither."""
        for stats in found:
            if stats.state.disabled_at:
                await self._world.resume(self._world.subscriptions[stats.subscription])

    async def _wait_for_replays(self) -> None:
        world = self._world
        deadline = world.loop.time() + CALM_SECONDS
        while running := [x for x in await world.store.replays() if self._is_running(x)]:
            if world.loop.time() > deadline:
                raise Violated(f"{running[0].uid} does not end: {running[0]}")
            await self._resume(await self._stats())
            await asyncio.sleep(LOOK_SECONDS)

    async def _wait_for_contents(self) -> None:
        """What is not given back is lost to everybody, as long as that process lives."""
        deadline = self._world.loop.time() + CALM_SECONDS
        while holding := self._world.holding:
            if self._world.loop.time() > deadline:
                raise Violated(f"{holding[0]} uses contents though all is done")
            await asyncio.sleep(LOOK_SECONDS)

    def _is_running(self, job: ReplayJob) -> bool:
        known = job.subscription in self._world.subscriptions
        return known and job.phase is ReplayPhase.RUNNING

    async def _stats(self) -> list[SubscriptionStats]:
        return list(await self._world.store.subscription_stats(list(self._world.subscriptions)))

    def _without_attempt(self, stats: SubscriptionStats) -> bool:
        return self._world.account.waits_since(stats.subscription) is not None

    def _unfinished(self, stats: SubscriptionStats) -> bool:
        return stats.pending + stats.sending + stats.retrying > 0

    async def _check_end(self) -> None:
        world = self._world
        world.check()
        for uid in world.subscriptions:
            rows = await world.deliveries(uid)
            world.account.check_end(uid, {x.entry.event_id: x.state for x in rows})


def _draw_apart(chance: random.Random, traits: Traits, acts: Sequence[Act]) -> list[Planned]:
    names = [x.__name__ for x in acts]
    return [
        Planned(chance.uniform(0, traits.seconds), chance.choice(names), chance.randrange(1 << 32))
        for _ in range(chance.randint(1, 6))
    ]


def _draw_plan(chance: random.Random, traits: Traits) -> list[Planned]:
    weights = [WEIGHTS[ACTIONS[name]] for name in traits.kinds]
    names = chance.choices(traits.kinds, weights, k=traits.actions)
    times = sorted(chance.uniform(0, traits.seconds) for _ in names)
    return [
        Planned(at, name, chance.randrange(1 << 32)) for at, name in zip(times, names, strict=True)
    ]
