"""Small integers in place of uids. Another process may add some at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hookplane.errors import UnknownObject
from hookplane.store.event_numbers import endpoint_of, sequence_of
from hookplane.store.postgres.db import Db
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "id_map.sql")


class PostgresIdMap:
    """Uids and their numbers, loaded again when one that is asked for is missing. A number is never
    used again, so one that is gone meanwhile does no harm."""

    def __init__(self) -> None:
        self.endpoints: Mapping[str, int] = {}
        self.subscriptions: Mapping[str, int] = {}
        self.endpoint_uids: Mapping[int, str] = {}
        self.subscription_uids: Mapping[int, str] = {}

    async def load(self, db: Db) -> None:
        """To be called as well after every commit of this process that adds or removes one."""
        self.endpoints = await _pairs(db, _SQL["endpoints"])
        self.subscriptions = await _pairs(db, _SQL["subscriptions"])
        self.endpoint_uids = {number: uid for uid, number in self.endpoints.items()}
        self.subscription_uids = {number: uid for uid, number in self.subscriptions.items()}

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

    def endpoint(self, uid: str) -> int:
        """Raises UnknownObject."""
        return _find(self.endpoints, uid, "endpoint")

    def subscription(self, uid: str) -> int:
        """Raises UnknownObject."""
        return _find(self.subscriptions, uid, "subscription")

    def place(self, number: int) -> tuple[str, int]:
        """Event number → endpoint uid and sequence."""
        return self.endpoint_uids[endpoint_of(number)], sequence_of(number)


async def _pairs(db: Db, statement: str) -> dict[str, int]:
    return {row[0]: row[1] for row in await db.fetch(statement)}


def _find(numbers: Mapping[str, int], uid: str, kind: str) -> int:
    number = numbers.get(uid)
    if number is None:
        raise UnknownObject(f'no {kind} "{uid}"')
    return number
