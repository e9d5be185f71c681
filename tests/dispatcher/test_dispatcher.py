"""What a subscription does from an event's arrival to its end, on the real store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hookplane.store.model import DeliveryState
from support_dispatcher import Reply, World, simulate, subscription, url


def test_events_are_delivered_and_the_cursor_follows(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        shop = await world.subscribe(subscription())
        await world.start()
        ids = await world.publish_many(100)
        status = await world.until_status(shop, lambda s: s.counters.delivered == 100)
        assert sorted(world.events) == sorted(ids)
        assert (status.pending, status.sending, status.retrying, status.dead) == (0, 0, 0, 0)
        assert status.state.last_success_code == 200
        assert world.egress.most_under_way <= 16
        assert {s.url for s in world.egress.sent} == {url()}
        rows = await world.deliveries(shop, DeliveryState.DELIVERED)
        assert len(rows) == 100
        await world.stop()

    simulate(tmp_path, scenario)


def test_a_stop_while_a_lane_still_claims_is_heard(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.subscribe(subscription())
        dispatcher = await world.start()
        began = world.loop.time()
        await dispatcher.stop(grace=3_600_000)
        assert world.loop.time() - began < 1  # virtual seconds: the grace was not waited out

    simulate(tmp_path, scenario)


def test_what_is_ours_again_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """As when another dispatcher comes and goes within an attempt."""

    async def scenario(world: World) -> None:
        shop = await world.subscribe(subscription(max_in_flight=2))
        world.egress.scripts[url()] = lambda _: Reply(after=5)
        dispatcher = await world.start()
        events = await world.publish_many(2)
        await world.until(lambda: len(world.events) == 2)
        await asyncio.sleep(2)
        for _ in range(2):
            dispatcher._stop_lane(shop.uid)
            dispatcher._place(shop)
        events.append(await world.publish())
        await world.until_status(shop, lambda s: s.counters.delivered == 3, 30)
        assert sorted(world.events) == sorted(events)

    simulate(tmp_path, scenario)
