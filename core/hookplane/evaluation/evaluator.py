"""One evaluator process, as its parent sees it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final

from hookplane.errors import InvalidValue
from hookplane.evaluation import child
from hookplane.evaluation.limits import EvaluationLimits
from hookplane.evaluation.protocol import (
    LENGTH,
    EvaluationRequest,
    Signal,
    Verdict,
    answer_length,
    read_answer,
    request_frame,
)

_ENDING_SECONDS: Final = 10.0
_FALSE_STARTS: Final[Mapping[type[BaseException], str]] = {
    asyncio.IncompleteReadError: "it ended at once",
    TimeoutError: "it took too long to begin",
    InvalidValue: "it said what nobody can read",
}


class End(StrEnum):
    """Why there is no answer to the first event that has none."""

    TURN_OVER = auto()
    """None: the others had their turn, and these may be asked for again."""
    CPU = auto()
    """The expression used up what it may."""
    MEMORY = auto()
    """The process met its limit, by this event or by what it did before."""
    CRASHED = auto()
    """It ended by itself, or said what nobody can read."""
    SILENT = auto()
    """It gave no answer for very long without using its CPU: it or the machine stands still."""
    KILLED = auto()
    """Somebody else ended it, the kernel for want of memory perhaps."""


_ENDS: Final[Mapping[int, End]] = {
    -signal.SIGPROF: End.CPU,
    -signal.SIGXCPU: End.CPU,
    -signal.SIGKILL: End.KILLED,
}
"""What a process that ended tells by its signal."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What came of a request."""

    verdicts: tuple[Verdict, ...]
    """For the first events of the request, maybe not for all."""
    end: End
    """Anything but TURN_OVER: the process is gone."""


class Evaluator:
    """Starts with `start` and serves one request at a time, until one ends it."""

    def __init__(self, process: Process, limits: EvaluationLimits) -> None:
        self._process = process
        self._limits = limits

    @classmethod
    async def start(cls, limits: EvaluationLimits) -> Evaluator:
        """A new process that is ready. Raises OSError when the system gives none, or it ends at
        once, or takes too long to begin."""
        evaluator = cls(await _spawn(limits), limits)
        try:
            async with asyncio.timeout(limits.start_seconds):
                await evaluator._answer()
        except BaseException as error:
            await evaluator.close()
            if type(error) in _FALSE_STARTS:
                raise ChildProcessError(errno.ECHILD, _FALSE_STARTS[type(error)]) from None
            raise
        return evaluator

    async def ended(self) -> End:
        """Waits until the process has ended, and tells how."""
        return _ENDS.get(await self._process.wait(), End.CRASHED)

    async def exchange(self, request: EvaluationRequest) -> TurnResult:
        """Asks for all events; whatever happens is told in the turn. When this is cancelled the
        process is ended, because its answers would be taken for those to another request."""
        verdicts: list[Verdict] = []
        try:
            end = await self._gather(request, verdicts)
        except BaseException:
            await self.close()
            raise
        if end is not End.TURN_OVER:
            await self.close()
        return TurnResult(tuple(verdicts), end)

    async def _gather(self, request: EvaluationRequest, verdicts: list[Verdict]) -> End:
        """Adds the verdicts. Each answer has its own time, and so has the request on its way in."""
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                await self._send(request_frame(request))
            while True:
                async with asyncio.timeout(self._limits.wall_seconds):
                    answer = await self._answer()
                if isinstance(answer, Signal):
                    return End.TURN_OVER if answer is Signal.TURN_OVER else End.MEMORY
                verdicts.append(answer)
        except TimeoutError:
            return End.SILENT
        except (EOFError, ConnectionError, RuntimeError):  # some loops raise that for a closed pipe
            return await self._ending()
        except InvalidValue:
            return End.CRASHED

    async def _ending(self) -> End:
        """Of a process that has closed its pipe, and so is ending. Killing it at once would lose
        the code on some loops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_SECONDS):
                return await self.ended()
        return End.CRASHED

    async def _send(self, request: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.write(request)
        await self._process.stdin.drain()

    async def _answer(self) -> Verdict | Signal:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        prefix = await self._process.stdout.readexactly(LENGTH.size)
        return read_answer(await self._process.stdout.readexactly(answer_length(prefix)))

    async def close(self) -> None:
        """Ends the process, whatever it is doing. May be called again."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


async def _spawn(limits: EvaluationLimits) -> Process:
    """It gets no variables of the environment, which may hold secrets, but where Python's modules
    are. Raises OSError."""
    known = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", child.__name__, *child.arguments_of(limits)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=known,
            start_new_session=True,  # a Ctrl+C in the terminal is the parent's affair
        )
    except RuntimeError as error:  # there is no thread that would wait for its end
        raise ChildProcessError(errno.EAGAIN, str(error)) from error
