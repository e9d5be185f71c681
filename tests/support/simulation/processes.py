"""Several processes in one event loop: each can be killed, stopped for a while, and have a wrong
clock, and all of it happens in the same order again when the same seed is run again."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from enum import Enum, auto
from typing import Any, Final

from hookplane.clock import Millis
from support.clocks.virtual import START

_CURRENT: ContextVar[SimulatedProcess | None] = ContextVar("process", default=None)
"""Whose code runs; None: the world around the processes."""

Callback = Callable[..., Any]
MOST_TURNS: Final = 10_000
"""Of the event loop without any time that passes."""
STUCK_SECONDS: Final = 60.0
"""Then so much passes at once, for others to have their turn and notice."""


class _Life(Enum):
    RUNNING = auto()
    PAUSED = auto()
    DEAD = auto()


class NumberedTask(asyncio.Task[Any]):
    """Tasks in a set come in the order in which they were made, not in that of their addresses."""

    _made = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        NumberedTask._made += 1
        self._number = NumberedTask._made
        super().__init__(*arguments, **named)

    def __hash__(self) -> int:
        return self._number

    @classmethod
    def reset(cls) -> None:
        """Counts from the beginning, for a new run."""
        cls._made = 0


class _TimeOnly(selectors.DefaultSelector):
    """Waits for nothing but time, which passes at once: a simulation has no sockets or threads."""

    now = 0.0
    turns = 0
    """Of the loop since time passed."""
    stuck = False
    """Somebody was busy all the time, so that none passed."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will happen")
        self.turns = 0 if timeout > 0 else self.turns + 1
        if self.turns > MOST_TURNS:
            self.stuck, self.turns, timeout = True, 0, STUCK_SECONDS
        self.now += max(timeout, 0)
        return []


class SimulationLoop(asyncio.SelectorEventLoop):
    """Whatever a process has going on goes through here, so a process that is dead or stopped does
    nothing any more."""

    def __init__(self) -> None:
        self._selector_of_time = _TimeOnly()
        super().__init__(self._selector_of_time)
        self.set_task_factory(_make_task)
        self.steps = 0

    def time(self) -> float:
        return self._selector_of_time.now

    @property
    def stuck(self) -> bool:
        """Somebody was busy all the time, so that none passed."""
        return self._selector_of_time.stuck

    def call_soon(self, callback: Callback, *args: Any, context: Context | None = None) -> Any:  # type: ignore[override]
        context = copy_context() if context is None else context
        return super().call_soon(self._run, context, callback, args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callback, *args: Any, context: Context | None = None
    ) -> Any:
        context = copy_context() if context is None else context
        return super().call_at(when, self._run, context, callback, args, context=context)

    def run_in_executor(self, executor: Any, func: Callback, *args: Any) -> Any:  # type: ignore[override]
        """At once, because what a thread does when is chance."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # it belongs to whoever awaits it
            future.set_exception(error)
        return future

    def _run(self, context: Context, callback: Callback, args: tuple[Any, ...]) -> None:
        self.steps += 1
        process = _CURRENT.get()
        if process is None or process.admits(context, callback, args):
            callback(*args)


def _make_task(
    loop: asyncio.AbstractEventLoop, coro: Any, context: Context | None = None
) -> asyncio.Task[Any]:
    task = NumberedTask(coro, loop=loop, context=context)
    process = _CURRENT.get() if context is None else context.get(_CURRENT)
    if process is not None:
        process.keep(task)
    return task


class SimulatedProcess:
    """One process, from its start to its end. It dies as with `kill -9`: no line of it runs any
    more, also none that would clean up."""

    def __init__(self, loop: SimulationLoop, name: str) -> None:
        self._loop = loop
        self.name = name
        self.wall_offset: Millis = 0
        """How wrong its wall clock is."""
        self._life = _Life.RUNNING
        self._parked: list[tuple[Context, Callback, tuple[Any, ...]]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        context = copy_context()
        context.run(_CURRENT.set, self)
        self._context = context

    @property
    def alive(self) -> bool:
        return self._life is not _Life.DEAD

    @property
    def running(self) -> bool:
        return self._life is _Life.RUNNING

    def now(self) -> Millis:
        """Its wall clock."""
        return START + round(self._loop.time() * 1000) + self.wall_offset

    def monotonic(self) -> float:
        """Its monotonic clock, which goes on while it is stopped."""
        return self._loop.time()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begins something in this process."""
        return self._loop.create_task(work, context=self._context.copy())

    def keep(self, task: asyncio.Task[Any]) -> None:
        """One of its tasks; what is left of a dead process is not to be collected as garbage, which
        would run its clean-up."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def call(self, callback: Callback, *args: Any) -> None:
        """Calls something in this process, from outside."""
        self._loop.call_soon(callback, *args, context=self._context.copy())

    def pause(self) -> None:
        """As with SIGSTOP."""
        if self.running:
            self._life = _Life.PAUSED

    def go_on(self) -> None:
        """As with SIGCONT: whatever came meanwhile comes now, in order."""
        if self._life is _Life.PAUSED:
            self._life = _Life.RUNNING
            self._unpark()

    def kill(self) -> None:
        """As with SIGKILL."""
        self._life = _Life.DEAD

    async def bury(self) -> None:
        """Ends the tasks that it left, when nothing of them matters any more."""
        self._life = _Life.RUNNING
        while self._tasks:
            for task in list(self._tasks):
                task.cancel()
            self._unpark()
            await asyncio.wait(list(self._tasks), timeout=1)

    def admits(self, context: Context, callback: Callback, args: tuple[Any, ...]) -> bool:
        """Whether this call may be made now; a process that is stopped makes it later."""
        if not self.running:
            self._parked.append((context, callback, args))
        return self.running

    def _unpark(self) -> None:
        parked, self._parked = self._parked, []
        for context, callback, args in parked:
            self._loop.call_soon(callback, *args, context=context)
