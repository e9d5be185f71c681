"""Listings for people and their tools: newest first, a page at a time."""

from __future__ import annotations

import sqlite3
from typing import Final

from hookplane.errors import UnknownObject
from hookplane.filters.types import Interest
from hookplane.store import listings
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import Content, LogEntry
from hookplane.store.queries import AttemptRow, DeliveryRow, EventRow, Listed, Page, Sought
from hookplane.store.rows import attempt_rows_of, delivery_row_of, entry_of
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.id_map import SQLiteIdMap
from hookplane.store.sqlite.stepwise import answered
from hookplane.store.storable_text import unpack_headers

_SQL: Final = load_statements("hookplane.store.sqlite", "queries.sql")


def find_event(
    db: sqlite3.Connection, id_map: SQLiteIdMap, event_id: str
) -> tuple[LogEntry, Content]:
    """Raises UnknownObject."""
    row = db.execute(_SQL["find_event"], (event_id,)).fetchone()
    if row is None:
        raise UnknownObject(f'no event "{event_id}"')
    *entry, headers, body = row
    return entry_of(id_map, *entry), Content(unpack_headers(headers), body)


def events(
    db: sqlite3.Connection,
    id_map: SQLiteIdMap,
    page: Page,
    endpoint: str | None,
    sought: Sought,
) -> Listed[EventRow]:
    """Of one endpoint, or of all. Raises UnknownObject."""
    number = None if endpoint is None else id_map.endpoint(endpoint)
    found = answered(db, listings.events(page, number, sought, id_map.endpoints_of(sought.log_ids)))
    rows = [EventRow(entry_of(id_map, *row)) for row in found.rows]
    return Listed(rows, found.following, found.looked_at)


def deliveries(
    db: sqlite3.Connection,
    id_map: SQLiteIdMap,
    page: Page,
    uid: str,
    states: frozenset[DeliveryState],
    interest: Interest,
) -> Listed[DeliveryRow]:
    """Of one subscription. Raises UnknownObject."""
    wanted = states or frozenset(DeliveryState)
    steps = listings.deliveries(page, id_map.subscription(uid), wanted, interest)
    found = answered(db, steps)
    rows = [delivery_row_of(id_map, uid, *row) for row in found.rows]
    return Listed(rows, found.following, found.looked_at)


def attempts(
    db: sqlite3.Connection,
    id_map: SQLiteIdMap,
    page: Page,
    subscription: str | None,
    event_id: str | None,
    among: frozenset[str] | None,
) -> Listed[AttemptRow]:
    """By event, newest first, and within it the newest attempt first. Raises UnknownObject for the
    subscription."""
    one = None if subscription is None else [id_map.subscription(subscription)]
    numbers = one or id_map.subscriptions_of(among)
    found = answered(db, listings.attempts(page, numbers, event_id))
    return Listed(attempt_rows_of(id_map, found.rows), found.following, found.looked_at)
