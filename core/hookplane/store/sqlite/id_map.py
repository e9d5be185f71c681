"""Small integers in place of uids."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from hookplane.errors import UnknownObject
from hookplane.store.event_numbers import endpoint_of, sequence_of


class SQLiteIdMap:
    """Uids and their numbers, for all threads: whole mappings are replaced, never changed."""

    def __init__(self) -> None:
        self.endpoints: Mapping[str, int] = {}
        self.subscriptions: Mapping[str, int] = {}
        self.endpoint_uids: Mapping[int, str] = {}
        self.subscription_uids: Mapping[int, str] = {}

    def load(self, db: sqlite3.Connection) -> None:
        """To be called after every commit that adds or removes one."""
        self.endpoints = dict(db.execute("select uid, endpoint from endpoint"))
        self.subscriptions = dict(db.execute("select uid, subscription from subscription"))
        self.endpoint_uids = {number: uid for uid, number in self.endpoints.items()}
        self.subscription_uids = {number: uid for uid, number in self.subscriptions.items()}

    def endpoint(self, uid: str) -> int:
        """Raises UnknownObject."""
        return _find(self.endpoints, uid, "endpoint")

    def subscription(self, uid: str) -> int:
        """Raises UnknownObject."""
        return _find(self.subscriptions, uid, "subscription")

    def place(self, number: int) -> tuple[str, int]:
        """Event number → endpoint uid and sequence."""
        return self.endpoint_uids[endpoint_of(number)], sequence_of(number)


def _find(numbers: Mapping[str, int], uid: str, kind: str) -> int:
    number = numbers.get(uid)
    if number is None:
        raise UnknownObject(f'no {kind} "{uid}"')
    return number
