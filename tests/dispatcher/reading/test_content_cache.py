"""The byte budget and shared reads."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from typing import Any

from hookplane.filters.cel import Program
from hookplane.store.event_log import LogEntry, NewEvent
from hookplane_dispatcher.reading.content_cache import OVERHEAD, CachedEvent, ContentCache
from support.planes.dispatcher import World

SIZE = 1_000 + OVERHEAD


async def filled(world: World, count: int) -> list[LogEntry]:
    for _ in range(count):
        await world.publish(body=b"x" * 1_000)
    return await world.store.read_log("orders", 0, count)


def bodies(world: World, events: int) -> ContentCache:
    return ContentCache(world.store, lambda uid: ("default", uid), events * SIZE, 2)


def held(found: dict[int, CachedEvent | None]) -> list[CachedEvent]:
    return [body for body in found.values() if body is not None]


async def test_each_event_is_read_once_however_many_want_it(world: World) -> None:
    entries = await filled(world, 4)
    reads: list[str] = []
    world.watched.fail = lambda name, _: reads.append(name)
    cache = bodies(world, 10)
    found = await asyncio.gather(*[cache.acquire(entries) for _ in range(50)])
    assert reads == ["read_contents"]
    assert found[0][1] is found[49][1]
    assert cache.used == 4 * SIZE


async def test_the_budget_holds_and_what_waits_comes_in_turn(world: World) -> None:
    entries = await filled(world, 12)
    cache = bodies(world, 3)
    most = 0

    async def use(entry: LogEntry) -> int:
        nonlocal most
        (body,) = held(await cache.acquire([entry]))
        most = max(most, cache.used)
        await asyncio.sleep(1)
        cache.release(body)
        return entry.sequence

    used = await asyncio.wait_for(asyncio.gather(*map(use, entries)), 60)
    assert sorted(used) == list(range(1, 13))
    assert most <= 3 * SIZE


async def test_what_is_offered_is_not_read_again(world: World) -> None:
    await filled(world, 4)
    events = await world.store.read_events("orders", 0, 4, SIZE)
    cache = bodies(world, 2)
    cache.offer([*events[:2], (events[2][0], None)])
    cache.offer(events[:2])
    assert cache.used == 2 * SIZE
    reads = world.count_calls()
    found = held(await cache.acquire([entry for entry, _ in events[:2]]))
    assert [body.view.body for body in found] == [b"x" * 1_000] * 2
    cache.offer(events[3:])  # there is no room, and what is in use stays
    assert (cache.used, reads.total()) == (2 * SIZE, 0)
    cache.release(found[0])
    cache.offer(events[3:])
    assert len(held(await cache.acquire([events[3][0]]))) == 1
    assert (cache.used, reads.total()) == (2 * SIZE, 0)


async def test_what_is_read_already_is_not_taken_in_twice(world: World) -> None:
    await filled(world, 1)
    events = await world.store.read_events("orders", 0, 1, SIZE)
    cache = bodies(world, 2)
    world.watched.delays["read_contents"] = 1.0
    reading = asyncio.create_task(cache.acquire([events[0][0]]))
    await asyncio.sleep(0.5)
    cache.offer(events)
    assert len(held(await reading)) == 1
    assert cache.used == SIZE


async def test_what_does_not_fit_now_is_left_out(world: World) -> None:
    entries = await filled(world, 5)
    cache = bodies(world, 2)
    found = await cache.acquire(entries)
    assert sorted(found) == [1, 2]
    for body in held(found):
        cache.release(body)
    assert sorted(await cache.acquire(entries[2:4])) == [3, 4]
    assert cache.used == 2 * SIZE


async def test_one_that_is_larger_than_the_budget_goes_alone(world: World) -> None:
    entries = await filled(world, 1)
    cache = ContentCache(world.store, lambda uid: ("default", uid), 10, 2)
    assert len(held(await cache.acquire(entries))) == 1


async def test_what_retention_removed_is_told_apart(world: World) -> None:
    entries = await filled(world, 1)
    gone = LogEntry("orders", 99, "evt_gone", 0, "x", 10)
    found = await bodies(world, 5).acquire([*entries, gone])
    assert found[1] is not None
    assert found[99] is None


async def test_who_gives_up_waiting_passes_the_turn_on(world: World) -> None:
    entries = await filled(world, 3)
    cache = bodies(world, 1)
    (first,) = held(await cache.acquire(entries[:1]))
    impatient = asyncio.create_task(cache.acquire(entries[1:2]))
    patient = asyncio.create_task(cache.acquire(entries[2:]))
    await asyncio.sleep(1)
    cache.release(first)
    impatient.cancel()
    found = await asyncio.wait_for(patient, 5)
    assert len(held(found)) == 1


async def test_what_was_released_longest_ago_gives_way_first(world: World) -> None:
    entries = await filled(world, 4)
    cache = bodies(world, 3)
    found = await cache.acquire(entries[:3])
    for sequence in (2, 3, 1):
        (body,) = held({sequence: found[sequence]})
        cache.release(body)
    for body in held(await cache.acquire(entries[3:])):
        cache.release(body)
    reads: list[Any] = []
    world.watched.fail = lambda _, arguments: reads.append(arguments[1])
    assert len(held(await cache.acquire([entries[0], entries[2], entries[3]]))) == 3
    assert reads == []


async def test_what_is_in_use_again_does_not_give_way(world: World) -> None:
    entries = await filled(world, 3)
    # of two events one namespace may hold both, beside what is left for others
    cache = ContentCache(world.store, lambda uid: ("default", uid), 8 * SIZE // 3 + 1, 2)
    found = await cache.acquire(entries[:2])
    for body in held(found):
        cache.release(body)
    (used,) = held(await cache.acquire(entries[:1]))
    (other,) = held(await cache.acquire(entries[2:]))
    assert cache.used == 2 * SIZE
    reads: list[Any] = []
    world.watched.fail = lambda _, arguments: reads.append(arguments[1])
    (again,) = held(await cache.acquire(entries[:1]))
    assert (again is used, reads) == (True, [])
    for body in (used, again, other):
        cache.release(body)
    assert sorted(await cache.acquire(entries[:2])) == [1, 2]
    assert cache.used == 2 * SIZE


async def published_to_another(world: World) -> list[LogEntry]:
    """One event of another endpoint."""
    await world.endpoint("other")
    await world.publish("other", body=b"x" * 1_000)
    return await world.store.read_log("other", 0, 1)


async def test_who_keeps_much_waits_for_himself_and_leaves_room(world: World) -> None:
    slow = await filled(world, 12)
    (other,) = await published_to_another(world)
    cache = ContentCache(world.store, lambda uid: (uid, uid), 8 * SIZE, 2)
    kept: list[CachedEvent] = []
    waiting = [asyncio.create_task(cache.acquire([entry])) for entry in slow]
    done, _ = await asyncio.wait(waiting, timeout=5)
    for task in done:
        kept += held(task.result())
    assert cache.used == len(kept) * SIZE == 6 * SIZE
    (mine,) = held(await asyncio.wait_for(cache.acquire([other]), 5))
    # room that becomes free goes on being shared: to those who wait, one after the other
    cache.release(kept.pop())
    cache.release(mine)
    done, left = await asyncio.wait(waiting, timeout=5)
    assert len(done) == 7
    for task in left:
        task.cancel()
    await asyncio.wait(waiting)


async def test_no_more_is_held_than_is_counted(world: World) -> None:
    """Also when expressions have looked at the events, and when headers are many."""
    items = [{"id": i, "name": f"item {i}", "tags": ["a", "b"]} for i in range(500)]
    body = json.dumps(items).encode()
    headers = tuple((f"x-header-{i}", "v" * 50) for i in range(100))
    for number in range(20):
        event = NewEvent("orders", f"evt_{number}", 0, "t", headers, body)
        await world.store.append(event)
    entries = await world.store.read_log("orders", 0, 20)
    cache = ContentCache(world.store, lambda uid: ("default", uid), 1 << 30, 2)
    program = Program("event.body.exists(x, x.id == 7)")
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        found = held(await cache.acquire(entries))
        assert all(program.holds(event.view) for event in found)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 20
    assert after - before < cache.used
