from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from hookplane.pacing.waiting import Waker, wait_until_set
from support.clocks.virtual import VirtualLoop


def on_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_waker_ends_the_wait_under_way_or_the_next_one() -> None:
    async def scenario() -> None:
        waker = Waker()
        asyncio.get_running_loop().call_later(3, waker.wake)
        assert await waker.wait_until_woken(10)
        assert now() == pytest.approx(3)
        waker.wake()
        waker.wake()
        assert await waker.wait_until_woken(10)
        assert now() == pytest.approx(3)

    on_virtual_time(scenario())


@pytest.mark.parametrize("seconds", [10, 0, -1])
def test_a_waker_waits_no_longer_than_it_is_told(seconds: float) -> None:
    async def scenario() -> None:
        assert not await Waker().wait_until_woken(seconds)
        assert now() == pytest.approx(max(seconds, 0))

    on_virtual_time(scenario())


def test_a_cancelled_wait_can_be_begun_anew() -> None:
    async def scenario() -> None:
        waker = Waker()
        task = asyncio.create_task(waker.wait_until_woken(10))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        waker.wake()
        assert await waker.wait_until_woken(10)

    on_virtual_time(scenario())


def test_an_event_ends_the_wait_and_stays_set() -> None:
    async def scenario() -> None:
        event = asyncio.Event()
        assert not await wait_until_set(event, 2)
        assert now() == pytest.approx(2)
        asyncio.get_running_loop().call_later(1, event.set)
        assert await wait_until_set(event, 10)
        assert now() == pytest.approx(3)
        assert await wait_until_set(event, 0)

    on_virtual_time(scenario())
