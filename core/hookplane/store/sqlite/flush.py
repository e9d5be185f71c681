"""Owners of subscriptions: taking one over, and writing its progress."""

from __future__ import annotations

import sqlite3
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final

import orjson

from hookplane.clock import Millis
from hookplane.errors import StaleOwner, UnknownObject
from hookplane.store.counted_once import Seen, numbers_of, without_expired
from hookplane.store.delivery_store import (
    Asked,
    Claimed,
    Delivery,
    EventKey,
    Flush,
    NotPassed,
    Passage,
    ReplayProgress,
    Rest,
    StrandedPage,
)
from hookplane.store.event_log import LogId
from hookplane.store.event_numbers import event_number, sequence_of
from hookplane.store.flush_columns import attempt_columns, counter_columns, delivery_columns
from hookplane.store.packed_health import pack_state, unpack_state
from hookplane.store.rows import asked_of, delivery_of, key_place, stranded_of, waiting_of
from hookplane.store.sql import load_statements
from hookplane.store.sqlite import bulk
from hookplane.store.sqlite.connection import transaction
from hookplane.store.sqlite.faults import DATA_ERRORS, rejected
from hookplane.store.sqlite.id_map import SQLiteIdMap

_SQL: Final = load_statements("hookplane.store.sqlite", "flush.sql")


def claim(db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, most: int) -> Claimed:
    """Raises the epoch and reads what the new owner starts from. Raises UnknownObject."""
    with transaction(db):
        row = db.execute(_SQL["raise_epoch"], (uid,)).fetchone()
        if row is None:
            raise UnknownObject(f'no subscription "{uid}"')
        subscription, epoch, flush_number, resume_requested, state = row
        cursors = db.execute(_SQL["find_cursors"], (subscription,)).fetchall()
        deliveries = db.execute(_SQL["find_open_deliveries"], (subscription, most)).fetchall()
        rest = db.execute(_SQL["find_rest"], (subscription, most)).fetchone()
        (behind,) = db.execute(_SQL["count_behind"], (subscription,)).fetchone()
    return Claimed(
        epoch=epoch,
        flush_number=flush_number,
        cursors={endpoint: sequence_of(position) for endpoint, position, _ in cursors},
        heads={endpoint: sequence_of(head) for endpoint, _, head in cursors},
        deliveries=tuple(delivery_of(id_map, *row) for row in deliveries),
        state=unpack_state(state),
        resume_requested=resume_requested,
        rest=None if rest is None else Rest(*rest),
        behind=behind,
    )


def waiting(
    db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, rest: Rest, most: int
) -> tuple[tuple[Delivery, ...], Rest | None]:
    """Rows from a place on. Raises UnknownObject."""
    place = (id_map.subscription(uid), rest.due, rest.number)
    rows = db.execute(_SQL["find_waiting"], (*place, most + 1)).fetchall()
    return waiting_of(id_map, rows, most, rest.left)


def open_rows(
    db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, places: Sequence[tuple[LogId, int]]
) -> tuple[Delivery, ...]:
    """Those that have a row. Raises UnknownObject."""
    events = [event_number(id_map.endpoint(x), sequence) for x, sequence in places]
    values = (id_map.subscription(uid), orjson.dumps(events).decode())
    return tuple(delivery_of(id_map, *row) for row in db.execute(_SQL["find_open_rows"], values))


def first_rows(
    db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, keys: Sequence[EventKey]
) -> tuple[Delivery, ...]:
    """Those that keys begin with. Raises UnknownObject."""
    given = [(number, key) for x, key in keys if (number := id_map.endpoints.get(x)) is not None]
    values = (id_map.subscription(uid), orjson.dumps(given).decode())
    return tuple(delivery_of(id_map, *row) for row in db.execute(_SQL["find_first_rows"], values))


def stranded_keys(
    db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, after: EventKey | None, most: int
) -> StrandedPage:
    """A page of keys. Raises UnknownObject."""
    place = key_place(id_map, after)
    rows = db.execute(_SQL["walk_keys"], (id_map.subscription(uid), *place, most)).fetchall()
    return stranded_of(id_map, rows, most)


def epoch(db: sqlite3.Connection, uid: str) -> int | None:
    """Of the last claim; None: no such subscription."""
    row = db.execute(_SQL["find_epoch"], (uid,)).fetchone()
    return None if row is None else int(row[0])


def request_resume(db: sqlite3.Connection, uid: str) -> None:
    """Raises UnknownObject."""
    with transaction(db):
        if db.execute(_SQL["request_resume"], (uid,)).fetchone() is None:
            raise UnknownObject(f'no subscription "{uid}"')


def asked(db: sqlite3.Connection) -> Mapping[str, Asked]:
    """What was asked, by subscription."""
    return asked_of(db.execute(_SQL["find_asked"]))


def resume_requested(db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str) -> int:
    """Raises UnknownObject."""
    subscription = id_map.subscription(uid)
    count: int = db.execute(_SQL["resume_requested"], (subscription,)).fetchone()[0]
    return count


