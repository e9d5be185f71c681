"""The event loop of a process that serves, and how long it turns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from hookplane_cli.serving.open_files import allow_open_files
from hookplane_cli.serving.signals import stop_on_signals

Serve = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Serves until the event is set."""


def run_until_signal(serve: Serve) -> None:
    """Returns when a signal came and everything is down. Raises what `serve` raises."""
    allow_open_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(serve))


async def until(stopped: asyncio.Event, *endless: Awaitable[None]) -> None:
    """Runs everything until `stopped`; what breaks off by itself breaks off all."""
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


async def pause(stopped: asyncio.Event, seconds: float) -> None:
    """Less when it is to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()


async def _serve(serve: Serve) -> None:
    await serve(stop_on_signals(asyncio.get_running_loop()))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one; None is the default loop."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
