"""An object that is made again has the state of its predecessor; what nobody takes over expires in
a count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookplane.errors import StaleOwner, UnknownObject
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import CircuitState, Counters, DeliveryState, TargetHealth
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.process_registry import Presence, Role
from support.planes.store import DAY, Scene, delivery

ENDPOINT, SUBSCRIPTION = ConfigKind.ENDPOINT, ConfigKind.SUBSCRIPTION
KEEP_ALL = Retention(30 * DAY, 30 * DAY, 1 << 30)


def subscription(uid: str, before: str, *endpoints: str, document: bytes = b"{}") -> ConfigChange:
    """`uid` is made in the place of `before`."""
    row = ConfigRow(SUBSCRIPTION, uid, document, predecessor=before)
    plans, places = (CursorPlan(uid, endpoints),), ((SUBSCRIPTION, uid, "n/s"),)
    return ConfigChange(upserts=(row,), cursors=plans, places=places)


def endpoint(uid: str, before: str, *readers: str) -> ConfigChange:
    """`uid` is made in the place of `before`, read by these."""
    row = ConfigRow(ENDPOINT, uid, b"{}", predecessor=before)
    return ConfigChange(upserts=(row,), cursors=tuple(CursorPlan(x, (uid,)) for x in readers))


@pytest.fixture
async def backlog(scene: Scene) -> Scene:
    """Five events: one delivered, one retrying, one dead, two pending, and an open circuit."""
    await scene.subscription("s")
    first, second, third, *_ = await scene.fill(5)
    owner = await scene.owner()
    await owner.deliver(first)
    await owner.hold(delivery(second), delivery(third, DeliveryState.DEAD))
    await owner.flush(
        counters=Counters(dead=1), state=TargetHealth(circuit=CircuitState.OPEN, failing_since=7)
    )
    return scene


@pytest.mark.parametrize("seen", ["deleted before", "replaced at once", "deleted with it"])
async def test_a_subscription_that_is_made_again_goes_on(backlog: Scene, seen: str) -> None:
    before = await backlog.status("s")
    states = await backlog.states("s")
    change = subscription("again", "s", "e")
    if seen == "deleted before":
        await backlog.delete(SUBSCRIPTION, "s")
    if seen == "deleted with it":
        change = replace(change, deletes=((SUBSCRIPTION, "s"),))
    await backlog.store.apply_config(change)
    assert replace(await backlog.status("again"), subscription="s") == before
    assert await backlog.states("again") == states
    assert await backlog.store.subscription_stats(["s"]) == []
    claimed = (await backlog.owner("again")).claimed
    assert claimed.cursors == {"e": 3}
    assert [x.sequence for x in claimed.deliveries] == [2]
    assert (claimed.state.circuit, claimed.state.failing_since) == (CircuitState.OPEN, 7)


@pytest.mark.parametrize("how", ["deleted before", "replaced at once", "under its own uid"])
@pytest.mark.parametrize(("disabled_at", "resumes"), [(0, 0), (5, 1)])
async def test_one_that_was_disabled_is_resumed(
    backlog: Scene, how: str, disabled_at: int, resumes: int
) -> None:
    """And no other: tools that replace objects all the time would clear each circuit."""
    state = TargetHealth(disabled_at=disabled_at, disabled_reason="410", failing_since=7)
    await (await backlog.owner()).flush(state=state)
    before = await backlog.states("s")
    uid, before_it = ("s", "") if how == "under its own uid" else ("again", "s")
    if how != "replaced at once":
        await backlog.delete(SUBSCRIPTION, "s")
    for document in (b"{}", b'{"changed": 1}'):  # a change alone resumes nothing
        await backlog.store.apply_config(subscription(uid, before_it, "e", document=document))
    claimed = (await backlog.owner(uid)).claimed
    assert claimed.resume_requested == resumes
    assert await backlog.states(uid) == before


async def test_readers_learn_that_the_predecessor_is_gone(backlog: Scene) -> None:
    before, _ = await backlog.store.load_config(0)
    version = await backlog.store.apply_config(subscription("again", "s", "e"))
    assert await backlog.store.load_config(before) == (
        version,
        [
            ConfigRow(SUBSCRIPTION, "again", b"{}", version, place="n/s"),
            ConfigRow(SUBSCRIPTION, "s", None, version),
        ],
    )


async def test_a_tombstone_keeps_the_place(backlog: Scene) -> None:
    await backlog.store.apply_config(subscription("again", "s", "e"))
    version = await backlog.delete(SUBSCRIPTION, "again")
    _, rows = await backlog.store.load_config(version - 1)
    assert rows == [ConfigRow(SUBSCRIPTION, "again", None, version, place="n/s")]


async def test_a_place_alone_raises_no_version_and_is_kept(scene: Scene) -> None:
    before, _ = await scene.store.load_config(0)
    change = ConfigChange(places=((ENDPOINT, "e", "n/e"),))
    assert await scene.store.apply_config(change) == before
    await scene.endpoints("e")
    _, (row,) = await scene.store.load_config(0)
    assert row.place == "n/e"


async def test_the_former_owner_is_refused(backlog: Scene) -> None:
    former = await backlog.owner("s")
    await backlog.store.apply_config(subscription("again", "s", "e"))
    with pytest.raises(StaleOwner):
        await former.flush(counters=Counters(delivered=1))
    with pytest.raises(UnknownObject):
        await backlog.owner("s")
    await backlog.store.release("s", former.claimed.epoch)
    now = await backlog.owner("again")
    with pytest.raises(StaleOwner):
        await former.flush(counters=Counters(delivered=1))
    await now.flush(counters=Counters(delivered=1))
    assert (await backlog.status("again")).counters.delivered == 2


async def test_a_change_whose_answer_was_lost_is_carried_out_once(backlog: Scene) -> None:
    change = subscription("again", "s", "e")
    version = await backlog.store.apply_config(change)
    owner = await backlog.owner("again")
    assert await backlog.store.apply_config(change) == version
    await owner.flush(counters=Counters(delivered=1))
    assert (await backlog.status("again")).pending == 2


async def test_made_again_and_again_it_goes_on(backlog: Scene) -> None:
    for before, now in (("s", "a"), ("a", "b"), ("b", "s")):
        await backlog.store.apply_config(subscription(now, before, "e"))
        await backlog.delete(SUBSCRIPTION, now)
        backlog.clock.advance(DAY - 1)
        assert await backlog.store.expire(KEEP_ALL, backlog.clock.now()) == Expired()
    await backlog.subscription("s")
    assert ((await backlog.status("s")).pending, (await backlog.status("s")).retrying) == (2, 1)


async def test_what_it_does_not_want_any_more_expires(backlog: Scene) -> None:
    await backlog.endpoints("f")
    await backlog.store.apply_config(subscription("again", "s", "f"))
    status = await backlog.status("again")
    assert (status.pending, status.counters.expired, status.retrying) == (0, 2, 1)


@pytest.mark.parametrize("start", ["Latest", "Earliest", 0])
async def test_where_it_would_have_started_counts_for_nothing(
    backlog: Scene, start: str | int
) -> None:
    change = subscription("again", "s", "e")
    plans = (CursorPlan("again", ("e",), start),)
    await backlog.store.apply_config(replace(change, cursors=plans))
    assert (await backlog.owner("again")).claimed.cursors == {"e": 3}


async def test_without_a_predecessor_that_is_there_it_begins_anew(scene: Scene) -> None:
    await scene.fill(2)
    await scene.store.apply_config(subscription("again", "never was", "e"))
    status = await scene.status("again")
    assert (status.pending, status.counters.expired) == (0, 0)


async def test_who_is_there_already_takes_nothing_over(backlog: Scene) -> None:
    await backlog.subscription("again")
    await backlog.store.apply_config(subscription("again", "s", "e"))
    assert (await backlog.status("again")).pending == 0
    assert (await backlog.status("s")).pending == 2


async def test_running_replays_go_on(backlog: Scene) -> None:
    await backlog.replay(states=frozenset({DeliveryState.DEAD}))
    await backlog.store.apply_config(subscription("again", "s", "e"))
    (job,) = await backlog.store.running_replays("again")
    assert (job.uid, job.subscription) == ("r", "again")


# Endpoints ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("deleted", [True, False])
async def test_an_endpoint_that_is_made_again_has_its_log(backlog: Scene, deleted: bool) -> None:
    first = await backlog.append(dedup_key=b"k", dedup_window=DAY)
    if deleted:
        await backlog.delete(ENDPOINT, "e")
    await backlog.store.apply_config(endpoint("again", "e", "s"))
    repeated = await backlog.append("again", dedup_key=b"k", dedup_window=DAY)
    assert (repeated.event_id, repeated.duplicate) == (first.event_id, True)
    await backlog.append("again")
    status = await backlog.status("s")
    assert (status.pending, status.counters.expired, status.retrying) == (4, 0, 1)
    (numbers,) = await backlog.store.endpoint_stats(["again"])
    assert numbers.accepted == 7
    with pytest.raises(UnknownObject):
        await backlog.append("e")


@pytest.mark.parametrize("change", [endpoint("again", "e", "s"), subscription("again", "s", "e")])
async def test_whoever_owned_it_keeps_nobody_out(backlog: Scene, change: ConfigChange) -> None:
    """An owner that gives up at that moment has nothing to release."""
    store = backlog.store
    presence = Presence(ready=True, version=1)
    first, second = [await store.register(Role.DISPATCHER, x, presence) for x in ("a", "b")]
    claimed = await store.claim("s", first)
    await store.apply_config(change)
    await store.release("s", claimed.epoch)
    uid = "s" if change.upserts[0].kind is ENDPOINT else "again"
    assert (await store.claim(uid, second)).epoch > claimed.epoch


async def test_owners_that_know_the_former_uid_claim_anew(backlog: Scene) -> None:
    former = await backlog.owner("s")
    await backlog.store.apply_config(endpoint("again", "e", "s"))
    with pytest.raises(StaleOwner):
        await former.flush(cursors={"e": 4}, counters=Counters(delivered=1))
    claimed = (await backlog.owner("s")).claimed
    assert claimed.cursors == {"again": 3}
    assert [(x.endpoint, x.sequence) for x in claimed.deliveries] == [("again", 2)]
    assert claimed.flush_number > former.claimed.flush_number


async def test_who_knows_it_by_the_former_uid_still_reads_its_log(backlog: Scene) -> None:
    before = await backlog.store.read_log("e", 0, 10)
    await backlog.store.apply_config(endpoint("again", "e", "s"))
    for uid in ("e", "again"):
        log = await backlog.store.read_log(uid, 0, 10)
        assert [x.event_id for x in log] == [x.event_id for x in before]


async def test_an_endpoint_and_its_reader_may_both_be_made_again(backlog: Scene) -> None:
    await backlog.delete(SUBSCRIPTION, "s")
    await backlog.delete(ENDPOINT, "e")
    both = ConfigChange(
        upserts=(
            ConfigRow(SUBSCRIPTION, "s2", b"{}", predecessor="s"),
            ConfigRow(ENDPOINT, "e2", b"{}", predecessor="e"),
        ),
        cursors=(CursorPlan("s2", ("e2",)),),
    )
    await backlog.store.apply_config(both)
    status = await backlog.status("s2")
    assert (status.pending, status.counters.expired, status.retrying) == (2, 0, 1)


async def test_who_did_not_read_it_joins_at_its_head(backlog: Scene) -> None:
    await backlog.endpoints("f")
    await backlog.subscription("t", ("f",))
    await backlog.store.apply_config(endpoint("again", "e", "s", "t"))
    assert (await backlog.status("t")).pending == 0


async def test_what_a_deleted_subscription_still_reads_is_known(backlog: Scene) -> None:
    await backlog.endpoints("d")
    await backlog.subscription("s", ("e", "d"))
    await backlog.delete(SUBSCRIPTION, "s")
    await backlog.delete(ENDPOINT, "e")
    await backlog.store.apply_config(endpoint("again", "e"))
    assert await backlog.store.endpoints_of("s") == ("again", "d")
    assert await backlog.store.endpoints_of("nobody") == ()


# What nobody takes over --------------------------------------------------------------------------


async def test_what_nobody_takes_over_expires_in_a_count(backlog: Scene) -> None:
    await backlog.delete(SUBSCRIPTION, "s")
    backlog.clock.advance(DAY)
    step = await backlog.store.expire(KEEP_ALL, backlog.clock.now())
    assert step == Expired(skipped_deliveries=3, more=True)  # two pending, one retrying
    assert await backlog.store.subscription_stats(["s"]) == []
    assert await backlog.store.expire(KEEP_ALL, backlog.clock.now()) == Expired()


async def test_a_row_before_the_cursor_expires_once(scene: Scene) -> None:
    """In strict order the cursor waits for the row."""
    await scene.subscription("s")
    first, *_ = await scene.fill(3)
    await (await scene.owner()).flush(upserts=(delivery(first),))
    await scene.delete(SUBSCRIPTION, "s")
    scene.clock.advance(DAY)
    step = await scene.store.expire(KEEP_ALL, scene.clock.now())
    assert step.skipped_deliveries == 3


async def test_who_comes_while_it_goes_has_what_is_left_and_the_count(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(510)
    await (await scene.owner()).hold(*map(delivery, entries[:505]))
    await scene.delete(SUBSCRIPTION, "s")
    scene.clock.advance(DAY)
    step = await scene.store.expire(KEEP_ALL, scene.clock.now())
    assert step.skipped_deliveries == 505  # five pending, and as many rows as one step takes
    await scene.store.apply_config(subscription("again", "s", "e"))
    status = await scene.status("again")
    assert (status.retrying, status.pending, status.counters.expired) == (5, 0, 505)
