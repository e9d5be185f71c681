"""A crash between two statements of any write leaves all of it or nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import (
    Counters,
    DeliveryState,
    Flush,
    NewReplay,
    ReplayProgress,
)
from hookplane.store.event_log import EndpointReport, NewEvent
from hookplane.store.maintenance import Retention
from hookplane.store.sqlite.config import apply_config
from hookplane.store.sqlite.connection import connect_writer
from hookplane.store.sqlite.flush import claim, request_resume, write_flushes
from hookplane.store.sqlite.folder import DATABASE_FILE
from hookplane.store.sqlite.id_map import SQLiteIdMap
from hookplane.store.sqlite.ingest import append_group
from hookplane.store.sqlite.log import read_log
from hookplane.store.sqlite.replay import cancel_replay, create_replay
from hookplane.store.sqlite.reports import add_reports
from hookplane.store.sqlite.retention import (
    expire_attempts,
    expire_events,
    expire_keys,
    sweep_deleted,
)
from support.clocks.manual import START, ManualClock
from support.planes.store import DAY, Scene, attempt, delivery, open_sqlite

ALL = frozenset(DeliveryState)
LATER = START + 2 * DAY
KEEP_NOTHING = Retention(DAY, DAY, 0)

Write = Callable[[sqlite3.Connection, SQLiteIdMap], object]


async def furnish(folder: Path) -> None:
    """A store in which each of the writes finds something to do. `s` has written four flushes."""
    clock = ManualClock()
    async with open_sqlite(folder, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e", "f", "empty", namespace="shop")
        await scene.endpoints("old", namespace="noisy")
        await scene.subscription("s", ["e", "f", "old"], "Earliest")
        await scene.subscription("t", ["e", "f"], "Earliest")
        await scene.subscription("gone", ["e", "empty"], "Earliest")
        entries = await scene.fill(5)
        others = await scene.fill(2, "f", dedup_key=b"k", dedup_window=1)
        (removed,) = await scene.fill(1, "old", body=b"x" * 1000)
        owner = await scene.owner("s")
        await owner.deliver(entries[0], others[0], removed)
        await store.expire(Retention(DAY, DAY, 500), clock.now())
        await owner.hold(delivery(entries[1]), delivery(entries[2], DeliveryState.DEAD))
        await owner.flush(upserts=(delivery(entries[4]),))
        await scene.owner("t")
        await (await scene.owner("gone")).hold(delivery(entries[0]))
        await scene.replay("r", states=ALL)
        await owner.advance(ReplayProgress("r", ("e", 1), matched=1))
        await scene.replay("of gone", subscription="gone", states=ALL)
        await store.report_endpoints([EndpointReport("empty", rejected={"Malformed": 1})])
        await scene.delete(ConfigKind.SUBSCRIPTION, "gone")
        await scene.delete(ConfigKind.ENDPOINT, "empty")


def append(db: sqlite3.Connection, _numbers: SQLiteIdMap) -> object:
    """A group for two logs, with a key."""
    events = [
        NewEvent(uid, f"evt_{uid}", START, "t", (), b"body", b"key", LATER) for uid in ("e", "f")
    ]
    return append_group(db, events, START)


def change_config(db: sqlite3.Connection, _numbers: SQLiteIdMap) -> object:
    """New, changed and deleted objects, and a plan by which one endpoint joins, one leaves."""
    rows = (
        ConfigRow(ConfigKind.ENDPOINT, "g", b"{}"),
        ConfigRow(ConfigKind.SUBSCRIPTION, "s", b"{ }"),
    )
    deletes = ((ConfigKind.SUBSCRIPTION, "t"), (ConfigKind.ENDPOINT, "f"))
    change = ConfigChange(rows, deletes, (CursorPlan("s", ("e", "g")),))
    return apply_config(db, change, START)


def flush(db: sqlite3.Connection, id_map: SQLiteIdMap) -> object:
    """A group of two, the first of which writes all that a flush can."""
    (entry,) = read_log(db, id_map, "e", 3, 1)
    everything = Flush(
        "s",
        epoch=1,
        number=5,
        cursors={"e": 4},
        upserts=(delivery(entry),),
        removes=(("e", 2),),
        attempts=(attempt(entry),),
        counters=Counters(delivered=1),
        shift_due=1,
        replays=(ReplayProgress("r", delivered=1, exhausted=True),),
    )
    other = Flush("t", epoch=1, number=1, cursors={"f": 1}, counters=Counters(filtered=1))
    return write_flushes(db, id_map, START, [everything, other], {})


def report(db: sqlite3.Connection, id_map: SQLiteIdMap) -> None:
    """Of two endpoints."""
    reports = [EndpointReport(uid, duplicates=1, rejected={"TooLarge": 1}) for uid in ("e", "f")]
    add_reports(db, id_map, reports)


def replay(ids: tuple[str, ...] = ()) -> Write:
    """A new job of `s`; without ids, of all that there is."""
    new = NewReplay("new", "default", "new", "s", START, ids=ids, states=ALL)
    return lambda db, _numbers: create_replay(db, new)


def replay_by_id(db: sqlite3.Connection, id_map: SQLiteIdMap) -> object:
    ids = tuple(entry.event_id for entry in read_log(db, id_map, "e", 0, 5))
    return replay(ids)(db, id_map)


WRITES: dict[str, Write] = {
    "append": append,
    "config": change_config,
    "flush": flush,
    "report": report,
    "claim": lambda db, numbers: claim(db, numbers, "s", 10),
    "resume": lambda db, _: request_resume(db, "s"),
    "replay of a range": replay(),
    "replay by id": replay_by_id,
    "cancel": lambda db, _: cancel_replay(db, "r", START),
    "old events": lambda db, _: expire_events(db, Retention(DAY, DAY, 1 << 30), LATER, LATER),
    "too many events": lambda db, _: expire_events(db, KEEP_NOTHING, START, START),
    "old attempts": lambda db, _: expire_attempts(db, KEEP_NOTHING, LATER),
    "old keys": lambda db, _: expire_keys(db, LATER),
    "deleted objects": lambda db, _: sweep_deleted(db, LATER),
}


def contents(folder: Path) -> list[str]:
    """Everything in the database, as a start after a crash finds it."""
    with closing(connect_writer(folder / DATABASE_FILE)) as db:
        return list(db.iterdump())


def crashes(folder: Path, write: Write) -> list[Path]:
    """Carries the write out; gives copies of the files as they were before each statement."""
    copies: list[Path] = []

    def copy(_statement: str) -> None:
        copies.append(folder.with_name(f"{folder.name}-{len(copies)}"))
        shutil.copytree(folder, copies[-1])

    numbers = SQLiteIdMap()
    with closing(connect_writer(folder / DATABASE_FILE)) as db:
        db.execute("pragma cache_size = 1")  # what is changed goes to the log at once
        numbers.load(db)
        db.set_trace_callback(copy)
        write(db, numbers)
        db.set_trace_callback(None)
    return copies


@pytest.mark.parametrize("name", WRITES)
async def test_a_crash_leaves_all_or_nothing(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    await furnish(folder)
    before = contents(folder)
    copies = crashes(folder, WRITES[name])
    after = contents(folder)
    assert after != before
    found = [contents(copy) for copy in copies]
    assert [x for x in found if x not in (before, after)] == []


async def test_a_replay_that_cannot_read_its_ranges_is_not_there(tmp_path: Path) -> None:
    """A job without ranges would be complete at once, with nothing sent."""
    await furnish(tmp_path)
    with closing(connect_writer(tmp_path / DATABASE_FILE)) as db:
        db.execute("alter table replay_range rename to away")
        before = list(db.iterdump())
        with pytest.raises(sqlite3.OperationalError):
            replay()(db, SQLiteIdMap())
        assert list(db.iterdump()) == before
