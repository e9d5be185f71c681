"""Listings for people and their tools: newest first, a page at a time."""

from __future__ import annotations

from typing import Final

from hookplane.errors import UnknownObject
from hookplane.store import listings
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import Content, LogEntry
from hookplane.store.listings import Found, Steps
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.id_map import PostgresIdMap
from hookplane.store.postgres.stepwise import answered
from hookplane.store.queries import AttemptRow, DeliveryRow, EventRow, Listed, Page
from hookplane.store.rows import attempt_rows_of, delivery_row_of, entry_of
from hookplane.store.sql import load_statements
from hookplane.store.storable_text import unpack_headers

_SQL: Final = load_statements("hookplane.store.postgres", "queries.sql")


async def find_event(db: Db, numbers: PostgresIdMap, event_id: str) -> tuple[LogEntry, Content]:
    """Raises UnknownObject."""
    row = await db.fetchrow(_SQL["find_event"], event_id)
    if row is None:
        raise UnknownObject(f'no event "{event_id}"')
    *entry, headers, body = row
    await numbers.know(db, numbers=[row[0]])
    return entry_of(numbers, *entry), Content(unpack_headers(headers), body)


async def events(
    db: Db, numbers: PostgresIdMap, page: Page, endpoint: str | None, type_: str | None
) -> Listed[EventRow]:
    """Of one endpoint and type, or of all. Raises UnknownObject."""
    await numbers.know(db, endpoints=[] if endpoint is None else [endpoint])
    number = None if endpoint is None else numbers.endpoint(endpoint)
    found = await _found(db, listings.events(page, number, type_))
    await numbers.know(db, numbers=[row[0] for row in found.rows])
    rows = [EventRow(entry_of(numbers, *row)) for row in found.rows]
    return Listed(rows, found.following, found.looked_at)


async def deliveries(
    db: Db, numbers: PostgresIdMap, page: Page, uid: str, states: frozenset[DeliveryState]
) -> Listed[DeliveryRow]:
    """Of one subscription. Raises UnknownObject."""
    await numbers.know(db, subscriptions=[uid])
    wanted = states or frozenset(DeliveryState)
    found = await _found(db, listings.deliveries(page, numbers.subscription(uid), wanted))
    await numbers.know(db, numbers=[row[0] for row in found.rows])
    rows = [delivery_row_of(numbers, uid, *row) for row in found.rows]
    return Listed(rows, found.following, found.looked_at)


async def attempts(
    db: Db, numbers: PostgresIdMap, page: Page, subscription: str | None, event_id: str | None
) -> Listed[AttemptRow]:
    """By event, newest first, and within it the newest attempt first; a page never ends within an
    event, so it may be longer than its limit. Raises UnknownObject for the subscription."""
    await numbers.know(db, subscriptions=[] if subscription is None else [subscription])
    number = None if subscription is None else numbers.subscription(subscription)
    found = await _found(db, listings.attempts(page, number, event_id))
    await numbers.know(db, numbers=[row[1] for row in found.rows])
    return Listed(attempt_rows_of(numbers, found.rows), found.following, found.looked_at)


async def _found(db: Db, steps: Steps[Found]) -> Found:
    async with db.transaction(isolation="repeatable_read", readonly=True):
        return await answered(db, steps)
