from __future__ import annotations

from typing import Any

import pytest

from hookplane.config.base import RateLimit
from hookplane.process.membership import SingleProcess
from hookplane.store.delivery_store import (
    CircuitState,
    Claimed,
    Delivery,
    DeliveryState,
    TargetHealth,
)
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.capacity import (
    MOST_BYTES,
    NOT_ITS_TURN_SECONDS,
    STORE_AWAY_SECONDS,
    Capacity,
)
from hookplane_dispatcher.worker.tracker import DeliveryTracker
from support.clocks.manual import ManualClock
from support.planes.dispatcher import subscription

SECOND = 1_000


class Doubtful:
    """Another process may own everything by now."""

    process = 1

    def may_send(self) -> bool:
        return False


class Bench:
    """A capacity with a tracker whose cursor of `orders` stands at 10."""

    def __init__(
        self,
        *rows: Delivery,
        health: TargetHealth | None = None,
        ownership: Any = None,
        **fields: Any,
    ) -> None:
        config = subscription(**fields)
        self.clock = ManualClock()
        claimed = Claimed(1, 0, {"orders": 10}, {"orders": 20}, rows, health or TargetHealth(), 0)
        self.tracker = DeliveryTracker(config, claimed, self.clock.now(), 100)
        self.tracker.join("orders", 10)
        self.capacity = Capacity(
            config, self.tracker, self.clock, ownership or SingleProcess(), can_send=True
        )

    def next_start(self) -> float | None:
        return self.capacity.next_start(self.clock.monotonic())

    def advance(self, millis: int) -> None:
        self.clock.advance(millis)
        self.capacity.begin_turn()

    def wait(self, *sequences: int) -> None:
        cursor = self.tracker.cursors["orders"]
        for sequence in sequences:
            cursor.note_read(sequence, floor=sequence - 1)
            cursor.waiting.append(LogEntry("orders", sequence, f"evt_{sequence}", 0, "x", 10))


def row(bench_now: int, sequence: int, due_in: int, **fields: Any) -> Delivery:
    due = bench_now + due_in
    given = {"attempts": 1, "due": due, "deadline": due + 60 * SECOND}
    return Delivery(
        "orders", sequence, f"evt_{sequence}", "x", DeliveryState.RETRYING, **(given | fields)
    )


NOW = ManualClock().now()


def test_slots_are_free_until_attempts_start() -> None:
    bench = Bench(max_in_flight=2)
    assert (bench.capacity.room(), bench.next_start()) == (2, None)
    bench.tracker.under_way = 2
    bench.tracker.writing = True
    assert (bench.capacity.room(), bench.next_start()) == (0, None)


def test_bytes_under_way_stop_what_would_follow() -> None:
    bench = Bench(max_in_flight=5)
    bench.capacity.attempt_started(MOST_BYTES, probe=False)
    assert (bench.capacity.room(), bench.capacity.free_bytes) == (0, 0)
    bench.capacity.attempt_ended(MOST_BYTES, probe=False)
    assert bench.capacity.room() == 5


def test_a_rate_says_when_the_next_may_start() -> None:
    bench = Bench(max_in_flight=5, rate=RateLimit(tokens=2, per=SECOND, burst=1))
    assert bench.capacity.room() == 1
    bench.capacity.attempt_started(10, probe=False)
    assert bench.capacity.room() == 0
    assert bench.next_start() == pytest.approx(0.5)
    bench.advance(500)
    assert bench.capacity.room() == 1


def test_a_block_ends_when_it_says() -> None:
    bench = Bench(health=TargetHealth(blocked_until=NOW + 3 * SECOND))
    assert bench.capacity.room() == 0
    assert bench.next_start() == pytest.approx(3)
    bench.advance(3 * SECOND)
    assert bench.capacity.room() > 0


def test_an_open_circuit_lets_one_probe_out_at_a_time() -> None:
    bench = Bench(health=TargetHealth(circuit=CircuitState.OPEN))
    assert bench.capacity.room() == 1
    bench.capacity.attempt_started(10, probe=True)
    assert bench.capacity.room() == 0
    bench.capacity.attempt_ended(10, probe=True)
    assert bench.capacity.room() == 1


def test_a_due_row_is_handed_out_once() -> None:
    bench = Bench(row(NOW, 3, 5 * SECOND))
    assert bench.capacity.take_due() == []
    assert bench.next_start() == pytest.approx(5)
    bench.advance(5 * SECOND)
    assert [taken.sequence for taken in bench.capacity.take_due()] == [3]
    assert bench.capacity.take_due() == []


def test_a_due_row_above_the_cursor_waits_but_is_looked_at_again() -> None:
    bench = Bench(row(NOW, 15, 0), strict=True)
    assert bench.capacity.take_due() == []
    assert bench.next_start() == pytest.approx(NOT_ITS_TURN_SECONDS)


def test_a_row_is_overdue_only_while_clocks_run() -> None:
    ending = row(NOW, 3, 0, deadline=NOW)
    bench, suspended = Bench(ending), Bench(ending, suspended=True)
    assert bench.capacity.overdue() is None
    bench.advance(1)
    suspended.advance(1)
    assert bench.capacity.overdue() is not None
    assert suspended.capacity.overdue() is None


def test_with_strict_order_the_head_must_follow_the_cursor() -> None:
    bench = Bench(strict=True)
    cursor = bench.tracker.cursors["orders"]
    bench.wait(11, 12)
    assert bench.capacity.may_start_new(cursor)
    cursor.under_way = 1
    bench.tracker.writing = True
    assert not bench.capacity.may_start_new(cursor)
    cursor.under_way = 0
    cursor.take_waiting(1, MOST_BYTES)
    assert not bench.capacity.may_start_new(cursor)  # 11 is not settled


@pytest.mark.parametrize(
    "bench",
    [
        Bench(suspended=True),
        Bench(health=TargetHealth(disabled_at=1)),
        Bench(ownership=Doubtful()),
    ],
    ids=["suspended", "disabled", "in doubt"],
)
def test_nobody_but_others_can_end_it(bench: Bench) -> None:
    bench.wait(11)
    assert (bench.capacity.room(), bench.next_start()) == (0, None)


def test_a_store_that_is_away_is_asked_again_after_a_moment() -> None:
    bench = Bench(row(NOW, 3, 0))
    bench.capacity.store_failed()
    assert bench.capacity.store_is_away
    assert bench.next_start() == pytest.approx(STORE_AWAY_SECONDS)
    bench.advance(round(STORE_AWAY_SECONDS * SECOND))
    assert not bench.capacity.store_is_away


def test_answers_hold_for_the_beginning_of_the_turn() -> None:
    bench = Bench(row(NOW, 3, SECOND))
    bench.clock.advance(400)
    assert bench.next_start() == pytest.approx(0.6)


def test_stopping_ends_everything() -> None:
    bench = Bench(row(NOW, 3, 0))
    bench.capacity.stop()
    assert (bench.capacity.take_due(), bench.next_start()) == ([], None)
