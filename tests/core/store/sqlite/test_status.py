"""Numbers of a subscription are those of one moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hookplane.store.delivery_store import Counters, Flush
from hookplane.store.sqlite.connection import connect_reader, connect_writer
from hookplane.store.sqlite.flush import write_flushes
from hookplane.store.sqlite.folder import DATABASE_FILE
from hookplane.store.sqlite.id_map import SQLiteIdMap
from hookplane.store.sqlite.status import subscription_stats
from support.clocks.manual import START, ManualClock
from support.planes.store import Scene, open_sqlite


async def test_what_is_written_while_they_are_read_is_not_in_them(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        await scene.subscription("s")
        await scene.fill(2)
        await scene.owner()
    file = tmp_path / DATABASE_FILE
    with closing(connect_writer(file)) as writer, closing(connect_reader(file)) as reader:
        numbers, writes = SQLiteIdMap(), Writes(writer)
        numbers.load(writer)
        (before,) = subscription_stats(reader, ["s"])
        reader.set_trace_callback(lambda statement: writes.between(statement, numbers))
        assert subscription_stats(reader, ["s"]) == [before]
        reader.set_trace_callback(None)
        (after,) = subscription_stats(reader, ["s"])
    assert writes.done == 1
    assert (before.pending, after.pending) == (2, 0)
    assert (before.counters, after.counters) == (Counters(), Counters(filtered=2))


class Writes:
    """Settles both events when the reader has read its first numbers and asks for more."""

    def __init__(self, writer: sqlite3.Connection) -> None:
        self._writer = writer
        self._selects = 0
        self.done = 0

    def between(self, statement: str, id_map: SQLiteIdMap) -> None:
        if statement.lstrip().lower().startswith(("select", "with")):
            self._selects += 1
        if self._selects == 2 and not self.done:
            self.done = 1
            flush = Flush("s", 1, 1, cursors={"e": 2}, counters=Counters(filtered=2))
            assert write_flushes(self._writer, id_map, START, [flush], {}) == [None]
