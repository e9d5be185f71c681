"""Reads what strace saw of a process that receives requests, syncs and answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a system call did."""

    ARRIVAL = "a request was read"
    BEGUN = "a sync was begun"
    SYNC = "a sync was completed"
    ANSWER = "a 2xx was written"


@dataclass(frozen=True)
class Step:
    """One system call of interest, in the order of completion."""

    kind: Kind
    names: tuple[str, ...] = ()
    """Requests that it read, event ids that it answered with, or the thread that syncs."""


_UNFINISHED: Final = re.compile(r"^(\d+)\s+(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED: Final = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$")
_CALL: Final = re.compile(r"^(\d+)\s+(\w+)\((.*)$")
_DONE: Final = re.compile(r"\)\s+= (-?\d+)")
_REQUEST: Final = re.compile(r"canary-(\d+)-")
_READS: Final = frozenset({"read", "recvfrom", "recvmsg", "readv"})
_WRITES: Final = frozenset({"write", "sendto", "sendmsg", "writev"})
_SYNCS: Final = frozenset({"fdatasync", "fsync"})


def steps(lines: Iterable[str]) -> Iterator[Step]:
    """Answers count when their call is begun, syncs when they have returned 0."""
    for line in lines:
        if unfinished := _UNFINISHED.match(line):
            yield from _traffic(unfinished[2], unfinished[3])
            yield from _begun(unfinished[1], unfinished[2])
        elif resumed := _RESUMED.match(line):
            rest = resumed[3]
            yield from _traffic(resumed[2], rest)
            yield from _sync(resumed[1], resumed[2], rest)
        elif call := _CALL.match(line):
            yield from _traffic(call[2], call[3])
            yield from _begun(call[1], call[2])
            yield from _sync(call[1], call[2], call[3])


def _traffic(name: str, arguments: str) -> Iterator[Step]:
    if name in _READS and (found := tuple(dict.fromkeys(_REQUEST.findall(arguments)))):
        yield Step(Kind.ARRIVAL, found)
    if name in _WRITES and "HTTP/1.1 2" in arguments:
        yield Step(Kind.ANSWER, tuple(re.findall(r"evt_[0-9a-z]{26}", arguments)))


def _begun(thread: str, name: str) -> Iterator[Step]:
    if name in _SYNCS:
        yield Step(Kind.BEGUN, (thread,))


def _sync(thread: str, name: str, rest: str) -> Iterator[Step]:
    if name in _SYNCS and (done := _DONE.search(rest)) and done[1] == "0":
        yield Step(Kind.SYNC, (thread,))


def unsynced(seen: Iterable[Step], request_of: dict[str, str]) -> list[str]:
    """Requests whose 2xx was begun before a sync was completed that was begun after their arrival.
    `request_of`: event id → request."""
    waiting: dict[str, bool] = {}
    covered: dict[str, set[str]] = {}
    early = []
    for step in seen:
        if step.kind is Kind.ARRIVAL:
            waiting.update(dict.fromkeys(step.names, False))
        elif step.kind is Kind.BEGUN:
            covered[step.names[0]] = set(waiting)
        elif step.kind is Kind.SYNC:
            waiting.update(dict.fromkeys(covered.pop(step.names[0]), True))
        else:
            early += [request_of[x] for x in step.names if not waiting[request_of[x]]]
    return early
