"""Retention by size takes from whoever has stored most, and from nobody else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hookplane.ids import event_id
from hookplane.store.config_store import ConfigKind
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.queries import Page
from hookplane.store.retention import SLICE
from support.planes.store import DAY, Scene, delivery, lose

KIB = b"x" * 1024
YEAR = 365 * DAY


async def expire(scene: Scene, total: int) -> Expired:
    """All steps; nothing is too old."""
    gone = Expired(more=True)
    while gone.more:
        step = await scene.store.expire(Retention(YEAR, YEAR, total), scene.clock.now())
        skipped = gone.skipped_deliveries + step.skipped_deliveries
        gone = Expired(gone.events + step.events, skipped_deliveries=skipped, more=step.more)
    return gone


async def kept(scene: Scene) -> Counter[str]:
    """Endpoint → events that are there."""
    return Counter(row.entry.endpoint for row in (await scene.store.events(Page(2_000))).rows)


@pytest.fixture
async def tenants(scene: Scene) -> Scene:
    """`noisy/a`, `noisy/b`, `quiet/a`."""
    await scene.endpoints("noisy/a", "noisy/b", namespace="noisy")
    await scene.endpoints("quiet/a", namespace="quiet")
    return scene


async def test_a_quiet_one_keeps_all_that_is_older(tenants: Scene) -> None:
    quiet = await tenants.fill(5, "quiet/a", body=KIB)
    tenants.clock.advance(DAY)
    await tenants.fill(12, "noisy/a", body=KIB)
    noisy = await tenants.fill(6, "noisy/b", body=KIB)
    assert await expire(tenants, 10 << 10) == Expired(events=13)
    assert await kept(tenants) == {"quiet/a": 5, "noisy/b": 5}
    assert await tenants.store.read_log("quiet/a", 0, 10) == quiet
    assert await tenants.store.read_log("noisy/b", 0, 10) == noisy[1:]
    assert await tenants.store.stored_bytes() == {"quiet": 5 << 10, "noisy": 5 << 10}


async def test_equal_ones_lose_equally_much(tenants: Scene) -> None:
    for _ in range(10):
        await tenants.append("quiet/a", body=KIB)
        await tenants.append("noisy/a", body=KIB)
    assert await expire(tenants, 13 << 10) == Expired(events=7)
    assert sorted((await kept(tenants)).values()) == [6, 7]
    assert await expire(tenants, 13 << 10) == Expired()


async def test_the_oldest_of_a_namespace_go_whatever_their_endpoint(tenants: Scene) -> None:
    for endpoint in ("noisy/a", "noisy/b", "noisy/b", "noisy/a", "noisy/b"):
        await tenants.append(endpoint, body=KIB)
        tenants.clock.advance(SLICE // 2)
    assert await expire(tenants, 2 << 10) == Expired(events=3)
    assert await kept(tenants) == {"noisy/a": 1, "noisy/b": 1}


async def test_many_more_than_one_step_takes(tenants: Scene) -> None:
    await tenants.fill(20, "quiet/a", body=KIB)
    await tenants.fill(700, "noisy/a", body=KIB)
    tenants.clock.advance(SLICE + 1)
    await tenants.fill(500, "noisy/b", body=KIB)
    step = await tenants.store.expire(Retention(DAY, DAY, 40 << 10), tenants.clock.now())
    assert step.more
    assert 0 < step.events <= 500
    await expire(tenants, 40 << 10)
    assert await kept(tenants) == {"quiet/a": 20, "noisy/b": 20}


async def test_what_deleted_endpoints_left_counts_and_goes(tenants: Scene) -> None:
    await tenants.fill(6, "noisy/a", body=KIB)
    await tenants.delete(ConfigKind.ENDPOINT, "noisy/a")
    await tenants.fill(2, "noisy/b", body=KIB)
    await tenants.fill(5, "quiet/a", body=KIB)
    assert await expire(tenants, 10 << 10) == Expired(events=3)
    assert await kept(tenants) == {"noisy/a": 3, "noisy/b": 2, "quiet/a": 5}


async def test_built_in_endpoints_count_each_alone(tenants: Scene) -> None:
    await tenants.endpoints("noisy/notices", "quiet/notices")
    await tenants.fill(9, "noisy/notices", body=KIB)
    await tenants.fill(2, "quiet/notices", body=KIB)
    await tenants.fill(4, "quiet/a", body=KIB)
    assert await expire(tenants, 10 << 10) == Expired(events=5)
    assert await kept(tenants) == {"noisy/notices": 4, "quiet/notices": 2, "quiet/a": 4}


async def test_what_is_taken_from_subscribers_counts_as_expired(tenants: Scene) -> None:
    await tenants.subscription("s", ["noisy/a"])
    await tenants.subscription("t", ["quiet/a"])
    entries = await tenants.fill(6, "noisy/a", body=KIB)
    await tenants.fill(2, "quiet/a", body=KIB)
    s = await tenants.owner("s")
    await s.deliver(entries[0])
    await s.hold(delivery(entries[1]), delivery(entries[2], DeliveryState.DEAD))
    # one delivered, one retrying, one dead, one pending
    assert await expire(tenants, 4 << 10) == Expired(events=4, skipped_deliveries=2)
    for uid, expired in (("s", 2), ("t", 0)):
        status = await tenants.status(uid)
        assert (status.counters.expired, status.pending) == (expired, 2)


async def test_what_is_too_old_goes_first_and_makes_room(tenants: Scene) -> None:
    await tenants.fill(5, "quiet/a", body=KIB)
    tenants.clock.advance(DAY + 1)
    await tenants.fill(8, "noisy/a", body=KIB)
    step = await tenants.store.expire(Retention(DAY, DAY, 8 << 10), tenants.clock.now())
    assert (step.events, step.surplus) == (5, 0)
    assert await kept(tenants) == {"noisy/a": 8}


async def test_events_age_behind_many_that_were_taken(tenants: Scene) -> None:
    """On the way to them lie more than one step looks at."""
    await tenants.fill(1, "quiet/a", body=KIB)
    await tenants.fill(1_100, "noisy/a", body=b"x")
    tenants.clock.advance(SLICE + 1)  # what comes closer together goes in any order
    await tenants.fill(2, "quiet/a", body=KIB)
    await tenants.fill(40, "noisy/b", body=KIB)
    await expire(tenants, 6 << 10)
    assert await kept(tenants) == {"quiet/a": 3, "noisy/b": 3}
    tenants.clock.advance(DAY)
    step = Expired(more=True)
    while step.more:
        step = await tenants.store.expire(Retention(DAY, DAY, 1 << 30), tenants.clock.now())
    assert await kept(tenants) == {"quiet/a": 2, "noisy/b": 3}


@pytest.mark.parametrize("number", [1, 3, 600])
async def test_a_log_whose_first_events_are_missing_loses_the_next_ones(
    tenants: Scene, tmp_path: Path, number: int
) -> None:
    gone = await tenants.fill(number, "noisy/a", body=b"")
    await tenants.fill(5, "noisy/a", body=KIB)
    await lose(tenants.store, tmp_path, *(x.event_id for x in gone))
    await expire(tenants, 2 << 10)
    assert await kept(tenants) == {"noisy/a": 2}


async def test_one_that_tells_an_early_time_takes_nothing_along(tenants: Scene) -> None:
    """A receiver's clock is behind: its event has an early id besides."""
    await tenants.fill(5, "noisy/a", body=KIB)
    early = tenants.clock.now() - 30 * DAY
    await tenants.append("noisy/a", event_id=event_id(early), received=early, body=KIB)
    assert await expire(tenants, 4 << 10) == Expired(events=2)
    assert await kept(tenants) == {"noisy/a": 4}
