"""What only the SQLite driver promises: its folder, restarts, a full disk."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hookplane.errors import StoreError, StoreLocked, StoreUnavailable
from hookplane.store.delivery_store import Counters, DeliveryState
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.queries import Page
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.driver import SQLiteStore
from support.clocks.manual import START, ManualClock
from support.planes.store import (
    DAY,
    Scene,
    attempt,
    closing_store,
    delivery,
    fill_namespaces,
    open_sqlite,
)

MEGABYTE = 1 << 20

TAKEN_BACK = {
    12: "alter table replay drop column not_found",
    11: "drop index delivery_by_key; alter table delivery drop column event_key",
    10: "alter table event drop column key",
    9: "drop table absence",
    8: "alter table event drop column arrived",
    7: "alter table config drop column place",
    6: "drop index delivery_by_due",
    5: "drop index delivery_by_replay",
    4: "alter table subscription drop column touched; "
    "alter table cursor drop column skipped_after; alter table cursor drop column skipped_upto",
    3: "alter table subscription drop column known_endpoint",
    2: "alter table endpoint drop column namespace",
}
"""What leaves of each migration nothing that its next run would stumble over."""


def go_back(folder: Path, to: int) -> None:
    """To the schema of an earlier version."""
    with closing(sqlite3.connect(folder / "hookplane.db")) as db:
        (version,) = db.execute("pragma user_version").fetchone()
        for number in range(version, to, -1):
            db.executescript(TAKEN_BACK[number])
        db.execute(f"pragma user_version = {to}")


async def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path, ManualClock()):
        with pytest.raises(StoreLocked):
            await SQLiteStore.open(tmp_path, ManualClock())
    async with open_sqlite(tmp_path, ManualClock()):
        pass


async def test_folder_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    async with open_sqlite(folder, ManualClock()) as store:
        await Scene(store, ManualClock()).endpoints("e")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        await scene.subscription("s")
        entries = await scene.fill(3)
        owner = await scene.owner()
        await owner.deliver(entries[0])
        await owner.hold(delivery(entries[1]))
        await scene.replay()
        before = (
            await store.load_config(0),
            await store.endpoint_stats(["e"]),
            await store.subscription_stats(["s"]),
            (await store.deliveries(Page(), "s", frozenset())).rows,
            await store.replays(),
        )
    async with open_sqlite(tmp_path, clock) as store:
        after = (
            await store.load_config(0),
            await store.endpoint_stats(["e"]),
            await store.subscription_stats(["s"]),
            (await store.deliveries(Page(), "s", frozenset())).rows,
            await store.replays(),
        )
        assert after == before
        scene.store = store
        assert [entry.sequence for entry in await scene.fill(1)] == [4]
        assert (await scene.owner()).claimed.epoch == owner.claimed.epoch + 1


async def test_a_full_disk_refuses_until_there_is_room_again(tmp_path: Path) -> None:
    clock = ManualClock()
    async with closing_store(SQLiteStore.open(tmp_path, clock, max_bytes=MEGABYTE)) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        await scene.subscription("s")
        accepted = await fill_up(scene)
        log = await store.read_log("e", 0, 1_000)
        assert [entry.event_id for entry in log] == accepted
        await store.expire(Retention(DAY, DAY, MEGABYTE // 4), clock.now())
        (entry,) = await scene.fill(1, body=b"x" * 10_000)
        assert entry.sequence == len(accepted) + 1


async def fill_up(scene: Scene) -> list[str]:
    """Appends until the store refuses; nothing of the refused one is left."""
    accepted: list[str] = []
    while len(accepted) < 1_000:
        try:
            accepted.append((await scene.append(body=b"x" * 10_000)).event_id)
        except StoreUnavailable:
            return accepted
    raise AssertionError("the file grew past its bound")


@contextmanager
def failing_writes(folder: Path) -> Iterator[None]:
    """No file of this process grows past the log's size: SQLite gets EFBIG, an I/O error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (folder / "hookplane.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_after_a_failed_write_nothing_is_acknowledged_and_nobody_waits(
    tmp_path: Path,
) -> None:
    clock, told = ManualClock(), list[str]()
    store = await SQLiteStore.open(tmp_path, clock, on_fatal=lambda: told.append("failed"))
    async with asyncio.timeout(30):
        scene = Scene(store, clock)
        await scene.endpoints("e")
        await scene.subscription("s")
        entries = await scene.fill(2)
        owner = await scene.owner()
        with failing_writes(tmp_path):
            appends = (scene.append(body=b"x" * 100_000) for _ in range(20))
            outcomes = await asyncio.gather(*appends, return_exceptions=True)
        assert {type(x) for x in outcomes} == {StoreUnavailable}
        # the disk works again, but what it holds is not known any more
        writes = (
            scene.append(),
            owner.flush(counters=Counters(filtered=1)),
            scene.endpoints("f"),
            store.request_resume("s"),
            store.expire(Retention(DAY, DAY, MEGABYTE), clock.now()),
        )
        refused = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(x) for x in refused] == [StoreUnavailable] * len(writes)
        assert await store.read_log("e", 0, 100) == entries
        await store.close()
    assert told == ["failed"]
    async with open_sqlite(tmp_path, clock) as again:
        assert await again.read_log("e", 0, 2) == entries
        assert [x.sequence for x in await Scene(again, clock, scene.ids).fill(1)] == [3]


