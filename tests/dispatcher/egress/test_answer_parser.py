"""Answers in pieces, and answers that are none: the parser alone, without a connection."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane_dispatcher.egress.answer_parser import (
    HEADER_BYTES,
    WIRE_BYTES,
    AnswerParser,
    BadAnswer,
    TargetAnswer,
)
from hookplane_dispatcher.egress.client import MAX_ANSWER_BYTES

OK = b"HTTP/1.1 200 OK\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nok"
CHUNKS = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nretry-after:  7\r\nRetry-After: 9\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nRetry-After: 8\r\n\r\n"
)
TO_THE_END = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok"


def _pieces(raw: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(raw), *(cut % len(raw) for cut in cuts)})
    return [raw[a:b] for a, b in itertools.pairwise(places)]


def _read(parser: AnswerParser, pieces: Iterable[bytes]) -> TargetAnswer | None:
    parser.begin()
    for piece in pieces:
        answer = parser.feed(piece)
        if answer is not None:
            return answer
    return parser.end()


cuts = st.lists(st.integers(0, 1000))


@given(cuts)
def test_an_answer_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    parser = AnswerParser()
    for _ in range(2):
        assert _read(parser, _pieces(OK, cuts)) == TargetAnswer(200, b"ok", "7", reusable=True)
        assert _read(parser, _pieces(CHUNKS, cuts)) == TargetAnswer(503, b"ok", "7", reusable=True)
    assert _read(parser, _pieces(TO_THE_END, cuts)) == TargetAnswer(200, b"ok")


@given(st.binary(max_size=80), st.integers(0, 200), cuts)
def test_whatever_comes_is_an_answer_or_none(noise: bytes, at: int, cuts: list[int]) -> None:
    for raw in (OK, CHUNKS, TO_THE_END):
        place = at % len(raw)
        for changed in (noise, raw[:place] + noise + raw[place:], raw[:place] + noise):
            if changed:
                _assert_sound(_pieces(changed, cuts))


def _assert_sound(pieces: list[bytes]) -> None:
    with contextlib.suppress(BadAnswer):
        answer = _read(AnswerParser(), pieces)
        assert answer is None or (answer.status >= 200 and len(answer.body) <= MAX_ANSWER_BYTES)


@given(st.binary(min_size=1, max_size=20), cuts)
def test_a_connection_with_bytes_behind_its_answer_is_not_reusable(
    surplus: bytes, cuts: list[int]
) -> None:
    """All but line breaks, which stand for nothing."""
    answer = AnswerParser().feed(OK + surplus)
    assert answer == TargetAnswer(200, b"ok", "7", reusable=not surplus.strip(b"\r\n"))


@pytest.mark.parametrize("size", [1, 1000, 70_000])
def test_headers_are_bounded_to_the_byte_however_they_come(size: int) -> None:
    fixed = len(b"HTTP/1.1 200 OK\r\nA: \r\nContent-Length: 2\r\n\r\n")
    for length, body in ((HEADER_BYTES - fixed, b"ok"), (HEADER_BYTES - fixed + 1, b"")):
        raw = b"HTTP/1.1 200 OK\r\nA: %b\r\nContent-Length: 2\r\n\r\nok" % (b"a" * length)
        pieces = [raw[i : i + size] for i in range(0, len(raw), size)]
        assert _read(AnswerParser(), pieces) == TargetAnswer(200, body, reusable=bool(body))


def test_a_former_answer_lends_its_status_to_none() -> None:
    parser = AnswerParser()
    parser.feed(OK)
    parser.begin()
    with pytest.raises(BadAnswer, match="headers are over 65536 bytes"):
        parser.feed(b"\r\n" * HEADER_BYTES)


def test_all_of_an_answer_is_bounded() -> None:
    chunk = b"1;%b\r\na\r\n" % (b"x" * 1000)
    chunks = [chunk] * (WIRE_BYTES // len(chunk) + 1)
    begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with pytest.raises(BadAnswer, match="too much that is not its body"):
        _read(AnswerParser(), [begin, *chunks])


@pytest.mark.parametrize(
    ("raw", "begun"), [((), False), ((b"\r",), True), ((b"HTTP/1.1 100 X\r\n\r\n",), True)]
)
def test_it_knows_whether_anything_came(raw: tuple[bytes, ...], begun: bool) -> None:
    parser = AnswerParser()
    parser.feed(OK)
    parser.begin()
    for piece in raw:
        parser.feed(piece)
    assert parser.begun is begun


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "expected http"),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "nul"),
        (b"HTTP/1.1 101 X\r\n\r\n", "status 101 ends no exchange"),
    ],
)
def test_what_is_wrong_is_said(raw: bytes, words: str) -> None:
    """In the parser's words, or in ours."""
    with pytest.raises(BadAnswer) as caught:
        AnswerParser().feed(raw)
    assert words in str(caught.value)


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_interim_answers_are_passed_over(status: int) -> None:
    interim = b"HTTP/1.1 %d X\r\nRetry-After: 9\r\n\r\n" % status
    assert _read(AnswerParser(), [interim, OK]) == TargetAnswer(200, b"ok", "7", reusable=True)
