"""What the store is told, and when somebody is told that an endpoint rejects."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookplane.config.endpoint import operational_endpoint
from hookplane.rejections import RejectReason
from hookplane.reporting.operational import QUIET_PERIOD, OperationalEventPublisher
from hookplane.store.queries import Page
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_receiver.reporter import Reporter
from support.clocks.manual import ManualClock
from support.planes.receiver import endpoint, open_door, operational

SOURCE = "203.0.113.9"


async def told(store: SQLiteStore) -> int:
    return len((await store.events(Page(), log_id=operational_endpoint("default"))).rows)


async def test_a_notice_when_rejections_start_and_not_while_they_go_on(tmp_path: Path) -> None:
    clock, config = ManualClock(), endpoint("e")
    async with open_door(tmp_path, config, operational(), clock=clock) as door:
        publisher = OperationalEventPublisher(door.store, clock)
        reporter = Reporter(door.store, clock, publisher)
        for _ in range(3):
            reporter.rejected(config, RejectReason.SIGNATURE, "no", SOURCE)
            await reporter.flush()
            await publisher.close()
            clock.advance(QUIET_PERIOD - 1)
        assert await told(door.store) == 1
        clock.advance(QUIET_PERIOD)
        reporter.rejected(config, RejectReason.SIGNATURE, "no", SOURCE)
        await reporter.flush()
        await publisher.close()
        assert await told(door.store) == 2


async def test_our_own_refusals_are_no_news(tmp_path: Path) -> None:
    config = endpoint("e")
    async with open_door(tmp_path, config, operational()) as door:
        publisher = OperationalEventPublisher(door.store, door.clock)
        reporter = Reporter(door.store, door.clock, publisher)
        reporter.rejected(config, RejectReason.SUSPENDED, "no", SOURCE)
        await reporter.flush()
        await publisher.close()
        assert await told(door.store) == 0
        assert (await door.status("e")).rejected == {"Suspended": 1}


async def test_what_strangers_wrote_moves_no_cursor(tmp_path: Path) -> None:
    """Nor is it lost for what cannot be encoded."""
    config = endpoint("e")
    async with open_door(tmp_path, config, operational()) as door:
        reporter = Reporter(
            door.store, door.clock, OperationalEventPublisher(door.store, door.clock)
        )
        reporter.rejected(config, RejectReason.SIGNATURE, "no \x1b[2J\n\u202e\x00 ü", "a\udcff")
        await reporter.flush()
        assert (await door.status("e")).last_rejected_detail == "no �[2J��� ü, from a�"


async def test_without_a_built_in_endpoint_nobody_is_told_and_nothing_breaks(
    tmp_path: Path,
) -> None:
    config = endpoint("e")
    async with open_door(tmp_path, config) as door:
        publisher = OperationalEventPublisher(door.store, door.clock)
        reporter = Reporter(door.store, door.clock, publisher)
        reporter.rejected(config, RejectReason.SIGNATURE, "no", SOURCE)
        await reporter.flush()
        await publisher.close()
        assert (await door.status("e")).rejected == {"SignatureMismatch": 1}


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (RejectReason.SIGNATURE, "no, from 203.0.113.9"),
        (RejectReason.SUSPENDED, "no"),  # whoever sends
        (RejectReason.EVENTS_QUOTA, "no"),
    ],
)
async def test_who_sent_it_is_told_where_that_matters(
    tmp_path: Path, reason: RejectReason, message: str
) -> None:
    config = endpoint("e")
    async with open_door(tmp_path, config) as door:
        publisher = OperationalEventPublisher(door.store, door.clock)
        reporter = Reporter(door.store, door.clock, publisher)
        reporter.rejected(config, reason, "no", SOURCE)
        await reporter.flush()
        await publisher.close()
        assert (await door.status("e")).last_rejected_detail == message
