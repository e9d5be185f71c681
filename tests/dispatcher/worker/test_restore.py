"""Stored times that make no sense are made to fit; all others stay as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookplane import retry
from hookplane.config.subscription import CircuitConfig, RetryConfig
from hookplane.store.delivery_store import (
    CircuitState,
    Claimed,
    Delivery,
    DeliveryState,
    TargetHealth,
)
from hookplane_dispatcher.transports.transport import LONGEST_PAUSE
from hookplane_dispatcher.worker.restore import restore
from support.clocks.manual import START as NOW
from support.planes.dispatcher import subscription

MINUTE = 60_000
HOUR = 60 * MINUTE
YEAR = 365 * 24 * HOUR
CONFIG = subscription(
    retry=RetryConfig(schedule=(MINUTE, 6 * HOUR, HOUR), jitter_percent=50),
    circuit=CircuitConfig(probe_every=MINUTE, probe_at_most_every=2 * HOUR),
)
TIMEOUT = CONFIG.target.timeout
WHOLE = retry.deadline(0, CONFIG.retry, TIMEOUT)
ROW = Delivery(
    "orders", 7, "evt_7", "x", DeliveryState.RETRYING, 2, NOW + HOUR, NOW + 3 * HOUR, 500, "500"
)


def restored_row(row: Delivery, state: TargetHealth | None = None) -> Delivery:
    _, (row,) = restore(claimed(state or TargetHealth(), row), CONFIG, NOW)
    return row


def restored_health(state: TargetHealth) -> TargetHealth:
    health, _ = restore(claimed(state), CONFIG, NOW)
    return health.snapshot()


def claimed(state: TargetHealth, *rows: Delivery) -> Claimed:
    return Claimed(1, 0, {}, {}, rows, state, 0)


@pytest.mark.parametrize("due", [NOW - YEAR, NOW, NOW + HOUR, NOW + 9 * HOUR])
def test_times_that_make_sense_stay(due: int) -> None:
    row = replace(ROW, due=due)
    assert restored_row(row) == row


@pytest.mark.parametrize(("attempts", "longest"), [(1, HOUR), (2, 9 * HOUR), (3, 3 * HOUR // 2)])
def test_no_wait_is_longer_than_the_schedule_or_the_target_allows(
    attempts: int, longest: int
) -> None:
    row = restored_row(replace(ROW, due=NOW + YEAR, deadline=NOW + YEAR, attempts=attempts))
    assert (row.due, row.deadline) == (NOW + longest, NOW + WHOLE)


@pytest.mark.parametrize("attempts", [1, 2, 3, 4])
def test_what_nobody_looked_after_gets_the_rest_of_its_schedule(attempts: int) -> None:
    row = restored_row(replace(ROW, due=NOW - YEAR, deadline=NOW - 1, attempts=attempts))
    assert row.due == NOW - YEAR
    assert row.deadline == retry.deadline(NOW, CONFIG.retry, TIMEOUT, attempts)
    assert restored_row(replace(ROW, deadline=NOW)).deadline == NOW


def test_what_was_sending_is_due_at_once_and_has_its_time() -> None:
    row = restored_row(replace(ROW, state=DeliveryState.SENDING, due=NOW - 5, deadline=NOW - 5))
    assert (row.state, row.due, row.deadline) == (DeliveryState.RETRYING, NOW, NOW + TIMEOUT)


def test_a_clock_that_was_ahead_is_known_by_what_has_happened() -> None:
    state = TargetHealth(
        circuit=CircuitState.OPEN,
        blocked_until=NOW + HOUR + MINUTE,
        failing_since=NOW - MINUTE,
        last_failure=NOW + HOUR,
    )
    health = restored_health(state)
    assert (health.blocked_until, health.last_failure) == (NOW + MINUTE, NOW)
    assert health.failing_since == NOW - MINUTE - HOUR
    row = restored_row(replace(ROW, due=NOW + 2 * HOUR), state)
    assert (row.due, row.deadline) == (NOW + HOUR, NOW + 2 * HOUR)


@pytest.mark.parametrize("field", ["last_success", "last_failure", "disabled_at", "paused_at"])
def test_nothing_has_happened_in_the_future(field: str) -> None:
    fields: dict[str, Any] = {field: NOW + YEAR}
    health = restored_health(TargetHealth(**fields))
    assert getattr(health, field) == NOW


def test_a_block_ends_within_the_longest_pause() -> None:
    state = TargetHealth(blocked_until=NOW + YEAR, probe_pause=YEAR)
    health = restored_health(state)
    assert (health.blocked_until, health.probe_pause) == (NOW + 2 * HOUR, 2 * HOUR)
    fits = TargetHealth(blocked_until=NOW + LONGEST_PAUSE, probe_pause=MINUTE)
    assert restored_health(fits) == fits


def test_time_without_an_attempt_is_not_time_of_failing() -> None:
    wait = 9 * HOUR
    state = TargetHealth(failing_since=NOW - 20 * HOUR, last_failure=NOW - wait)
    assert restored_health(state) == state
    state = TargetHealth(failing_since=NOW - YEAR - HOUR, last_failure=NOW - YEAR)
    assert restored_health(state).failing_since == NOW - wait - HOUR


def test_a_pause_keeps_its_own_time() -> None:
    state = TargetHealth(paused_at=NOW - YEAR)
    row = replace(ROW, due=NOW - YEAR + HOUR, deadline=NOW - YEAR + 3 * HOUR)
    assert restored_row(row, state) == row
