"""Config rows and versions, and which cursors a subscription has. Set by set, because a change may
be ten thousand subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.errors import UnknownObject
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.operator_store import WriterFence
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.writer_fence import check_fence
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "config.sql")
_NAMES: Final = {ConfigKind.ENDPOINT: "endpoints", ConfigKind.SUBSCRIPTION: "subscriptions"}


async def apply_config(
    db: Db, change: ConfigChange, now: Millis, fence: WriterFence | None = None
) -> tuple[int, bool]:
    """The version and whether it is new. Raises UnknownObject, StaleWriter, StoreInUse, and then
    changes nothing."""
    async with db.transaction():
        await check_fence(db, fence)
        version: int = await db.fetchval(_SQL["lock_version"])
        rows = await _different(db, (*change.upserts, *_tombstones(change)))
        if is_new := bool(rows):
            version += 1
            await db.execute(_SQL["write_rows"], *_columns(rows), version, now)
            await db.execute(_SQL["set_version"], version)
        joins = _joins(change.cursors)
        rows = await _touching(db, rows)
        await _lock_endpoints(db, rows, joins)
        for kind in ConfigKind:
            await _keep_and_delete(db, kind, rows, now)
        if change.cursors:
            await _carry_out(db, change.cursors, joins)
    return version, is_new


async def load_config(db: Db, after: int) -> tuple[int, list[ConfigRow]]:
    """The current version and what is newer than `after`, endpoints before subscriptions."""
    rows = await db.fetch(_SQL["load_rows"], after)
    documents = [ConfigRow(ConfigKind(row[1]), *row[2:]) for row in rows if row[1] is not None]
    return rows[0][0], documents


def _tombstones(change: ConfigChange) -> Iterable[ConfigRow]:
    return (ConfigRow(kind, uid, None) for kind, uid in change.deletes)


async def _different(db: Db, rows: Iterable[ConfigRow]) -> list[ConfigRow]:
    last = {(row.kind, row.uid): row for row in rows}
    found = await db.fetch(_SQL["find_different"], *_columns(last.values()))
    return [last[ConfigKind(kind), uid] for kind, uid in found]


async def _touching(db: Db, rows: Sequence[ConfigRow]) -> list[ConfigRow]:
    """Without endpoints of which nothing but the document is another one: their heads need not be
    locked, and appends need not wait."""
    kept = {x.uid: x.namespace for x in rows if _is_kept_endpoint(x)}
    found = await db.fetch(_SQL["find_moved"], list(kept), list(kept.values()))
    moved = {uid for (uid,) in found}
    return [row for row in rows if not _is_kept_endpoint(row) or row.uid in moved]


def _is_kept_endpoint(row: ConfigRow) -> bool:
    return row.kind is ConfigKind.ENDPOINT and row.document is not None


def _columns(rows: Iterable[ConfigRow]) -> tuple[list[Any], list[Any], list[Any]]:
    rows = list(rows)
    return [x.kind for x in rows], [x.uid for x in rows], [x.document for x in rows]


def _joins(plans: Sequence[CursorPlan]) -> list[list[str]]:
    """Subscription, endpoint and start of all that plans want to be read, as columns."""
    pairs = [(plan.subscription, x, str(plan.start_from)) for plan in plans for x in plan.endpoints]
    return [[pair[i] for pair in pairs] for i in range(3)]


async def _lock_endpoints(db: Db, rows: Sequence[ConfigRow], joins: list[list[str]]) -> None:
    """Locks all of them at once and before any subscription. Everybody who locks both keeps to this
    order, so that no two wait for each other."""
    joined = await db.fetch(_SQL["find_joined"], *joins)
    written = [row.uid for row in rows if row.kind is ConfigKind.ENDPOINT]
    if uids := written + [uid for (uid,) in joined]:
        await db.execute(_SQL["lock_endpoints"], uids)


async def _keep_and_delete(
    db: Db, kind: ConfigKind, rows: Sequence[ConfigRow], now: Millis
) -> None:
    name = _NAMES[kind]
    rows = [row for row in rows if row.kind is kind]
    namespaces = {row.uid: row.namespace for row in rows if row.document is not None}
    kept = list(namespaces)
    deleted = [row.uid for row in rows if row.document is None]
    if kind is ConfigKind.SUBSCRIPTION and rows:
        await db.execute(_SQL["lock_subscriptions"], kept + deleted)
    if kept and kind is ConfigKind.ENDPOINT:
        await db.execute(_SQL["keep_endpoints"], kept, list(namespaces.values()))
        await db.execute(_SQL["open_logs"], kept)
    if kept and kind is ConfigKind.SUBSCRIPTION:
        await db.execute(_SQL["keep_subscriptions"], kept)
    if deleted:
        await db.execute(_SQL[f"delete_{name}"], deleted, now)


async def _carry_out(db: Db, plans: Sequence[CursorPlan], joins: list[list[str]]) -> None:
    """Brings the cursors of subscriptions to what their plans say."""
    uids = [plan.subscription for plan in plans]
    endpoints = list(set(chain.from_iterable(plan.endpoints for plan in plans)))
    unknown = await db.fetchrow(_SQL["find_unknown"], uids, endpoints)
    if unknown is not None:
        raise UnknownObject(f'no {unknown[0]} "{unknown[1]}"')
    await db.execute(_SQL["lock_subscriptions"], uids)
    await db.execute(_SQL["join_cursors"], *joins)
    await db.execute(_SQL["leave_cursors"], uids, *joins[:2])
    await db.execute(_SQL["set_planned"], uids)
