"""Small integers in place of uids. Another process may add some at any time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hookplane.store.event_numbers import endpoint_of
from hookplane.store.id_map import IdMap
from hookplane.store.postgres.db import Db
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "id_map.sql")


class PostgresIdMap(IdMap):
    """Uids and their numbers, loaded again when one that is asked for is missing. A number is never
    used again, so one that is gone meanwhile does no harm."""

    async def load(self, db: Db) -> None:
        """Reads all numbers. To be called as well after every commit of this process that adds or
        removes one."""
        endpoints = await _pairs(db, _SQL["endpoints"])
        self.replace(endpoints, await _pairs(db, _SQL["subscriptions"]))

    async def know(
        self,
        db: Db,
        *,
        endpoints: Iterable[str] = (),
        subscriptions: Iterable[str] = (),
        numbers: Iterable[int] = (),
    ) -> None:
        """Makes sure that these uids and event numbers can be looked up, if they are in the store
        at all."""
        if not (
            all(uid in self.endpoints for uid in endpoints)
            and all(uid in self.subscriptions for uid in subscriptions)
            and all(endpoint_of(number) in self.endpoint_uids for number in numbers)
        ):
            await self.load(db)


async def _pairs(db: Db, statement: str) -> dict[str, int]:
    return {row[0]: row[1] for row in await db.fetch(statement)}
