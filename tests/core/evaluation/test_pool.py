"""Expressions that take too much, and others beside them that do not notice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookplane.evaluation.evaluator import End
from hookplane.evaluation.limits import EvaluationLimits
from hookplane.evaluation.pool import BATCH_BYTES, NO_PROCESS_PAUSE, EvaluationPool, Judged
from hookplane.evaluation.protocol import NoValue
from hookplane.evaluation.strikes import FIRST_HOLD, STRIKES
from support.clocks.until import until
from support.expressions import BAD, ENDLESS, GOOD, HUGE, ask, children

LIMITS = EvaluationLimits(cpu_seconds=0.3)
STOPPED = NoValue("the expression took longer than 0.3 s of CPU for one event", stopped=True)


class Time:
    """A clock that a test sets."""

    now = 1000.0


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def pool(time: Time) -> AsyncIterator[EvaluationPool]:
    made = EvaluationPool(LIMITS, now=lambda: time.now)
    yield made
    await made.close()


async def test_a_verdict_for_each_event_in_order(pool: EvaluationPool) -> None:
    judged = await pool.evaluate("shop", "a", ask("event.body.n == 1", GOOD, b'{"n":2}', GOOD))
    assert judged == Judged((True, False, True))
    assert await pool.evaluate("shop", "a", ask("true")) == Judged(())


async def test_one_that_runs_away_loses_that_event_alone(pool: EvaluationPool) -> None:
    judged = await pool.evaluate("shop", "a", ask(ENDLESS, GOOD, BAD, GOOD))
    assert judged == Judged((True, STOPPED, True))


async def test_others_go_on_while_one_runs_away(pool: EvaluationPool) -> None:
    bad = asyncio.create_task(pool.evaluate("evil", "a", ask(ENDLESS, BAD, BAD)))
    others = [
        asyncio.create_task(pool.evaluate("evil", str(x), ask(ENDLESS, BAD))) for x in range(3)
    ]
    for _ in range(5):
        assert await pool.evaluate("shop", "a", ask("true", *[GOOD] * 64)) == Judged((True,) * 64)
    assert not bad.done()
    assert await bad == Judged((STOPPED, STOPPED))
    assert await asyncio.gather(*others) == [Judged((STOPPED,))] * 3


async def test_an_event_that_fills_the_memory_by_itself_is_no_strike() -> None:
    """Of a sender who has no part in the expression."""
    pool = EvaluationPool(EvaluationLimits(memory_bytes=64 << 20))
    large = b'{"n":1,"l":[%b]}' % b",".join([b'{"":{}}'] * 150_000)
    too_large = NoValue("the expression took more than 64Mi of memory", stopped=True)
    try:
        for _ in range(STRIKES):
            judged = await pool.evaluate("shop", "a", ask("event.body.n == 1", large))
            assert judged == Judged((too_large,))
        assert await pool.evaluate("shop", "a", ask("event.body.n == 1", GOOD)) == Judged((True,))
    finally:
        await pool.close()


async def test_memory_counts_against_the_expression_only_in_a_new_process() -> None:
    pool = EvaluationPool(EvaluationLimits(cpu_seconds=60))
    try:
        await pool.evaluate("shop", "a", ask("true", GOOD))
        judged = await pool.evaluate("shop", "b", ask(HUGE, GOOD))
    finally:
        await pool.close()
    reason = "the expression took more than 256Mi of memory"
    assert judged == Judged((NoValue(reason, stopped=True),))


async def test_who_is_stopped_again_and_again_is_held_back_and_nobody_else(
    pool: EvaluationPool, time: Time
) -> None:
    judged = await pool.evaluate("shop", "a", ask(ENDLESS, *[BAD] * (STRIKES + 2)))
    assert judged.verdicts == (STOPPED,) * STRIKES
    assert judged.held_for == FIRST_HOLD
    assert "again and again" in judged.held_because
    again = await pool.evaluate("shop", "a", ask(ENDLESS, GOOD))
    assert (again.verdicts, again.held_for) == ((), FIRST_HOLD)
    assert await pool.evaluate("shop", "b", ask(ENDLESS, GOOD)) == Judged((True,))
    assert await pool.evaluate("shop", "a", ask("true", GOOD)) == Judged((True,))
    time.now += FIRST_HOLD
    assert await pool.evaluate("shop", "a", ask(ENDLESS, GOOD)) == Judged((True,))


async def test_a_batch_is_larger_than_what_is_handed_over_at_once(pool: EvaluationPool) -> None:
    body = b'{"s":"' + b"a" * (BATCH_BYTES // 3) + b'"}'
    judged = await pool.evaluate("shop", "a", ask("event.body.s == 'a'", *[body] * 10))
    assert judged == Judged((False,) * 10)


async def test_a_batch_that_takes_long_is_answered_with_what_there_is(time: Time) -> None:
    def now() -> float:
        time.now += 1
        return time.now

    pool = EvaluationPool(EvaluationLimits(turn_seconds=0, batch_seconds=3.5), now=now)
    try:
        judged = await pool.evaluate("shop", "a", ask("true", *[GOOD] * 9))
    finally:
        await pool.close()
    assert judged == Judged((True,) * 2)


async def test_without_processes_events_wait_and_nobody_is_blamed(
    pool: EvaluationPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hookplane").mkdir()
    (tmp_path / "hookplane" / "__init__.py").write_text("raise SystemExit(1)")
    with monkeypatch.context() as broken:
        broken.setenv("PYTHONPATH", str(tmp_path))
        for _ in range(STRIKES + 1):
            judged = await pool.evaluate("shop", "a", ask("true", GOOD))
            assert (judged.verdicts, judged.held_for) == ((), NO_PROCESS_PAUSE)
            assert "no process" in judged.held_because
    assert await pool.evaluate("shop", "a", ask("true", GOOD)) == Judged((True,))


async def test_who_no_longer_waits_keeps_nobody_waiting(pool: EvaluationPool) -> None:
    waiting = [
        asyncio.create_task(pool.evaluate("shop", str(x), ask(ENDLESS, *[BAD] * 9)))
        for x in range(4)
    ]
    await pool.evaluate("calm", "a", ask("true", GOOD))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await pool.evaluate("shop", "z", ask("true", GOOD)) == Judged((True,))


async def test_whoever_waits_behind_is_held_back_as_well(pool: EvaluationPool) -> None:
    """Attempts of one subscription ask at the same time; each would cost what the limit allows."""
    asked = [pool.evaluate("shop", "a", ask(ENDLESS, BAD)) for _ in range(STRIKES + 4)]
    judged = await asyncio.gather(*asked)
    assert sum(x.verdicts == (STOPPED,) for x in judged) == pool.ends[End.CPU] == STRIKES
    assert all(x.held_for == FIRST_HOLD for x in judged[STRIKES:])


async def test_who_is_ended_while_it_waits_is_counted_and_met_by_nobody(
    pool: EvaluationPool,
) -> None:
    before = children()
    assert await pool.evaluate("shop", "a", ask("true", GOOD)) == Judged((True,))
    await until(lambda: pool.starts == 2, "one is in reserve")
    for child in children() - before:
        os.kill(child, signal.SIGKILL)
    await until(lambda: pool.ends == {End.KILLED: 2}, "it is noticed")
    assert await pool.evaluate("shop", "a", ask("true", GOOD)) == Judged((True,))
    assert pool.ends == {End.KILLED: 2}


async def test_a_machine_that_takes_processes_away_is_no_fault_of_the_expression(
    pool: EvaluationPool,
) -> None:
    before = children()
    asked = asyncio.create_task(pool.evaluate("shop", "a", ask(ENDLESS, BAD)))
    while not asked.done():
        for child in children() - before:
            os.kill(child, signal.SIGKILL)
        await asyncio.sleep(0.01)
    judged = await asked
    assert (judged.verdicts, judged.held_for) == ((), NO_PROCESS_PAUSE)
    assert pool.ends[End.CPU] == 0


async def test_a_pool_that_is_closed_leaves_no_process(pool: EvaluationPool) -> None:
    before = children()
    asked = asyncio.create_task(pool.evaluate("shop", "a", ask(ENDLESS, BAD)))
    await until(lambda: children() - before, "it has begun")
    asked.cancel()
    await pool.close()
    assert children() == before
