"""What can happen in a run. Each action is a function of the world; what takes time goes its own
way, beside the actions that come after it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import chain
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.store.config_store import ConfigKind
from hookplane.store.delivery_store import DeliveryState
from support.simulation.account import UNBOUNDED
from support.simulation.targets import Trouble
from support.simulation.traits import Traits
from support.simulation.world import DISPATCHERS, OPERATOR, RECEIVERS, Edit, SimulationWorld

Act = Callable[[SimulationWorld, Traits, random.Random], Coroutine[Any, Any, None]]

DAY: Final[Millis] = 86_400_000
JUMPS: Final[tuple[Millis, ...]] = (
    1_500,
    -1_500,
    3_600_000,
    -3_600_000,
    8 * DAY,
    -30 * DAY,
    365 * DAY,
    -365 * DAY,
)
TYPES: Final = ("order.created", "order.paid", "user.created")
TROUBLES: Final = (
    Trouble(500),
    Trouble(503, retry_after="20"),
    Trouble(429, retry_after="5"),
    Trouble(302),
    Trouble(0),
    Trouble(200, 8.0),
    Trouble(500, 1.5),
)
CLAIM_SECONDS: Final = 60.0
"""Until a subscription goes on that lost its owner, whatever else happens."""
REPLAYED: Final = (
    (DeliveryState.DEAD,),
    (DeliveryState.DEAD, DeliveryState.RETRYING),
    (DeliveryState.DELIVERED,),
    (DeliveryState.FILTERED,),
    (DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.FILTERED, DeliveryState.RETRYING),
)
LASTING: Final = "users"
"""An endpoint that never goes: a subscription reads at least one."""
RETRY_SECONDS: Final = 600.0
"""Until a target is asked again that was in trouble."""

# Events -------------------------------------------------------------------------------------------


async def publish(world: SimulationWorld, traits: Traits, chance: random.Random) -> None:
    for _ in range(chance.choice(traits.bursts)):
        event_class = traits.draw_class(chance)
        world.publish(chance.choice(world.endpoints), chance.choice(TYPES), event_class)


# Processes ----------------------------------------------------------------------------------------


async def crash(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    name = chance.choice(DISPATCHERS)
    world.kill(name)
    await asyncio.sleep(chance.choice([0, 0.5, 5, 60, 600]))
    world.start(name)


async def crash_all(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    seconds = chance.choice([0, 1, 30, 300])
    world.account.hinder(seconds=seconds + CLAIM_SECONDS)
    for name in DISPATCHERS:
        world.kill(name)
    await asyncio.sleep(seconds)
    for name in DISPATCHERS:
        world.start(name)


async def stop(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    name = chance.choice(DISPATCHERS)
    await world.stop(name)
    await asyncio.sleep(chance.choice([15, 60, 600]))
    world.start(name)


async def pause(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    process = world.dispatchers[chance.choice(DISPATCHERS)].process
    seconds = chance.choice([0.1, 1, 7, 9, 30, 300])
    world.account.hinder(seconds=seconds + CLAIM_SECONDS)
    process.pause()
    world.counts["pauses"] += 1
    await asyncio.sleep(seconds)
    process.go_on()


async def wrong_clock(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    name = chance.choice((*DISPATCHERS, *RECEIVERS, OPERATOR))
    world.set_clock(name, chance.choice(JUMPS))
    await asyncio.sleep(chance.choice([0.5, 10, 300, 900]))
    world.set_clock(name, 0)


# The store ----------------------------------------------------------------------------------------


async def wrong_store_clock(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    world.weather.clock_offset = chance.choice(JUMPS)
    world.counts["jumps"] += 1
    await asyncio.sleep(chance.choice([0.5, 10, 600]))
    world.weather.clock_offset = 0


async def outage(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    seconds = chance.choice([0.05, 1, 5, 9, 30, 120])
    world.account.hinder(seconds=seconds + CLAIM_SECONDS)
    world.weather.away_silently = chance.random() < 0.5
    world.weather.away_until = world.loop.time() + seconds


async def cut(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    connection = world.dispatchers[chance.choice(DISPATCHERS)].connection
    seconds = chance.choice([1, 5, 9, 30, 120])
    world.account.hinder(seconds=seconds + CLAIM_SECONDS)
    connection.cut_until = world.loop.time() + seconds


async def lose(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    weather, seconds = world.weather, chance.choice([1, 30, 120])
    world.account.hinder(seconds=seconds + CLAIM_SECONDS)
    weather.lost_answers = chance.choice([0.01, 0.1, 0.4])
    weather.lost_notifications = chance.choice([0.0, 0.5, 1.0])
    await asyncio.sleep(seconds)
    weather.lost_answers = weather.lost_notifications = 0.0


async def slow(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    weather, seconds = world.weather, chance.choice([5, 60])
    world.account.hinder(seconds=seconds + CLAIM_SECONDS)
    weather.slowness = chance.choice([10, 100, 1_000])
    await asyncio.sleep(seconds)
    weather.slowness = 1.0


async def full(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    """The disk: nothing more is written, as far as there is no room in the file."""
    seconds = chance.choice([1, 30, 300])
    world.account.hinder(seconds=seconds + CLAIM_SECONDS)
    world.fill_disk(True)
    await asyncio.sleep(seconds)
    world.fill_disk(False)


async def expire(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    """Retention, by age or by size, down to what has just come."""
    age = chance.choice([DAY, 300_000, 30_000, 0])
    await world.expire(age, chance.choice([100, 3_000, UNBOUNDED]) if age == DAY else UNBOUNDED)


# Targets ------------------------------------------------------------------------------------------


async def trouble(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    uid = chance.choice(list(world.subscriptions))
    seconds = chance.choice([1, 20, 300, 900])
    world.account.hinder(uid, seconds=seconds + RETRY_SECONDS)
    target = world.account.readers[uid].target
    world.targets.trouble[target] = chance.choice(TROUBLES)
    await asyncio.sleep(seconds)
    world.targets.trouble.pop(target, None)


# People -------------------------------------------------------------------------------------------


async def suspend(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    uid = chance.choice(list(world.subscriptions))
    seconds = chance.choice([1, 60, 600])
    world.account.hinder(uid, seconds=seconds + CLAIM_SECONDS)
    await world.change(uid, suspended=True)
    await asyncio.sleep(seconds)
    await world.change(uid, suspended=False)


async def change(world: SimulationWorld, traits: Traits, chance: random.Random) -> None:
    uid = chance.choice(list(world.subscriptions))
    other = traits.draw_subscription(uid, chance)
    field = chance.choice(["max_in_flight", "circuit", "rate", "types", "endpoints"])
    world.account.hinder(uid, seconds=2 * CLAIM_SECONDS)
    await world.change(uid, **{field: getattr(other, field)})


async def choose_keys(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    """Whom somebody wants to hear of changes, and changes back."""
    uid = chance.choice(list(world.subscriptions))
    for keys in (chance.choice([("k0",), ("k0", "k1")]), ()):
        world.account.hinder(uid, seconds=2 * CLAIM_SECONDS)
        await world.change(uid, keys=keys)
        await asyncio.sleep(chance.choice([0, 0.5, 5, 60]))


async def add(world: SimulationWorld, traits: Traits, chance: random.Random) -> None:
    drawn = traits.draw_subscription(world.fresh_name("fresh"), chance)
    config = drawn.model_copy(update={"start_from": chance.choice(["Latest", "Earliest"])})
    await world.edit(lambda: Edit(subscriptions=(config,)))


async def remove(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    """For ever, or for a while: what comes back goes on where it was."""
    uid = chance.choice(list(world.subscriptions))
    seconds = chance.choice([None, 0, 30, 300])
    kept = await _deleted(world, uid)
    if seconds is not None:
        await asyncio.sleep(seconds)
        world.account.hinder(uid, seconds=2 * CLAIM_SECONDS)
        await world.edit(lambda: Edit(subscriptions=tuple(kept)))


async def _deleted(world: SimulationWorld, uid: str) -> list[SubscriptionConfig]:
    """What it was like; empty if it is not there any more, or nothing else would be left."""
    kept: list[SubscriptionConfig] = []

    def leave() -> Edit:
        if len(world.subscriptions) == 1 or uid not in world.subscriptions:
            return Edit()
        kept.append(world.subscriptions[uid])
        return Edit(deleted=((ConfigKind.SUBSCRIPTION, uid),))

    await world.edit(leave)
    return kept


async def make_again(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    """A subscription gets another uid, in one round of the operator or in two."""
    uid, seconds = chance.choice(list(world.subscriptions)), chance.choice([None, 0, 30, 300])
    new = world.fresh_name("again")
    world.account.hinder(uid, seconds=2 * CLAIM_SECONDS)
    if seconds is None:
        await world.edit(lambda: _successor(world.subscriptions.get(uid), new))
        return
    kept = await _deleted(world, uid)
    await asyncio.sleep(seconds)
    world.account.hinder(uid, seconds=2 * CLAIM_SECONDS)
    for config in kept:
        await world.edit(partial(_successor, config, new))


def _successor(config: SubscriptionConfig | None, uid: str) -> Edit:
    """Nothing where there is none."""
    if config is None:
        return Edit()
    made = config.model_copy(update={"uid": uid, "suspended": False})
    return Edit(subscriptions=(made,), predecessors={uid: config.uid})


async def renew(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    """An endpoint gets another uid: whoever reads it goes on, or leaves it for a while."""
    lasting = world.account.called_now(LASTING)
    former, seconds = chance.choice(world.endpoints), chance.choice([None, None, 0, 30, 300])
    new = world.fresh_name("renewed")
    readers: set[str] = set()
    if seconds is not None and former != lasting:
        await world.edit(partial(_left, world, former, readers))
        await asyncio.sleep(seconds)
    await world.edit(partial(_renewed, world, former, new, readers))


def _left(world: SimulationWorld, endpoint: str, readers: set[str]) -> Edit:
    """It is gone; `readers` gets those who read it."""
    left = [x for x in world.subscriptions.values() if endpoint in x.endpoints]
    readers.update(x.uid for x in left)
    world.account.hinder(*readers, seconds=2 * CLAIM_SECONDS)
    without = tuple(_without(x, endpoint) for x in left)
    return Edit((), without, ((ConfigKind.ENDPOINT, endpoint),))


def _renewed(world: SimulationWorld, former: str, new: str, readers: set[str]) -> Edit:
    """`readers`: those who left it, besides those who read it now."""
    if former not in world.endpoints:
        return Edit()
    reading = {x.uid for x in world.subscriptions.values() if former in x.endpoints} | readers
    world.account.hinder(*reading, seconds=2 * CLAIM_SECONDS)
    joined = tuple(
        x.model_copy(update={"endpoints": tuple(sorted({*x.endpoints, new} - {former}))})
        for x in world.subscriptions.values()
        if x.uid in reading
    )
    return Edit((new,), joined, predecessors={new: former})


async def grow(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    """A new endpoint, and one who reads it at once or a little later."""
    endpoint, uid = world.fresh_name("endpoint"), chance.choice(list(world.subscriptions))
    world.account.hinder(uid, seconds=2 * CLAIM_SECONDS)
    if chance.random() < 0.3:
        await world.edit(lambda: Edit(endpoints=(endpoint,)))
        await asyncio.sleep(chance.choice([0.5, 10, 60]))
        world.account.hinder(uid, seconds=2 * CLAIM_SECONDS)
    await world.edit(
        lambda: Edit(endpoints=(endpoint,), subscriptions=_joined(world, {uid}, endpoint))
    )


async def drop(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    """An endpoint goes, and comes back under its name or as another."""
    lasting = world.account.called_now(LASTING)
    gone = chance.choice([x for x in world.endpoints if x != lasting])
    back = gone if chance.random() < 0.5 else world.fresh_name("endpoint")
    readers: set[str] = set()

    await world.edit(partial(_left, world, gone, readers))
    await asyncio.sleep(chance.choice([0, 1, 60]))
    world.account.hinder(*readers, seconds=2 * CLAIM_SECONDS)
    await world.edit(
        lambda: Edit(endpoints=(gone, back), subscriptions=_joined(world, readers, back))
    )


def _without(config: SubscriptionConfig, endpoint: str) -> SubscriptionConfig:
    left = tuple(x for x in config.endpoints if x != endpoint)
    return config.model_copy(update={"endpoints": left or (LASTING,)})


def _joined(
    world: SimulationWorld, uids: set[str], endpoint: str
) -> tuple[SubscriptionConfig, ...]:
    readers = [x for x in world.subscriptions.values() if x.uid in uids]
    return tuple(
        x.model_copy(update={"endpoints": tuple(sorted({*x.endpoints, endpoint}))}) for x in readers
    )


async def repeat(world: SimulationWorld, _traits: Traits, _chance: random.Random) -> None:
    """A round of the operator that finds everything as it is."""
    await world.edit(lambda: Edit(tuple(world.endpoints), tuple(world.subscriptions.values())))


async def replay(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    states = frozenset(chance.choice(REPLAYED))
    await world.replay(chance.choice(list(world.subscriptions.values())), states)


async def resume(world: SimulationWorld, _traits: Traits, chance: random.Random) -> None:
    await world.resume(chance.choice(list(world.subscriptions.values())))


async def replay_for_a_while(
    world: SimulationWorld, _traits: Traits, chance: random.Random
) -> None:
    """Somebody replays, and thinks better of it."""
    states = frozenset(chance.choice(REPLAYED))
    uid = await world.replay(chance.choice(list(world.subscriptions.values())), states)
    await asyncio.sleep(chance.choice([0, 1, 10, 100]))
    await world.cancel(uid)


APART: Final[dict[tuple[int, int], tuple[Act, ...]]] = {
    (3, 0): (make_again, renew),
    (6, 1): (replay_for_a_while,),
    (12, 11): (choose_keys,),
}
"""Modulus and rest of seeds → actions that are in them alone, and planned apart from all others, so
that the plans of other seeds are what they always were."""

WEIGHTS: Final[dict[Act, float]] = {
    publish: 12,
    crash: 3,
    crash_all: 1,
    stop: 2,
    pause: 3,
    wrong_clock: 3,
    wrong_store_clock: 2,
    outage: 2,
    cut: 2,
    lose: 2,
    slow: 1,
    full: 1,
    expire: 1,
    trouble: 4,
    suspend: 1,
    change: 2,
    add: 1,
    remove: 1,
    grow: 1,
    drop: 1,
    repeat: 1,
    replay: 1,
    resume: 1,
}
"""Action → how often it is drawn among those that a seed has."""

ACTIONS: Final[dict[str, Act]] = {act.__name__: act for act in (*WEIGHTS, *chain(*APART.values()))}
