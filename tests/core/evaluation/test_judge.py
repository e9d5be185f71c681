"""What is cheap for certain is evaluated here, the rest in processes, and nobody can tell."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hookplane.errors import InvalidValue
from hookplane.evaluation.judge import Judge
from hookplane.evaluation.limits import EvaluationLimits
from hookplane.evaluation.pool import EvaluationPool, Judged
from hookplane.evaluation.protocol import NoValue, Wanted
from hookplane.evaluation.strikes import STRIKES
from support.expressions import BAD, ENDLESS, GOOD, event


@pytest.fixture
async def pool() -> AsyncIterator[EvaluationPool]:
    made = EvaluationPool(EvaluationLimits(cpu_seconds=0.3, batch_seconds=60))
    yield made
    await made.close()


def judge_of(text: str, pool: EvaluationPool, wanted: Wanted = Wanted.BOOL) -> Judge:
    return Judge(text, wanted, "shop", "shop/a", pool)


async def test_small_and_large_events_keep_their_order(pool: EvaluationPool) -> None:
    judge = judge_of("event.body.s == 'b'", pool)
    small, large, broken = event(GOOD), event(BAD), event(b"{}")
    assert small.size < judge.largest_here < large.size
    judged = await judge.judge([small, large, broken, large, small])
    first, second, failed, fourth, last = judged.verdicts
    assert (first, second, fourth, last) == (True, False, False, True)
    assert isinstance(failed, NoValue)


async def test_what_has_no_bound_is_never_evaluated_here(pool: EvaluationPool) -> None:
    judge = judge_of("event.body.s.replace('b', 'c') == 'c'", pool)
    assert judge.largest_here == 0
    assert await judge.judge([event(), event()]) == Judged((True, True))


async def test_a_transform_gives_json_wherever_it_runs(pool: EvaluationPool) -> None:
    for text in ("event.body.s", "[event.body.s].map(x, x)[0]"):
        judge = judge_of(text, pool, Wanted.JSON)
        assert await judge.judge([event()]) == Judged((b'"b"',))


async def test_what_comes_after_one_that_is_held_back_waits(pool: EvaluationPool) -> None:
    judged = await judge_of(ENDLESS, pool).judge([event(BAD)] * (STRIKES + 1) + [event()])
    assert len(judged.verdicts) == STRIKES
    assert judged.held_for > 0


async def test_nothing_is_a_batch_too(pool: EvaluationPool) -> None:
    assert await judge_of("true", pool).judge([]) == Judged(())


def test_what_does_not_compile_is_told_at_once() -> None:
    with pytest.raises(InvalidValue, match="line 1"):
        judge_of("event ==", EvaluationPool())
