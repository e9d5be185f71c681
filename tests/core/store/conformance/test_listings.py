"""A page looks at a bounded number of entries, and the next one goes on where it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from hookplane.errors import UnknownObject
from hookplane.filters.types import Interest
from hookplane.store.config_store import ConfigKind
from hookplane.store.delivery_store import DeliveryState, ReplayProgress
from hookplane.store.event_log import LogEntry
from hookplane.store.listings import JUDGED
from hookplane.store.maintenance import Retention
from hookplane.store.queries import DeliveryRow, EventRow, Listed, Page
from support.planes.store import DAY, Owner, Scene, delivery

ENDPOINT, SUBSCRIPTION = ConfigKind.ENDPOINT, ConfigKind.SUBSCRIPTION
MORE = JUDGED + 50
T = TypeVar("T")
DELIVERED = frozenset({DeliveryState.DELIVERED})


async def fill(scene: Scene, number: int) -> list[LogEntry]:
    await asyncio.gather(*(scene.append() for _ in range(number)))
    entries: list[LogEntry] = []
    while page := await scene.store.read_log("e", len(entries), 500):
        entries += page
    return entries


async def only_the_oldest_is_delivered(scene: Scene) -> tuple[Owner, LogEntry]:
    await scene.subscription("s")
    entries = await fill(scene, MORE)
    owner = await scene.owner()
    await owner.deliver(entries[0])
    await owner.skip(entries[-1])
    return owner, entries[0]


async def all_pages(
    ask: Callable[[Page], Awaitable[Listed[T]]], limit: int, before: str | None = ""
) -> list[list[T]]:
    pages: list[list[T]] = []
    while before is not None:
        found = await ask(Page(limit, before))
        assert found.looked_at <= max(JUDGED, limit)
        pages.append(found.rows)
        before = found.following
    return pages


async def test_what_is_rare_is_found_page_by_page(scene: Scene) -> None:
    _, oldest = await only_the_oldest_is_delivered(scene)
    pages = await all_pages(lambda page: scene.store.deliveries(page, "s", DELIVERED), 5)
    assert [[row.entry for row in rows] for rows in pages] == [[], [oldest]]


async def test_several_logs_are_walked_together(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.subscription("s", ("e", "f"))
    ids = [(await scene.append("ef"[n % 3 == 0])).event_id for n in range(9)]
    everything = frozenset(DeliveryState)
    pages = await all_pages(lambda page: scene.store.deliveries(page, "s", everything), 2)
    assert [row.entry.event_id for rows in pages for row in rows] == ids[::-1]


async def test_an_event_of_one_log_says_where_to_go_on_in_all(scene: Scene) -> None:
    """However many pages it takes to come there."""
    await scene.endpoints("f")
    await scene.subscription("s", ("e", "f"))
    old = [(await scene.append("ef"[n % 2])).event_id for n in range(4)]
    given = (await scene.append("e")).event_id
    for _ in range(5):
        await scene.append("f")

    async def older_deliveries(page: Page) -> Listed[DeliveryRow]:
        return await scene.store.deliveries(page, "s", frozenset())

    async def older_events(page: Page) -> Listed[EventRow]:
        return await scene.store.events(page, "f")

    pages = await all_pages(older_deliveries, 1, given)
    assert [row.entry.event_id for rows in pages for row in rows] == old[::-1]
    of_f = await all_pages(older_events, 1, given)
    assert [row.entry.event_id for rows in of_f for row in rows] == [old[3], old[1]]


async def test_a_log_is_listed_as_it_was_written(scene: Scene) -> None:
    ids = [scene.ids.next() for _ in range(4)]
    written = [ids[n] for n in (1, 0, 3, 2)]  # by receivers whose clocks differ
    for event_id in written:
        await scene.append(event_id=event_id)
    pages = await all_pages(lambda page: scene.store.events(page, "e"), 1)
    assert [row.entry.event_id for rows in pages for row in rows] == written[::-1]


async def test_keys_are_shown_with_deliveries_and_replayed_events(scene: Scene) -> None:
    """Whatever became of them, with a row and without."""
    await scene.subscription("s")
    entries = [(await scene.fill(1, key=key))[0] for key in ("cus_1", "", "cus_3")]
    owner = await scene.owner()
    await owner.deliver(*entries[:2])
    await owner.hold(delivery(entries[2]))
    rows = (await scene.store.deliveries(Page(), "s", frozenset(DeliveryState))).rows
    assert [row.entry.key for row in rows] == ["cus_3", "", "cus_1"]
    retrying = frozenset({DeliveryState.RETRYING})
    assert [row.entry for row in (await scene.store.deliveries(Page(), "s", retrying)).rows] == [
        entries[2]
    ]
    await scene.replay(states=frozenset(DeliveryState))
    page = await scene.store.replay_page("r", 10)
    assert [found.entry for found in page.candidates] == entries


async def test_what_does_not_concern_a_subscription_does_not_wait_for_it(scene: Scene) -> None:
    """Though no cursor has passed it yet."""
    await scene.subscription("s")
    wanted = (await scene.fill(1, type="order.paid", key="cus_1"))[0]
    await scene.fill(1, type="order.paid", key="cus_2")
    await scene.fill(1, type="invoice.paid", key="cus_1")
    await scene.fill(1, type="order.paid")
    interest = Interest(("order.*",), ("cus_1",))

    async def states(*asked: DeliveryState) -> list[DeliveryState]:
        found = await scene.store.deliveries(Page(), "s", frozenset(asked), interest)
        return [row.state for row in found.rows]

    filtered, pending = DeliveryState.FILTERED, DeliveryState.PENDING
    assert await states() == [filtered, filtered, filtered, pending]
    assert await states(filtered) == [filtered] * 3
    found = await scene.store.deliveries(Page(), "s", frozenset({pending}), interest)
    assert [row.entry for row in found.rows] == [wanted]


async def test_an_id_that_is_gone_says_where_to_go_on(scene: Scene) -> None:
    first = await scene.fill(1)
    second = scene.ids.next()
    await scene.fill(1)
    found = await scene.store.events(Page(5, second), "e")
    assert [row.entry for row in found.rows] == first


async def test_a_replay_goes_on_behind_what_it_did_not_want(scene: Scene) -> None:
    owner, _ = await only_the_oldest_is_delivered(scene)
    newest = await scene.fill(1)
    await owner.deliver(*newest)
    await scene.replay(states=DELIVERED)
    found: list[LogEntry] = []
    exhausted = False
    while not exhausted:
        page = await scene.store.replay_page("r", 5)
        found += [x.entry for x in page.candidates]
        exhausted = page.exhausted
        await owner.advance(ReplayProgress("r", page.position, exhausted=exhausted))
    assert [x.sequence for x in found] == [1, MORE + 1]


async def test_what_is_gone_for_good_is_unknown(scene: Scene) -> None:
    await scene.subscription("s")
    everything, retention = Page(10), Retention(DAY, DAY, 1 << 30)
    assert (await scene.store.deliveries(everything, "s", frozenset())).rows == []
    await scene.delete(SUBSCRIPTION, "s")
    await scene.delete(ENDPOINT, "e")
    scene.clock.advance(DAY + 1)
    for _ in range(3):
        await scene.store.expire(retention, scene.clock.now())
    for asked in (
        scene.store.deliveries(everything, "s", frozenset()),
        scene.store.attempts(everything, "s"),
        scene.store.events(everything, log_id="e"),
    ):
        with pytest.raises(UnknownObject):
            await asked
