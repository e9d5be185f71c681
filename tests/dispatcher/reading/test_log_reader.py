"""How tails are followed when reads fail."""

from __future__ import annotations

import asyncio
from typing import Any

from hookplane.errors import StoreUnavailable
from support.planes.dispatcher import World, subscription


async def test_a_tail_whose_read_failed_is_read_again_soon(world: World) -> None:
    shop = await world.subscribe(subscription())
    await world.start()
    await world.publish()
    await world.until_status(shop, lambda s: s.counters.delivered == 1)

    def fail(name: str, _: tuple[Any, ...]) -> None:
        if name == "read_log":
            raise StoreUnavailable("away")

    world.watched.fail = fail
    event = await world.publish()
    await asyncio.sleep(0.3)
    world.watched.fail = lambda _name, _arguments: None
    await world.until(lambda: event in world.events, patience=1)
