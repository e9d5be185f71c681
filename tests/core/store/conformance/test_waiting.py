"""What is not done is handed over by due time, a bounded number at a time."""

from __future__ import annotations

import pytest

from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import DeliveryState, Rest
from support.clocks.manual import START
from support.planes.store import Scene, delivery

NUMBER = 7


async def failing(scene: Scene) -> list[int]:
    """Sequences in the order in which they are due; two are due at the same time."""
    await scene.subscription("s")
    entries = await scene.fill(NUMBER)
    dues = [50, 10, 40, 10, 30, 20, 60]
    rows = [delivery(x, due=START + due) for x, due in zip(entries, dues, strict=True)]
    await (await scene.owner()).hold(*rows)
    return [2, 4, 6, 5, 3, 1, 7]


async def test_a_claim_hands_over_the_first_and_says_what_is_left(scene: Scene) -> None:
    order = await failing(scene)
    claimed = await scene.store.claim("s", None, 3)
    assert [x.sequence for x in claimed.deliveries] == order[:3]
    assert claimed.rest is not None
    assert (claimed.rest.due, claimed.rest.left) == (START + 30, NUMBER - 3)
    assert (await scene.store.claim("s", None, NUMBER)).rest is None


async def test_the_others_come_page_by_page(scene: Scene) -> None:
    order = await failing(scene)
    found: list[int] = []
    rest: Rest | None = Rest(START, 0, NUMBER)
    while rest is not None:
        rows, rest = await scene.store.waiting("s", rest, 1)
        found += [x.sequence for x in rows]
        assert rest is None or rest.left == NUMBER - len(found)
    assert found == order


async def test_what_no_cursor_has_passed_is_handed_over_whenever_it_is_due(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(3)
    owner = await scene.owner()
    await owner.hold(delivery(entries[0], due=START + 1))
    await owner.flush(upserts=(delivery(entries[2], due=START + 99),))
    claimed = await scene.store.claim("s", None, 0)
    assert [x.sequence for x in claimed.deliveries] == [3]


async def test_what_is_dead_does_not_wait(scene: Scene) -> None:
    await scene.subscription("s")
    entries = await scene.fill(2)
    rows = (delivery(entries[0], DeliveryState.DEAD), delivery(entries[1]))
    await (await scene.owner()).hold(*rows)
    found, rest = await scene.store.waiting("s", Rest(0, 0, 2), 5)
    assert [x.sequence for x in found] == [2]
    assert rest is None


async def test_nothing_waits_for_nobody(scene: Scene) -> None:
    with pytest.raises(UnknownObject):
        await scene.store.waiting("nobody", Rest(0, 0, 1), 1)


async def test_rows_are_found_by_their_place(scene: Scene) -> None:
    await failing(scene)
    found = await scene.store.open_rows("s", [("e", 2), ("e", 5), ("e", 99)])
    assert sorted(x.sequence for x in found) == [2, 5]
    with pytest.raises(UnknownObject):
        await scene.store.open_rows("nobody", [])
