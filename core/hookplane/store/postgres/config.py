"""Config rows and versions, and which cursors a subscription has. Set by set, because a change may
be ten thousand subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

Former = Mapping[ConfigKind, Mapping[str, str]]
"""Uid of each object that takes over → uid of its predecessor."""


async def apply_config(
    db: Db, change: ConfigChange, now: Millis, fence: WriterFence | None = None
) -> tuple[int, bool]:
    """The version and whether it is new. Raises UnknownObject, StaleWriter, StoreInUse, and then
    changes nothing."""
    async with db.transaction():
        await check_fence(db, fence)
        ((version, now),) = await db.fetch(_SQL["lock_version"], now)
        rows = await _different(db, change.rows)
        if is_new := bool(rows):
            version += 1
            await db.execute(_SQL["write_rows"], *_columns(rows), version, now)
            await db.execute(_SQL["set_version"], version)
        if change.places:
            await db.execute(_SQL["set_places"], *map(list, zip(*change.places, strict=True)))
        joins = _joins(change.cursors)
        rows = await _touching(db, rows)
        former = {kind: _predecessors(kind, rows) for kind in ConfigKind}
        await _lock_endpoints(db, rows, joins, former)
        await _lock_subscriptions(db, rows, change.cursors, former)
        await _take_over(db, former)
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


async def leave_logs(
    db: Db,
    subscriptions: Sequence[str],
    wanted: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> int:
    """These read no log any more but those that they want (subscription and endpoint, as columns);
    how many deliveries expire by that."""
    expired: int = await db.fetchval(_SQL["leave_cursors"], subscriptions, *wanted)
    return expired


async def endpoints_of(db: Db, subscription: str) -> tuple[str, ...]:
    """Uids of what it reads."""
    return tuple(uid for (uid,) in await db.fetch(_SQL["endpoints_of"], subscription))


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


def _predecessors(kind: ConfigKind, rows: Iterable[ConfigRow]) -> dict[str, str]:
    """Uid → uid of whom it takes over from."""
    return {x.uid: x.predecessor for x in rows if x.kind is kind and x.predecessor}


def _joins(plans: Sequence[CursorPlan]) -> list[list[str]]:
    """Subscription, endpoint and start of all that plans want to be read, as columns."""
    pairs = [(plan.subscription, x, str(plan.start_from)) for plan in plans for x in plan.endpoints]
    return [[pair[i] for pair in pairs] for i in range(3)]


async def _lock_endpoints(
    db: Db, rows: Sequence[ConfigRow], joins: list[list[str]], former: Former
) -> None:
    """Locks all of them at once, under the uids that they have so far, and before any subscription.
    Everybody who locks both keeps to this order, so that no two wait for each other."""
    subscriptions, endpoints, starts = joins
    former_readers, former_endpoints = former[ConfigKind.SUBSCRIPTION], former[ConfigKind.ENDPOINT]
    readers = [former_readers.get(uid, uid) for uid in subscriptions]
    read = [former_endpoints.get(uid, uid) for uid in endpoints]
    joined = await db.fetch(_SQL["find_joined"], readers, read, starts)
    written = [row.uid for row in rows if row.kind is ConfigKind.ENDPOINT]
    if uids := [*written, *former_endpoints.values(), *(uid for (uid,) in joined)]:
        await db.execute(_SQL["lock_endpoints"], uids)


async def _lock_subscriptions(
    db: Db, rows: Sequence[ConfigRow], plans: Sequence[CursorPlan], former: Former
) -> None:
    """Likewise, with those that read an endpoint which somebody takes over."""
    written = [row.uid for row in rows if row.kind is ConfigKind.SUBSCRIPTION]
    planned = [plan.subscription for plan in plans]
    uids = [*written, *planned, *former[ConfigKind.SUBSCRIPTION].values()]
    endpoints = list(former[ConfigKind.ENDPOINT].values())
    if uids or endpoints:
        await db.execute(_SQL["lock_subscriptions"], uids, endpoints)


async def _take_over(db: Db, former: Former) -> None:
    """Gives rows of predecessors the uids of those that came after them."""
    if heirs := former[ConfigKind.ENDPOINT]:
        taken = await db.fetch(_SQL["take_over_endpoints"], [*heirs], [*heirs.values()])
        await db.execute(_SQL["refuse_owners"], [endpoint for (endpoint,) in taken])
    if heirs := former[ConfigKind.SUBSCRIPTION]:
        await db.execute(_SQL["take_over_subscriptions"], [*heirs], [*heirs.values()])


async def _keep_and_delete(
    db: Db, kind: ConfigKind, rows: Sequence[ConfigRow], now: Millis
) -> None:
    name = _NAMES[kind]
    rows = [row for row in rows if row.kind is kind]
    namespaces = {row.uid: row.namespace for row in rows if row.document is not None}
    kept = list(namespaces)
    deleted = [row.uid for row in rows if row.document is None]
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
    await db.execute(_SQL["join_cursors"], *joins)
    await leave_logs(db, uids, (joins[0], joins[1]))
    await db.execute(_SQL["set_planned"], uids)
