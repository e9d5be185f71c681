"""Letting go of what is old: first hidden in small steps, then dropped with its partition."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from hookplane.clock import Millis
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.postgres.config import leave_logs
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.partitions import (
    drop_partitions,
    make_partitions,
    pack_partition,
)
from hookplane.store.retention import (
    KEEP_DELETED,
    SLICE,
    STEP_ROWS,
    Holder,
    Stored,
    bounded,
    excesses,
    floors_to_free,
)
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "retention.sql")

ATTEMPTS_STEP: Final[Millis] = 300_000
"""Attempts are hidden in steps of this, or of a 64th of their retention if that is less."""


@dataclass(frozen=True, slots=True)
class _Times:
    """What the clocks of this process and of the database tell together."""

    now: Millis
    """The earlier one, by which things get old: so neither clock alone removes anything."""
    latest: Millis
    """The later one: what is after it nobody believes."""
    era: Millis
    """How long an era is."""


async def expire(db: Db, retention: Retention, now: Millis) -> Expired:
    """One step of everything, each in short transactions; nothing while another process does
    it."""
    ((told, era),) = await db.fetch(_SQL["clock"])
    await make_partitions(db)
    if not await db.fetchval(_SQL["lock"]):
        return Expired()
    try:
        return await _step(db, retention, _Times(min(now, told), max(now, told), era))
    finally:
        await db.execute(_SQL["unlock"])


@dataclass(slots=True)
class _Gone:
    """What one step has hidden so far."""

    events: int = 0
    deliveries: int = 0


async def _step(db: Db, retention: Retention, times: _Times) -> Expired:
    now = times.now
    gone, cutoff = _Gone(), now - retention.events
    await _expire_old(db, cutoff, times, gone)
    old = gone.events
    more = await _expire_surplus(db, retention.total_bytes, times, gone)
    await db.execute(_SQL["end_replays"], now)
    attempts = await _expire_attempts(db, retention, now)
    keys = _count(await db.execute(_SQL["remove_keys"], now, STEP_ROWS))
    swept = await _sweep_deleted(db, now - KEEP_DELETED, gone)
    dropped = await drop_partitions(db)
    packed = await pack_partition(db, cutoff)
    more |= gone.events >= STEP_ROWS or keys >= STEP_ROWS or swept or dropped or packed
    return Expired(gone.events, attempts, keys, gone.deliveries, more, gone.events - old)


async def _expire_old(db: Db, cutoff: Millis, times: _Times, gone: _Gone) -> None:
    """Hides one step of what is too old."""
    found = await db.fetch(_SQL["find_old"], cutoff, STEP_ROWS, times.latest, times.era)
    await _raise_floors(db, bounded(found, STEP_ROWS), gone)


async def _expire_surplus(db: Db, total: int, times: _Times, gone: _Gone) -> bool:
    """Hides one step of what is too much; returns whether there is more."""
    holders = [Holder(*row) for row in await db.fetch(_SQL["find_holders"])]
    left, before = sum(holder.bytes for holder in holders) - total, gone.events
    for holder, excess in excesses(holders, total):
        if left <= 0 or gone.events >= STEP_ROWS:
            break
        rows = STEP_ROWS - gone.events
        slice_of = (holder.endpoints, rows, SLICE, times.latest, times.era)
        oldest = await db.fetch(_SQL["oldest_of"], *slice_of)
        wanted, freed = floors_to_free((Stored(*row) for row in oldest), min(excess, left))
        await _raise_floors(db, wanted, gone)
        left -= freed
    return left > 0 and gone.events > before


async def _raise_floors(db: Db, wanted: Mapping[int, int], gone: _Gone) -> None:
    """Where somebody holds what is needed, another step will do it: appends wait meanwhile."""
    for endpoint, floor in sorted(wanted.items()):
        with contextlib.suppress(asyncpg.LockNotAvailableError):
            async with db.transaction():
                await db.execute(_SQL["wait_briefly"])
                await _raise_floor(db, endpoint, floor, gone)


async def _raise_floor(db: Db, endpoint: int, wanted: int, gone: _Gone) -> None:
    """Appends to the endpoint wait for it, so it is a bounded step."""
    old: int = await db.fetchval(_SQL["lock_endpoint"], endpoint)
    new = max(old, min(wanted, old + STEP_ROWS))
    await db.execute(_SQL["lock_subscriptions"], endpoint, new)
    deliveries: int = await db.fetchval(_SQL["expire_deliveries"], endpoint, new)
    await db.execute(_SQL["move_cursors"], endpoint, new)
    await db.execute(_SQL["remove_rows"], endpoint, new)
    await db.execute(_SQL["raise_floor"], endpoint, old, new)
    gone.events += new - old
    gone.deliveries += deliveries


async def _expire_attempts(db: Db, retention: Retention, now: Millis) -> int:
    old: Millis = await db.fetchval(_SQL["find_attempts_floor"])
    new = now - retention.attempts
    if new - old < min(ATTEMPTS_STEP, retention.attempts // 64):
        return 0
    hidden: int = await db.fetchval(_SQL["count_attempts"], old, new)
    await db.execute(_SQL["set_attempts_floor"], new)
    return hidden


async def _sweep_deleted(db: Db, until: Millis, gone: _Gone) -> bool:
    """Removes what is left of one deleted subscription, nobody having taken it over, and of one
    deleted endpoint; whether there was one."""
    await db.execute(_SQL["remove_tombstones"], until)
    async with db.transaction():
        subscription = await db.fetchrow(_SQL["find_deleted_subscription"], until)
        if subscription is not None:
            gone.deliveries += await _remove_subscription(db, *subscription)
    async with db.transaction():
        endpoint = await db.fetchval(_SQL["find_empty_endpoint"], until)
        if endpoint is not None:
            await _remove_endpoint(db, endpoint)
    return subscription is not None or endpoint is not None


async def _remove_subscription(db: Db, subscription: int, uid: str) -> int:
    """How many deliveries expire with it. What one step leaves somebody may still take over."""
    expired = await leave_logs(db, [uid])
    ((removed, lost),) = await db.fetch(_SQL["remove_some_rows"], subscription, STEP_ROWS)
    if removed < STEP_ROWS:
        for statement in (
            "remove_ranges",
            "remove_replays",
            "remove_cursors",
            "remove_absences",
            "remove_subscription",
        ):
            await db.execute(_SQL[statement], subscription)
    return expired + int(lost)


async def _remove_endpoint(db: Db, endpoint: int) -> None:
    for statement in (
        "remove_left_cursors",
        "remove_absences_there",
        "remove_rejections",
        "remove_report",
        "remove_endpoint",
    ):
        await db.execute(_SQL[statement], endpoint)


def _count(tag: str) -> int:
    """Rows, from a command tag such as `DELETE 3`."""
    return int(tag.rpartition(" ")[2])
