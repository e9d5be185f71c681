"""The work queue: one worker a key, failures come back, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry

from hookplane_operator.metrics import Metrics
from hookplane_operator.queue import WorkQueue

Work = Callable[[str], Awaitable[float | None]]


async def run(
    work: Work, *keys: str, seconds: float = 0.2, workers: int = 4, first_pause: float = 0.2
) -> WorkQueue[str]:
    queue: WorkQueue[str] = WorkQueue(work, str, Metrics(CollectorRegistry()), workers, first_pause)
    running = asyncio.create_task(queue.run())
    for key in keys:
        queue.enqueue(key)
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return queue


async def test_a_key_that_waits_is_there_once() -> None:
    done: list[str] = []

    async def work(key: str) -> None:
        done.append(key)

    await run(work, "a", "a", "b", "a")
    assert sorted(done) == ["a", "b"]


async def test_a_key_is_worked_on_by_one_worker_at_a_time() -> None:
    busy: set[str] = set()
    rounds = 0

    async def work(key: str) -> float | None:
        nonlocal rounds
        assert key not in busy
        busy.add(key)
        await asyncio.sleep(0.01)
        busy.discard(key)
        rounds += 1
        return 0.0 if rounds < 5 else None

    await run(work, "a", "a")
    assert rounds == 5


async def test_what_is_asked_for_meanwhile_is_done_afterwards() -> None:
    done: list[str] = []
    queue: WorkQueue[str]

    async def work(key: str) -> None:
        done.append(key)
        if len(done) == 1:
            queue.enqueue(key)

    queue = WorkQueue(work, str, Metrics(CollectorRegistry()))
    running = asyncio.create_task(queue.run())
    queue.enqueue("a")
    await asyncio.sleep(0.1)
    running.cancel()
    assert done == ["a", "a"]


async def test_a_failure_comes_back_and_stops_nobody() -> None:
    tries: list[str] = []

    async def work(key: str) -> None:
        tries.append(key)
        if key == "bad" and tries.count("bad") < 3:
            raise RuntimeError("not yet")

    await run(work, "bad", "good", workers=1, first_pause=0.01)
    assert tries.count("bad") == 3
    assert tries.count("good") == 1
