"""Work that is begun again after each failure, on virtual time."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hookplane.errors import StoreUnfit
from hookplane.pacing.run_forever import FIRST_PAUSE, LONGEST_PAUSE, run_forever
from support.clocks.virtual import VirtualLoop


class Work:
    """Ends with these errors one after the other, then goes on without end."""

    def __init__(self, *errors: Exception, lasts: float = 0.0) -> None:
        """`lasts`: seconds from a start to its error."""
        self.left = list(errors)
        self.lasts = lasts
        self.begun: list[float] = []
        self.failures = 0
        self._endless = asyncio.Event()

    async def run(self) -> None:
        self.begun.append(asyncio.get_running_loop().time())
        if not self.left:
            self._endless.set()
            await asyncio.Event().wait()
        await asyncio.sleep(self.lasts)
        raise self.left.pop(0)

    def failed(self) -> None:
        self.failures += 1

    async def begin_times(self) -> list[float]:
        task = asyncio.create_task(run_forever("the work", self.run, self.failed))
        await self._endless.wait()
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        return self.begun


def begin_times(work: Work) -> list[float]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work.begin_times())


def test_it_begins_again_after_a_pause_and_says_why_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unfit = StoreUnfit("no right to read")
    work = Work(unfit, unfit, ValueError("a secret"))
    assert begin_times(work) == pytest.approx([0, 1, 3, 7])
    assert work.failures == 3
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "the work: no right to read; going on"
    assert "ValueError" in second
    assert "a secret" not in caplog.text


def test_pauses_grow_to_a_longest() -> None:
    work = Work(*[ValueError()] * 8)
    begun = begin_times(work)
    assert begun[-1] - begun[-2] == pytest.approx(LONGEST_PAUSE)


def test_what_ran_for_long_begins_again_soon() -> None:
    lasts = LONGEST_PAUSE + 1
    work = Work(*[ValueError()] * 3, lasts=lasts)
    assert begin_times(work) == pytest.approx([n * (lasts + FIRST_PAUSE) for n in range(4)])


async def test_work_that_is_done_is_done() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    await run_forever("the work", work)
    assert done == [1]
