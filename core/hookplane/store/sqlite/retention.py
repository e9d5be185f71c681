"""Letting go of what is old, in steps small enough that appends do not wait for long."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

import orjson

from hookplane.clock import Millis
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.retention import (
    FAR_AHEAD,
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
from hookplane.store.sqlite.config import leave_logs
from hookplane.store.sqlite.connection import transaction

_SQL: Final = load_statements("hookplane.store.sqlite", "retention.sql")

STEP_PAGES: Final = 1_000
"""Pages (4 MB) that one step gives back to the file system."""
FREE_PAGES: Final = 4_096
"""So much free space (16 MB) stays in the file for what comes next."""


def expire_events(
    db: sqlite3.Connection, retention: Retention, now: Millis, latest: Millis
) -> Expired:
    """Removes events that are too old, then the oldest of whoever has stored most. `latest`: what
    is after it nobody believes."""
    with transaction(db):
        before = _count(db, "count_expired")
        old = _remove_old(db, now - retention.events, latest)
        surplus, left = _remove_surplus(db, retention.total_bytes, latest, STEP_ROWS - old)
        skipped = _count(db, "count_expired") - before
        if db.execute(_SQL["end_replays"], (now,)).rowcount:
            db.execute(_SQL["remove_ended_ranges"])
    more = old + surplus >= STEP_ROWS or (surplus > 0 and left > 0)
    return Expired(old + surplus, skipped_deliveries=skipped, more=more, surplus=surplus)


def expire_attempts(db: sqlite3.Connection, retention: Retention, now: Millis) -> Expired:
    """Removes the oldest attempts."""
    with transaction(db):
        removed = db.execute(
            _SQL["remove_attempts"], (now - retention.attempts, STEP_ROWS, now + FAR_AHEAD)
        ).rowcount
    return Expired(attempts=removed, more=removed >= STEP_ROWS)


def expire_keys(db: sqlite3.Connection, now: Millis) -> Expired:
    """Removes deduplication keys whose window has ended."""
    with transaction(db):
        removed = db.execute(_SQL["remove_keys"], (now, STEP_ROWS)).rowcount
    return Expired(dedup_keys=removed, more=removed >= STEP_ROWS)


def sweep_deleted(db: sqlite3.Connection, now: Millis) -> tuple[Expired, bool]:
    """Removes what is left of one deleted subscription, nobody having taken it over, and of one
    deleted endpoint, and whether numbers changed."""
    until, expired = now - KEEP_DELETED, 0
    with transaction(db):
        db.execute(_SQL["remove_tombstones"], (until,))
        subscription = db.execute(_SQL["find_deleted_subscription"], (until,)).fetchone()
        if subscription is not None:
            expired = _remove_subscription(db, *subscription)
        endpoint = db.execute(_SQL["find_empty_endpoint"], (until,)).fetchone()
        if endpoint is not None:
            _remove_endpoint(db, *endpoint)
    found = subscription is not None or endpoint is not None
    return Expired(skipped_deliveries=expired, more=found), found


def shrink_file(db: sqlite3.Connection) -> None:
    """Gives some pages back to the file system when more than a quarter of the file is free."""
    free, pages = db.execute(_SQL["free_pages"]).fetchone()
    if free > FREE_PAGES and free * 4 > pages:
        # as a script, because it gives a row without columns for each page and all must be fetched
        db.executescript(f"pragma incremental_vacuum({STEP_PAGES})")


def _remove_old(db: sqlite3.Connection, cutoff: Millis, latest: Millis) -> int:
    found = db.execute(_SQL["find_old"], (cutoff, STEP_ROWS, latest)).fetchall()
    return _raise_floors(db, bounded(found, STEP_ROWS))


def _remove_surplus(
    db: sqlite3.Connection, total: int, latest: Millis, rows: int
) -> tuple[int, int]:
    """Events that went, of `rows` at most, and bytes that are still too many."""
    found = db.execute(_SQL["find_holders"])
    holders = [Holder(size, orjson.loads(endpoints)) for size, endpoints in found]
    left, removed = sum(holder.bytes for holder in holders) - total, 0
    for holder, excess in excesses(holders, total):
        if left <= 0 or removed >= rows:
            break
        oldest = _oldest_of(db, holder, latest, rows - removed)
        wanted, freed = floors_to_free(oldest, min(excess, left))
        removed, left = removed + _raise_floors(db, wanted), left - freed
    return removed, left


def _oldest_of(db: sqlite3.Connection, holder: Holder, latest: Millis, rows: int) -> list[Stored]:
    endpoints = orjson.dumps(holder.endpoints).decode()
    return [Stored(*row) for row in db.execute(_SQL["oldest_of"], (endpoints, rows, SLICE, latest))]


def _raise_floors(db: sqlite3.Connection, wanted: Mapping[int, int]) -> int:
    return sum(_raise_floor(db, endpoint, floor) for endpoint, floor in wanted.items())


def _raise_floor(db: sqlite3.Connection, endpoint: int, wanted: int) -> int:
    old: int = db.execute(_SQL["find_floor"], (endpoint,)).fetchone()[0]
    new = min(wanted, old + STEP_ROWS)
    db.execute(_SQL["expire_pending"], (endpoint, new))
    db.execute(_SQL["expire_rows"], (old, new))
    db.execute(_SQL["move_cursors"], (endpoint, new))
    db.execute(_SQL["lower_bytes"], (endpoint, old, new))
    for statement in ("remove_rows", "remove_contents", "remove_events"):
        db.execute(_SQL[statement], (old, new))
    return new - old


def _remove_subscription(db: sqlite3.Connection, subscription: int) -> int:
    """How many deliveries expire with it. What one step leaves somebody may still take over."""
    before = _count(db, "expired_of", subscription)
    leave_logs(db, subscription)
    db.execute(_SQL["expire_some_rows"], (subscription, STEP_ROWS))
    expired = _count(db, "expired_of", subscription) - before
    rows = db.execute(_SQL["remove_some_rows"], (subscription, STEP_ROWS)).rowcount
    if rows < STEP_ROWS:
        for statement in (
            "remove_ranges",
            "remove_replays",
            "remove_cursors",
            "remove_absences",
            "remove_subscription",
        ):
            db.execute(_SQL[statement], (subscription,))
    return expired


def _remove_endpoint(db: sqlite3.Connection, endpoint: int) -> None:
    for statement in (
        "remove_left_cursors",
        "remove_absences_there",
        "remove_rejections",
        "remove_endpoint",
    ):
        db.execute(_SQL[statement], (endpoint,))


def _count(db: sqlite3.Connection, statement: str, *of: int) -> int:
    count: int = db.execute(_SQL[statement], of).fetchone()[0]
    return count
