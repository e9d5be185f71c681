"""Where subscriptions start, and endpoints that join and leave."""

from __future__ import annotations

import pytest

from hookplane.clock import Millis
from hookplane.store.config_store import ConfigKind
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.maintenance import Retention
from hookplane.store.queries import Page
from support.clocks.manual import START
from support.planes.store import DAY, Scene, attempt, delivery

KEEP_ALL = Retention(365 * DAY, 365 * DAY, 1 << 40)


@pytest.mark.parametrize(
    ("start_from", "cursor"),
    [
        ("Latest", 3),
        ("Earliest", 0),
        (START - 1, 0),
        (START, 0),  # at this time or later
        (START + 1, 1),
        (START + 20, 2),
        (START + 21, 3),
    ],
)
async def test_a_new_subscription_starts_where_it_says(
    scene: Scene, start_from: str | Millis, cursor: int
) -> None:
    for _ in range(3):
        await scene.append()
        scene.clock.advance(10)
    await scene.subscription("s", start_from=start_from)
    assert (await scene.owner()).claimed.cursors == {"e": cursor}
    assert (await scene.status()).pending == 3 - cursor


async def test_earliest_means_what_is_still_there(scene: Scene) -> None:
    await scene.fill(2)
    scene.clock.advance(2 * DAY)
    await scene.fill(1)
    await scene.store.expire(Retention(DAY, DAY, 1 << 30), scene.clock.now())
    await scene.subscription("s", start_from="Earliest")
    status = await scene.status()
    assert (status.pending, status.counters.expired) == (1, 0)