def pass_over(
    db: sqlite3.Connection, id_map: SQLiteIdMap, passages: Sequence[Passage]
) -> NotPassed:
    """Moves cursors of many subscriptions together. Nothing is held: there is one writer."""
    given = orjson.dumps(list(_places(id_map, passages))).decode()
    with transaction(db):
        db.execute(_SQL["count_passed"], (given,))
        db.execute(_SQL["pass_over"], (given,))
        lost = {row[0] for row in db.execute(_SQL["find_lost"], (given,))}
    uids = (x.subscription for x in passages)
    return NotPassed(frozenset(x for x in uids if id_map.subscriptions.get(x, 0) in lost))


def _places(
    id_map: SQLiteIdMap, passages: Sequence[Passage]
) -> Iterator[tuple[int, int, int, int]]:
    """As the statements have them. Of an endpoint that is gone, 0: no cursor is moved."""
    for uid, epoch, log_id, upto in passages:
        endpoint = id_map.endpoints.get(log_id, 0)
        yield id_map.subscriptions.get(uid, 0), epoch, endpoint, event_number(endpoint, upto)


def write_flushes(
    db: sqlite3.Connection,
    id_map: SQLiteIdMap,
    now: Millis,
    flushes: Sequence[Flush],
    seen: dict[str, Seen],
) -> list[StaleOwner | None]:
    """One transaction for several owners. Raises RejectedEvent, without writing anything, when a
    value of any flush cannot be stored. `seen`: what is known of each subscription; it is kept
    up to date."""
    news = dict[str, Seen]()
    try:
        with transaction(db):
            outcomes = [_write(db, id_map, now, flush, ChainMap(news, seen)) for flush in flushes]
    except DATA_ERRORS as error:
        raise rejected(error) from error
    seen.update(news)
    return outcomes


def _write(
    db: sqlite3.Connection,
    id_map: SQLiteIdMap,
    now: Millis,
    flush: Flush,
    seen: MutableMapping[str, Seen],
) -> StaleOwner | None:
    subscription = id_map.subscriptions.get(flush.subscription, 0)
    known = seen.get(flush.subscription, Seen()).touched_for(flush)
    if not _take_turn(db, flush, subscription, known):
        turn = (subscription, flush.epoch, flush.number)
        found = db.execute(_SQL["find_touched"], turn).fetchone()
        if found is None:
            return _repeated(db, subscription, flush)
        (touched,) = found
        bounds = db.execute(_SQL["find_bounds"], (subscription,))
        news = seen[flush.subscription] = Seen.of(touched, bounds)
        flush = _counted_once(db, id_map, flush, subscription, news)
        _take_turn(db, flush, subscription, touched)
    if flush.shift_due:
        db.execute(_SQL["shift_due"], (flush.shift_due, subscription))
    rows = _FlushRows(subscription, id_map, now)
    for statement, values in (
        ("advance_cursor", rows.cursors(flush)),
        ("remove_delivery", rows.removes(flush)),
        ("upsert_delivery", rows.deliveries(flush)),
    ):
        db.executemany(_SQL[statement], values)
    bulk.insert(db, _SQL["insert_attempt"], list(rows.attempts(flush)))
    for progress in flush.replays:
        _advance_replay(db, id_map, now, progress)
    return None


def _take_turn(db: sqlite3.Connection, flush: Flush, subscription: int, touched: int) -> bool:
    turn = _turn(flush, subscription, touched)
    return db.execute(_SQL["take_turn"], turn).rowcount > 0


def _counted_once(
    db: sqlite3.Connection, id_map: SQLiteIdMap, flush: Flush, subscription: int, seen: Seen
) -> Flush:
    """The flush without what is counted as expired already."""
    places = orjson.dumps(list(numbers_of(flush, id_map))).decode()
    rows = db.execute(_SQL["find_expired"], (subscription, places))
    return without_expired(flush, id_map, {event for (event,) in rows}, seen)


def _turn(flush: Flush, subscription: int, touched: int) -> tuple[Any, ...]:
    return (
        flush.number,
        *counter_columns(flush.counters),
        None if flush.state is None else pack_state(flush.state),
        subscription,
        flush.epoch,
        touched,
    )


def _repeated(db: sqlite3.Connection, subscription: int, flush: Flush) -> StaleOwner | None:
    turn = (subscription, flush.epoch, flush.number)
    if db.execute(_SQL["was_written"], turn).fetchone():
        return None
    return StaleOwner(f'"{flush.subscription}" has another owner now')


class _FlushRows:
    """Rows of one flush. Those of an endpoint that is gone are left out."""

    def __init__(self, subscription: int, id_map: SQLiteIdMap, now: Millis) -> None:
        self._subscription = subscription
        self._endpoints = id_map.endpoints
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
    db: sqlite3.Connection, id_map: SQLiteIdMap, now: Millis, progress: ReplayProgress
) -> None:
    position = None
    if progress.position is not None:
        uid, sequence = progress.position
        position = event_number(id_map.endpoint(uid), sequence)
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
