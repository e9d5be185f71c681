"""Requests in pieces: the parser alone, without a connection."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane_receiver.ingress.request_parser import (
    BODY_PIECE,
    IncomingRequest,
    RequestParser,
    header_name,
)
from hookplane_receiver.ingress.server import IngressLimits

LIMITS = IngressLimits(header_bytes=200, target_bytes=100, header_count=10)
PLAIN = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-A:  a \t\r\nContent-Length: 3\r\n\r\nabc"
CHUNKS = (
    b"PUT /b HTTP/1.1\r\nHOST: y\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"1;x=y\r\na\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
)
OFFER = (
    b"POST /c HTTP/1.1\r\nHost: z\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 2\r\n\r\nhi"
)
LAST = b"GET http://x/d HTTP/1.0\r\n\r\n"
ALL = PLAIN + b"\r\n" + CHUNKS + OFFER + LAST


def _read(pieces: Iterable[bytes]) -> tuple[list[IncomingRequest], RequestParser]:
    """All requests, each taken as soon as it is there."""
    parser, found = RequestParser(LIMITS), []
    for piece in pieces:
        unread = piece
        while unread and not parser.ended:
            unread = parser.feed(unread)
            while parser.coming:
                found.append(parser.coming.popleft())
    return found, parser


def _cut(raw: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(raw), *(cut % len(raw) for cut in cuts)})
    return [raw[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(st.integers(min_value=0), max_size=20))
def test_it_does_not_matter_how_requests_are_cut(cuts: list[int]) -> None:
    found, parser = _read(_cut(ALL, cuts))
    told = [(x.method, x.target, bytes(x.body), x.complete) for x in found]
    assert told == [
        ("POST", "/a?b=c", b"abc", True),
        ("PUT", "/b", b"a0123456789", True),
        ("POST", "/c", b"hi", True),
        ("GET", "/d", b"", True),
    ]
    assert found[0].headers == [("host", b"x"), ("x-a", b"a"), ("content-length", b"3")]
    assert [x.keep_alive for x in found] == [True, True, True, False]
    assert parser.ended
    assert parser.refusal is None


@given(st.binary(max_size=600), st.lists(st.integers(min_value=0), max_size=5))
def test_rubbish_raises_nothing(rubbish: bytes, cuts: list[int]) -> None:
    for raw in (rubbish, PLAIN + rubbish, CHUNKS[:-30] + rubbish):
        if raw:
            _read(_cut(raw, cuts))


@given(st.data())
def test_what_is_broken_in_the_middle_is_no_complete_request(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(CHUNKS) - 1))
    found, _ = _read([CHUNKS[:at]])
    assert not any(x.complete for x in found)


def test_requests_are_read_one_at_a_time_or_a_little_ahead() -> None:
    parser = RequestParser(LIMITS)
    many = PLAIN * 1000
    unread = parser.feed(many)
    assert len(many) - len(unread) <= LIMITS.header_bytes + LIMITS.target_bytes
    assert parser.coming


def test_nothing_is_read_behind_the_last_one() -> None:
    parser = RequestParser(LIMITS)
    parser.feed(LAST)
    assert parser.feed(PLAIN) == PLAIN
    assert len(parser.coming) == 1


HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\n"
REFUSED = {
    HTTPStatus.BAD_REQUEST: b"nothing\r\n\r\n",
    HTTPStatus.REQUEST_URI_TOO_LONG: b"POST /" + b"a" * 100 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: HEAD + b"X: 1\r\n" * 10 + b"\r\n",
    HTTPStatus.NOT_IMPLEMENTED: HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    HTTPStatus.EXPECTATION_FAILED: HEAD + b"Expect: more\r\n\r\n",
}


@pytest.mark.parametrize("status", REFUSED, ids=str)
def test_refusals_tell_what_is_wrong(status: HTTPStatus) -> None:
    found, parser = _read([REFUSED[status]])
    assert found == []
    assert parser.refusal == status


@pytest.mark.parametrize(
    "start", [HEAD + b"X: ", HEAD + b"X", b"POST /", b"\r\n"], ids=["value", "name", "target", ""]
)
def test_what_does_not_end_is_cut(start: bytes) -> None:
    filling = b"\r\n" if start == b"\r\n" else b"a"
    found, parser = _read([start, *[filling * 10] * 100])
    assert found == []
    assert parser.refusal in {
        HTTPStatus.REQUEST_URI_TOO_LONG,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    }


def test_a_chunk_whose_extension_does_not_end_breaks_its_body() -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    found, parser = _read([head, b"1;", b"a" * BODY_PIECE])
    assert found[0].broken
    assert parser.refusal is None


def test_a_dropped_body_takes_no_room() -> None:
    parser = RequestParser(LIMITS)
    parser.feed(HEAD + b"Content-Length: 1000000\r\n\r\nabc")
    request = parser.coming.popleft()
    request.drop()
    parser.feed(b"x" * 500_000)
    assert request.body == b""
    assert request.size == 500_003
    assert request.unfinished


def test_a_body_of_tiny_chunks_takes_no_more_room_than_another() -> None:
    parser = RequestParser(LIMITS)
    parser.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    request = parser.coming.popleft()
    chunks = b"2\r\nab\r\n" * 50_000
    tracemalloc.start()
    try:
        parser.feed(chunks)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert request.size == 100_000
    assert kept < 2 * request.size


def test_names_are_compared_in_lower_case() -> None:
    assert header_name(b"X-Hub-SIGNATURE") == "x-hub-signature"


def test_one_header_too_many_is_refused_when_it_comes() -> None:
    """Not when the headers end: thousands of tiny ones take many times their bytes."""
    parser = RequestParser(replace(LIMITS, header_bytes=20_000))
    parser.feed(b"POST / HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 9)
    assert (parser.ended, parser.refusal) == (False, None)
    parser.feed(b"a:b\r\nc")
    assert parser.refusal is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
