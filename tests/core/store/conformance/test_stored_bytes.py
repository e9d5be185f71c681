"""Whose bytes are stored: counted with every append, and again when retention takes some."""

from __future__ import annotations

from dataclasses import replace

from hookplane.store.config_store import ConfigKind
from hookplane.store.maintenance import Retention
from hookplane.store.retention import KEEP_DELETED
from support.planes.store import DAY, Scene

KEEP = Retention(DAY, DAY, 1 << 40)


async def expire(scene: Scene, retention: Retention) -> None:
    while (await scene.store.expire(retention, scene.clock.now())).more:
        pass


async def test_bodies_are_summed_by_namespace(scene: Scene) -> None:
    await scene.endpoints("shop/a", "shop/b", namespace="shop")
    await scene.endpoints("chat/a", namespace="chat")
    assert await scene.store.stored_bytes() == {"shop": 0, "chat": 0}
    for endpoint, size in (("shop/a", 3), ("shop/b", 40), ("shop/a", 500), ("chat/a", 6)):
        await scene.append(endpoint, body=b"x" * size)
    assert await scene.store.stored_bytes() == {"shop": 543, "chat": 6}


async def test_what_is_nobodys_is_not_counted(scene: Scene) -> None:
    await scene.append("e", body=b"x" * 100)
    assert await scene.store.stored_bytes() == {}


async def test_duplicates_count_once(scene: Scene) -> None:
    await scene.endpoints("shop/a", namespace="shop")
    for _ in range(3):
        await scene.append("shop/a", body=b"xx", dedup_key=b"k", dedup_window=DAY)
    assert await scene.store.stored_bytes() == {"shop": 2}


async def test_retention_gives_back_what_it_took_in_steps(scene: Scene) -> None:
    await scene.endpoints("shop/a", namespace="shop")
    await scene.endpoints("chat/a", namespace="chat")
    await scene.fill(700, "shop/a", body=b"xxx")
    await scene.append("chat/a", body=b"yyy")
    scene.clock.advance(DAY + 1)
    await scene.append("shop/a", body=b"young")
    step = await scene.store.expire(KEEP, scene.clock.now())
    assert step.more
    left = sum((await scene.store.stored_bytes()).values())
    assert left == 3 * 701 + 5 - 3 * step.events
    await expire(scene, KEEP)
    assert await scene.store.stored_bytes() == {"shop": 5, "chat": 0}


async def test_retention_by_size_gives_back_as_well(scene: Scene) -> None:
    await scene.endpoints("shop/a", namespace="shop")
    await scene.fill(10, "shop/a", body=b"x" * 10)
    await expire(scene, replace(KEEP, total_bytes=35))
    assert await scene.store.stored_bytes() == {"shop": 30}


async def test_a_deleted_endpoint_counts_until_its_events_are_gone(scene: Scene) -> None:
    await scene.endpoints("shop/a", namespace="shop")
    await scene.append("shop/a", body=b"xxx")
    await scene.delete(ConfigKind.ENDPOINT, "shop/a")
    assert await scene.store.stored_bytes() == {"shop": 3}
    scene.clock.advance(max(DAY, KEEP_DELETED) + 1)
    await expire(scene, KEEP)
    assert await scene.store.stored_bytes() == {}


async def test_an_endpoint_that_comes_back_has_its_bytes(scene: Scene) -> None:
    await scene.endpoints("shop/a", namespace="shop")
    await scene.append("shop/a", body=b"xxx")
    await scene.delete(ConfigKind.ENDPOINT, "shop/a")
    await scene.endpoints("shop/a", namespace="shop", document=b'{"again": true}')
    assert await scene.store.stored_bytes() == {"shop": 3}
