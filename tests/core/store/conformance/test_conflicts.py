"""Another body under a key that is known, where a sender's repeats have the same body: it is
another event."""

from __future__ import annotations

import asyncio
from typing import Any

from hookplane.store.event_log import Appended, NewEvent
from support.planes.store import Scene

WINDOW = 1_000


def keyed(scene: Scene, body: bytes, **changes: Any) -> NewEvent:
    known: dict[str, Any] = {"dedup_key": b"k", "dedup_window": WINDOW, "repeats_identical": True}
    return scene.event(**known | {"body": body} | changes)


async def together(scene: Scene, *events: NewEvent) -> list[Appended]:
    """All at once, so that they share a group."""
    return await asyncio.gather(*(scene.store.append(event) for event in events))


async def bodies(scene: Scene) -> list[bytes]:
    entries = await scene.store.read_log("e", 0, 100)
    contents = await scene.store.read_contents("e", [entry.sequence for entry in entries])
    return [contents[entry.sequence].body for entry in entries]


async def test_it_is_stored_and_counts_as_a_conflict(scene: Scene) -> None:
    first, other = keyed(scene, b"1"), keyed(scene, b"2")
    assert await scene.store.append(first) == Appended(first.event_id)
    assert await scene.store.append(other) == Appended(other.event_id, conflict=True)
    assert await bodies(scene) == [b"1", b"2"]


async def test_it_is_stored_when_both_share_a_group(scene: Scene) -> None:
    first, other, third = (keyed(scene, body) for body in (b"1", b"2", b"3"))
    assert await together(scene, first, other, third) == [
        Appended(first.event_id),
        Appended(other.event_id, conflict=True),
        Appended(third.event_id, conflict=True),
    ]
    assert await bodies(scene) == [b"1", b"2", b"3"]


async def test_repeats_of_each_are_duplicates(scene: Scene) -> None:
    first, other = keyed(scene, b"1"), keyed(scene, b"2")
    await together(scene, first, other)
    again = await together(scene, *(keyed(scene, body) for body in (b"2", b"1", b"2")))
    assert again == [
        Appended(original.event_id, duplicate=True) for original in (other, first, other)
    ]
    assert await bodies(scene) == [b"1", b"2"]


async def test_repeats_within_a_group_are_one_event_each(scene: Scene) -> None:
    events = [keyed(scene, body) for body in (b"1", b"2", b"2", b"1")]
    first, other = events[0].event_id, events[1].event_id
    assert await together(scene, *events) == [
        Appended(first),
        Appended(other, conflict=True),
        Appended(other, duplicate=True),
        Appended(first, duplicate=True),
    ]


async def test_a_group_knows_what_the_store_has_under_each_body(scene: Scene) -> None:
    stored = keyed(scene, b"2")
    await scene.store.append(stored)
    new, repeat = keyed(scene, b"1"), keyed(scene, b"2")
    assert await together(scene, new, repeat) == [
        Appended(new.event_id, conflict=True),
        Appended(stored.event_id, duplicate=True),
    ]
    assert await bodies(scene) == [b"2", b"1"]


async def test_the_first_keeps_its_key(scene: Scene) -> None:
    """Whoever does not know of the other body is told of the first event."""
    first, other = keyed(scene, b"1"), keyed(scene, b"2")
    await together(scene, first, other)
    third = await scene.store.append(keyed(scene, b"3", repeats_identical=False))
    assert third == Appended(first.event_id, duplicate=True, conflict=True)


async def test_within_a_group_the_first_of_a_key_decides_how_it_is_read(scene: Scene) -> None:
    lax = {"repeats_identical": False}
    events = [keyed(scene, b"1", **lax), keyed(scene, b"2"), keyed(scene, b"3")]
    swallowed = Appended(events[0].event_id, duplicate=True, conflict=True)
    assert await together(scene, *events) == [Appended(events[0].event_id), swallowed, swallowed]
    strict = [keyed(scene, body, dedup_key=b"l") for body in (b"1", b"2")]
    strict.append(keyed(scene, b"3", dedup_key=b"l", **lax))
    assert await together(scene, *strict) == [
        Appended(strict[0].event_id),
        Appended(strict[1].event_id, conflict=True),
        Appended(strict[2].event_id, conflict=True),
    ]


async def test_each_body_is_remembered_for_its_own_window(scene: Scene) -> None:
    await scene.store.append(keyed(scene, b"1"))
    other = keyed(scene, b"2", dedup_window=2 * WINDOW)
    await scene.store.append(other)
    scene.clock.advance(WINDOW)
    first = keyed(scene, b"1")
    repeat = keyed(scene, b"2")
    assert await together(scene, repeat, first) == [
        Appended(other.event_id, duplicate=True),
        Appended(first.event_id),
    ]


async def test_other_endpoints_have_their_own(scene: Scene) -> None:
    await scene.endpoints("f")
    first = keyed(scene, b"1")
    elsewhere = keyed(scene, b"2", endpoint="f")
    assert await together(scene, first, elsewhere) == [
        Appended(first.event_id),
        Appended(elsewhere.event_id),
    ]


async def test_what_has_no_key_has_no_conflict(scene: Scene) -> None:
    plain = [scene.event(body=body, repeats_identical=True) for body in (b"1", b"2")]
    assert await together(scene, *plain) == [Appended(event.event_id) for event in plain]


async def test_a_log_grows_without_gaps_over_conflicts(scene: Scene) -> None:
    events = [keyed(scene, b"%d" % (i % 7)) for i in range(40)]
    await together(scene, *events)
    entries = await scene.store.read_log("e", 0, 100)
    assert [entry.sequence for entry in entries] == list(range(1, 8))
    (stats,) = await scene.store.endpoint_stats(["e"])
    assert (stats.accepted, stats.stored) == (7, 7)


async def test_an_event_that_is_sent_twice_is_one(scene: Scene) -> None:
    await scene.store.append(keyed(scene, b"1"))
    other = keyed(scene, b"2")
    await scene.store.append(other)
    assert (await scene.store.append(other)).event_id == other.event_id
    assert await bodies(scene) == [b"1", b"2"]
