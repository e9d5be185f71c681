"""What a flush writes: rows as they are by then, each end counted once, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from hookplane.store.delivery_store import (
    Attempt,
    Counters,
    Delivery,
    DeliveryState,
    Flush,
    ReplayProgress,
    TargetHealth,
)
from hookplane_dispatcher.worker.flush_buffer import FlushBuffer, Key, Settlement

KEY: Key = ("e", 1)
OTHER: Key = ("e", 2)
FAILED = Attempt("e", 1, "evt_1", 0, 1, 5, False, 500)
SUCCEEDED = Attempt("e", 1, "evt_1", 0, 2, 5, True, 200)
HEALTH = TargetHealth(failing_since=7)


def row(key: Key = KEY, state: DeliveryState = DeliveryState.RETRYING) -> Delivery:
    return Delivery(*key, f"evt_{key[1]}", "order.created", state, 1, 10, 20)


def flush(buffer: FlushBuffer, rows: Mapping[Key, Delivery] | None = None) -> Flush:
    return buffer.flush("s", 3, 4, rows or {}, HEALTH)


def end(state: DeliveryState, **fields: object) -> Settlement:
    return Settlement(KEY, state, **fields)  # type: ignore[arg-type]


def test_nothing_happened() -> None:
    buffer = FlushBuffer()
    assert (buffer.empty, buffer.urgent) == (True, False)
    assert flush(buffer) == Flush("s", 3, 4)


@pytest.mark.parametrize(
    ("happens", "empty", "urgent"),
    [
        # a cursor that moved has to be written, but can wait
        (lambda x: x.moved("e", 5), False, False),
        # what was filtered alone is written with the cursor that passes it
        (lambda x: x.finished(end(DeliveryState.FILTERED)), True, False),
        (lambda x: x.row_changed(KEY), False, True),
        (lambda x: x.health_changed(), False, True),
        (lambda x: x.attempted(FAILED), False, True),
        (lambda x: x.finished(end(DeliveryState.DELIVERED, had_row=True)), False, True),
        (lambda x: x.finished(end(DeliveryState.DEAD, dead=row())), False, True),
        (lambda x: x.replayed(ReplayProgress("r", matched=1)), False, True),
        (lambda x: x.shifted(10), False, True),
    ],
)
def test_what_is_urgent(happens: Callable[[FlushBuffer], None], empty: bool, urgent: bool) -> None:
    buffer = FlushBuffer()
    happens(buffer)
    assert (buffer.empty, buffer.urgent) == (empty, urgent)


def test_an_endpoint_that_left_has_no_cursor_to_write() -> None:
    buffer = FlushBuffer()
    buffer.moved("e", 5)
    buffer.moved("f", 6)
    buffer.moved("f", 7)
    buffer.left("e")
    buffer.left("g")
    assert flush(buffer).cursors == {"f": 7}


def test_rows_are_written_as_they_are_by_then() -> None:
    buffer = FlushBuffer()
    buffer.row_changed(KEY)
    buffer.row_changed(OTHER)
    # the other one is gone from memory, and a third one did not change
    rows = {KEY: row(), ("e", 3): row(("e", 3))}
    assert flush(buffer, rows).upserts == (row(),)


def test_health_is_written_only_when_it_changed() -> None:
    buffer = FlushBuffer()
    assert flush(buffer).state is None
    buffer.health_changed()
    assert flush(buffer).state == HEALTH


@pytest.mark.parametrize(
    ("settlement", "counters", "removes"),
    [
        # the first attempt succeeded: there was no row
        (
            end(DeliveryState.DELIVERED, attempt=SUCCEEDED),
            Counters(delivered=1, attempts=1),
            (),
        ),
        # a later attempt succeeded: its row goes
        (
            end(DeliveryState.DELIVERED, attempt=SUCCEEDED, had_row=True),
            Counters(delivered=1, attempts=1),
            (KEY,),
        ),
        (end(DeliveryState.FILTERED), Counters(filtered=1), ()),
        (
            end(DeliveryState.FILTERED, filter_error=True),
            Counters(filtered=1, filter_errors=1),
            (),
        ),
        # dead: its row stays
        (
            end(DeliveryState.DEAD, attempt=FAILED, dead=row(), had_row=True),
            Counters(dead=1, attempts=1, failed_attempts=1),
            (),
        ),
        # the event was removed before it could be sent again; the store counts those itself
        (end(DeliveryState.EXPIRED, had_row=True), Counters(), (KEY,)),
        (end(DeliveryState.EXPIRED), Counters(), ()),
    ],
)
def test_each_end_is_counted(
    settlement: Settlement, counters: Counters, removes: tuple[Key, ...]
) -> None:
    buffer = FlushBuffer()
    buffer.finished(settlement)
    made = flush(buffer)
    assert (made.counters, made.removes) == (counters, removes)
    assert made.attempts == ((settlement.attempt,) if settlement.attempt else ())
    assert made.upserts == ((settlement.dead,) if settlement.dead else ())


def test_a_row_that_ended_is_not_written_again() -> None:
    buffer = FlushBuffer()
    buffer.row_changed(KEY)
    buffer.row_changed(OTHER)
    buffer.finished(end(DeliveryState.DELIVERED, had_row=True))
    made = flush(buffer, {KEY: row(), OTHER: row(OTHER)})
    assert (made.upserts, made.removes) == ((row(OTHER),), (KEY,))


def test_a_dead_row_that_is_removed_is_not_written() -> None:
    buffer = FlushBuffer()
    buffer.finished(end(DeliveryState.DEAD, dead=row()))
    buffer.finished(end(DeliveryState.EXPIRED, had_row=True))
    made = flush(buffer)
    assert (made.upserts, made.removes) == ((), (KEY,))


def test_attempts_of_one_flush_keep_their_order() -> None:
    buffer = FlushBuffer()
    buffer.attempted(FAILED)
    buffer.finished(end(DeliveryState.DELIVERED, attempt=SUCCEEDED))
    made = flush(buffer)
    assert made.attempts == (FAILED, SUCCEEDED)
    assert made.counters == Counters(delivered=1, attempts=2, failed_attempts=1)


@pytest.mark.parametrize(
    ("state", "delivered", "failed"),
    [
        (DeliveryState.DELIVERED, 1, 0),
        (DeliveryState.DEAD, 0, 1),
        (DeliveryState.EXPIRED, 0, 1),
    ],
)
def test_an_end_is_counted_for_its_replay(
    state: DeliveryState, delivered: int, failed: int
) -> None:
    buffer = FlushBuffer()
    buffer.finished(end(state, replay="r"))
    assert flush(buffer).replays == (ReplayProgress("r", delivered=delivered, failed=failed),)


def test_progress_of_a_replay_is_added_up() -> None:
    buffer = FlushBuffer()
    buffer.replayed(ReplayProgress("r", position=("e", 5), matched=2))
    buffer.replayed(ReplayProgress("r", delivered=1, failed=3))
    buffer.replayed(ReplayProgress("other", matched=9))
    buffer.replayed(ReplayProgress("r", position=("e", 8), matched=4, exhausted=True))
    buffer.replayed(ReplayProgress("r", delivered=1))
    assert flush(buffer).replays == (
        ReplayProgress("r", ("e", 8), matched=6, delivered=2, failed=3, exhausted=True),
        ReplayProgress("other", matched=9),
    )


def test_pauses_are_added_up() -> None:
    buffer = FlushBuffer()
    buffer.shifted(10)
    buffer.shifted(5)
    assert flush(buffer).shift_due == 15
