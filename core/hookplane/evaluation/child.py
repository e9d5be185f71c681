"""What runs in an evaluator process: reads requests, answers event by event, ends with its input.

The limits are the kernel's: nothing that runs in here has to look at a clock, so the engine can be
in the middle of anything when it is stopped. SIGPROF comes when one evaluation has used up its CPU,
and ends the process, because nothing catches it; should the timer fail, RLIMIT_CPU does the same.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final

from hookplane.errors import InvalidValue
from hookplane.evaluation.evaluate import evaluate
from hookplane.evaluation.limits import EvaluationLimits
from hookplane.evaluation.protocol import (
    LENGTH,
    EvaluationRequest,
    NoValue,
    Signal,
    Verdict,
    answer_frame,
    read_request,
)
from hookplane.filters.cel import Program
from hookplane.filters.event import EventView

_REMEMBERED: Final = 256
"""Compiled expressions."""
_NICENESS: Final = 5
"""Deliveries go first where CPU is scarce."""
_SIZES: Final = Path("/proc/self/statm")
_TAKEN_FIRST: Final = Path("/proc/self/oom_score_adj")
_USUAL_SIZE: Final = 512 << 20
"""Where there is no /proc: more than the process has when it begins."""


def run(arguments: list[str]) -> None:
    """The whole life of the process. `arguments`: the limits, as `arguments_of` wrote them."""
    answers = _own_output()
    cpu, memory, turn = arguments
    limits = EvaluationLimits(float(cpu), memory_bytes=int(memory), turn_seconds=float(turn))
    confine(limits)
    with os.fdopen(0, "rb") as requests, answers:
        serve(requests, answers, limits)


def arguments_of(limits: EvaluationLimits) -> list[str]:
    """What a process has to know of the limits."""
    return [str(limits.cpu_seconds), str(limits.memory_bytes), str(limits.turn_seconds)]


def _own_output() -> BinaryIO:
    """Where answers go; whatever else is printed in here goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def confine(limits: EvaluationLimits) -> None:
    """Bounds memory, writes no core, which would hold payloads, and no file, and asks the kernel to
    take this process first when memory runs out. What a sandbox forbids of that is left out, but
    for the limits."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    with contextlib.suppress(OSError):
        _TAKEN_FIRST.write_text("1000")
    _lower(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":  # others do not hold themselves to it
        _lower(resource.RLIMIT_AS, _size() + limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, 0)


def _size() -> int:
    """Bytes of address space."""
    try:
        return int(_SIZES.read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return _USUAL_SIZE


def _lower(limit: int, most: int) -> None:
    """For good, unless it is lower already."""
    hard = resource.getrlimit(limit)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


def serve(requests: BinaryIO, answers: BinaryIO, limits: EvaluationLimits) -> None:
    """Says that it is ready, and serves until there are no more requests, or no more memory."""
    _say(answers, Signal.TURN_OVER)
    while len(prefix := requests.read(LENGTH.size)) == LENGTH.size:
        request = read_request(requests.read(LENGTH.unpack(prefix)[0]))
        for answer in _turn(request, limits):
            _say(answers, answer)
            if answer is Signal.NO_MEMORY:
                return


def _say(answers: BinaryIO, answer: Verdict | Signal) -> None:
    answers.write(answer_frame(answer))
    answers.flush()


def _turn(request: EvaluationRequest, limits: EvaluationLimits) -> Iterator[Verdict | Signal]:
    """Answers, and that it is over."""
    began = time.monotonic()
    for event in request.events:
        yield _answer(request, event, limits.cpu_seconds)
        if time.monotonic() - began > limits.turn_seconds:
            break
    yield Signal.TURN_OVER


def _answer(request: EvaluationRequest, event: EventView, cpu: float) -> Verdict | Signal:
    _may_use(cpu)
    try:
        return _evaluate(request, event)
    except MemoryError:
        return Signal.NO_MEMORY
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _may_use(cpu: float) -> None:
    """So many seconds of CPU from now on."""
    used = time.process_time()
    soft, hard = math.ceil(used + cpu) + 1, resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    signal.setitimer(signal.ITIMER_PROF, cpu)


def _evaluate(request: EvaluationRequest, event: EventView) -> Verdict:
    try:
        return evaluate(_program(request.text), request.wanted, event)
    except InvalidValue as error:  # it does not compile
        return NoValue(str(error))


@lru_cache(maxsize=_REMEMBERED)
def _program(text: str) -> Program:
    return Program(text)


if __name__ == "__main__":
    run(sys.argv[1:])
