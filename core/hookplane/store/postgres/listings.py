"""Listings for people and their tools: newest first, a page at a time."""

from __future__ import annotations

from typing import Final

from hookplane.errors import UnknownObject
from hookplane.filters.types import Interest
from hookplane.store import listings
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import Content, LogEntry
from hookplane.store.listings import Found, Steps
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.id_map import PostgresIdMap
from hookplane.store.postgres.stepwise import answered
from hookplane.store.queries import AttemptRow, DeliveryRow, EventRow, Listed, Page, Sought
from hookplane.store.rows import attempt_rows_of, delivery_row_of, entry_of
from hookplane.store.sql import load_statements
from hookplane.store.storable_text import unpack_headers

_SQL: Final = load_statements("hookplane.store.postgres", "queries.sql")


async def find_event(db: Db, id_map: PostgresIdMap, event_id: str) -> tuple[LogEntry, Content]:
    """Raises UnknownObject."""
    row = await db.fetchrow(_SQL["find_event"], event_id)
    if row is None:
        raise UnknownObject(f'no event "{event_id}"')
    *entry, headers, body = row
    await id_map.know(db, numbers=[row[0]])
    return entry_of(id_map, *entry), Content(unpack_headers(headers), body)


async def events(
    db: Db, id_map: PostgresIdMap, page: Page, endpoint: str | None, sought: Sought
) -> Listed[EventRow]:
    """Of one endpoint, or of all. Raises UnknownObject."""
    number = None if endpoint is None else await _number(db, "endpoint", endpoint)
    await id_map.know(db, endpoints=sought.log_ids or ())
    among = id_map.endpoints_of(sought.log_ids)
    found = await _found(db, listings.events(page, number, sought, among))
    await id_map.know(db, numbers=[row[0] for row in found.rows])
    rows = [EventRow(entry_of(id_map, *row)) for row in found.rows]
    return Listed(rows, found.following, found.looked_at)


async def deliveries(
    db: Db,
    id_map: PostgresIdMap,
    page: Page,
    uid: str,
    states: frozenset[DeliveryState],
    interest: Interest,
) -> Listed[DeliveryRow]:
    """Of one subscription. Raises UnknownObject."""
    number, wanted = await _number(db, "subscription", uid), states or frozenset(DeliveryState)
    found = await _found(db, listings.deliveries(page, number, wanted, interest))
    await id_map.know(db, numbers=[row[0] for row in found.rows])
    rows = [delivery_row_of(id_map, uid, *row) for row in found.rows]
    return Listed(rows, found.following, found.looked_at)


async def attempts(
    db: Db,
    id_map: PostgresIdMap,
    page: Page,
    subscription: str | None,
    event_id: str | None,
    among: frozenset[str] | None,
) -> Listed[AttemptRow]:
    """By event, newest first, and within it the newest attempt first. Raises UnknownObject for the
    subscription."""
    one = None if subscription is None else [await _number(db, "subscription", subscription)]
    await id_map.know(db, subscriptions=among or () if subscription is None else [subscription])
    numbers = one or id_map.subscriptions_of(among)
    found = await _found(db, listings.attempts(page, numbers, event_id))
    await id_map.know(db, numbers=[row[1] for row in found.rows])
    return Listed(attempt_rows_of(id_map, found.rows), found.following, found.looked_at)


async def _number(db: Db, kind: str, uid: str) -> int:
    """As the store has it now: what this process knows of it may be gone. Raises UnknownObject."""
    number: int | None = await db.fetchval(_SQL[f"number_of_{kind}"], uid)
    if number is None:
        raise UnknownObject(f'no {kind} "{uid}"')
    return number


async def _found(db: Db, steps: Steps[Found]) -> Found:
    async with db.transaction(isolation="repeatable_read", readonly=True):
        return await answered(db, steps)
