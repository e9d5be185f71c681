"""Cursors of many subscriptions that move together, past events that concern none of them."""

from __future__ import annotations

import asyncio

import pytest

from hookplane.errors import StaleOwner
from hookplane.store.delivery_store import Counters, DeliveryState, NotPassed, Passage, Span
from hookplane.store.maintenance import Retention
from support.planes.store import DAY, Owner, Scene, attempt


def passage(owner: Owner, upto: int, endpoint: str = "e") -> Passage:
    return Passage(owner.uid, owner.claimed.epoch, endpoint, upto)


async def owners(scene: Scene, count: int) -> list[Owner]:
    """Subscriptions `s0`, `s1`, … and who owns them."""
    for number in range(count):
        await scene.subscription(f"s{number}")
    return [await scene.owner(f"s{number}") for number in range(count)]


async def numbers(scene: Scene, uid: str = "s0") -> tuple[int, int, int]:
    """Filtered, expired and pending."""
    status = await scene.status(uid)
    return status.counters.filtered, status.counters.expired, status.pending


async def test_many_pass_together(scene: Scene) -> None:
    three = await owners(scene, 3)
    await scene.fill(5)
    await scene.endpoints("f")
    await scene.subscription("s2", ["e", "f"])
    await scene.fill(2, "f")
    both = await scene.owner("s2")
    passages = [passage(three[0], 5), passage(three[1], 3), passage(both, 4), passage(both, 2, "f")]
    assert await scene.store.pass_over(passages) == NotPassed()
    assert await numbers(scene, "s0") == (5, 0, 0)
    assert await numbers(scene, "s1") == (3, 0, 2)
    assert await numbers(scene, "s2") == (6, 0, 1)
    assert set((await scene.states("s0")).values()) == {DeliveryState.FILTERED}
    assert (await scene.owner("s2")).claimed.cursors == {"e": 4, "f": 2}


async def test_a_repeat_counts_nothing_twice(scene: Scene) -> None:
    (owner,) = await owners(scene, 1)
    await scene.fill(5)
    for upto in (3, 3, 2, 5, 3):
        assert await scene.store.pass_over([passage(owner, upto)]) == NotPassed()
    assert await numbers(scene) == (5, 0, 0)


async def test_a_former_owner_passes_nothing_and_is_told(scene: Scene) -> None:
    former, other = await owners(scene, 2)
    await scene.fill(2)
    await scene.owner("s0")
    unknown = Passage("never-there", 1, "e", 2)
    another = Passage("nor-this", 1, "e", 2)
    refused = await scene.store.pass_over([passage(former, 2), unknown, passage(other, 2), another])
    assert refused == NotPassed(lost=frozenset({"s0", "never-there", "nor-this"}))
    assert await numbers(scene, "s0") == (0, 0, 2)
    assert await numbers(scene, "s1") == (2, 0, 0)


async def test_the_flush_of_an_owner_comes_after_as_before(scene: Scene) -> None:
    (owner,) = await owners(scene, 1)
    entries = await scene.fill(3)
    await scene.store.pass_over([passage(owner, 2)])
    flush = await owner.flush(
        cursors={"e": 3},
        attempts=(attempt(entries[2]),),
        counters=Counters(delivered=1, attempts=1),
    )
    await scene.store.pass_over([passage(owner, 2)])  # its answer was lost
    await scene.store.flush(flush)
    assert (await scene.status("s0")).counters == Counters(filtered=2, delivered=1, attempts=1)
    successor = await scene.owner("s0")
    assert successor.claimed.flush_number == owner.claimed.flush_number + 1
    with pytest.raises(StaleOwner):
        await owner.flush()


@pytest.mark.parametrize(("kept", "taken"), [(0, 4), (1, 3), (4, 0)])
async def test_what_retention_took_is_counted_once(scene: Scene, kept: int, taken: int) -> None:
    (owner,) = await owners(scene, 1)
    await scene.fill(4, body=b"x")
    await scene.store.expire(Retention(DAY, DAY, kept), scene.clock.now())
    await scene.store.pass_over([passage(owner, 4)])
    assert await numbers(scene) == (4 - taken, taken, 0)


@pytest.mark.parametrize("back", [False, True])
async def test_what_left_with_its_endpoint_is_counted_once(scene: Scene, *, back: bool) -> None:
    (owner,) = await owners(scene, 1)
    await scene.fill(2)
    await scene.subscription("s0", endpoints=())
    if back:
        await scene.subscription("s0", endpoints=["e"])
        await scene.fill(1)
    await scene.store.pass_over([passage(owner, 2)])
    assert await numbers(scene) == (0, 2, int(back))
    await scene.store.pass_over([passage(owner, 3)])
    assert await numbers(scene) == (int(back), 2, 0)


async def test_an_endpoint_that_is_gone_is_left_out(scene: Scene) -> None:
    (owner,) = await owners(scene, 1)
    await scene.fill(1)
    passages = [passage(owner, 7, "nowhere"), passage(owner, 1)]
    assert await scene.store.pass_over(passages) == NotPassed()
    assert await numbers(scene) == (1, 0, 0)


async def test_claims_and_passages_at_once_count_each_event_once(scene: Scene) -> None:
    many = await owners(scene, 20)
    await scene.fill(3)
    await asyncio.gather(
        *[scene.store.claim(owner.uid) for owner in many[::2]],
        *[scene.store.pass_over([passage(x, upto) for x in many]) for upto in (3, 1, 2)],
    )
    again = [await scene.owner(owner.uid) for owner in many]
    await scene.store.pass_over([passage(owner, 3) for owner in again])
    assert {await numbers(scene, owner.uid) for owner in many} == {(3, 0, 0)}


# What a flush passes along with its own deliveries


@pytest.mark.parametrize(("kept", "taken"), [(0, 4), (1, 3), (4, 0)])
async def test_what_a_flush_passes_and_retention_took_is_counted_once(
    scene: Scene, kept: int, taken: int
) -> None:
    (owner,) = await owners(scene, 1)
    await scene.fill(4, body=b"x")
    await scene.store.expire(Retention(DAY, DAY, kept), scene.clock.now())
    passed = (Span("e", 0, 1), Span("e", 1, 4))
    await owner.flush(cursors={"e": 4}, counters=Counters(filtered=4), passed=passed)
    assert await numbers(scene) == (4 - taken, taken, 0)


@pytest.mark.parametrize("back", [False, True])
async def test_what_a_flush_passes_and_left_is_counted_once(scene: Scene, *, back: bool) -> None:
    (owner,) = await owners(scene, 1)
    await scene.fill(2)
    await scene.subscription("s0", endpoints=())
    if back:
        await scene.subscription("s0", endpoints=["e"])
    passed = (Span("e", 0, 2),)
    await owner.flush(cursors={"e": 2}, counters=Counters(filtered=2), passed=passed)
    assert await numbers(scene) == (0, 2, 0)
