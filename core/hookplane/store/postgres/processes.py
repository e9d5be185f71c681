"""Processes and their leases, all by the database's clock."""

from __future__ import annotations

from typing import Any, Final

import orjson

from hookplane.errors import LeaseLost
from hookplane.store.postgres.db import Db
from hookplane.store.process_registry import LEASE, Member, Presence, Role
from hookplane.store.sql import load_statements
from hookplane.store.storable_text import storable

_SQL: Final = load_statements("hookplane.store.postgres", "processes.sql")


async def register(db: Db, role: Role, instance: str, presence: Presence) -> int:
    """A new registration; a live one of the same role and instance ends."""
    async with db.transaction():
        await db.execute(_SQL["forget_old"])
        await db.execute(_SQL["end_predecessor"], role, instance)
        process: int
        process = await db.fetchval(_SQL["insert"], role, instance, LEASE, *_columns(presence))
    return process


async def heartbeat(db: Db, process: int, presence: Presence) -> list[Member]:
    """All live processes. Raises LeaseLost."""
    if await db.fetchval(_SQL["beat"], process, LEASE, *_columns(presence)) is None:
        raise LeaseLost("the lease of this process has expired, or a successor took its name")
    return await members(db)


async def members(db: Db) -> list[Member]:
    """All live processes, the oldest registration first."""
    return [_member(*row) for row in await db.fetch(_SQL["find_alive"])]


async def leave(db: Db, process: int) -> list[str]:
    """The subscriptions that it releases."""
    async with db.transaction():
        await db.execute(_SQL["end"], process)
        return [row[0] for row in await db.fetch(_SQL["release_all"], process)]


def _columns(presence: Presence) -> tuple[bool, int, str]:
    refused = {storable(uid): storable(why) for uid, why in presence.refused.items()}
    return presence.ready, presence.version, orjson.dumps(refused).decode()


def _member(
    process: int, role: str, instance: str, registered: int, ready: bool, *rest: Any
) -> Member:
    version, refused = rest
    presence = Presence(ready, version, orjson.loads(refused))
    return Member(process, Role(role), instance, registered, presence)
