"""Listings for people and their tools: newest first, a page at a time."""

from __future__ import annotations

from typing import Any, Final

from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import Content, LogEntry
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.id_map import PostgresIdMap
from hookplane.store.queries import AttemptRow, DeliveryRow, EventRow, Page
from hookplane.store.rows import WITH_ROW, attempt_rows_of, delivery_row_of, entry_of
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
) -> list[EventRow]:
    """Of one endpoint and type, or of all. Raises UnknownObject."""
    await numbers.know(db, endpoints=[] if endpoint is None else [endpoint])
    number = None if endpoint is None else numbers.endpoint(endpoint)
    rows = await db.fetch(_SQL["find_events"], page.before, number, type_, page.limit)
    await numbers.know(db, numbers=[row[0] for row in rows])
    return [EventRow(entry_of(numbers, *row)) for row in rows]


async def deliveries(
    db: Db, numbers: PostgresIdMap, page: Page, uid: str, states: frozenset[DeliveryState]
) -> list[DeliveryRow]:
    """Of one subscription. Raises UnknownObject."""
    wanted = states or frozenset(DeliveryState)
    statement = _SQL["find_rows" if wanted <= WITH_ROW else "find_deliveries"]
    await numbers.know(db, subscriptions=[uid])
    number = numbers.subscription(uid)
    rows = await db.fetch(statement, number, page.before, sorted(wanted), page.limit)
    await numbers.know(db, numbers=[row[0] for row in rows])
    return [delivery_row_of(numbers, uid, *row) for row in rows]


async def attempts(
    db: Db, numbers: PostgresIdMap, page: Page, subscription: str | None, event_id: str | None
) -> list[AttemptRow]:
    """By event, newest first, and within it the newest attempt first; a page never ends within an
    event, so it may be longer than its limit. Raises UnknownObject for the subscription."""
    await numbers.know(db, subscriptions=[] if subscription is None else [subscription])
    number = None if subscription is None else numbers.subscription(subscription)
    before = "" if event_id else page.before
    async with db.transaction(isolation="repeatable_read", readonly=True):
        rows = await _attempts(db, number, event_id, before, page.limit)
        if len(rows) == page.limit and not event_id:
            last = rows[-1][2]
            whole = await _attempts(db, number, last, "", None)
            rows = [row for row in rows if row[2] != last] + whole
    await numbers.know(db, numbers=[row[1] for row in rows])
    return attempt_rows_of(numbers, rows)


async def _attempts(db: Db, *arguments: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await db.fetch(_SQL["find_attempts"], *arguments)]
