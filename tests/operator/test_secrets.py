"""Many Secrets: a bounded number of requests at a time."""

from __future__ import annotations

import asyncio

from hookplane_operator.secrets import AT_ONCE, for_each


async def _most_at_once(count: int) -> tuple[list[int], int]:
    """What was done, and how much of it at a time."""
    done: list[int] = []
    running = most = 0

    async def work(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(item)

    await for_each(range(count), work)
    return done, most


def test_all_are_done_and_no_more_than_the_bound_at_a_time() -> None:
    done, most = asyncio.run(_most_at_once(10 * AT_ONCE))
    assert sorted(done) == list(range(10 * AT_ONCE))
    assert most == AT_ONCE


def test_nothing_is_done_with_nothing() -> None:
    assert asyncio.run(_most_at_once(0)) == ([], 0)
