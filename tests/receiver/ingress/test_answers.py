"""Answers as bytes."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from hookplane_receiver.ingress.answers import CLOSE, KEEP, DateClock, answer_bytes, refusal
from hookplane_receiver.ingress.server import InboundResponse

DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"


def told(response: InboundResponse, connection: str = "", method: str = "POST") -> bytes:
    return answer_bytes(response, DATE, connection, method)


def test_an_answer_has_its_headers_and_its_length() -> None:
    response = InboundResponse(202, b"ok", "text/x", (("Retry-After", "5"),))
    assert told(response) == (
        b"HTTP/1.1 202 Accepted\r\nServer: hookplane\r\nContent-Type: text/x\r\nRetry-After: 5\r\n"
        b"Content-Length: 2\r\nDate: " + DATE + b"\r\n\r\nok"
    )


@pytest.mark.parametrize("connection", [CLOSE, KEEP])
def test_it_says_what_becomes_of_the_connection(connection: str) -> None:
    assert f"\r\nConnection: {connection}\r\n".encode() in told(InboundResponse(200), connection)


@pytest.mark.parametrize("status", [204, 304])
def test_some_have_neither_body_nor_length(status: int) -> None:
    answer = told(InboundResponse(status, b"body"))
    assert b"Content-Length" not in answer
    assert answer.endswith(b"\r\n\r\n")


def test_none_to_head_has_a_body() -> None:
    answer = told(InboundResponse(200, b"body"), method="HEAD")
    assert b"Content-Length: 4\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_status_without_a_name_is_one() -> None:
    assert told(InboundResponse(299)).startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize("text", ["a\r\nX: b", "a\nb", "a\0b", "a\x7f"])
def test_a_header_cannot_begin_another_one(text: str) -> None:
    for response in (
        InboundResponse(200, headers=(("X-A", text),)),
        InboundResponse(200, headers=((text, "a"),)),
        InboundResponse(200, b"x", content_type=text),
    ):
        with pytest.raises(ValueError, match="control character"):
            told(response)


def test_a_refusal_says_its_own_words_and_is_the_last_answer() -> None:
    refused = refusal(HTTPStatus.REQUEST_TIMEOUT)
    assert (refused.status, refused.body, refused.close) == (408, b"Request Timeout\n", True)


def test_the_date_is_written_once_a_second() -> None:
    clock = DateClock()
    first = clock.date(1.0)
    assert clock.date(1.9) is first
    assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", clock.date(2.0))
