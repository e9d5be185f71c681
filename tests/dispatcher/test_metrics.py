"""Gauges and durations say what is so, and what is gone is no longer said."""

from __future__ import annotations

import asyncio

import pytest

from hookplane.config.subscription import CircuitConfig, RetryConfig, SubscriptionConfig
from hookplane.errors import StoreUnavailable
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import CircuitState
from support.http.scripted_egress import Reply
from support.planes.dispatcher import World, subscription, url

SHOP = {"subscription": "default/shop"}
LATER = RetryConfig(schedule=(10_000_000,), jitter_percent=0)


def value(world: World, name: str, **labels: str) -> float | None:
    return world.registry.get_sample_value(f"hookplane_{name}", labels)


def outcomes(world: World) -> dict[str, float]:
    names = ("delivered", "failed", "dead", "filtered", "filter_error")
    values = {x: value(world, "deliveries_total", outcome=x, **SHOP) for x in names}
    return {name: found for name, found in values.items() if found}


async def test_attempts_under_way_and_how_long_they_take(world: World) -> None:
    shop = await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: Reply(after=0.75)
    await world.start()
    assert value(world, "in_flight") == 0
    await world.publish_many(3)
    await world.until(lambda: len(world.egress.sent) == 3)
    assert value(world, "in_flight") == 3
    assert (value(world, "body_bytes") or 0) > 0
    await world.until_status(shop, lambda s: s.counters.delivered == 3)
    assert value(world, "in_flight") == 0
    assert value(world, "delivery_seconds_count") == 3
    assert value(world, "delivery_seconds_sum") == pytest.approx(2.25)


async def test_what_tails_keep(world: World) -> None:
    shop = await world.subscribe(subscription())
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    await world.publish()
    await world.until(lambda: (value(world, "tail_bytes") or 0) > 0)


async def test_a_flush_takes_as_long_as_the_store_is_away(world: World) -> None:
    shop = await world.subscribe(subscription())
    back = 3.0

    def away(name: str, _: object) -> None:
        if name == "flush" and world.loop.time() < back:
            raise StoreUnavailable("away")

    world.watched.fail = away
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert value(world, "flush_seconds_count") == 1
    assert back - 0.1 <= (value(world, "flush_seconds_sum") or 0) < 2 * back


async def test_outcomes_are_counted_once_each(world: World) -> None:
    config = subscription(
        types=("order.*",),
        filter_cel="event.body.wanted",
        retry=RetryConfig(schedule=(1_000,), jitter_percent=0),
    )
    shop = await world.subscribe(config)
    refused = await world.publish(body={"wanted": True})
    world.egress.scripts[url()] = lambda sent: Reply(500 if sent.event == refused else 200)
    await world.start()
    await world.until(lambda: value(world, "retrying", **SHOP) == 1)
    assert value(world, "rows_in_memory") == 1
    await world.publish(body={"wanted": True})
    await world.publish(body={"wanted": False})
    await world.publish(type="user.created")
    await world.publish(body=b"no JSON")
    await world.until_status(shop, lambda s: s.counters.filtered == 3 and s.dead)
    await world.until_status(shop, lambda s: s.counters.delivered == 1)
    assert outcomes(world) == {
        "delivered": 1,
        "failed": 2,
        "dead": 1,
        "filtered": 2,
        "filter_error": 1,
    }
    await world.until(lambda: value(world, "retrying", **SHOP) == 0)
    assert value(world, "rows_in_memory") == 0


async def test_a_circuit_is_shown_open_while_it_is(world: World) -> None:
    shop = await world.subscribe(
        subscription(retry=LATER, circuit=CircuitConfig(failures=2, probe_every=30_000))
    )
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    await world.until(lambda: value(world, "circuit_open", **SHOP) == 0)
    await world.publish_many(3)
    await world.until_status(shop, lambda s: s.state.circuit is CircuitState.OPEN)
    assert value(world, "circuit_open", **SHOP) == 1
    await world.publish()
    world.egress.scripts.clear()
    await world.until_status(shop, lambda s: s.state.circuit is CircuitState.CLOSED)
    await world.until(lambda: value(world, "circuit_open", **SHOP) == 0)


async def test_a_subscription_is_shown_disabled_while_it_is(world: World) -> None:
    shop = await world.subscribe(subscription())
    world.egress.scripts[url()] = lambda _: Reply(410)
    await world.start()
    await world.until(lambda: value(world, "subscription_disabled", **SHOP) == 0)
    await world.publish()
    await world.until(lambda: value(world, "subscription_disabled", **SHOP) == 1)
    world.egress.scripts.clear()
    shop = await world.change(shop, suspended=True)
    await world.until_status(shop, lambda s: s.state.paused_at)
    await world.change(shop, suspended=False)
    await world.until(lambda: value(world, "subscription_disabled", **SHOP) == 0)


async def test_a_deleted_subscription_is_not_shown_and_its_neighbour_is(world: World) -> None:
    shop = await world.subscribe(subscription())
    await world.subscribe(subscription("other"))
    await world.start()
    await world.publish()
    await world.until(lambda: outcomes(world) == {"delivered": 1})
    await world.store.apply_config(ConfigChange(deletes=((ConfigKind.SUBSCRIPTION, shop.uid),)))
    await world.until(lambda: value(world, "retrying", **SHOP) is None)
    assert outcomes(world) == {}
    assert value(world, "circuit_open", **SHOP) is None
    assert value(world, "subscription_disabled", **SHOP) is None
    assert value(world, "retrying", subscription="default/other") == 0


async def made_again(world: World, old: SubscriptionConfig) -> SubscriptionConfig:
    """The same name with another uid, as `kubectl replace --force` makes it."""
    new = old.model_copy(update={"uid": "made-again"})
    row = ConfigRow(ConfigKind.SUBSCRIPTION, new.uid, new.dump(world.sealer))
    change = ConfigChange(
        upserts=(row,),
        deletes=((ConfigKind.SUBSCRIPTION, old.uid),),
        cursors=(CursorPlan(new.uid, new.endpoints),),
    )
    await world.store.apply_config(change)
    return new


async def test_one_that_is_made_again_under_its_name_is_shown(world: World) -> None:
    shop = await world.subscribe(subscription())
    await world.start()
    await world.publish()
    await world.until(lambda: outcomes(world) == {"delivered": 1})
    again = await made_again(world, shop)
    await asyncio.sleep(5)  # the former one has ended
    await world.publish()
    await world.until_status(again, lambda s: s.counters.delivered == 1)
    await world.until(lambda: outcomes(world) == {"delivered": 2})
    assert value(world, "retrying", **SHOP) == 0
    await world.store.apply_config(ConfigChange(deletes=((ConfigKind.SUBSCRIPTION, again.uid),)))
    await world.until(lambda: value(world, "retrying", **SHOP) is None)
    assert outcomes(world) == {}


async def test_one_that_ends_while_its_successor_is_at_work_does_not_speak_for_it(
    world: World,
) -> None:
    shop = await world.subscribe(subscription(retry=LATER))
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    await world.publish()
    await world.until(lambda: value(world, "retrying", **SHOP) == 1)
    world.egress.scripts[url()] = lambda _: Reply(500, after=5)
    await world.publish()
    await world.until(lambda: len(world.egress.sent) == 2)
    await made_again(world, shop)  # the former one waits for its answer
    await asyncio.sleep(3)
    assert value(world, "retrying", **SHOP) == 0
    await asyncio.sleep(10)
    assert value(world, "retrying", **SHOP) == 0
