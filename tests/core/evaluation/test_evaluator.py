"""A real process that evaluates, and what becomes of it when an expression takes too much."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hookplane.evaluation.evaluator import End, Evaluator, TurnResult
from hookplane.evaluation.limits import EvaluationLimits
from hookplane.evaluation.protocol import NoValue, Wanted
from support.clocks.until import until
from support.expressions import BAD, ENDLESS, GOOD, HUGE, ask, children

Start = Callable[[EvaluationLimits], Awaitable[Evaluator]]
SHORT = EvaluationLimits(cpu_seconds=0.2)
PATIENT = EvaluationLimits(cpu_seconds=60)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[Evaluator] = []

    async def begin(limits: EvaluationLimits) -> Evaluator:
        started.append(await Evaluator.start(limits))
        return started[-1]

    yield begin
    for evaluator in started:
        await evaluator.close()


async def test_one_process_serves_many_requests(start: Start) -> None:
    evaluator = await start(PATIENT)
    for _ in range(2):
        turn = await evaluator.exchange(ask("event.body.n == 1", GOOD, b"{}", b'{"n":2}'))
        assert turn.end is End.TURN_OVER
        holds, failed, holds_not = turn.verdicts
        assert (holds, holds_not) == (True, False)
        assert isinstance(failed, NoValue)
    turn = await evaluator.exchange(ask("{'n': event.body.n}", GOOD, wanted=Wanted.JSON))
    assert turn.verdicts == (b'{"n":1}',)


async def test_what_does_not_compile_fails_on_each_event(start: Start) -> None:
    turn = await (await start(PATIENT)).exchange(ask("nobody ==", GOOD, GOOD))
    assert turn.end is End.TURN_OVER
    assert all(isinstance(x, NoValue) and "line 1" in x.reason for x in turn.verdicts)
    assert len(turn.verdicts) == 2


async def test_too_much_cpu_ends_the_process_in_the_middle_of_the_engine(start: Start) -> None:
    turn = await (await start(SHORT)).exchange(ask(ENDLESS, GOOD, BAD, GOOD))
    assert turn == TurnResult((True,), End.CPU)


async def test_too_much_memory_ends_the_process(start: Start) -> None:
    turn = await (await start(PATIENT)).exchange(ask(HUGE, GOOD))
    assert turn == TurnResult((), End.MEMORY)


async def test_no_answer_for_too_long_ends_it_however_little_cpu_it_had(start: Start) -> None:
    limits = EvaluationLimits(cpu_seconds=60, wall_seconds=0.5)
    turn = await (await start(limits)).exchange(ask(ENDLESS, BAD))
    assert turn == TurnResult((), End.SILENT)


async def test_cpu_is_counted_for_each_event_alone(start: Start) -> None:
    slow = "[1,2,3,4,5,6,7,8].map(x, event.body.l.map(y, y)).size() == 8"
    body = b'{"l":[' + b",".join([b"1"] * 300) + b"]}"
    evaluator = await start(EvaluationLimits(cpu_seconds=0.3, turn_seconds=60))
    turn = await evaluator.exchange(ask(slow, *[body] * 100))
    assert turn == TurnResult((True,) * 100, End.TURN_OVER)


async def test_a_turn_ends_early_so_that_others_have_theirs(start: Start) -> None:
    evaluator = await start(EvaluationLimits(turn_seconds=0))
    turn = await evaluator.exchange(ask("true", GOOD, GOOD, GOOD))
    assert turn == TurnResult((True,), End.TURN_OVER)
    assert (await evaluator.exchange(ask("false", GOOD))).verdicts == (False,)


async def test_a_process_that_somebody_ended_is_told_apart(start: Start) -> None:
    evaluator = await start(PATIENT)
    await evaluator.close()
    assert await evaluator.ended() is End.KILLED
    assert await evaluator.exchange(ask("true", GOOD)) == TurnResult((), End.KILLED)


async def test_a_process_that_ends_by_itself_is_told_apart(start: Start) -> None:
    before = children()
    evaluator = await start(PATIENT)
    (child,) = children() - before
    os.kill(child, signal.SIGABRT)
    assert await evaluator.exchange(ask("true", GOOD)) == TurnResult((), End.CRASHED)


async def test_a_process_that_is_stopped_is_ended_and_nobody_blamed(start: Start) -> None:
    before = children()
    evaluator = await start(EvaluationLimits(wall_seconds=0.5))
    (child,) = children() - before
    os.kill(child, signal.SIGSTOP)
    assert await evaluator.exchange(ask("true", GOOD)) == TurnResult((), End.SILENT)
    assert child not in children()


async def test_an_exchange_that_is_given_up_leaves_no_process(start: Start) -> None:
    before = children()
    evaluator = await start(PATIENT)
    (child,) = children() - before
    exchange = asyncio.create_task(evaluator.exchange(ask(ENDLESS, BAD)))
    await until(lambda: _cpu_ticks(child) > 30, "it is in the middle of something")
    exchange.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange
    assert child not in children()


async def test_the_process_gets_none_of_our_secrets(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    monkeypatch.setenv("HOOKPLANE_SEALING_KEY", "hush-hush")
    await start(PATIENT)
    (child,) = children() - before
    assert b"hush-hush" not in _told(child, "environ").encode()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(1)", "ended at once"),
        ("import time; time.sleep(600)", "too long to begin"),
        ("print('hello, who are you?', flush=True); input()", "nobody can read"),
    ],
)
async def test_a_process_that_cannot_begin_is_told_and_leaves_nothing(
    code: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    (tmp_path / "hookplane").mkdir()
    (tmp_path / "hookplane" / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ChildProcessError, match=told):
        await Evaluator.start(EvaluationLimits(start_seconds=1))
    assert children() == before


async def test_a_system_that_gives_no_process_is_told() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            await Evaluator.start(PATIENT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _cpu_ticks(process: int) -> int:
    """In its own code so far (proc(5), `utime`)."""
    return int(_told(process, "stat").rpartition(")")[2].split()[11])


def _told(process: int, file: str) -> str:
    return Path(f"/proc/{process}/{file}").read_text()
