"""Work that is begun again after each failure, on virtual time."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hookplane.errors import StoreUnfit
from hookplane.pacing.run_forever import AGAIN_SECONDS, run_forever
from support.clocks.virtual import VirtualLoop


async def begin_times(*answers: Exception | None) -> list[float]:
    """Runs work that ends like that, one after the other, and gives when it began each time."""
    left = list(answers)
    begun: list[float] = []
    last = asyncio.Event()

    async def work() -> None:
        begun.append(asyncio.get_running_loop().time())
        answer = left.pop(0)
        if not left:
            last.set()
        if answer is not None:
            raise answer
        await asyncio.Event().wait()

    task = asyncio.create_task(run_forever("the work", work))
    await last.wait()
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    return begun


def test_it_begins_again_after_a_pause_and_says_why_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unfit = StoreUnfit("no right to read")
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        begun = runner.run(begin_times(unfit, unfit, ValueError("a secret"), None))
    assert begun == pytest.approx([n * AGAIN_SECONDS for n in range(4)])
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "the work: no right to read; going on"
    assert "ValueError" in second
    assert "a secret" not in caplog.text


async def test_work_that_is_done_is_done() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    await run_forever("the work", work)
    assert done == [1]
