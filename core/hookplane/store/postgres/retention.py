"""Letting go of what is old: first hidden in small steps, then dropped with its partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from hookplane.clock import Millis
from hookplane.store.model import Expired, Retention
from hookplane.store.numbering import endpoint_of
from hookplane.store.postgres.partitions import drop_partitions, make_partitions
from hookplane.store.retention import KEEP_DELETED, STEP_ROWS, floors
from hookplane.store.sql import load_statements

if TYPE_CHECKING:
    from hookplane.store.postgres.connection import Db

_SQL: Final = load_statements("hookplane.store.postgres", "retention.sql")

ATTEMPTS_STEP: Final[Millis] = 300_000
"""Attempts are hidden in steps of this, or of a 64th of their retention if that is less."""


async def expire(db: Db, retention: Retention, now: Millis) -> Expired:
    """One step of everything, each in short transactions; nothing while another process does it."""
    await make_partitions(db)
    if not await db.fetchval(_SQL["lock"]):
        return Expired()
    try:
        return await _step(db, retention, now)
    finally:
        await db.execute(_SQL["unlock"])


async def _step(db: Db, retention: Retention, now: Millis) -> Expired:
    removed, skipped = await _expire_events(db, retention, now)
    attempts = await _expire_attempts(db, retention, now)
    keys = _count(await db.execute(_SQL["remove_keys"], now, STEP_ROWS))
    swept = await _sweep_deleted(db, now - KEEP_DELETED)
    dropped = await drop_partitions(db)
    more = removed >= STEP_ROWS or keys >= STEP_ROWS or swept or dropped
    return Expired(removed, attempts, keys, skipped, more)


async def _expire_events(db: Db, retention: Retention, now: Millis) -> tuple[int, int]:
    """Events that went, and deliveries that they took with them."""
    surplus = await db.fetchval(_SQL["count_bytes"]) - retention.total_bytes
    rows = [tuple(row) for row in await db.fetch(_SQL["oldest_events"], STEP_ROWS)]
    wanted = floors((row[:3] for row in rows), surplus, now - retention.events)
    removed = skipped = 0
    for endpoint, floor in sorted(wanted.items()):
        async with db.transaction():
            wanted[endpoint], gone, expired = await _raise_floor(db, endpoint, floor)
        removed, skipped = removed + gone, skipped + expired
    swept = _swept(rows, wanted)
    if swept:
        await db.execute(_SQL["set_swept"], swept)
    return removed, skipped


async def _raise_floor(db: Db, endpoint: int, wanted: int) -> tuple[int, int, int]:
    """The new floor, events and deliveries that went. Appends to the endpoint wait for it, so it
    is a bounded step."""
    old: int = await db.fetchval(_SQL["lock_endpoint"], endpoint)
    new = max(old, min(wanted, old + STEP_ROWS))
    await db.execute(_SQL["lock_subscriptions"], endpoint, new)
    skipped: int = await db.fetchval(_SQL["expire_deliveries"], endpoint, new)
    await db.execute(_SQL["move_cursors"], endpoint, new)
    await db.execute(_SQL["remove_rows"], endpoint, new)
    await db.execute(_SQL["raise_floor"], endpoint, old, new)
    return new, new - old, skipped


def _swept(rows: Sequence[tuple[Any, ...]], raised: Mapping[int, int]) -> str:
    """Id of the last event of which all before it went as well; empty: there is none."""
    gone = takewhile(lambda row: row[0] <= raised.get(endpoint_of(row[0]), 0), rows)
    return max((row[3] for row in gone), default="")


async def _expire_attempts(db: Db, retention: Retention, now: Millis) -> int:
    old: Millis = await db.fetchval(_SQL["find_attempts_floor"])
    new = now - retention.attempts
    if new - old < min(ATTEMPTS_STEP, retention.attempts // 64):
        return 0
    hidden: int = await db.fetchval(_SQL["count_attempts"], old, new)
    await db.execute(_SQL["set_attempts_floor"], new)
    return hidden


async def _sweep_deleted(db: Db, until: Millis) -> bool:
    """Removes what is left of one deleted subscription and one deleted endpoint; whether there
    was one."""
    await db.execute(_SQL["remove_tombstones"], until)
    async with db.transaction():
        subscription = await db.fetchval(_SQL["find_deleted_subscription"], until)
        if subscription is not None:
            await _remove_subscription(db, subscription)
    async with db.transaction():
        endpoint = await db.fetchval(_SQL["find_empty_endpoint"], until)
        if endpoint is not None:
            await _remove_endpoint(db, endpoint)
    return subscription is not None or endpoint is not None


async def _remove_subscription(db: Db, subscription: int) -> None:
    removed = await db.execute(_SQL["remove_some_rows"], subscription, STEP_ROWS)
    if _count(removed) >= STEP_ROWS:
        return
    for statement in ("remove_ranges", "remove_replays", "remove_cursors", "remove_subscription"):
        await db.execute(_SQL[statement], subscription)


async def _remove_endpoint(db: Db, endpoint: int) -> None:
    for statement in (
        "remove_left_cursors",
        "remove_rejections",
        "remove_report",
        "remove_endpoint",
    ):
        await db.execute(_SQL[statement], endpoint)


def _count(tag: str) -> int:
    """Rows, from a command tag such as `DELETE 3`."""
    return int(tag.rpartition(" ")[2])
