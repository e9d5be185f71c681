"""Listings for people and their tools: newest first, a page at a time."""

from __future__ import annotations

import sqlite3
from typing import Final

import orjson

from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import Content, LogEntry
from hookplane.store.queries import AttemptRow, DeliveryRow, EventRow, Page
from hookplane.store.rows import WITH_ROW, attempt_rows_of, delivery_row_of, entry_of
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.connection import snapshot
from hookplane.store.sqlite.id_map import SQLiteIdMap
from hookplane.store.storable_text import unpack_headers

_SQL: Final = load_statements("hookplane.store.sqlite", "queries.sql")
_NO_LIMIT: Final = -1


def find_event(
    db: sqlite3.Connection, numbers: SQLiteIdMap, event_id: str
) -> tuple[LogEntry, Content]:
    """Raises UnknownObject."""
    row = db.execute(_SQL["find_event"], (event_id,)).fetchone()
    if row is None:
        raise UnknownObject(f'no event "{event_id}"')
    *entry, headers, body = row
    return entry_of(numbers, *entry), Content(unpack_headers(headers), body)


def events(
    db: sqlite3.Connection,
    numbers: SQLiteIdMap,
    page: Page,
    endpoint: str | None,
    type_: str | None,
) -> list[EventRow]:
    """Of one endpoint and type, or of all. Raises UnknownObject."""
    number = None if endpoint is None else numbers.endpoint(endpoint)
    rows = db.execute(_SQL["find_events"], (page.before, number, type_, page.limit))
    return [EventRow(entry_of(numbers, *row)) for row in rows]


def deliveries(
    db: sqlite3.Connection,
    numbers: SQLiteIdMap,
    page: Page,
    uid: str,
    states: frozenset[DeliveryState],
) -> list[DeliveryRow]:
    """Of one subscription. Raises UnknownObject."""
    wanted = states or frozenset(DeliveryState)
    statement = _SQL["find_rows" if wanted <= WITH_ROW else "find_deliveries"]
    packed = orjson.dumps(sorted(wanted)).decode()
    rows = db.execute(statement, (numbers.subscription(uid), page.before, packed, page.limit))
    return [delivery_row_of(numbers, uid, *row) for row in rows]


def attempts(
    db: sqlite3.Connection,
    numbers: SQLiteIdMap,
    page: Page,
    subscription: str | None,
    event_id: str | None,
) -> list[AttemptRow]:
    """By event, newest first, and within it the newest attempt first; a page never ends within an
    event, so it may be longer than its limit. Raises UnknownObject for the subscription."""
    number = None if subscription is None else numbers.subscription(subscription)
    before = "" if event_id else page.before
    with snapshot(db):
        rows = db.execute(_SQL["find_attempts"], (number, event_id, before, page.limit)).fetchall()
        if len(rows) == page.limit and not event_id:
            last = rows[-1][2]
            whole = db.execute(_SQL["find_attempts"], (number, last, "", _NO_LIMIT)).fetchall()
            rows = [row for row in rows if row[2] != last] + whole
    return attempt_rows_of(numbers, rows)
