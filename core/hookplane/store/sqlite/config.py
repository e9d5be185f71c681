"""Config rows and versions, and which cursors a subscription has."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

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


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a change."""

    version: int
    is_new: bool
    without_owner: frozenset[str]
    """Subscriptions that anybody may claim now."""


def apply_config(db: sqlite3.Connection, change: ConfigChange, now: Millis) -> Applied:
    """Raises UnknownObject and then changes nothing."""
    without_owner: set[str] = set()
    with transaction(db):
        version = _version(db)
        rows = [row for row in change.rows if _differs(db, row)]
        for row in rows:
            if row.predecessor:
                without_owner |= _take_over(db, row)
        for row in rows:
            _write(db, row, version + 1, now)
        db.executemany(_SQL["set_place"], change.places)
        db.execute(_SQL["open_logs"])
        for plan in change.cursors:
            _Plan(db, plan).carry_out()
        if rows:
            db.execute(_SQL["set_version"], (version + 1,))
    return Applied(version + bool(rows), bool(rows), frozenset(without_owner))


def load_config(db: sqlite3.Connection, after: int) -> tuple[int, list[ConfigRow]]:
    """The current version and what is newer than `after`, endpoints before subscriptions."""
    with snapshot(db):
        version = _version(db)
        rows = db.execute(_SQL["load_rows"], (after,)).fetchall()
    return version, [ConfigRow(ConfigKind(kind), *rest) for kind, *rest in rows]


def leave_logs(db: sqlite3.Connection, subscription: int, endpoints: Iterable[int] = ()) -> None:
    """A subscription reads no log any more but these."""
    wanted = subscription, orjson.dumps(list(endpoints)).decode()
    for statement in ("expire_unread", "leave_cursors"):
        db.execute(_SQL[statement], wanted)


def endpoints_of(db: sqlite3.Connection, subscription: str) -> tuple[str, ...]:
    """Uids of what it reads."""
    return tuple(uid for (uid,) in db.execute(_SQL["endpoints_of"], (subscription,)))


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute(_SQL["find_version"]).fetchone()[0]
    return version


def _differs(db: sqlite3.Connection, row: ConfigRow) -> bool:
    stored = db.execute(_SQL["find_document"], (row.kind, row.uid)).fetchone() or (None,)
    return bool(stored[0] != row.document)


def _take_over(db: sqlite3.Connection, row: ConfigRow) -> set[str]:
    """Uids of subscriptions that have no owner from now on."""
    names = (row.uid, row.predecessor)
    if row.kind is ConfigKind.SUBSCRIPTION:
        db.execute(_SQL["take_over_subscription"], names)
        return set(names)
    if not db.execute(_SQL["take_over_endpoint"], names).rowcount:
        return set()
    return {uid for (uid,) in db.execute(_SQL["refuse_owners"], (row.uid,))}


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
                self._join(endpoint, position)
        kept = {endpoint for endpoint, _, _ in wanted}
        if read - kept:
            leave_logs(self._db, self._subscription, kept)
        self._db.execute(_SQL["set_planned"], (self._subscription,))

    def _join(self, endpoint: int, position: int) -> None:
        self._db.execute(_SQL["forget_absences"], (self._subscription, endpoint))
        for statement in ("keep_absence", "join_cursor"):
            self._db.execute(_SQL[statement], (self._subscription, endpoint, position))

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
