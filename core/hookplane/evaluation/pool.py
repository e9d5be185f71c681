"""Evaluator processes for all expressions of a process, shared fairly between namespaces."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hookplane.evaluation.cgroup import memory_limit
from hookplane.evaluation.evaluator import End, Evaluator
from hookplane.evaluation.limits import EvaluationLimits
from hookplane.evaluation.protocol import EvaluationRequest, NoValue, Verdict
from hookplane.evaluation.strikes import Culprit, Strikes
from hookplane.evaluation.turns import Turns
from hookplane.filters.event import EventView

PROCESSES: Final = 2
BATCH_BYTES: Final = 4 << 20
"""Bodies that are handed over together; a single one may be longer."""
NO_PROCESS_PAUSE: Final = 5.0
"""Seconds after which it is tried again when the system gave no process, or took it away."""
_BLAMED_AFTER: Final[Mapping[End, int]] = {End.CPU: 1, End.MEMORY: 2, End.CRASHED: 2}
"""How often a process has to end so on the same event until that is the expression's doing. CPU is
at once. Memory may have been taken by what ran before, so that counts only in a new process. The
other ends are the machine's doing, however often they come."""
_WHY_HELD: Final = "it took too much again and again; simplify it"
_TAKEN_AWAY: Final = "the system ends the processes that evaluate it, or has no CPU for them"


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a batch."""

    verdicts: tuple[Verdict, ...]
    """For the first events of it: for all, unless they took long or are held back."""
    held_for: float = 0.0
    """Seconds until the others may be asked for again."""
    held_because: str = ""

    @property
    def is_clean(self) -> bool:
        """The expression ran, and nothing had to be stopped or to wait."""
        stopped = any(isinstance(x, NoValue) and x.stopped for x in self.verdicts)
        return bool(self.verdicts) and not (stopped or self.held_for)


@dataclass(slots=True, eq=False)
class _Job:
    user: str
    request: EvaluationRequest
    done: asyncio.Future[Judged]
    began: float
    verdicts: list[Verdict] = field(default_factory=list)
    needs_new: bool = False
    """A process ended on its next event, which may be the fault of what it did before."""

    @property
    def culprit(self) -> Culprit:
        """Who is to be blamed."""
        return self.user, self.request.text

    def rest(self) -> EvaluationRequest:
        """What fits into one batch of what has no verdict yet."""
        events: list[EventView] = []
        free = BATCH_BYTES
        for event in self.request.events[len(self.verdicts) :]:
            free -= len(event.body)
            if events and free < 0:
                break
            events.append(event)
        return replace(self.request, events=tuple(events))


class EvaluationPool:
    """Starts processes when there is work, with one in reserve for the next that is stopped."""

    def __init__(
        self,
        limits: EvaluationLimits | None = None,
        processes: int = PROCESSES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limits`: None: what fits into the memory that the system gives. `now`: seconds of a
        steady clock, by which expressions are held back."""
        self._limits = limits or EvaluationLimits.within(memory_limit())
        self.starts = 0
        """Processes that were started."""
        self.ends: Counter[End] = Counter()
        """Processes that ended otherwise than by `close`."""
        self._free = processes
        self._now = now
        self._turns: Turns[_Job] = Turns(max(processes - 1, 1))
        self._strikes = Strikes()
        self._used: list[Evaluator] = []
        self._new: list[Evaluator] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_refilling = False

    async def evaluate(self, namespace: str, user: str, request: EvaluationRequest) -> Judged:
        """Asks for a verdict about each event, in their order. `user`: whose expression it is; what
        it is stopped for counts against it alone."""
        if not request.events:
            return Judged(())
        done: asyncio.Future[Judged] = asyncio.get_running_loop().create_future()
        job = _Job(user, request, done, self._now())
        self._turns.add(namespace, job)
        self._start_some()
        try:
            return await job.done
        finally:
            self._turns.drop(namespace, job)

    async def close(self) -> None:
        """Ends all processes. Nobody may be waiting for a verdict any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for evaluator in self._used + self._new:
            await evaluator.close()
        self._used, self._new = [], []

    def _start_some(self) -> None:
        while self._free and (turn := self._turns.take()) is not None:
            self._free -= 1
            self._spawn(self._run(*turn))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, namespace: str, job: _Job) -> None:
        """One turn of a job; what is left of it waits for the next one."""
        try:
            await self._turn(job)
        except OSError as error:
            why = f"there is no process to evaluate it in: {error.strerror}"
            self._finish(job, NO_PROCESS_PAUSE, why)
        except Exception as error:  # whoever waits must hear of it
            if not job.done.done():
                job.done.set_exception(error)
        finally:
            self._free += 1
            self._turns.ended(namespace)
        if not job.done.done():
            self._turns.add(namespace, job)
        self._start_some()

    async def _turn(self, job: _Job) -> None:
        """Raises OSError when there is no process."""
        held = self._strikes.held_for(job.culprit, self._now())
        if held:
            self._finish(job, held, _WHY_HELD)
            return
        evaluator = await self._evaluator(job.needs_new)
        turn = await evaluator.exchange(job.rest())
        job.verdicts += turn.verdicts
        is_suspect = job.needs_new and not turn.verdicts
        job.needs_new = False
        if turn.end is End.TURN_OVER:
            self._used.append(evaluator)
        else:
            self._ended(job, turn.end, 1 + is_suspect)
        is_late = job.verdicts and self._now() - job.began > self._limits.batch_seconds
        if is_late or len(job.verdicts) == len(job.request.events):
            self._finish(job)

    def _ended(self, job: _Job, end: End, times: int) -> None:
        """The process is gone. `times`: so often in a row by the next event, 2 at most."""
        self.ends[end] += 1
        if times >= _BLAMED_AFTER.get(end, times + 1):
            self._blame(job, end)
        elif times == 1:
            job.needs_new = True
        else:
            self._finish(job, NO_PROCESS_PAUSE, _TAKEN_AWAY)

    def _blame(self, job: _Job, end: End) -> None:
        """Memory that the event alone may have taken is no strike: a sender could have any
        expression held back."""
        event = job.request.events[len(job.verdicts)]
        job.verdicts.append(NoValue(self._reason(end), stopped=True))
        if end is End.MEMORY and self._limits.fills_memory(event.size):
            return
        now = self._now()
        if self._strikes.struck(job.culprit, now):
            self._finish(job, self._strikes.held_for(job.culprit, now), _WHY_HELD)

    def _finish(self, job: _Job, held_for: float = 0.0, why: str = "") -> None:
        if not job.done.done():
            job.done.set_result(Judged(tuple(job.verdicts), held_for, why))

    def _reason(self, end: End) -> str:
        told = {End.CPU: self._limits.too_long, End.MEMORY: self._limits.too_large}
        return told.get(end, "the expression ended the process that evaluated it")

    async def _evaluator(self, must_be_new: bool) -> Evaluator:
        """One that waits, or a new one; and one more in reserve. Raises OSError."""
        if self._used and not must_be_new:
            return self._used.pop()
        evaluator = self._new.pop() if self._new else await self._start()
        if not self._is_refilling:
            self._is_refilling = True
            self._spawn(self._refill())
        return evaluator

    async def _refill(self) -> None:
        """Without a reserve it only takes longer, so a system that gives none is no error here."""
        try:
            self._new.append(await self._start())
        except OSError:
            return
        finally:
            self._is_refilling = False

    async def _start(self) -> Evaluator:
        started = await Evaluator.start(self._limits)
        self.starts += 1
        self._spawn(self._watch(started))
        return started

    async def _watch(self, evaluator: Evaluator) -> None:
        """Takes it out when somebody ends it while it waits for work, so that nobody meets it."""
        end = await evaluator.ended()
        for waiting in (self._used, self._new):
            if evaluator in waiting:
                waiting.remove(evaluator)
                self.ends[end] += 1
