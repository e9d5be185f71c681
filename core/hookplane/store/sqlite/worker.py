"""A thread that owns a connection and runs jobs on it, the most urgent first."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from enum import IntEnum
from itertools import count
from typing import Any, Final, Protocol, TypeVar

from hookplane.errors import StoreUnavailable
from hookplane.store.sqlite.faults import is_fatal, unavailable

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
OnFatal = Callable[[], None]

EXIT_CODE: Final = 70
"""EX_SOFTWARE of sysexits.h; a supervisor starts the process again, which recovers."""

_log = logging.getLogger("hookplane.store")


Lost = Callable[[], str]
"""Why what was written can not be found again; empty: it can."""


def nothing_lost() -> str:
    """For files that nobody deletes."""
    return ""


def exit_at_once() -> None:
    """Ends the process without a chance for anybody to answer."""
    os._exit(EXIT_CODE)


class Priority(IntEnum):
    """What goes first when several jobs wait."""

    INGEST = 0
    FLUSH = 1
    OTHER = 2
    CLOSE = 3


class JobRunner(Protocol):
    """Runs jobs on a connection one after the other, the most urgent first."""

    async def run(self, priority: Priority, job: Job[T]) -> T:
        """The job's result. Raises what it raised; SQLite's errors become StoreUnavailable."""

    async def close(self) -> None:
        """Finishes all jobs, then closes the connection."""


MakeWorker = Callable[..., JobRunner]
"""Takes what `Worker` takes."""


class Worker:
    """A thread. Jobs are handed over by the event loop; each outcome costs it one wake-up."""

    def __init__(
        self,
        name: str,
        db: sqlite3.Connection,
        on_fatal: OnFatal | None = None,
        lost: Lost = nothing_lost,
    ) -> None:
        """`on_fatal` is called in the thread when the disk failed; what it raises is logged. None:
        such an error is only raised, which is right for a thread that does not write. `lost` is
        asked after each job, before anybody hears of its outcome."""
        self._db = db
        self._on_fatal = on_fatal
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._order = count()
        self._jobs: queue.PriorityQueue[tuple[int, int, _Task | None]] = queue.PriorityQueue()
        self._closed = False
        self._broken = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def run(self, priority: Priority, job: Job[T]) -> T:
        """The job's result. Raises what it raised; SQLite's errors become StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((priority, next(self._order), _Task(job, future)))
        return await future

    async def close(self) -> None:
        """Finishes all jobs, then closes the connection."""
        self._closed = True
        self._jobs.put((Priority.CLOSE, next(self._order), None))
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (task := self._jobs.get()[2]) is not None:
            outcome, error = self._attempt(task.job)
            self._loop.call_soon_threadsafe(task.settle, outcome, error)
        self._db.close()

    def _attempt(self, job: Job[Any]) -> tuple[Any, BaseException | None]:
        if self._broken:
            return None, StoreUnavailable("the disk failed; this process must be restarted")
        try:
            outcome = job(self._db)
        except sqlite3.Error as error:
            if is_fatal(error):
                self._give_up(f"the disk failed: {error}")
            return None, unavailable(error)
        except Exception as error:  # it belongs to whoever waits for the job
            return None, error
        lost = self._lost()
        if lost:
            self._give_up(lost)
            return None, StoreUnavailable(lost)
        return outcome, None

    def _give_up(self, why: str) -> None:
        if self._on_fatal is None:
            return
        self._broken = True
        _log.critical("nothing may be acknowledged any more: %s", why)
        try:
            self._on_fatal()
        except BaseException:  # the thread must live on, so that every job is answered
            _log.critical("the process could not be ended", exc_info=True)


class _Task:
    __slots__ = ("_future", "job")

    def __init__(self, job: Job[Any], future: asyncio.Future[Any]) -> None:
        self.job = job
        self._future = future

    def settle(self, outcome: Any, error: BaseException | None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(outcome)
        else:
            self._future.set_exception(error)