async def test_an_endpoint_that_joins_later_starts_at_its_head(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.fill(2, "f")
    await scene.subscription("s", ["e"], "Earliest")
    await scene.subscription("s", ["e", "f"], "Earliest")
    assert (await scene.owner()).claimed.cursors == {"e": 0, "f": 2}


async def test_endpoints_found_after_an_empty_plan_start_at_their_heads(scene: Scene) -> None:
    await scene.fill(2)
    await scene.subscription("s", [], "Earliest")
    await scene.subscription("s", ["e"], "Earliest")
    assert (await scene.owner()).claimed.cursors == {"e": 2}


async def test_an_endpoint_that_leaves_has_its_pending_expired(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.subscription("s", ["e", "f"])
    entries = await scene.fill(5)
    owner = await scene.owner()
    await owner.hold(delivery(entries[0]))
    # the last one has a row already, though the cursor has not passed it
    await owner.flush(upserts=(delivery(entries[4]),))
    await scene.subscription("s", ["f"])
    status = await scene.status()
    assert (status.counters.expired, status.pending, status.retrying) == (3, 0, 2)
    claimed = (await scene.owner()).claimed
    assert claimed.cursors == {"f": 0}
    assert [row.sequence for row in claimed.deliveries] == [1, 5]
    assert list((await scene.states()).values()) == [
        DeliveryState.RETRYING,
        *[DeliveryState.EXPIRED] * 3,
        DeliveryState.RETRYING,
    ]


async def test_what_arrives_after_leaving_is_none_of_its_business(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.subscription("s", [])
    await scene.fill(2)
    await scene.subscription("s")
    status = await scene.status()
    assert (status.pending, status.counters.expired) == (0, 0)
    assert (await scene.owner()).claimed.cursors == {"e": 2}


async def test_a_plan_that_is_written_again_changes_nothing(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.fill(2)
    await scene.subscription("s")
    assert (await scene.status()).pending == 2


async def test_accepted_events_of_a_deleted_endpoint_stay_pending(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.fill(2)
    await scene.delete(ConfigKind.ENDPOINT, "e")
    await scene.subscription("s")
    assert (await scene.status()).pending == 2


async def test_a_subscription_that_comes_back_in_time_goes_on(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(2)
    await (await scene.owner()).hold(delivery(entries[0]))
    await scene.delete(ConfigKind.SUBSCRIPTION, "s")
    scene.clock.advance(DAY - 1)
    await scene.store.expire(KEEP_ALL, scene.clock.now())
    await scene.subscription("s")
    claimed = (await scene.owner()).claimed
    assert claimed.cursors == {"e": 1}
    assert claimed.deliveries == (delivery(entries[0]),)


async def test_after_a_day_it_is_a_new_one(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(2)
    await (await scene.owner()).hold(delivery(entries[0]))
    await scene.delete(ConfigKind.SUBSCRIPTION, "s")
    scene.clock.advance(DAY)
    while (await scene.store.expire(KEEP_ALL, scene.clock.now())).more:
        pass
    assert await scene.store.subscription_stats(["s"]) == []
    await scene.subscription("s", start_from="Earliest")
    claimed = (await scene.owner()).claimed
    assert (claimed.cursors, claimed.deliveries) == ({"e": 0}, ())


async def test_a_deleted_endpoint_goes_after_a_day_when_it_is_empty(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.fill(1)
    for uid in ("e", "f"):
        await scene.delete(ConfigKind.ENDPOINT, uid)
    scene.clock.advance(DAY)
    while (await scene.store.expire(KEEP_ALL, scene.clock.now())).more:
        pass
    left = await scene.store.endpoint_stats(["e", "f"])
    assert [status.endpoint for status in left] == ["e"]


async def test_one_change_joins_one_endpoint_leaves_another_and_keeps_a_third(
    scene: Scene,
) -> None:
    await scene.endpoints("f", "g")
    await scene.subscription("s", ["e", "f"])
    for uid in ("e", "f", "g"):
        await scene.fill(2, uid)
    await scene.subscription("s", ["f", "g"])
    assert (await scene.owner()).claimed.cursors == {"f": 0, "g": 2}
    status = await scene.status()
    assert (status.pending, status.counters.expired) == (2, 2)


async def test_leaving_is_counted_once_however_often_the_plan_is_written(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.fill(2)
    for _ in range(2):
        await scene.subscription("s", [])
    assert (await scene.status()).counters.expired == 2


async def test_an_endpoint_that_joins_again_counts_from_then_on(scene: Scene) -> None:
    await scene.subscription("s", start_from="Earliest")
    await scene.fill(2)
    await scene.subscription("s", [])
    await scene.fill(3)  # nobody's
    await scene.subscription("s", start_from="Earliest")
    await scene.fill(4)
    status = await scene.status()
    assert (status.pending, status.counters.expired) == (4, 2)
    await scene.subscription("s", [])
    assert (await scene.status()).counters.expired == 6


async def test_a_listing_tells_what_a_leave_expired_from_what_was_filtered(scene: Scene) -> None:
    """However often it comes back."""
    await scene.subscription("s")
    owner, (unwanted, sent, waiting) = await scene.owner(), await scene.fill(3)
    await owner.skip(unwanted)
    await scene.subscription("s", [])
    await owner.flush(attempts=(attempt(sent),))  # it was under way, and counts as expired
    foreign = await scene.fill(1)
    known = {
        unwanted.event_id: DeliveryState.FILTERED,
        sent.event_id: DeliveryState.DELIVERED,
        waiting.event_id: DeliveryState.EXPIRED,
    }
    assert await scene.states() == known
    for _ in range(2):
        await scene.subscription("s")
        assert await scene.states() == known
        (later,) = await scene.fill(1)
        known[later.event_id] = DeliveryState.EXPIRED
        await scene.subscription("s", [])
        foreign += await scene.fill(1)
    await scene.subscription("s")
    assert await scene.states() == known
    (last,) = await scene.fill(1)
    await (await scene.owner()).skip(last)
    assert await scene.states() == known | {last.event_id: DeliveryState.FILTERED}
    expired = frozenset({DeliveryState.EXPIRED})
    rows = (await scene.store.deliveries(Page(), "s", expired)).rows
    assert {x.entry.event_id for x in rows} == {x for x, y in known.items() if y in expired}


async def test_an_absence_is_of_its_own_endpoint_and_subscription(scene: Scene) -> None:
    await scene.endpoints("f", "g")
    for uid in ("s", "t"):
        await scene.subscription(uid, ["e", "f", "g"])
    entries = {uid: await scene.fill(2, uid) for uid in ("e", "f", "g")}
    for endpoints in (["e", "g"], ["e", "f", "g"]):
        await scene.subscription("s", endpoints)
    for uid in ("s", "t"):
        await (await scene.owner(uid)).skip(*(x[-1] for x in entries.values()))
    filtered = {x.event_id: DeliveryState.FILTERED for uid in ("e", "f", "g") for x in entries[uid]}
    assert await scene.states("t") == filtered
    left = {x.event_id: DeliveryState.EXPIRED for x in entries["f"]}
    assert await scene.states("s") == filtered | left


async def test_a_start_that_changes_later_moves_nothing(scene: Scene) -> None:
    await scene.fill(2)
    await scene.subscription("s", start_from="Latest")
    await scene.subscription("s", start_from="Earliest")
    assert (await scene.owner()).claimed.cursors == {"e": 2}


async def test_a_time_to_start_from_is_looked_up_in_each_log_alone(scene: Scene) -> None:
    await scene.endpoints("f", "g")
    await scene.fill(2, "f")
    scene.clock.advance(10)
    for uid in ("e", "g"):
        await scene.fill(1, uid)
    await scene.subscription("s", ["e", "f", "g"], START + 5)
    assert (await scene.owner()).claimed.cursors == {"e": 0, "f": 2, "g": 0}


async def test_a_subscription_that_comes_back_with_another_plan_follows_it(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.subscription("s", ["e"])
    await scene.fill(2)
    await scene.fill(3, "f")
    await scene.delete(ConfigKind.SUBSCRIPTION, "s")
    await scene.subscription("s", ["f"], "Earliest")
    assert (await scene.owner()).claimed.cursors == {"f": 3}
    assert (await scene.status()).counters.expired == 2


@pytest.mark.parametrize("start_from", ["Latest", "Earliest", START])
@pytest.mark.parametrize("known", [(), ("e",)])
async def test_all_of_a_younger_endpoint_is_an_older_subscriptions(
    scene: Scene, known: tuple[str, ...], start_from: str | Millis
) -> None:
    await scene.subscription("s", known, start_from)
    await scene.endpoints("f")
    await scene.fill(2, "f")
    await scene.subscription("s", [*known, "f"], start_from)
    await scene.fill(1, "f")
    assert (await scene.owner()).claimed.cursors == dict.fromkeys(known, 0) | {"f": 0}
    assert (await scene.status()).pending == 3


async def test_one_that_was_there_before_any_endpoint_is_older_than_all(bare_scene: Scene) -> None:
    scene = bare_scene
    await scene.subscription("s", [])
    await scene.endpoints("f")
    await scene.fill(2, "f")
    await scene.subscription("s", ["f"])
    assert (await scene.owner()).claimed.cursors == {"f": 0}


async def test_a_younger_endpoint_is_joined_where_its_log_begins_by_now(scene: Scene) -> None:
    await scene.subscription("s", [])
    await scene.endpoints("f")
    await scene.fill(2, "f")
    scene.clock.advance(2 * DAY)
    await scene.fill(1, "f")
    await scene.store.expire(Retention(DAY, DAY, 1 << 30), scene.clock.now())
    await scene.subscription("s", ["f"])
    status = await scene.status()
    assert (status.pending, status.counters.expired) == (1, 0)


async def test_a_younger_endpoint_that_left_comes_back_at_its_head(scene: Scene) -> None:
    await scene.subscription("s", [])
    await scene.endpoints("f")
    await scene.fill(2, "f")
    for endpoints in (["f"], [], ["f"]):
        await scene.subscription("s", endpoints)
    status = await scene.status()
    assert (status.pending, status.counters.expired) == (0, 2)


async def test_each_subscription_has_its_own_age(scene: Scene) -> None:
    await scene.subscription("old", [])
    await scene.endpoints("f")
    await scene.subscription("young", [])
    await scene.fill(2, "f")
    for uid in ("old", "young"):
        await scene.subscription(uid, ["f"])
    assert (await scene.status("old")).pending == 2
    assert (await scene.status("young")).pending == 0
