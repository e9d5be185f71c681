"""Owners of subscriptions: taking one over, and writing its progress."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.errors import StaleOwner, UnknownObject
from hookplane.store.delivery_store import Claimed, Flush, ReplayProgress
from hookplane.store.event_numbers import event_number, sequence_of
from hookplane.store.flush_columns import attempt_columns, counter_columns, delivery_columns
from hookplane.store.packed_health import pack_state, unpack_state
from hookplane.store.rows import delivery_of
from hookplane.store.sql import load_statements
from hookplane.store.sqlite import bulk
from hookplane.store.sqlite.connection import transaction
from hookplane.store.sqlite.faults import DATA_ERRORS, rejected
from hookplane.store.sqlite.id_map import SQLiteIdMap

_SQL: Final = load_statements("hookplane.store.sqlite", "flush.sql")


def claim(db: sqlite3.Connection, numbers: SQLiteIdMap, uid: str) -> Claimed:
    """Raises the epoch and reads what the new owner starts from. Raises UnknownObject."""
    with transaction(db):
        row = db.execute(_SQL["raise_epoch"], (uid,)).fetchone()
        if row is None:
            raise UnknownObject(f'no subscription "{uid}"')
        subscription, epoch, flush_number, resume_requested, state = row
        cursors = db.execute(_SQL["find_cursors"], (subscription,)).fetchall()
        deliveries = db.execute(_SQL["find_open_deliveries"], (subscription,)).fetchall()
    return Claimed(
        epoch=epoch,
        flush_number=flush_number,
        cursors={endpoint: sequence_of(position) for endpoint, position, _ in cursors},
        heads={endpoint: sequence_of(head) for endpoint, _, head in cursors},
        deliveries=tuple(delivery_of(numbers, *row) for row in deliveries),
        state=unpack_state(state),
        resume_requested=resume_requested,
    )


def epoch(db: sqlite3.Connection, uid: str) -> int | None:
    """Of the last claim; None: no such subscription."""
    row = db.execute(_SQL["find_epoch"], (uid,)).fetchone()
    return None if row is None else int(row[0])


def request_resume(db: sqlite3.Connection, uid: str) -> None:
    """Raises UnknownObject."""
    with transaction(db):
        if db.execute(_SQL["request_resume"], (uid,)).fetchone() is None:
            raise UnknownObject(f'no subscription "{uid}"')


def resume_requested(db: sqlite3.Connection, numbers: SQLiteIdMap, uid: str) -> int:
    """Raises UnknownObject."""
    subscription = numbers.subscription(uid)
    count: int = db.execute(_SQL["resume_requested"], (subscription,)).fetchone()[0]
    return count


def write_flushes(
    db: sqlite3.Connection, numbers: SQLiteIdMap, now: Millis, flushes: Sequence[Flush]
) -> list[StaleOwner | None]:
    """One transaction for several owners. Raises RejectedEvent, without writing anything, when a
    value of any flush cannot be stored."""
    try:
        with transaction(db):
            return [_write(db, numbers, now, flush) for flush in flushes]
    except DATA_ERRORS as error:
        raise rejected(error) from error


def _write(
    db: sqlite3.Connection, numbers: SQLiteIdMap, now: Millis, flush: Flush
) -> StaleOwner | None:
    subscription = numbers.subscriptions.get(flush.subscription, 0)
    if not db.execute(_SQL["take_turn"], _turn(flush, subscription)).rowcount:
        return _repeated(db, subscription, flush)
    if flush.shift_due:
        db.execute(_SQL["shift_due"], (flush.shift_due, subscription))
    rows = _FlushRows(subscription, numbers, now)
    for statement, values in (
        ("advance_cursor", rows.cursors(flush)),
        ("remove_delivery", rows.removes(flush)),
        ("upsert_delivery", rows.deliveries(flush)),
    ):
        db.executemany(_SQL[statement], values)
    bulk.insert(db, _SQL["insert_attempt"], list(rows.attempts(flush)))
    for progress in flush.replays:
        _advance_replay(db, numbers, now, progress)
    return None


def _turn(flush: Flush, subscription: int) -> tuple[Any, ...]:
    return (
        flush.number,
        *counter_columns(flush.counters),
        None if flush.state is None else pack_state(flush.state),
        subscription,
        flush.epoch,
    )


def _repeated(db: sqlite3.Connection, subscription: int, flush: Flush) -> StaleOwner | None:
    turn = (subscription, flush.epoch, flush.number)
    if db.execute(_SQL["was_written"], turn).fetchone():
        return None
    return StaleOwner(f'"{flush.subscription}" has another owner now')


class _FlushRows:
    """Rows of one flush. Those of an endpoint that is gone are left out."""

    def __init__(self, subscription: int, numbers: SQLiteIdMap, now: Millis) -> None:
        self._subscription = subscription
        self._endpoints = numbers.endpoints
        self._now = now

    def cursors(self, flush: Flush) -> Iterator[tuple[int, int, int]]:
        for uid, sequence in flush.cursors.items():
            if (endpoint := self._endpoints.get(uid)) is not None:
                yield self._subscription, endpoint, event_number(endpoint, sequence)

    def removes(self, flush: Flush) -> Iterator[tuple[int, int]]:
        for uid, sequence in flush.removes:
            if (endpoint := self._endpoints.get(uid)) is not None:
                yield self._subscription, event_number(endpoint, sequence)

    def deliveries(self, flush: Flush) -> Iterator[tuple[Any, ...]]:
        for x in flush.upserts:
            if (endpoint := self._endpoints.get(x.endpoint)) is not None:
                yield self._subscription, *delivery_columns(endpoint, x), self._now

    def attempts(self, flush: Flush) -> Iterator[tuple[Any, ...]]:
        for x in flush.attempts:
            if (endpoint := self._endpoints.get(x.endpoint)) is not None:
                yield self._subscription, *attempt_columns(endpoint, x)


def _advance_replay(
    db: sqlite3.Connection, numbers: SQLiteIdMap, now: Millis, progress: ReplayProgress
) -> None:
    position = None
    if progress.position is not None:
        uid, sequence = progress.position
        position = event_number(numbers.endpoint(uid), sequence)
    db.execute(
        _SQL["advance_replay"],
        (
            position,
            progress.matched,
            progress.delivered,
            progress.failed,
            progress.exhausted,
            progress.uid,
        ),
    )
    if db.execute(_SQL["complete_replay"], (now, progress.uid)).rowcount:
        db.execute(_SQL["remove_ranges"], (progress.uid,))
