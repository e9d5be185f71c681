"""Connections to PostgreSQL: pools by purpose, so that a long listing holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, Final

import asyncpg

from hookplane.errors import StoreReplaced, StoreUnfit
from hookplane.store.access import StoreAccess
from hookplane.store.postgres.db import Db, Pool
from hookplane.store.postgres.dsn import readable_dsn
from hookplane.store.postgres.faults import translated
from hookplane.store.postgres.identity import DatabaseIdentity, read_identity

SCHEMA: Final = "hookplane"
CONNECT_SECONDS: Final = 1.5
ACQUIRE_SECONDS: Final = 1.5
"""How long a caller waits for a free connection."""
COMMAND_SECONDS: Final = 6.0
"""A little more than the server's own limit, for a server that does not answer at all."""
CLOSE_SECONDS: Final = 2.0
SESSION: Final = {
    "search_path": SCHEMA,
    "statement_timeout": "5s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "5s",
    "synchronous_commit": "on",
    "jit": "off",  # compiling costs more than any of our statements
}
"""Settings that are asked for when connecting. A pooler such as PgBouncer does not pass them on,
and is noticed by that."""

_NONE: Final[Mapping[str, str]] = {}
_CONFUSED: Final = (asyncpg.InternalClientError, asyncpg.InterfaceError, TimeoutError)
"""After these errors client and server may disagree on what is under way."""


class Purpose(StrEnum):
    """What a connection is for."""

    INGEST = "ingest"
    INGEST_HELD = "ingest held"
    FLUSH = "flush"
    FLUSH_HELD = "flush held"
    READ = "read"
    OTHER = "other"


SIZES: Final = {
    Purpose.INGEST: 1,
    Purpose.INGEST_HELD: 2,
    Purpose.FLUSH: 1,
    Purpose.FLUSH_HELD: 2,
    Purpose.READ: 3,
    Purpose.OTHER: 2,
}
"""Connections of a process; with the one that listens and the session, 13 at most."""
_OF_PURPOSE: Final[Mapping[str, Mapping[str, str]]] = {
    Purpose.INGEST: {"lock_timeout": "200ms"},  # all endpoints wait for it
    Purpose.FLUSH: {"lock_timeout": "200ms"},  # and all subscriptions for this one
}
"""What differs from SESSION."""


class Connections:
    """All connections of one process, made when they are needed and again when they are lost."""

    def __init__(self, settings: StoreAccess) -> None:
        self._settings = settings
        self._pools: dict[Purpose, Pool] = {}
        self._identity: DatabaseIdentity | None = None

    async def open(self) -> None:
        """Tries one connection. Raises StoreUnavailable, StoreUnfit, InvalidValue."""
        with translated():
            for purpose, size in SIZES.items():
                self._pools[purpose] = await asyncpg.create_pool(
                    **self._arguments(purpose),
                    min_size=0,
                    max_size=size,
                    init=self._check,
                    reset=_leave_as_is,
                )
        async with self.use(Purpose.OTHER):
            pass

    @asynccontextmanager
    async def use(self, purpose: Purpose) -> AsyncIterator[Db]:
        """A connection. What goes wrong with it becomes StoreUnavailable, StoreUnfit or
        RejectedEvent; raises StoreReplaced for a database that is not the one of before."""
        with translated():
            async with self._pools[purpose].acquire(timeout=ACQUIRE_SECONDS) as db:
                try:
                    yield db
                except _CONFUSED as error:
                    if not isinstance(error, asyncpg.DataError):
                        db.terminate()
                    raise

    async def connect(
        self, purpose: str, settings: Mapping[str, str] = _NONE
    ) -> asyncpg.Connection[asyncpg.Record]:
        """A connection of the caller's own, to be closed by it. `settings`: more of the server's,
        for this connection. Raises as `use` does."""
        with translated():
            db: asyncpg.Connection[asyncpg.Record]
            db = await asyncpg.connect(**self._arguments(purpose, settings))
            try:
                await self._check(db)
            except BaseException:
                db.terminate()
                raise
            return db

    async def close(self) -> None:
        """Lets what is under way finish for a moment."""
        for pool in self._pools.values():
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    def _arguments(self, purpose: str, more: Mapping[str, str] = _NONE) -> dict[str, Any]:
        settings = self._settings
        arguments: dict[str, Any] = {
            "dsn": readable_dsn(settings.dsn),
            "timeout": CONNECT_SECONDS,
            "command_timeout": COMMAND_SECONDS,
            "target_session_attrs": "primary",
            "server_settings": {
                **SESSION,
                "application_name": f"{settings.application} {purpose}",
                **_OF_PURPOSE.get(purpose, _NONE),
                **more,
            },
        }
        if settings.password_file is not None:
            arguments["password"] = settings.read_password
        context = settings.tls_context()
        return arguments if context is None else arguments | {"ssl": context}

    async def _check(self, db: Db) -> None:
        await _refuse_poolers(db)
        identity = await read_identity(db)
        if self._identity is None:
            self._identity = identity
        elif self._identity != identity:
            raise StoreReplaced(f"the database is another one than before: {identity}")


async def _leave_as_is(_db: Db) -> None:
    """Resets nothing when a connection goes back to its pool: nothing that we do outlives its
    transaction, and a reset would cost a round trip."""


async def _refuse_poolers(db: Db) -> None:
    taken = await db.fetchval("select current_setting('statement_timeout')")
    if taken != SESSION["statement_timeout"]:
        raise StoreUnfit(
            "the connection did not take our settings; a pooler such as PgBouncer in transaction "
            "mode stands in between, and LISTEN and prepared statements do not work through one: "
            "name the server itself"
        )
