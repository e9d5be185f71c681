"""`ordering: Strict`."""

from __future__ import annotations

from collections.abc import Callable

from hookplane.config.subscription import TransformConfig
from support.http.scripted_egress import Reply, Sent
from support.planes.dispatcher import World, subscription, url


def first_fails(ids: list[str]) -> Callable[[Sent], Reply]:
    """`ids`: filled when the events are published; the first may be on its way before that."""
    return lambda sent: Reply(500 if not ids or sent.event == ids[0] else 200)


async def test_a_failing_head_holds_those_behind_it(world: World) -> None:
    shop = await world.subscribe(subscription(strict=True, max_in_flight=1))
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(500 if len(world.egress.sent) < 3 else 200)
    ids = await world.publish_many(5)
    status = await world.until_status(shop, lambda s: s.retrying)
    assert status.counters.attempts == 1
    await world.until_status(shop, lambda s: s.counters.delivered == 5)
    assert world.events == [ids[0], ids[0], *ids]
    assert world.egress.most_under_way == 1


async def test_after_its_death_the_next_goes(world: World) -> None:
    shop = await world.subscribe(subscription(strict=True))
    await world.start()
    ids: list[str] = []
    world.egress.scripts[url()] = first_fails(ids)
    ids += await world.publish_many(3)
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert world.events == [ids[0]] * 3 + ids[1:]
    assert status.dead == 1


async def test_a_crash_forgets_neither_head_nor_attempts(world: World) -> None:
    shop = await world.subscribe(subscription(strict=True))
    await world.start()
    world.egress.scripts[url()] = lambda _: Reply(500)
    ids = await world.publish_many(3)
    await world.until_status(shop, lambda s: s.retrying and s.recent_failures[0].attempts == 2)
    await world.crash()
    await world.start()
    world.egress.scripts.clear()
    await world.until_status(shop, lambda s: s.counters.delivered == 3)
    assert world.events == [ids[0], ids[0], *ids]


async def test_endpoints_do_not_hold_each_other(world: World) -> None:
    await world.endpoint("users")
    shop = await world.subscribe(subscription(endpoints=("orders", "users"), strict=True))
    await world.start()
    bad: list[str] = []
    world.egress.scripts[url()] = first_fails(bad)
    bad.append(await world.publish("orders"))
    await world.publish_many(4, "orders")
    await world.publish_many(5, "users")
    await world.until_status(shop, lambda s: s.counters.delivered == 5, 30)


async def test_leaving_strict_lets_the_others_go(world: World) -> None:
    shop = await world.subscribe(subscription(strict=True))
    await world.start()
    ids: list[str] = []
    world.egress.scripts[url()] = first_fails(ids)
    ids += await world.publish_many(5)
    await world.until_status(shop, lambda s: s.retrying)
    await world.change(shop, strict=False)
    await world.until_status(shop, lambda s: s.counters.delivered == 4, 4, 0.1)


async def test_what_cannot_be_transformed_or_is_filtered_holds_nothing(world: World) -> None:
    shop = subscription(
        strict=True,
        filter_cel='event.type != "no"',
        transform=TransformConfig(cel="event.body.ok"),
    )
    await world.subscribe(shop)
    await world.start()
    first = await world.publish(body={"ok": 1})
    await world.publish(body={"bad": 1})
    await world.publish(type="no")
    last = await world.publish(body={"ok": 2})
    status = await world.until_status(shop, lambda s: s.counters.delivered == 2)
    assert world.events == [first, last]
    assert (status.dead, status.counters.filtered, status.pending) == (1, 1, 0)


async def test_of_what_passes_the_filter_together_one_goes_at_a_time(world: World) -> None:
    shop = subscription(strict=True, max_in_flight=4, filter_cel="event.body.n > 0", suspended=True)
    await world.subscribe(shop)
    await world.start()
    ids = await world.publish_many(6)
    await world.change(shop, suspended=False)
    await world.until_status(shop, lambda s: s.counters.delivered == 6)
    assert world.egress.most_under_way == 1
    assert world.events == ids
