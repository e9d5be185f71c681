"""The store as the processes reach it: over a network, with answers that are late or lost."""

from __future__ import annotations

import asyncio
import heapq
import inspect
import random
import sqlite3
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar

from hookplane.clock import Millis
from hookplane.errors import StoreError, StoreUnavailable
from hookplane.store.notifications import Topic
from hookplane.store.sqlite.faults import unavailable
from hookplane.store.sqlite.worker import Priority
from support.clocks.virtual import START
from support.simulation.processes import SimulatedProcess, SimulationLoop

T = TypeVar("T")

STATEMENT_SECONDS: Final = 5.0
"""After so long without an answer a call fails."""
AT_COMMIT: ContextVar[Callable[[], None] | None] = ContextVar("commit")
"""What is to be seen at the moment at which a write is committed, before any other."""


class InlineWorker:
    """Runs the jobs of a SQLite store in the event loop, after a delay that the weather says."""

    def __init__(self, weather: Weather, db: sqlite3.Connection) -> None:
        self._weather = weather
        self._db = db
        self._count = 0
        self._jobs: list[tuple[int, int, Callable[[], None]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def run(self, priority: Priority, job: Callable[[sqlite3.Connection], T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        seen = AT_COMMIT.get(None)
        self._count += 1
        heapq.heappush(self._jobs, (priority, self._count, lambda: self._do(job, future, seen)))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner
        self._db.close()

    async def _run(self) -> None:
        while self._jobs:
            await asyncio.sleep(self._weather.service_seconds())
            heapq.heappop(self._jobs)[2]()
        self._runner = None

    def _do(
        self,
        job: Callable[[sqlite3.Connection], T],
        future: asyncio.Future[T],
        seen: Callable[[], None] | None,
    ) -> None:
        try:
            outcome = job(self._db)
            if seen is not None:
                seen()
        except sqlite3.Error as error:
            _end(future, unavailable(error))
        except Exception as error:  # it belongs to whoever waits for the job
            _end(future, error)
        else:
            if not future.done():
                future.set_result(outcome)


def _end(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class Weather:
    """What goes wrong with the store, and its clock."""

    def __init__(self, loop: SimulationLoop, chance: random.Random) -> None:
        self._loop = loop
        self._chance = chance
        self.mend()

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self.clock_offset: Millis = 0
        self.slowness = 1.0
        """How many times slower than usual it is."""
        self.lost_answers = 0.0
        """The share of answers that get lost, after the call was carried out."""
        self.away_until = 0.0
        self.away_silently = False
        """While it is away calls hang instead of failing at once."""
        self.lost_notifications = 0.0

    def now(self) -> Millis:
        """The store's wall clock."""
        return START + round(self._loop.time() * 1000) + self.clock_offset

    def monotonic(self) -> float:
        return self._loop.time()

    @property
    def is_away(self) -> bool:
        return self._loop.time() < self.away_until

    def service_seconds(self) -> float:
        return self._chance.uniform(0.0001, 0.002) * self.slowness

    def network_seconds(self) -> float:
        return self._chance.uniform(0.0001, 0.003)

    def loses_answer(self) -> bool:
        return self._chance.random() < self.lost_answers

    def loses_notification(self) -> bool:
        return self._chance.random() < self.lost_notifications


class StoreConnection:
    """What one process has of the store. A call that has left the process is carried out whatever
    becomes of the process."""

    def __init__(self, store: Any, weather: Weather, process: SimulatedProcess) -> None:
        self._store = store
        self._weather = weather
        self._process = process
        self._server: Context = copy_context()
        self._serving: set[asyncio.Task[None]] = set()
        self.cut_until = 0.0
        """Before this moment nothing gets through between this process and the store."""

    def listen(self, topic: Topic, callback: Callable[[str], None]) -> Callable[[], None]:
        def told(subject: str) -> None:
            if not (self._weather.loses_notification() or self._is_cut()):
                self._process.call(callback, subject)

        stop: Callable[[], None] = self._store.listen(topic, told)
        return stop

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._store, name)
        if not inspect.iscoroutinefunction(inner):
            return inner

        async def call(*arguments: Any, **named: Any) -> Any:
            loop = asyncio.get_running_loop()
            answer = loop.create_future()
            serve = self._serve(answer, lambda: inner(*arguments, **named))
            context = self._server.copy()
            context.run(AT_COMMIT.set, AT_COMMIT.get(None))
            task = loop.create_task(serve, context=context)
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
            return await answer

        return call

    def _is_cut(self) -> bool:
        return self._weather.is_away or self._process.monotonic() < self.cut_until

    async def _serve(self, answer: asyncio.Future[Any], call: Callable[[], Any]) -> None:
        weather = self._weather
        await asyncio.sleep(weather.network_seconds())
        try:
            if self._is_cut():
                await self._fail()
            outcome = await call()
            if weather.loses_answer() or self._is_cut():
                await self._fail()
        except StoreError as error:
            _end(answer, error)
        except Exception as error:  # the caller's fault
            _end(answer, error)
        else:
            await asyncio.sleep(weather.network_seconds())
            if not answer.done():
                answer.set_result(outcome)

    async def _fail(self) -> None:
        if self._weather.away_silently:
            await asyncio.sleep(STATEMENT_SECONDS)
        raise StoreUnavailable("the store does not answer")
