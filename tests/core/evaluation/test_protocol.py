"""What goes over the pipes, there and back."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane.evaluation.protocol import (
    LENGTH,
    MAX_ANSWER_BYTES,
    EvaluationRequest,
    NoValue,
    Signal,
    Verdict,
    Wanted,
    answer_frame,
    answer_length,
    read_answer,
    read_request,
    request_frame,
)
from hookplane.filters.event import MAX_PARSED_BYTES, EventView


def event(body: bytes) -> EventView:
    headers = (("x-a", "ä \udcff"), ("x-a", ""))
    return EventView("evt_1", "t", "orders", "shop", 1_800_000_000_000, headers, body)


def content(frame: bytes) -> bytes:
    assert LENGTH.unpack_from(frame)[0] == len(frame) - LENGTH.size
    return frame[LENGTH.size :]


@pytest.mark.parametrize("wanted", Wanted)
@pytest.mark.parametrize("bodies", [[], [b""], [b"\x00\xff", b"", b"{}"]])
def test_a_request_is_read_as_it_was(wanted: Wanted, bodies: list[bytes]) -> None:
    request = EvaluationRequest("event == '\ud83d'", wanted, tuple(map(event, bodies)))
    assert read_request(content(request_frame(request))) == request


def test_of_a_body_that_is_too_long_as_much_goes_as_tells_so() -> None:
    request = EvaluationRequest("true", Wanted.BOOL, (event(b"1" * 2 * MAX_PARSED_BYTES),))
    (read,) = read_request(content(request_frame(request))).events
    assert len(read.body) == MAX_PARSED_BYTES + 1


@pytest.mark.parametrize("answer", [True, False, b"", b'{"a":1}', NoValue("because ä"), *Signal])
def test_an_answer_is_read_as_it_was(answer: Verdict | Signal) -> None:
    assert read_answer(content(answer_frame(answer))) == answer


@pytest.mark.parametrize("nonsense", [b"", b"x", b"\xff\xff"])
def test_nonsense_is_no_answer(nonsense: bytes) -> None:
    with pytest.raises(InvalidValue):
        read_answer(nonsense)


def test_no_answer_is_longer_than_the_longest() -> None:
    assert answer_length(LENGTH.pack(MAX_ANSWER_BYTES)) == MAX_ANSWER_BYTES
    with pytest.raises(InvalidValue):
        answer_length(LENGTH.pack(MAX_ANSWER_BYTES + 1))
