"""The event loop of a process that serves, and how long it runs.

Ctrl-C, SIGTERM and a terminal that closes (SIGHUP, which nohup keeps away) ask it to stop; the
second one does not wait. The process may have as many connections as the system allows, and its
garbage collector is set for a server with much long-lived data and few cycles.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COLLECTOR_THRESHOLDS: Final = (20_000, 20, 50)
"""Allocations before a garbage collection, and collections before one of the next generation. With
the usual 700 much of the time at a fan-out of 100 goes into looking at what stays anyway."""
_KILLED: Final = 128
"""Shells report 128 and the signal's number."""

T = TypeVar("T")
Serve = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Serves until the event is set."""


def run_until_signal(serve: Serve) -> None:
    """Runs `serve` until a signal comes and everything has ended. Raises what `serve` raises."""
    _allow_open_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(serve))


async def run_until(stopped: asyncio.Event, *endless: Awaitable[None]) -> None:
    """Runs everything until `stopped`. When one of them fails, all end, and its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in endless]
    waiting = asyncio.create_task(stopped.wait())
    try:
        done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            await task
    finally:
        for task in (waiting, *tasks):
            task.cancel()
        await asyncio.gather(waiting, *tasks, return_exceptions=True)


async def result_unless(stopped: asyncio.Event, making: Coroutine[Any, Any, T]) -> T | None:
    """What it gives, or None when it was `stopped` before. Raises what it raises."""
    task = asyncio.create_task(making)
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for running in (task, waiting):
            running.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)


def set_up_collector() -> None:
    """Excludes what is loaded by now from garbage collection, and collects less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


async def _serve(serve: Serve) -> None:
    await serve(_stop_on_signals(asyncio.get_running_loop()))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; None: the default loop."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _stop_on_signals(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """An event that the first signal sets; the second ends the process, which loses nothing that
    was acknowledged."""
    stopped = asyncio.Event()

    def handle(number: int) -> None:
        if stopped.is_set():
            os._exit(_KILLED + number)
        stopped.set()

    on_signals(loop, handle)
    return stopped


def on_signals(loop: asyncio.AbstractEventLoop, handle: Callable[[int], None]) -> None:
    """Calls `handle` with the number of each signal that asks the process to stop, but for those
    that whoever started it has it ignore, as nohup does."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, handle, number)


def _allow_open_files() -> None:
    """Raises the soft limit to the hard one: the usual 1,024 is less than what many subscriptions
    may have in flight together."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
