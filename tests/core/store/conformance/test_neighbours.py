"""Two of a kind: what is done to one object leaves its neighbours as they were."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import pytest

from hookplane.errors import OwnedElsewhere, UnknownObject
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
from hookplane.store.delivery_store import (
    CircuitState,
    Counters,
    DeliveryState,
    ReplayPhase,
    ReplayProgress,
    TargetHealth,
)
from hookplane.store.event_log import EndpointReport, LogEntry
from hookplane.store.maintenance import Retention
from hookplane.store.process_registry import Presence, Role
from hookplane.store.queries import Page
from support.clocks.manual import START
from support.planes.store import DAY, HOUR, Owner, Scene, attempt, delivery

ENDPOINTS = ("e", "f", "g")
"""In the order of their numbers: `f`, to which things are done, has a neighbour on each side."""
SUBSCRIPTIONS = {"s": ENDPOINTS, "t": ENDPOINTS, "u": ("e", "g")}
"""Things are done to `s`; `t` reads the same logs; `u` does not read `f`."""
REPLAYS = {"r1": "s", "r2": "s", "r3": "t"}
"""Things are done to `r1`."""
KEEP_ALL = Retention(365 * DAY, 365 * DAY, 1 << 40)
READY, STARTING = Presence(ready=True, version=1), Presence(ready=False, version=0)
LISTED = Page(100)


@dataclass
class World:
    """Objects of each kind, all of them in use."""

    scene: Scene
    entries: Mapping[str, list[LogEntry]]
    owners: dict[str, Owner]

    async def look(self) -> dict[str, object]:
        """Everything that can be seen of each object; None: it is not there. Owners are new
        ones after it."""
        endpoints = {uid: await self._endpoint(uid) for uid in ENDPOINTS}
        subscriptions = {uid: await self._subscription(uid) for uid in SUBSCRIPTIONS}
        replays = {uid: await self._replay(uid) for uid in REPLAYS}
        return endpoints | subscriptions | replays

    async def _endpoint(self, uid: str) -> object:
        store = self.scene.store
        if not (stats := await store.endpoint_stats([uid])):
            return None
        return (
            stats,
            await store.read_log(uid, 0, 100),
            await store.read_contents(uid, range(1, 100)),
            [x.entry for x in (await store.events(LISTED, uid)).rows],
            (await store.stored_bytes()).get(f"of {uid}"),
            await self._document(uid),
        )

    async def _subscription(self, uid: str) -> object:
        store = self.scene.store
        if not (stats := await store.subscription_stats([uid])):
            return None
        deliveries = (await store.deliveries(LISTED, uid, frozenset())).rows
        seen = (
            stats,
            deliveries,
            (await store.attempts(LISTED, uid)).rows,
            await self._document(uid),
        )
        try:
            owner = await self.scene.owner(uid)
        except UnknownObject:
            return seen
        self.owners[uid] = owner
        x = owner.claimed
        return seen, x.flush_number, x.cursors, x.heads, x.deliveries, x.resume_requested

    async def _replay(self, uid: str) -> object:
        jobs = {x.uid: x for x in await self.scene.store.replays()}
        if uid not in jobs:
            return None
        return jobs[uid], await self.scene.store.replay_page(uid, 100)

    async def _document(self, uid: str) -> object:
        return [x for x in (await self.scene.store.load_config(0))[1] if x.uid == uid]

    async def read_elsewhere(self, uid: str) -> object:
        """What a subscription has to do with other endpoints than `f`."""
        rows = (await self.scene.store.deliveries(LISTED, uid, frozenset())).rows
        claimed = (await self.scene.owner(uid)).claimed
        return (
            [x for x in rows if x.entry.endpoint != "f"],
            {x: position for x, position in claimed.cursors.items() if x != "f"},
            [x for x in claimed.deliveries if x.endpoint != "f"],
        )

    async def age(self, retention: Retention, millis: int) -> None:
        """Time passes, and retention takes what it may."""
        self.scene.clock.advance(millis)
        for _ in range(100):
            if not (await self.scene.store.expire(retention, self.scene.clock.now())).more:
                return
        raise AssertionError("retention finds more for ever")


@pytest.fixture
async def world(scene: Scene) -> World:
    """The events of `f` are older than the others."""
    for uid in ENDPOINTS:
        await scene.endpoints(uid, namespace=f"of {uid}", document=b"{ }")
    for uid, endpoints in SUBSCRIPTIONS.items():
        await scene.subscription(uid, endpoints)
    entries = {"f": await fill(scene, "f")}
    scene.clock.advance(HOUR)
    entries |= {uid: await fill(scene, uid) for uid in ("e", "g")}
    owners = {uid: await scene.owner(uid) for uid in SUBSCRIPTIONS}
    for uid, owner in owners.items():
        for endpoint in SUBSCRIPTIONS[uid]:
            await settle(owner, entries[endpoint])
        await owner.flush(state=TargetHealth(last_success=1))
    for uid, subscription in REPLAYS.items():
        await scene.replay(uid, subscription=subscription, states=frozenset(DeliveryState))
    await scene.store.report_endpoints(
        [EndpointReport(uid, 1, 1, {"TooLarge": 1}, START, "TooLarge", uid) for uid in ENDPOINTS]
    )
    return World(scene, entries, owners)


async def fill(scene: Scene, uid: str) -> list[LogEntry]:
    """Five events without a key and one with the key that every log has."""
    entries = await scene.fill(5, uid)
    return entries + await scene.fill(1, uid, dedup_key=b"k", dedup_window=9 * DAY)


async def settle(owner: Owner, log: list[LogEntry]) -> None:
    """1 delivered, 2 retrying, 3 dead, 4 sending, 5 pending, 6 retrying before its turn."""
    await owner.deliver(log[0])
    states = (DeliveryState.RETRYING, DeliveryState.DEAD, DeliveryState.SENDING)
    await owner.hold(*(delivery(x, state) for x, state in zip(log[1:4], states, strict=True)))
    await owner.flush(upserts=(delivery(log[5]),))


async def end_subscription(world: World) -> None:
    await world.scene.delete(ConfigKind.SUBSCRIPTION, "s")
    await world.age(KEEP_ALL, DAY)


async def expire_old(world: World) -> None:
    """The events of `f` go."""
    age = world.scene.clock.now() - START - HOUR // 2
    await world.age(Retention(age, 365 * DAY, 1 << 40), 0)


async def end_endpoint(world: World, readers: tuple[str, ...] = ("s", "t")) -> None:
    for uid in readers:
        await world.scene.subscription(uid, ["e", "g"])
    await world.scene.delete(ConfigKind.ENDPOINT, "f")
    await expire_old(world)
    await world.age(KEEP_ALL, DAY)


@dataclass(frozen=True)
class Deed:
    """Something that is done, the object that it is done to, and others that may see it."""

    do: Callable[[World], Awaitable[object]]
    to: str
    seen_by: frozenset[str] = frozenset()


OF_S = frozenset({"r1", "r2"})
READERS = frozenset({"s", "t", "r1", "r2", "r3"})
DEEDS = {
    "counters": Deed(lambda w: w.owners["s"].flush(counters=Counters(1, 1, 1, 1, 1, 1, 1)), "s"),
    "state": Deed(
        lambda w: w.owners["s"].flush(state=TargetHealth(circuit=CircuitState.OPEN)), "s"
    ),
    "advance": Deed(lambda w: w.owners["s"].flush(cursors={"f": 5}), "s", OF_S),
    "remove a row": Deed(lambda w: w.owners["s"].flush(removes=(("f", 2),)), "s", OF_S),
    "replace a row": Deed(
        lambda w: w.owners["s"].flush(upserts=(delivery(w.entries["f"][1], attempts=7),)), "s"
    ),
    "shift": Deed(lambda w: w.owners["s"].flush(shift_due=HOUR), "s"),
    "attempt": Deed(
        lambda w: w.owners["s"].flush(attempts=(attempt(w.entries["f"][4]),)), "s", OF_S
    ),
    "resume": Deed(lambda w: w.scene.store.request_resume("s"), "s"),
    "leave one": Deed(lambda w: w.scene.subscription("s", ["e", "g"]), "s", OF_S),
    "leave all": Deed(lambda w: w.scene.subscription("s", []), "s", OF_S),
    "delete a subscription": Deed(lambda w: w.scene.delete(ConfigKind.SUBSCRIPTION, "s"), "s"),
    "remove a subscription": Deed(end_subscription, "s", OF_S),
    "append": Deed(lambda w: w.scene.append("f"), "f", frozenset({"s", "t"})),
    "report": Deed(
        lambda w: w.scene.store.report_endpoints(
            [EndpointReport("f", 5, 5, {"TooLarge": 5, "Malformed": 5}, START + 1, "Malformed")]
        ),
        "f",
    ),
    "document": Deed(lambda w: w.scene.endpoints("f", namespace="other", document=b"2"), "f"),
    "delete an endpoint": Deed(lambda w: w.scene.delete(ConfigKind.ENDPOINT, "f"), "f"),
    "expire": Deed(expire_old, "f", READERS),
    "remove an endpoint": Deed(end_endpoint, "f", READERS),
    "cancel": Deed(lambda w: w.scene.store.cancel_replay("r1"), "r1"),
    "progress": Deed(
        lambda w: w.owners["s"].advance(ReplayProgress("r1", ("e", 2), 4, 1, 1)),
        "r1",
        frozenset({"s"}),
    ),
    "complete": Deed(
        lambda w: w.owners["s"].advance(ReplayProgress("r1", exhausted=True)),
        "r1",
        frozenset({"s"}),
    ),
}


@pytest.mark.parametrize("name", DEEDS)
async def test_neighbours_stay_as_they_were(world: World, name: str) -> None:
    deed = DEEDS[name]
    before = await world.look()
    await deed.do(world)
    after = await world.look()
    changed = {uid for uid in before if after[uid] != before[uid]}
    assert deed.to in changed
    assert changed - {deed.to} <= deed.seen_by


@pytest.mark.parametrize("name", ["append", "expire", "remove an endpoint", "leave one"])
async def test_readers_of_one_log_keep_the_others(world: World, name: str) -> None:
    before = {uid: await world.read_elsewhere(uid) for uid in SUBSCRIPTIONS}
    await DEEDS[name].do(world)
    assert {uid: await world.read_elsewhere(uid) for uid in SUBSCRIPTIONS} == before


async def test_what_expires_from_one_log_is_counted_exactly(world: World) -> None:
    await expire_old(world)
    # of `f` one was pending, two retrying and one sending; what was dead just went
    for uid, expired in {"s": 4, "t": 4, "u": 0}.items():
        assert (await world.scene.status(uid)).counters.expired == expired
    bytes_of_others = {f"of {uid}": sum(x.size for x in world.entries[uid]) for uid in ("e", "g")}
    stored = await world.scene.store.stored_bytes()
    assert {name: size for name, size in stored.items() if size} == bytes_of_others
    await world.scene.append("f", body=b"xyz")
    assert (await world.scene.store.stored_bytes())["of f"] == 3


async def test_a_deleted_endpoint_leaves_the_others_open(world: World) -> None:
    await world.scene.delete(ConfigKind.ENDPOINT, "f")
    with pytest.raises(UnknownObject):
        await world.scene.append("f")
    for uid in ("e", "g"):
        await world.scene.append(uid)


async def test_an_endpoint_that_comes_back_brings_no_other_back(world: World) -> None:
    for uid in ("e", "f"):
        await world.scene.delete(ConfigKind.ENDPOINT, uid)
    await world.scene.endpoints("f")
    await world.scene.append("f")
    with pytest.raises(UnknownObject):
        await world.scene.append("e")


async def test_a_subscription_that_comes_back_brings_no_other_back(world: World) -> None:
    for uid in ("s", "t"):
        await world.scene.delete(ConfigKind.SUBSCRIPTION, uid)
    await world.scene.subscription("s", ENDPOINTS)
    await world.scene.store.claim("s")
    with pytest.raises(UnknownObject):
        await world.scene.store.claim("t")


async def test_an_empty_log_that_nobody_reads_stays_while_it_is_configured(world: World) -> None:
    await world.scene.endpoints("empty", "gone")
    await world.scene.delete(ConfigKind.ENDPOINT, "gone")
    await world.age(KEEP_ALL, DAY)
    left = await world.scene.store.endpoint_stats(["empty", "gone"])
    assert [x.endpoint for x in left] == ["empty"]
    await world.scene.append("empty")


async def test_a_first_plan_is_the_first_of_its_own_subscription(world: World) -> None:
    row = ConfigRow(ConfigKind.SUBSCRIPTION, "new", b"{}")
    await world.scene.store.apply_config(ConfigChange(upserts=(row,)))
    await world.scene.subscription("s", ["e"])
    await world.scene.subscription("new", ["e"], "Earliest")
    assert (await world.scene.owner("new")).claimed.cursors == {"e": 0}


async def test_what_is_removed_is_gone_whole(world: World) -> None:
    """Nothing of it comes back with a new object of the same name."""
    await end_subscription(world)
    await end_endpoint(world, readers=("t",))
    after = await world.look()
    assert {uid for uid, seen in after.items() if seen is None} == {"s", "f", "r1", "r2"}
    await world.scene.endpoints("f")
    await world.scene.subscription("s", ["f"], "Earliest")
    (stats,) = await world.scene.store.endpoint_stats(["f"])
    assert (stats.accepted, stats.duplicates, stats.rejected) == (0, 0, {})
    claimed = (await world.scene.owner("s")).claimed
    assert (claimed.cursors, claimed.deliveries, claimed.flush_number) == ({"f": 0}, (), 0)
    assert await world.scene.store.running_replays("s") == []


async def test_a_cancelled_replay_leaves_what_others_have_still_to_read(world: World) -> None:
    store = world.scene.store
    pages = {uid: await store.replay_page(uid, 100) for uid in ("r2", "r3")}
    await store.cancel_replay("r1")
    assert {uid: await store.replay_page(uid, 100) for uid in pages} == pages
    assert all(len(page.candidates) > 1 for page in pages.values())
    phases = {x.uid: x.phase for x in await store.replays()}
    running = ReplayPhase.RUNNING
    assert phases == {"r1": ReplayPhase.CANCELLED, "r2": running, "r3": running}


async def test_a_key_that_ends_leaves_the_same_key_of_other_logs(world: World) -> None:
    scene = world.scene
    windows = {"e": 2 * DAY, "f": DAY, "g": 2 * DAY}
    first = {}
    for uid, window in windows.items():
        for key in (b"1", b"2"):
            longer = window + (DAY if key == b"2" else 0)
            first[uid, key] = await scene.append(uid, dedup_key=key, dedup_window=longer)
    await world.age(KEEP_ALL, DAY)
    again = {
        (uid, key): await scene.append(uid, dedup_key=key, dedup_window=9 * DAY)
        for uid, key in first
    }
    assert {x for x, appended in again.items() if not appended.duplicate} == {("f", b"1")}
    del first["f", b"1"]
    assert {x: again[x].event_id for x in first} == {x: y.event_id for x, y in first.items()}


async def test_a_claim_takes_one_subscription(world: World) -> None:
    await world.scene.owner("s")
    for uid in ("t", "u"):
        await world.owners[uid].flush(counters=Counters(filtered=1))


async def join(scene: Scene, instance: str, role: Role = Role.DISPATCHER) -> int:
    return await scene.store.register(role, instance, STARTING)


async def test_a_release_gives_up_one_subscription(world: World) -> None:
    store = world.scene.store
    a, b = await join(world.scene, "a"), await join(world.scene, "b")
    epochs = {uid: (await store.claim(uid, a)).epoch for uid in SUBSCRIPTIONS}
    await store.release("s", epochs["s"])
    await store.claim("s", b)
    for uid in ("t", "u"):
        with pytest.raises(OwnedElsewhere):
            await store.claim(uid, b)


async def test_who_leaves_takes_nobody_along(world: World) -> None:
    store = world.scene.store
    a, b, c = [await join(world.scene, x) for x in "abc"]
    await store.claim("s", a)
    await store.claim("t", b)
    await store.leave(a)
    await store.claim("s", c)
    with pytest.raises(OwnedElsewhere):
        await store.claim("t", c)
    assert [x.process for x in await store.heartbeat(b, READY)] == [b, c]


async def test_a_successor_ends_only_who_had_its_role_and_name(world: World) -> None:
    scene = world.scene
    kept = [await join(scene, "a", Role.RECEIVER), await join(scene, "b")]
    await join(scene, "a")
    successor = await join(scene, "a")
    members = await scene.store.members()
    assert [x.process for x in members] == [*kept, successor]


async def test_a_heartbeat_speaks_for_one(world: World) -> None:
    scene = world.scene
    a, b = await join(scene, "a"), await join(scene, "b")
    members = await scene.store.heartbeat(a, READY)
    assert {x.process: x.presence for x in members} == {a: READY, b: STARTING}


async def test_taking_over_from_the_dead_ends_nobody_else(world: World) -> None:
    scene, store = world.scene, world.scene.store
    a, b, c = [await join(scene, x) for x in "abc"]
    await store.claim("s", a)
    await store.claim("t", c)
    await store.declare_dead([x for x in await store.look(b) if x.process == a])
    await store.claim("s", b)
    assert [x.process for x in await store.heartbeat(c, READY)] == [b, c]
    with pytest.raises(OwnedElsewhere):
        await store.claim("t", b)
