"""What is reported to a namespace, how often, and that it reaches the namespace's log."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from hookplane.config.endpoint import operational_endpoint
from hookplane.errors import StoreUnavailable
from hookplane.reporting.operational import (
    MAX_SUBJECTS,
    QUIET_PERIOD,
    OperationalEvent,
    OperationalEventPublisher,
    OperationalType,
    QuietPeriods,
    new_event,
)
from hookplane.store.event_log import Appended, NewEvent
from hookplane.store.queries import Page
from hookplane.store.sqlite.driver import SQLiteStore
from support.clocks.manual import ManualClock
from support.planes.store import Scene, open_sqlite

EVENT = OperationalEvent(
    OperationalType.CIRCUIT_OPEN, "WebhookSubscription", "chat", "crm", "TargetFailing", "503"
)
SUBJECT = ("type", "chat", "crm")


def test_an_event_that_can_be_subscribed_to() -> None:
    event = new_event(EVENT, "evt_1", 1_000, count=3)
    assert (event.endpoint, event.event_id, event.received) == (
        operational_endpoint("chat"),
        "evt_1",
        1_000,
    )
    assert event.type == "hookplane.subscription.circuit_open"
    assert json.loads(event.body) == {
        "type": "hookplane.subscription.circuit_open",
        "timestamp": "1970-01-01T00:00:01Z",
        "data": {
            "kind": "WebhookSubscription",
            "namespace": "chat",
            "name": "crm",
            "reason": "TargetFailing",
            "message": "503",
            "count": 3,
        },
    }


# Quiet periods ------------------------------------------------------------------------------------


def test_once_in_the_quiet_period_then_with_a_count() -> None:
    quiet = QuietPeriods()
    assert [quiet.count(SUBJECT, now) for now in (0, 1, QUIET_PERIOD - 1)] == [1, 0, 0]
    assert quiet.count(SUBJECT, QUIET_PERIOD) == 3
    assert quiet.count(SUBJECT, 2 * QUIET_PERIOD) == 1


def test_a_state_that_lasts_is_reported_when_it_starts() -> None:
    quiet = QuietPeriods()
    lasting = [quiet.count(SUBJECT, x * (QUIET_PERIOD - 1), only_onset=True) for x in range(4)]
    assert lasting == [1, 0, 0, 0]
    assert quiet.count(SUBJECT, 4 * QUIET_PERIOD - 3, only_onset=True) == 4


def test_another_object_or_type_is_reported_at_once() -> None:
    quiet = QuietPeriods()
    quiet.count(SUBJECT, 0)
    assert quiet.count(("type", "chat", "other"), 1) == 1
    assert quiet.count(("other", "chat", "crm"), 1) == 1


def test_memory_is_bounded() -> None:
    quiet = QuietPeriods()
    for number in range(MAX_SUBJECTS + 1):
        quiet.count(("type", "chat", str(number)), 0)
    assert quiet.count(("type", "chat", str(MAX_SUBJECTS)), 1) == 0
    assert quiet.count(("type", "chat", "0"), 1) == 1


# Publishing ---------------------------------------------------------------------------------------


async def test_it_reaches_the_log_of_its_namespace_once_in_the_quiet_period(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        await Scene(store, clock).endpoints(operational_endpoint("chat"), namespace="chat")
        publisher = OperationalEventPublisher(store, clock)
        publisher.publish(EVENT)
        publisher.publish(EVENT)
        publisher.publish(replace(EVENT, type=OperationalType.DELIVERY_DEAD), only_onset=True)
        await publisher.close()
        rows = (await store.events(Page(), log_id=operational_endpoint("chat"))).rows
        types = sorted(row.entry.type for row in rows)
        assert types == ["hookplane.delivery.dead", "hookplane.subscription.circuit_open"]


async def test_a_namespace_without_a_built_in_endpoint_is_passed_over(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        publisher = OperationalEventPublisher(store, clock)
        publisher.publish(EVENT)
        await publisher.close()
        assert (await store.events(Page())).rows == []


class BrokenLog(SQLiteStore):
    """A log whose appends fail."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def append(self, event: NewEvent) -> Appended:
        raise self._error


@pytest.mark.parametrize(
    ("error", "lines"), [(StoreUnavailable("away"), 0), (KeyError("no such thing"), 1)]
)
async def test_no_error_of_the_log_reaches_the_caller(
    error: Exception, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        publisher = OperationalEventPublisher(BrokenLog(error), ManualClock())
        publisher.publish(EVENT)
        await publisher.close()
    assert len(caplog.records) == lines
    assert "no such thing" not in caplog.text
