"""A keyed work queue: each key is worked on by one worker at a time, failures come back later."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from hookplane.pacing.backoff import pause_after
from hookplane_operator.metrics import Metrics

K = TypeVar("K", bound=Hashable)

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 60.0
"""The longest pause before a key that failed is tried again, without the part that is random."""

_log = logging.getLogger("hookplane.operator")


@dataclass(slots=True)
class _State:
    """What is known of one key."""

    queued: bool = False
    working: bool = False
    again: bool = False
    """Asked for while it is being worked on."""
    failures: int = 0
    timer: asyncio.TimerHandle | None = field(default=None)


class WorkQueue(Generic[K]):
    """`work` says with its result in how many seconds it wants the key again; None: when asked."""

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        name: Callable[[K], str],
        metrics: Metrics,
        workers: int = 4,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        """`name`: the label of a key in the metrics. `first_pause_seconds`: until a key that failed
        is tried again; it is doubled with each failure, and up to half of it is added."""
        self._work = work
        self._name = name
        self._metrics = metrics
        self._states: dict[K, _State] = {}
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._workers = workers
        self._first_pause_seconds = first_pause_seconds

    def enqueue(self, key: K) -> None:
        """Work on it soon; what waits for a pause after a failure comes earlier."""
        state = self._states.setdefault(key, _State())
        if state.working:
            state.again = True
        elif not state.queued:
            self._cancel_timer(state)
            state.queued = True
            self._ready.put_nowait(key)
            self._metrics.queue_depth.set(self._ready.qsize())

    def enqueue_later(self, key: K, seconds: float) -> None:
        """Not before; an earlier wish stays."""
        state = self._states.setdefault(key, _State())
        due = asyncio.get_running_loop().time() + seconds
        if state.queued or (state.timer is not None and state.timer.when() <= due):
            return
        self._cancel_timer(state)
        state.timer = asyncio.get_running_loop().call_later(seconds, self.enqueue, key)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._workers):
                tasks.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            key = await self._ready.get()
            self._metrics.queue_depth.set(self._ready.qsize())
            state = self._states[key]
            state.queued, state.working = False, True
            try:
                await self._once(key, state)
            finally:
                state.working = False
            if state.again:
                state.again = False
                self.enqueue(key)

    async def _once(self, key: K, state: _State) -> None:
        begun = time.monotonic()
        try:
            again = await self._work(key)
        except Exception as error:
            state.failures += 1
            pause = pause_after(state.failures, self._first_pause_seconds, LONGEST_PAUSE_SECONDS)
            self._metrics.reconcile_errors.labels(self._name(key)).inc()
            _log.warning("%s: %s: %s", key, type(error).__name__, error)
            _log.debug("%s", key, exc_info=error)
            self.enqueue_later(key, pause * random.uniform(1.0, 1.5))  # noqa: S311
            return
        finally:
            self._metrics.reconcile_seconds.labels(self._name(key)).observe(
                time.monotonic() - begun
            )
        state.failures = 0
        if again is not None:
            self.enqueue_later(key, again)

    @staticmethod
    def _cancel_timer(state: _State) -> None:
        if state.timer is not None:
            state.timer.cancel()
            state.timer = None
