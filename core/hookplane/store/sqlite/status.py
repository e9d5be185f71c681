"""Endpoints and subscriptions in numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import orjson

from hookplane.store.delivery_store import Counters
from hookplane.store.packed_health import unpack_state
from hookplane.store.queries import EndpointStats, SubscriptionStats
from hookplane.store.rows import endpoint_stats_of, failure_of
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.connection import snapshot

_SQL: Final = load_statements("hookplane.store.sqlite", "queries.sql")


def endpoint_stats(db: sqlite3.Connection, uids: Sequence[str]) -> list[EndpointStats]:
    """In the order asked for; what is not known is left out."""
    rows = db.execute(_SQL["endpoint_stats"], (orjson.dumps(uids).decode(),))
    return [endpoint_stats_of(*row) for row in rows]


def stored_bytes(db: sqlite3.Connection) -> dict[str, int]:
    """By namespace."""
    return dict(db.execute(_SQL["stored_bytes"]))


def subscription_stats(db: sqlite3.Connection, uids: Sequence[str]) -> list[SubscriptionStats]:
    """In the order asked for; what is not known is left out."""
    with snapshot(db):
        rows = db.execute(_SQL["subscription_stats"], (orjson.dumps(uids).decode(),)).fetchall()
        return [_subscription(db, *row) for row in rows]


def _subscription(
    db: sqlite3.Connection, subscription: int, uid: str, *columns: Any
) -> SubscriptionStats:
    *counters, state = columns
    sending, retrying, dead, next_due = _one(db, "count_rows", subscription)
    failures = db.execute(_SQL["recent_failures"], (subscription,))
    return SubscriptionStats(
        subscription=uid,
        counters=Counters(*counters),
        pending=_one(db, "count_pending", subscription)[0],
        sending=sending,
        retrying=retrying,
        dead=dead,
        next_due=next_due,
        oldest_pending=_one(db, "oldest_pending", subscription)[0],
        state=unpack_state(state),
        recent_failures=tuple(failure_of(*row) for row in failures),
    )


def _one(db: sqlite3.Connection, statement: str, subscription: int) -> tuple[Any, ...]:
    row: tuple[Any, ...] = db.execute(_SQL[statement], (subscription,)).fetchone()
    return row
