"""Brings a database up to the newest schema, one numbered migration after the other."""

from __future__ import annotations

from importlib import resources
from typing import Final

from hookplane.errors import StoreUnfit
from hookplane.store.access import StoreAccess
from hookplane.store.postgres.connection import SCHEMA, Connections
from hookplane.store.postgres.db import Db

_PACKAGE: Final = "hookplane.store.postgres"
_LOCK: Final = 0x686F6F6B
"""Advisory lock: one migration at a time."""
_PATIENCE: Final = "10s"
"""How long it waits for any lock, that one too; what it does itself may last."""
OLDEST_SCHEMA: Final = 19
"""What this version needs at least; newer schemas are fine, because they only add."""


async def bring_up_to_date(settings: StoreAccess) -> tuple[int, int]:
    """Migrates the database; its schema's version before and after. Raises StoreUnavailable,
    StoreUnfit, InvalidValue."""
    db = await Connections(settings).connect("migrate")
    try:
        return await migrate(db)
    finally:
        await db.close()


async def migrate(db: Db) -> tuple[int, int]:
    """The version before and after. Each migration is one transaction; they only add, so processes
    of the version before go on while and after they run."""
    await db.execute(f"set lock_timeout = '{_PATIENCE}'; set statement_timeout = 0")
    await db.execute(f"select pg_advisory_lock({_LOCK})")
    try:
        await db.execute(f"create schema if not exists {SCHEMA}")
        await db.execute(
            "create table if not exists migration "
            "(version integer primary key, applied_at timestamptz not null default now())"
        )
        before = await schema_version(db)
        scripts = migrations()
        for number, script in enumerate(scripts[before:], before + 1):
            async with db.transaction():
                await db.execute(script)
                await db.execute("insert into migration (version) values ($1)", number)
        return before, max(before, len(scripts))
    finally:
        await db.execute(f"select pg_advisory_unlock({_LOCK})")


async def schema_version(db: Db) -> int:
    """0: there is no schema."""
    if await db.fetchval("select to_regclass('migration')") is None:
        return 0
    version: int = await db.fetchval("select coalesce(max(version), 0) from migration")
    return version


async def require_schema(db: Db) -> None:
    """Raises StoreUnfit for a schema that is missing or older than this version needs."""
    version = await schema_version(db)
    if version < OLDEST_SCHEMA:
        raise StoreUnfit(
            f"the database has schema {version}, this version of Hookplane needs {OLDEST_SCHEMA}: "
            "run `hookplane migrate` first"
        )


def migrations() -> list[str]:
    """The scripts in their order; number 1 comes first."""
    folder = resources.files(_PACKAGE).joinpath("migrations")
    files = sorted((x for x in folder.iterdir() if x.name.endswith(".sql")), key=lambda x: x.name)
    return [file.read_text("utf-8") for file in files]
