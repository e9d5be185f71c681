"""What is not in the log though retention did not remove it: it is counted, and people are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hookplane.store.maintenance import Retention
from support.http.scripted_egress import Reply
from support.planes.dispatcher import World, subscription, url
from support.planes.store import DAY, lose

SHOP = {"subscription": "default/shop"}


def missing(world: World) -> float | None:
    return world.registry.get_sample_value(
        "hookplane_deliveries_total", SHOP | {"outcome": "missing"}
    )


async def test_a_gap_is_counted_and_told_and_stops_nobody(world: World, tmp_path: Path) -> None:
    log = await world.operational()
    shop = await world.subscribe(subscription())
    events = await world.publish_many(5)
    await lose(world.store, tmp_path / "data", *events[1:3])
    await world.start()
    status = await world.until_status(shop, lambda s: s.counters.delivered == 3 and not s.pending)
    assert status.counters.expired == 2
    assert world.events == [events[0], *events[3:]]
    (noted,) = (note for note in world.activity.notes if note[1] == "EventsMissing")
    assert noted[0] == "default/shop"
    assert "events 2 to 3 of endpoint default/orders" in noted[2]
    (told,) = await world.until(lambda: world.store.read_log(log, 0, 10))
    assert told.type == "hookplane.subscription.events_missing"
    content = (await world.store.read_contents(log, [1]))[1]
    assert json.loads(content.body)["data"]["message"] == noted[2]
    assert missing(world) == 2


@pytest.mark.parametrize("strict", [True, False])
async def test_a_retry_whose_event_is_gone_is_counted(
    world: World, tmp_path: Path, strict: bool
) -> None:
    shop = await world.subscribe(subscription(strict=strict))
    world.egress.scripts[url()] = lambda _: Reply(500)
    await world.start()
    event = await world.publish()
    await world.until_status(shop, lambda s: s.retrying)
    await world.crash()
    await lose(world.store, tmp_path / "data", event)
    world.egress.scripts.clear()
    await world.start()
    await world.publish()
    status = await world.until_status(shop, lambda s: not s.retrying and not s.pending)
    assert (status.counters.expired, status.counters.delivered) == (1, 1)
    assert missing(world) == 1


async def test_what_retention_removed_is_no_alarm(world: World) -> None:
    log = await world.operational()
    shop = await world.subscribe(subscription())
    await world.publish_many(2)
    await world.store.expire(Retention(DAY, DAY, 0), world.clock.now())
    await world.publish()
    await world.start()
    status = await world.until_status(shop, lambda s: s.counters.delivered == 1 and not s.pending)
    assert status.counters.expired == 2
    assert "EventsMissing" not in {note[1] for note in world.activity.notes}
    assert await world.store.read_log(log, 0, 10) == []
    assert missing(world) == 0


async def test_what_retention_takes_before_the_gap_is_written_is_counted_once(
    world: World, tmp_path: Path
) -> None:
    shop = await world.subscribe(subscription())
    events = await world.publish_many(4)
    await lose(world.store, tmp_path / "data", *events[:2])
    world.watched.delays["flush"] = 2.0
    await world.start()
    await world.until(lambda: len(world.egress.sent) == 2)
    await world.store.expire(Retention(0, DAY, 1 << 40), world.clock.now())
    world.watched.delays.clear()
    await world.publish()
    status = await world.until_status(shop, lambda s: len(world.events) == 3 and not s.pending)
    assert status.counters.expired == 4
    assert status.counters.delivered == 1
