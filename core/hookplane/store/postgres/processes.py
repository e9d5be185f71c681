"""Processes that share a database: registrations, heartbeats, and what each sees of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from hookplane.errors import LeaseLost
from hookplane.store.postgres.db import Db
from hookplane.store.process_registry import LEASE, Member, Presence, Role, Sighting
from hookplane.store.sql import load_statements
from hookplane.store.storable_text import storable

_SQL: Final = load_statements("hookplane.store.postgres", "processes.sql")


async def hold(db: Db) -> None:
    """From now on others see when this connection ends."""
    await db.execute(_SQL["hold"])


async def register(db: Db, role: Role, instance: str, presence: Presence) -> int:
    """A new registration, bound to this connection; one of the same role and instance ends."""
    async with db.transaction():
        await db.execute(_SQL["forget_old"])
        await db.execute(_SQL["end_predecessor"], role, instance)
        process: int
        process = await db.fetchval(_SQL["insert"], role, instance, LEASE, *_columns(presence))
    return process


async def bind(db: Db, process: int) -> None:
    """Binds a registration to this connection, unless it has ended."""
    await db.execute(_SQL["bind"], process)


async def heartbeat(db: Db, process: int, presence: Presence) -> list[Member]:
    """All that have not ended. Raises LeaseLost."""
    rows = await db.fetch(_SQL["beat"], process, LEASE, *_columns(presence))
    found = [_member(*row) for row in rows]
    if process not in {x.process for x in found}:
        raise _lost()
    return found


async def look(db: Db, process: int) -> list[Sighting]:
    """All others. Raises LeaseLost."""
    found = [Sighting(*row) for row in await db.fetch(_SQL["look"])]
    if process not in {x.process for x in found}:
        raise _lost()
    return [x for x in found if x.process != process]


async def declare_dead(db: Db, dead: Sequence[Sighting]) -> bool:
    """Whether one of them ended by this."""
    pulses = [x.pulse for x in dead]
    return bool(await db.fetch(_SQL["declare_dead"], [x.process for x in dead], pulses))


async def members(db: Db) -> list[Member]:
    """All that said so within their lease, the oldest registration first."""
    return [_member(*row) for row in await db.fetch(_SQL["find_alive"])]


async def leave(db: Db, process: int) -> list[str]:
    """The subscriptions that it releases."""
    async with db.transaction():
        await db.execute(_SQL["end"], process)
        return [row[0] for row in await db.fetch(_SQL["release_all"], process)]


def _lost() -> LeaseLost:
    return LeaseLost("this process was found dead, or a successor took its name")


def _columns(presence: Presence) -> tuple[bool, int, str]:
    refused = {storable(uid): storable(why) for uid, why in presence.refused.items()}
    return presence.ready, presence.version, orjson.dumps(refused).decode()


def _member(
    process: int, role: str, instance: str, registered: int, ready: bool, *rest: Any
) -> Member:
    version, refused = rest
    presence = Presence(ready, version, orjson.loads(refused))
    return Member(process, Role(role), instance, registered, presence)
