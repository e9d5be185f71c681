"""What an evaluator process is told and what it answers, as bytes. Pure.

A frame is its length (4 bytes, big endian) and so many bytes. A request is one frame: a JSON head,
its length before it, and then the bodies, one after the other. For each event one frame comes back,
as soon as it is known: a letter that says what it is, and the rest. A request ends with a frame
TURN_OVER, which may come early: the events that were not answered are to be asked for again. Before
the first request one says that the process is ready.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from hookplane.errors import InvalidValue
from hookplane.filters.cel import MAX_RESULT_BYTES
from hookplane.filters.event import MAX_PARSED_BYTES, EventView

LENGTH: Final = struct.Struct(">I")
MAX_ANSWER_BYTES: Final = 4 * MAX_RESULT_BYTES
"""More than any answer has: who announces more talks nonsense."""
_ENOUGH: Final = MAX_PARSED_BYTES + 1
"""Of a body: a longer one is not read, and this much says so."""


class Wanted(StrEnum):
    """What an expression is asked for."""

    BOOL = "bool"
    """A filter."""
    JSON = "json"
    """A transform."""


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """An expression, and the events to evaluate it on."""

    text: str
    wanted: Wanted
    events: tuple[EventView, ...]


@dataclass(frozen=True, slots=True)
class NoValue:
    """The expression gives nothing for this event."""

    reason: str
    stopped: bool = False
    """It took too much, and was stopped."""


Verdict: TypeAlias = bool | bytes | NoValue
"""What a filter or a transform gives for one event."""


class Signal(StrEnum):
    """Answers that are no verdict."""

    TURN_OVER = "."
    NO_MEMORY = "m"
    """The process has met its limit, and ends."""


_HOLDS, _HOLDS_NOT, _JSON, _FAILED = b"t", b"f", b"j", b"e"
_ANSWERS: Final[dict[bytes, Any]] = {
    _HOLDS: lambda _: True,
    _HOLDS_NOT: lambda _: False,
    _JSON: bytes,
    _FAILED: lambda rest: NoValue(rest.decode("utf-8", "replace")),
    b".": lambda _: Signal.TURN_OVER,
    b"m": lambda _: Signal.NO_MEMORY,
}


def frame(payload: bytes) -> bytes:
    """With its length before it."""
    return LENGTH.pack(len(payload)) + payload


def request_frame(request: EvaluationRequest) -> bytes:
    """What `read_request` reads."""
    bodies = [event.body[:_ENOUGH] for event in request.events]
    heads = list(map(_head, request.events, bodies))
    head = json.dumps([request.text, request.wanted, heads]).encode()
    return frame(b"".join([LENGTH.pack(len(head)), head, *bodies]))


def _head(event: EventView, body: bytes) -> list[Any]:
    names = (event.event_id, event.type, event.endpoint, event.namespace, event.received)
    return [*names, event.headers, event.key, len(body)]


def read_request(payload: bytes) -> EvaluationRequest:
    """What `request_frame` made, without its length."""
    start = LENGTH.size + LENGTH.unpack_from(payload)[0]
    text, wanted, heads = json.loads(payload[LENGTH.size : start])
    return EvaluationRequest(text, Wanted(wanted), tuple(_events(heads, payload, start)))


def _events(heads: list[list[Any]], payload: bytes, start: int) -> Iterator[EventView]:
    for event_id, kind, endpoint, namespace, received, headers, key, length in heads:
        pairs = tuple((name, value) for name, value in headers)
        body = payload[start : start + length]
        yield EventView(event_id, kind, endpoint, namespace, received, pairs, body, key)
        start += length


def answer_frame(answer: Verdict | Signal) -> bytes:
    """What `read_answer` reads."""
    match answer:
        case Signal():
            return frame(answer.encode())
        case bool():
            return frame(_HOLDS if answer else _HOLDS_NOT)
        case bytes():
            return frame(_JSON + answer)
        case NoValue(reason):
            return frame(_FAILED + reason.encode("utf-8", "replace"))


def read_answer(payload: bytes) -> Verdict | Signal:
    """What `answer_frame` made, without its length. Raises InvalidValue for anything else: the
    other side ran a stranger's expression, and is not to be trusted."""
    if payload[:1] not in _ANSWERS:
        raise InvalidValue("an answer of an unknown kind")
    answer: Verdict | Signal = _ANSWERS[payload[:1]](payload[1:])
    return answer


def answer_length(prefix: bytes) -> int:
    """Of the answer that follows. Raises InvalidValue when it is longer than any can be."""
    length: int = LENGTH.unpack(prefix)[0]
    if length > MAX_ANSWER_BYTES:
        raise InvalidValue(f"an answer of {length} bytes")
    return length
