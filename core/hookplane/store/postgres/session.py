"""The connection whose end tells the others that this process is no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from hookplane.errors import LeaseLost
from hookplane.store.postgres import processes
from hookplane.store.postgres.connection import Connections
from hookplane.store.postgres.db import Connection, Db
from hookplane.store.postgres.faults import translated

SETTINGS: Final = {
    # a machine that is gone sends no end of its connections: the server must ask
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "4000",
    # nothing is lost with a heartbeat, so none waits for a disk or a standby
    "synchronous_commit": "off",
}
ANSWER_SECONDS: Final = 2.0
"""A connection that does not answer for so long is given up for a new one."""


class ProcessSession:
    """Made when it is needed, and again when it is lost. What it does, it does one after the other.
    It holds a lock as long as it lives; the registration is bound to whichever holds it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._turn = asyncio.Lock()
        self._db: Connection | None = None
        self.process: int | None = None
        """The registration; None: there is none."""

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Db]:
        """The connection. Raises as `Connections.use` does."""
        async with self._turn:
            db = await self._connected()
            try:
                with translated():
                    async with asyncio.timeout(ANSWER_SECONDS):
                        yield db
            except LeaseLost:
                raise
            except BaseException:
                db.terminate()  # whatever went wrong is not this connection's any more
                raise

    async def close(self) -> None:
        """Others see at once that it has ended."""
        if self._db is not None:
            self._db.terminate()

    async def _connected(self) -> Connection:
        if self._db is None or self._db.is_closed():
            self._db = await self._connect()
        return self._db

    async def _connect(self) -> Connection:
        db = await self._connections.connect("session", SETTINGS)
        try:
            with translated():
                await processes.hold(db)
                if self.process is not None:
                    await processes.bind(db, self.process)
        except BaseException:
            db.terminate()
            raise
        return db
