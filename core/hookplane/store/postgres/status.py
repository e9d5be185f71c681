"""Endpoints and subscriptions in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from hookplane.store.delivery_store import Counters
from hookplane.store.packed_health import unpack_state
from hookplane.store.postgres.db import Db
from hookplane.store.queries import EndpointStats, SubscriptionStats
from hookplane.store.rows import endpoint_stats_of, failure_of
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "queries.sql")
_COUNTERS: Final = 7


async def endpoint_stats(db: Db, uids: Sequence[str]) -> list[EndpointStats]:
    """In the order asked for; what is not known is left out."""
    return [endpoint_stats_of(*row) for row in await db.fetch(_SQL["endpoint_stats"], uids)]


async def stored_bytes(db: Db) -> dict[str, int]:
    """By namespace."""
    return {row[0]: row[1] for row in await db.fetch(_SQL["stored_bytes"])}


async def subscription_stats(db: Db, uids: Sequence[str]) -> list[SubscriptionStats]:
    """In the order asked for; what is not known is left out. One statement, so that all numbers are
    of one moment."""
    return [_subscription(*row) for row in await db.fetch(_SQL["subscription_stats"], uids)]


async def activity(db: Db) -> tuple[int, ...]:
    """Equal numbers mean that nothing has happened that statuses tell."""
    row = await db.fetchrow(_SQL["activity"])
    return tuple(int(number or 0) for number in row or ())


def _subscription(uid: str, *columns: Any) -> SubscriptionStats:
    state, sending, retrying, dead, next_due, pending, oldest, failures = columns[_COUNTERS:]
    return SubscriptionStats(
        subscription=uid,
        counters=Counters(*columns[:_COUNTERS]),
        pending=pending,
        sending=sending,
        retrying=retrying,
        dead=dead,
        next_due=next_due,
        oldest_pending=oldest,
        state=unpack_state(state.encode()),
        recent_failures=tuple(failure_of(*x.values()) for x in orjson.loads(failures or "[]")),
    )
