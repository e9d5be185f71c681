"""Small integers in place of uids, read from the database."""

from __future__ import annotations

import sqlite3

from hookplane.store.id_map import IdMap


class SQLiteIdMap(IdMap):
    """For all threads of the one process."""

    def load(self, db: sqlite3.Connection) -> None:
        """Reads all numbers. To be called after every commit that adds or removes one."""
        self.replace(
            dict(db.execute("select uid, endpoint from endpoint")),
            dict(db.execute("select uid, subscription from subscription")),
        )
