"""A thread that runs jobs: each job ends, whatever happens to the disk."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hookplane.errors import StoreUnavailable
from hookplane.store.sqlite.worker import Priority, Worker

ENDS_SECONDS = 10.0
"""What has not ended by then waits for ever."""
FATAL = [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CORRUPT]


@asynccontextmanager
async def working(on_fatal: Callable[[], None] | None = None) -> AsyncIterator[Worker]:
    db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    worker = Worker("test", db, on_fatal)
    try:
        async with asyncio.timeout(ENDS_SECONDS):
            yield worker
    finally:
        await worker.close()


def failing(code: int) -> Callable[[sqlite3.Connection], None]:
    """A job whose disk fails."""

    def job(_db: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = code
        raise error

    return job


def one(db: sqlite3.Connection) -> int:
    """A job that succeeds."""
    (found,) = db.execute("select 1").fetchone()
    return int(found)


class Gate:
    """A job that holds the thread until it is let go, so that others queue up behind it."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._open = threading.Event()

    def __call__(self, _db: sqlite3.Connection) -> None:
        self._begun.set()
        assert self._open.wait(ENDS_SECONDS)

    async def begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, ENDS_SECONDS)

    def open(self) -> None:
        self._open.set()


@pytest.mark.parametrize("code", FATAL)
async def test_a_disk_that_failed_is_told_once_and_every_job_ends_with_an_error(code: int) -> None:
    told: list[str] = []
    ran: list[str] = []
    gate = Gate()
    async with working(lambda: told.append(threading.current_thread().name)) as worker:
        first = asyncio.create_task(worker.run(Priority.INGEST, gate))
        await gate.begun()
        jobs = [failing(code), lambda _db: ran.append("behind"), failing(code)]
        behind = [asyncio.create_task(worker.run(Priority.INGEST, job)) for job in jobs]
        await asyncio.sleep(0)  # all of them are in the queue
        gate.open()
        await first
        outcomes = await asyncio.gather(*behind, return_exceptions=True)
        assert [type(x) for x in outcomes] == [StoreUnavailable] * 3
        for priority in Priority:
            with pytest.raises(StoreUnavailable):
                await worker.run(priority, lambda _db: ran.append("later"))
    assert told == ["test"]
    assert ran == []


@pytest.mark.parametrize("raised", [RuntimeError("no way out"), SystemExit(70)])
async def test_every_job_ends_with_an_error_though_telling_of_the_failed_disk_failed(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def on_fatal() -> None:
        raise raised

    async with working(on_fatal) as worker:
        for job in (failing(sqlite3.SQLITE_IOERR_FSYNC), one, one):
            with pytest.raises(StoreUnavailable):
                await worker.run(Priority.INGEST, job)
    assert "the process could not be ended" in caplog.text


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY])
async def test_what_may_pass_is_an_error_of_its_job_alone(code: int) -> None:
    told: list[None] = []
    async with working(lambda: told.append(None)) as worker:
        with pytest.raises(StoreUnavailable):
            await worker.run(Priority.INGEST, failing(code))
        assert await worker.run(Priority.INGEST, one) == 1
    assert told == []


async def test_a_thread_that_only_reads_goes_on_after_an_error() -> None:
    async with working() as worker:
        with pytest.raises(StoreUnavailable):
            await worker.run(Priority.OTHER, failing(sqlite3.SQLITE_IOERR_READ))
        assert await worker.run(Priority.OTHER, one) == 1


async def test_an_error_that_is_not_of_sqlite_stays_what_it_is() -> None:
    def job(_db: sqlite3.Connection) -> None:
        raise ValueError("mine")

    async with working() as worker:
        with pytest.raises(ValueError, match="mine"):
            await worker.run(Priority.OTHER, job)
        assert await worker.run(Priority.OTHER, one) == 1


async def test_the_most_urgent_goes_first_and_equals_in_their_order() -> None:
    gate, ran = Gate(), list[str]()
    async with working() as worker:
        first = asyncio.create_task(worker.run(Priority.OTHER, gate))
        await gate.begun()
        waiting = [first]
        for name, priority in (
            ("other", Priority.OTHER),
            ("flush", Priority.FLUSH),
            ("ingest 1", Priority.INGEST),
            ("ingest 2", Priority.INGEST),
        ):
            job = worker.run(priority, lambda _db, name=name: ran.append(name))  # type: ignore[misc]
            waiting.append(asyncio.create_task(job))
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(*waiting)
    assert ran == ["ingest 1", "ingest 2", "flush", "other"]


async def test_a_caller_that_gave_up_holds_up_nobody() -> None:
    gate, faults = Gate(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, fault: faults.append(fault))
    async with working() as worker:
        given_up = asyncio.create_task(worker.run(Priority.OTHER, gate))
        await gate.begun()
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        gate.open()
        assert await worker.run(Priority.OTHER, one) == 1
    assert faults == []


async def test_closing_finishes_what_waits_takes_nothing_more_and_lets_the_file_go(
    tmp_path: Path,
) -> None:
    db = sqlite3.connect(tmp_path / "db", check_same_thread=False, isolation_level=None)
    worker, gate = Worker("test", db), Gate()
    jobs: list[Callable[[sqlite3.Connection], object]] = [gate, one]
    waiting = [asyncio.create_task(worker.run(Priority.OTHER, job)) for job in jobs]
    await gate.begun()
    closing = asyncio.create_task(worker.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await worker.run(Priority.INGEST, one)
    gate.open()
    async with asyncio.timeout(ENDS_SECONDS):
        assert await asyncio.gather(*waiting) == [None, 1]
        await closing
    with pytest.raises(sqlite3.ProgrammingError):
        db.execute("select 1")


async def test_a_worker_whose_disk_failed_can_be_closed() -> None:
    async with working(lambda: None) as worker:
        with pytest.raises(StoreUnavailable):
            await worker.run(Priority.INGEST, failing(sqlite3.SQLITE_IOERR_FSYNC))
