"""Waiting with one timer for all."""

from __future__ import annotations

import asyncio

import pytest

from hookplane_receiver.shared_timeout import SharedTimeout


async def test_what_is_done_in_time_is_given_back() -> None:
    timeout = SharedTimeout(10)
    assert await asyncio.gather(*[timeout.limit(asyncio.sleep(0, n)) for n in range(3)]) == [
        0,
        1,
        2,
    ]


async def test_what_takes_too_long_is_cancelled() -> None:
    timeout = SharedTimeout(0.01)
    never: list[asyncio.Future[int]] = [asyncio.get_running_loop().create_future() for _ in "ab"]
    for future in never:
        with pytest.raises(TimeoutError):
            await timeout.limit(future)
        assert future.cancelled()


async def test_many_run_out_together() -> None:
    timeout = SharedTimeout(0.01)
    never = [asyncio.Event() for _ in range(5)]
    waits = [timeout.limit(event.wait()) for event in never]
    results = await asyncio.gather(*waits, return_exceptions=True)
    assert all(isinstance(result, TimeoutError) for result in results)


async def test_an_error_passes_through() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await SharedTimeout(10).limit(fail())


async def test_a_wait_can_be_cancelled_from_outside() -> None:
    timeout = SharedTimeout(10)
    task = asyncio.create_task(timeout.limit(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