async def test_the_file_shrinks_when_most_of_it_is_free(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        for _ in range(40):
            await scene.append(body=b"x" * MEGABYTE)
        for _ in range(10):
            await store.expire(Retention(DAY, DAY, 0), clock.now())
    size = (tmp_path / "hookplane.db").stat().st_size
    assert size < 20 * MEGABYTE


async def test_data_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path, ManualClock()):
        pass
    with closing(sqlite3.connect(tmp_path / "hookplane.db")) as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(StoreError, match="newer"):
        await SQLiteStore.open(tmp_path, ManualClock())


async def test_data_of_the_version_before_knows_whose_it_is(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        await fill_namespaces(Scene(store, clock))
    go_back(tmp_path, 1)
    async with open_sqlite(tmp_path, clock) as store:
        assert await store.stored_bytes() == {"shop": 3}


async def test_data_of_the_version_before_goes_when_it_is_old(tmp_path: Path) -> None:
    """Of its events only the time is known that their receiver told, and no key."""
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        await Scene(store, clock).endpoints("e")
        await Scene(store, clock).fill(2)
    go_back(tmp_path, 7)
    async with open_sqlite(tmp_path, clock) as store:
        assert [entry.key for entry in await store.read_log("e", 0, 10)] == ["", ""]
        clock.advance(DAY)
        assert await store.expire(Retention(DAY, DAY, 1 << 30), clock.now()) == Expired()
        clock.advance(1)
        assert (await store.expire(Retention(DAY, DAY, 1 << 30), clock.now())).events == 2


async def test_deliveries_of_the_version_before_are_kept(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        await scene.subscription("s")
        entries = await scene.fill(2)
        rows = delivery(entries[0], due=START), delivery(entries[1], DeliveryState.DEAD)
        await (await scene.owner()).hold(*rows)
    go_back(tmp_path, 10)
    async with open_sqlite(tmp_path, clock) as store:
        assert (await store.claim("s")).deliveries == rows[:1]
        assert (await Scene(store, clock).status()).dead == 1


async def test_a_clock_that_leaps_for_a_moment_makes_no_event_older(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        for shift in (-30 * DAY, 30 * DAY):
            clock.shift = shift
            await scene.append()
        clock.shift = 0
        clock.advance(DAY)
        assert await store.expire(Retention(DAY, DAY, 1 << 30), clock.now()) == Expired()
        clock.advance(1)
        assert (await store.expire(Retention(DAY, DAY, 1 << 30), clock.now())).events == 2


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hookplane.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreUnavailable):
        await SQLiteStore.open(tmp_path, ManualClock())


async def test_a_file_that_another_tool_locks_is_unavailable_for_that_long(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        with closing(sqlite3.connect(tmp_path / "hookplane.db")) as db:
            db.execute("begin immediate")
            with pytest.raises(StoreUnavailable):
                await scene.append()
        assert not (await scene.append()).duplicate


async def test_a_closed_store_takes_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
    with pytest.raises(StoreUnavailable):
        await scene.append()
    with pytest.raises(StoreUnavailable):
        await store.load_config(0)


async def test_listings_use_indexes_for_their_order(tmp_path: Path) -> None:
    """A page of a long listing must not sort the whole of it."""
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        await scene.subscription("s")
        entries = await scene.fill(2)
        await (await scene.owner()).flush(attempts=(attempt(entries[0]),))
        queries = load_statements("hookplane.store.sqlite", "queries.sql")
        replay = load_statements("hookplane.store.sqlite", "replay.sql")
        flush = load_statements("hookplane.store.sqlite", "flush.sql")
        with closing(sqlite3.connect(tmp_path / "hookplane.db")) as db:
            for statement, values in (
                (queries["find_newest"], ("z", 5)),
                (queries["walk_events"], ("[1]", "[9]", 5)),
                (queries["walk_rows"], ("[1]", "[9]", 5, 1)),
                (replay["walk_ranges"], (1, 0, 5)),
                (replay["walk_row_ranges"], (1, 0, 5, 1)),
                (flush["find_rest"], (1, 5)),
                (flush["find_waiting"], (1, 0, 0, 5)),
            ):
                plan = db.execute(f"explain query plan {statement}", values).fetchall()
                steps = [step for *_, step in plan if "ORDER BY" in step]
                # the correlated lookups of a single event may sort; the listing may not
                outer = [step for _, parent, _, step in plan if parent == 0 and step in steps]
                assert outer == [], plan


async def test_closing_twice_lets_go_once(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path, ManualClock())
    await store.close()
    with (tmp_path / "other").open("w") as other:  # gets the number that the lock had
        await store.close()
        other.write("still open")
        other.flush()


def _delete_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def _replace_database(folder: Path) -> None:
    (folder / "hookplane.db").unlink()
    (folder / "hookplane.db").touch()


def _delete_log(folder: Path) -> None:
    (folder / "hookplane.db-wal").unlink()


def _move_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


@pytest.mark.parametrize(
    "harm", [_delete_folder, _replace_database, _delete_log, _move_folder], ids=lambda x: x.__name__
)
async def test_files_that_are_gone_take_nothing_more(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """SQLite goes on writing into what nobody will find again."""
    folder, clock, told = tmp_path / "data", ManualClock(), list[str]()
    store = await SQLiteStore.open(folder, clock, on_fatal=lambda: told.append("lost"))
    scene = Scene(store, clock)
    await scene.endpoints("e")
    await scene.fill(1)
    harm(folder)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await scene.append()
    await store.close()
    assert told == ["lost"]
