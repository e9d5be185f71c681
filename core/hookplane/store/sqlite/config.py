"""Config rows and versions, and which cursors a subscription has."""

from __future__ import annotations

import sqlite3
from typing import Final

from hookplane.clock import Millis
from hookplane.errors import UnknownObject
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.connection import snapshot, transaction

_SQL: Final = load_statements("hookplane.store.sqlite", "config.sql")
_DELETE: Final = {
    ConfigKind.ENDPOINT: _SQL["delete_endpoint"],
    ConfigKind.SUBSCRIPTION: _SQL["delete_subscription"],
}


def apply_config(db: sqlite3.Connection, change: ConfigChange, now: Millis) -> tuple[int, bool]:
    """The version and whether it is new. Raises UnknownObject and then changes nothing."""
    with transaction(db):
        version = _version(db)
        rows = [row for row in (*change.upserts, *_tombstones(change)) if _differs(db, row)]
        for row in rows:
            _write(db, row, version + 1, now)
        db.execute(_SQL["open_logs"])
        for plan in change.cursors:
            _Plan(db, plan).carry_out()
        if rows:
            db.execute(_SQL["set_version"], (version + 1,))
    return version + bool(rows), bool(rows)


def load_config(db: sqlite3.Connection, after: int) -> tuple[int, list[ConfigRow]]:
    """The current version and what is newer than `after`, endpoints before subscriptions."""
    with snapshot(db):
        version = _version(db)
        rows = db.execute(_SQL["load_rows"], (after,)).fetchall()
    return version, [ConfigRow(ConfigKind(kind), *rest) for kind, *rest in rows]


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute(_SQL["find_version"]).fetchone()[0]
    return version


def _tombstones(change: ConfigChange) -> list[ConfigRow]:
    return [ConfigRow(kind, uid, None) for kind, uid in change.deletes]


def _differs(db: sqlite3.Connection, row: ConfigRow) -> bool:
    stored = db.execute(_SQL["find_document"], (row.kind, row.uid)).fetchone() or (None,)
    return bool(stored[0] != row.document)


def _write(db: sqlite3.Connection, row: ConfigRow, version: int, now: Millis) -> None:
    db.execute(_SQL["write_row"], (row.kind, row.uid, row.document, version, now))
    if row.document is None:
        db.execute(_DELETE[row.kind], (now, row.uid))
    elif row.kind is ConfigKind.ENDPOINT:
        db.execute(_SQL["keep_endpoint"], (row.uid, row.namespace))
    else:
        db.execute(_SQL["keep_subscription"], (row.uid,))


class _Plan:
    """Brings the cursors of one subscription to what its plan says."""

    def __init__(self, db: sqlite3.Connection, plan: CursorPlan) -> None:
        self._db = db
        self._plan = plan
        row = db.execute(_SQL["find_subscription"], (plan.subscription,)).fetchone()
        if row is None:
            raise UnknownObject(f'no subscription "{plan.subscription}"')
        self._subscription, self._planned, self._known_endpoint = row

    def carry_out(self) -> None:
        wanted = [self._endpoint(uid) for uid in self._plan.endpoints]
        cursors = dict(self._db.execute(_SQL["find_cursors"], (self._subscription,)))
        read = {endpoint for endpoint, is_read in cursors.items() if is_read}
        for endpoint, head, floor in wanted:
            if endpoint not in read:
                was_here = endpoint in cursors
                position = head if was_here else self._start_in(endpoint, head, floor)
                self._db.execute(_SQL["join_cursor"], (self._subscription, endpoint, position))
        for endpoint in read - {endpoint for endpoint, _, _ in wanted}:
            self._leave(endpoint)
        self._db.execute(_SQL["set_planned"], (self._subscription,))

    def _endpoint(self, uid: str) -> tuple[int, int, int]:
        row: tuple[int, int, int] | None
        row = self._db.execute(_SQL["find_endpoint"], (uid,)).fetchone()
        if row is None:
            raise UnknownObject(f'no endpoint "{uid}"')
        return row

    def _start_in(self, endpoint: int, head: int, floor: int) -> int:
        """The first endpoints start where the plan says; later ones at their floor if they are
        younger than the subscription, so that it gets all that they ever accepted."""
        start = self._plan.start_from
        if self._planned:
            known = self._known_endpoint
            return floor if known is not None and endpoint > known else head
        if start == "Latest":
            return head
        if start == "Earliest":
            return floor
        row = self._db.execute(_SQL["first_since"], (floor, head, start)).fetchone()
        return head if row is None else int(row[0])

    def _leave(self, endpoint: int) -> None:
        self._db.execute(_SQL["count_left"], (self._subscription, endpoint))
        self._db.execute(_SQL["leave_cursor"], (self._subscription, endpoint))
