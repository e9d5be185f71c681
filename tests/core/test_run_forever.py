"""What goes on whatever befalls it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hookplane import run_forever as module
from hookplane.errors import StoreUnfit
from hookplane.run_forever import run_forever


async def run(*answers: Exception | None) -> int:
    """Runs work that ends like that, one after the other, and gives how often it began."""
    left = list(answers)
    begun = 0
    over = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        answer = left.pop(0) if left else None
        if not left:
            over.set()
        if answer is not None:
            raise answer
        await asyncio.Event().wait()

    task = asyncio.create_task(run_forever("the work", work))
    await over.wait()
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    return begun


async def test_it_begins_again_and_says_why_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    unfit = StoreUnfit("no right to read")
    assert await run(unfit, unfit, ValueError("a secret"), None) == 4
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
