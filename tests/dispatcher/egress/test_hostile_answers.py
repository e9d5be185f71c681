"""Targets that break rules: what comes of it for this exchange and for the next."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hookplane_dispatcher.egress.client import MAX_ANSWER_BYTES, EgressClient, EgressError
from hookplane_dispatcher.egress.guard import AddressGuard
from support.clocks.until import until
from support.http.egress import SHORT, post
from support.http.targets import (
    OK,
    Authority,
    Script,
    Wire,
    answers,
    server_context,
    target,
)

Outcomes = set[int | EgressError]
PROTOCOL, CLOSED = EgressError.PROTOCOL, EgressError.CLOSED

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

ENDED: dict[str, tuple[bytes, Outcomes]] = {
    "nothing": (b"", {CLOSED}),
    "half a status line": (b"HTTP/1.1 20", {CLOSED, PROTOCOL}),
    "headers that do not end": (b"HTTP/1.1 200 OK\r\nA: b\r\n", {CLOSED, PROTOCOL}),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", {CLOSED}),
    "half a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        {CLOSED, PROTOCOL},
    ),
    "no last chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        {CLOSED, PROTOCOL},
    ),
    "HTTP/0.9": (b"<html>hello</html>\r\n", {PROTOCOL}),
    "garbage": (bytes(range(128, 256)) * 8, {PROTOCOL}),
    "line breaks": (b"\r\n" * 50, {PROTOCOL, CLOSED}),
    "TLS alert": (b"\x15\x03\x01\x00\x02\x02\x28", {PROTOCOL}),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", {PROTOCOL}),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", {PROTOCOL}),
    "status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", {PROTOCOL}),
    "negative status": (b"HTTP/1.1 -200 OK\r\n\r\n", {PROTOCOL}),
    "HTTP/2": (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", {PROTOCOL, 200}),
    "length and chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {PROTOCOL},
    ),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        {PROTOCOL},
    ),
    "signed length": (b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab", {PROTOCOL}),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nab", {PROTOCOL}),
    "huge length": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", {PROTOCOL}),
    "bad chunk size": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        {PROTOCOL, CLOSED},
    ),
    "huge headers that announce an answer": (
        b"HTTP/1.1 103 Early Hints\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
        {PROTOCOL},
    ),
    "NUL in a header": (b"HTTP/1.1 200 OK\r\nA: b\x00c\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "obs-fold in a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 0\r\n\r\nok",
        {PROTOCOL},
    ),
    "a list of lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", {PROTOCOL}),
    "a length in hexadecimal": (b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", {PROTOCOL}),
    "no length": (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", {PROTOCOL}),
    "chunks and length": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        {PROTOCOL},
    ),
    "folded chunks and length": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        {PROTOCOL},
    ),
    "identity and length": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
        {PROTOCOL},
    ),
    "signed chunk size": (CHUNKED + b"+1\r\na\r\n0\r\n\r\n", {PROTOCOL}),
    "negative chunk size": (CHUNKED + b"-1\r\na\r\n0\r\n\r\n", {PROTOCOL}),
    "chunk size with 0x": (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", {PROTOCOL}),
    "chunk size behind a space": (CHUNKED + b" 1\r\na\r\n0\r\n\r\n", {PROTOCOL}),
    "no chunk size": (CHUNKED + b"\r\na\r\n0\r\n\r\n", {PROTOCOL}),
    "huge chunk size": (CHUNKED + b"fffffffffffffffff\r\na", {PROTOCOL}),
    "largest chunk size": (CHUNKED + b"ffffffffffffffff\r\na", {CLOSED}),
    "a chunk that is too long": (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", {PROTOCOL}),
    "chunks that end with LF": (CHUNKED + b"1\na\n0\n\n", {PROTOCOL}),
    "a length behind chunks": (CHUNKED + b"0\r\nContent-Length: 4\r\n\r\n", {PROTOCOL}),
    "NUL in a name": (b"HTTP/1.1 200 OK\r\nA\x00: b\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "CR in a header": (b"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "a header without colon": (b"HTTP/1.1 200 OK\r\nA\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "a header without name": (b"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "half a header": (b"HTTP/1.1 200 OK\r\nContent-Le", {CLOSED, PROTOCOL}),
    "half an end of headers": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r", {CLOSED, PROTOCOL}),
    "status of two digits": (b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "status 099": (b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "two spaces": (b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "a space before all": (b" HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "HTTP/3.7": (b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n", {PROTOCOL}),
    "only announcements": (b"HTTP/1.1 103 X\r\n\r\n" * 3, {CLOSED}),
    "empty lines before a status": (b"\r\n" * 40_000 + OK, {PROTOCOL}),
    "switching without being asked": (b"HTTP/1.1 101 X\r\n\r\n", {PROTOCOL}),
    "switching protocols": (
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        {PROTOCOL},
    ),
}
"""What is sent before the connection ends, and what may come of it."""


@pytest.mark.parametrize("name", ENDED)
async def test_what_is_not_an_answer_is_none(egress: EgressClient, name: str) -> None:
    raw, outcomes = ENDED[name]
    async with target(answers(raw, close=True)) as seen:
        response = await egress.post(post(seen.url()))
        again = await egress.post(post(seen.url()))
    assert (response.error or response.status_code) in outcomes
    assert (again.error, again.status_code) == (response.error, response.status_code)
    assert response.error is None or (response.status_code, response.body) == (0, b"")
    assert len(seen.requests) == 2


READ: dict[str, tuple[bytes, int, bytes]] = {
    "a folded header": (
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
    "lines that end with LF": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, b"ok"),
    "a space behind a chunk size": (CHUNKED + b"2 \r\nok\r\n0\r\n\r\n", 200, b"ok"),
    "a chunk extension": (CHUNKED + b'2;a="b"\r\nok\r\n0\r\n\r\n', 200, b"ok"),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\nRetry-After: 9\r\n\r\n", 200, b"ok"),
    "chunked twice": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n",
        200,
        b"ok",
    ),
    "another encoding, until the end": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        200,
        b"ok",
    ),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "bytes that are no text": (
        b"HTTP/1.1 200 \xff\r\nA: \xff\xfe\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
    "an empty line before": (b"\r\n" + OK, 200, b"ok"),
    "an offer of another protocol": (
        b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nok", 200, b"ok"),
    "204 without length": (b"HTTP/1.1 204 X\r\n\r\n", 204, b""),
    "304 with a length": (b"HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\n", 304, b""),
    "205 without length": (b"HTTP/1.1 205 X\r\n\r\n", 205, b""),
    "a status that nobody knows": (b"HTTP/1.1 799 X\r\nContent-Length: 0\r\n\r\n", 799, b""),
}
"""Odd answers that can be read in one way only, and what is read of them."""


@pytest.mark.parametrize("name", READ)
async def test_what_servers_in_the_field_send_is_read(egress: EgressClient, name: str) -> None:
    raw, status, body = READ[name]
    async with target(answers(raw, close=True)) as seen:
        for _ in range(2):
            response = await egress.post(post(seen.url()))
            assert (response.error, response.status_code, response.body) == (None, status, body)
            assert response.retry_after is None
    assert len(seen.requests) == 2


def _with(headers: bytes, reason: bytes = b"OK") -> bytes:
    return b"HTTP/1.1 200 %b\r\n%bContent-Length: 2\r\n\r\nok" % (reason, headers)


LONG: dict[str, tuple[bytes, bytes]] = {
    "one long header": (_with(b"Link: " + b"b" * 60_000 + b"\r\n"), b"ok"),
    "many headers": (_with(b"Set-Cookie: a=b\r\n" * 3_000), b"ok"),
    "tiny headers": (_with(b"a:\r\n" * 12_000), b"ok"),
    "a long reason": (_with(b"", b"b" * 60_000), b"ok"),
    "early hints": (b"HTTP/1.1 103 X\r\nLink: " + b"b" * 9_000 + b"\r\n\r\n" + _with(b""), b"ok"),
    "one huge header": (_with(b"A: " + b"b" * 5_000_000 + b"\r\n"), b""),
    "far too many headers": (_with(b"A: b\r\n" * 500_000), b""),
    "a huge reason": (_with(b"", b"b" * 70_000), b""),
}
"""Answers of targets that took the event, and what is read of their bodies."""


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_long_headers_say_that_the_event_arrived(
    egress: EgressClient, name: str, secure: bool, tmp_path: Path
) -> None:
    raw, body = LONG[name]
    authority = Authority()
    context = server_context(authority.issue("127.0.0.1"), tmp_path) if secure else None
    tls = authority.trusted()
    async with target(answers(raw), tls=context) as seen:
        for _ in range(2):
            response = await egress.post(post(seen.url(), tls=tls))
            assert (response.error, response.status_code, response.body) == (None, 200, body)
    assert len(seen.requests) == 2


async def test_a_refusal_with_huge_headers_is_that_refusal(egress: EgressClient) -> None:
    raw = b"HTTP/1.1 410 Gone\r\n" + b"A: b\r\n" * 100_000 + b"\r\n"
    async with target(answers(raw, close=True)) as seen:
        assert (await egress.post(post(seen.url()))).status_code == 410


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "trailers": (CHUNKED + b"0\r\n", b"A: b\r\n" * 10_000),
    "one trailer": (CHUNKED + b"0\r\nA: ", b"b" * 10_000),
    "a chunk extension": (CHUNKED + b"1;", b"a" * 10_000),
    "a chunk size": (CHUNKED, b"0" * 10_000),
    "extensions of tiny chunks": (CHUNKED, b"1;%b\r\na\r\n" % (b"a" * 10_000)),
    "announcements": (b"", b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\n" * 1_000),
    "bare announcements": (b"", b"HTTP/1.1 100 X\r\n\r\n" * 1_000),
    "empty lines": (b"", b"\r\n" * 10_000),
    "a status line": (b"HTTP/1.1 100 ", b"X" * 10_000),
}
"""What begins like an answer and goes on and on."""


@pytest.mark.parametrize("name", ENDLESS)
async def test_what_has_no_end_is_ended_long_before_the_deadline(
    egress: EgressClient, name: str
) -> None:
    begin, more = ENDLESS[name]

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(begin)
        while True:
            await wire.send(more)

    async with target(script) as seen:
        response = await egress.post(post(seen.url(), timeout=600_000))
        assert response.error in {PROTOCOL, CLOSED}
        await until(lambda: seen.open == 0, "the connection to end")


SURPLUS: dict[str, tuple[bytes, Outcomes]] = {
    "a second answer": (OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", {200, PROTOCOL}),
    "garbage after the answer": (OK + b"garbage", {200, PROTOCOL}),
    "204 with a body": (
        b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
        {204, PROTOCOL},
    ),
    "304 with a body": (b"HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\nevil", {304, PROTOCOL}),
    "a length too short": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokevil", {200, PROTOCOL}),
}
"""Answers with bytes behind them, on a connection that stays open."""


@pytest.mark.parametrize("name", SURPLUS)
async def test_bytes_behind_an_answer_never_reach_the_next(egress: EgressClient, name: str) -> None:
    raw, outcomes = SURPLUS[name]
    good = b"HTTP/1.1 201 X\r\nContent-Length: 4\r\n\r\ngood"
    first = True

    async def script(wire: Wire) -> None:
        nonlocal first
        while True:
            await wire.request()
            await wire.send(raw if first else good)
            first = False

    async with target(script) as seen:
        response = await egress.post(post(seen.url()))
        again = await egress.post(post(seen.url()))
    assert (response.error or response.status_code) in outcomes
    assert (again.status_code, again.body) == (201, b"good")
    assert b"evil" not in response.body
    assert seen.connections == 2


async def test_half_an_answer_behind_an_answer_is_thrown_away(egress: EgressClient) -> None:
    good = b"HTTP/1.1 201 X\r\nContent-Length: 4\r\n\r\ngood"
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nA:"

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(OK + half if len(wire.target.requests) == 1 else good)

    async with target(script) as seen:
        assert (await egress.post(post(seen.url()))).body == b"ok"
        again = await egress.post(post(seen.url()))
        assert (again.status_code, again.body) == (201, b"good")


@pytest.mark.parametrize("late", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"garbage"])
async def test_bytes_on_an_idle_connection_end_it(egress: EgressClient, late: bytes) -> None:
    idle, good = asyncio.Event(), b"HTTP/1.1 201 X\r\nContent-Length: 4\r\n\r\ngood"

    async def script(wire: Wire) -> None:
        await wire.request()
        if wire.target.connections == 1:
            await wire.send(OK)
            await idle.wait()
            await wire.send(late)
        else:
            await wire.send(good)
        await wire.until_closed()

    async with target(script) as seen:
        assert (await egress.post(post(seen.url()))).body == b"ok"
        idle.set()
        for _ in range(20):
            await asyncio.sleep(0)  # the bytes are in the kernel; let the client's loop see them
        again = await egress.post(post(seen.url()))
        assert (again.status_code, again.body) == (201, b"good")
    assert seen.connections == 2


async def _never(wire: Wire) -> None:
    await wire.until_closed()


async def _slow_headers(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await wire.send(b"A: b\r\n")
        await asyncio.sleep(0.02)


async def _dripping_status(wire: Wire) -> None:
    await wire.request()
    while True:
        for byte in b"HTTP/1.1 103 X\r\n\r\n":
            await wire.send(bytes([byte]))
            await asyncio.sleep(0.02)


async def _dripping_trailers(wire: Wire) -> None:
    await wire.request()
    await wire.send(CHUNKED + b"2\r\nok\r\n0\r\n")
    while True:
        await wire.send(b"A: b\r\n")
        await asyncio.sleep(0.02)


async def _dripping_body(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await wire.send(b"x")
        await asyncio.sleep(0.02)


async def _dripping_chunks(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await wire.send(b"1\r\nx\r\n")
        await asyncio.sleep(0.02)


async def _flood_of_provisional(wire: Wire) -> None:
    await wire.request()
    while True:
        await wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 10)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "script",
    [
        _never,
        _slow_headers,
        _dripping_status,
        _dripping_body,
        _dripping_chunks,
        _dripping_trailers,
        _flood_of_provisional,
    ],
)
async def test_the_deadline_is_for_the_whole_exchange(
    egress: EgressClient, script: Callable[[Wire], Awaitable[None]]
) -> None:
    async with target(script) as seen:
        response = await egress.post(post(seen.url(), timeout=SHORT))
        assert response.error in {EgressError.TIMEOUT, EgressError.PROTOCOL}
        assert (response.status_code, response.body) == (0, b"")
        await until(lambda: seen.open == 0, "the connection to end")


async def test_a_target_that_does_not_read_meets_the_deadline(egress: EgressClient) -> None:
    done = asyncio.Event()

    async def script(wire: Wire) -> None:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await done.wait()

    async with target(script) as seen:
        body = bytes(30_000_000)
        response = await egress.post(post(seen.url(), body=body, timeout=SHORT))
        done.set()
    assert response.error is EgressError.TIMEOUT


async def test_a_name_server_that_does_not_answer_meets_the_deadline(
    make: Callable[[AddressGuard], EgressClient],
) -> None:
    async def silent(host: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    client = make(AddressGuard(lookup=silent))
    response = await client.post(post("http://example.com/", timeout=SHORT))
    assert response.error is EgressError.TIMEOUT


@pytest.mark.parametrize("length", [b"Content-Length: 10000000\r\n", b""])
async def test_a_long_answer_is_cut_and_its_connection_closed(
    egress: EgressClient, length: bytes
) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        for _ in range(100):
            await wire.send(bytes(100_000))
        await wire.until_closed()

    async with target(script) as seen:
        response = await egress.post(post(seen.url()))
        assert (response.status_code, len(response.body)) == (200, MAX_ANSWER_BYTES)
        await until(lambda: seen.open == 0, "the connection to end")


async def test_the_longest_answer_is_kept_whole(egress: EgressClient) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MAX_ANSWER_BYTES
    async with target(answers(raw + bytes(MAX_ANSWER_BYTES))) as seen:
        for _ in range(2):
            response = await egress.post(post(seen.url()))
            assert len(response.body) == MAX_ANSWER_BYTES
    assert seen.connections == 1


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
async def test_a_reset_is_a_closed_connection(egress: EgressClient, before: bytes) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(before)
        wire.reset()

    async with target(script) as seen:
        assert (await egress.post(post(seen.url()))).error is EgressError.CLOSED


async def test_a_refused_connection_says_so(egress: EgressClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        response = await egress.post(post(f"http://127.0.0.1:{port}/s3cret"))
    assert (response.error, response.detail) == (EgressError.CONNECT, "connection refused")


async def test_a_few_provisional_answers_are_passed_over(egress: EgressClient) -> None:
    raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK
    async with target(answers(raw)) as seen:
        for _ in range(2):
            assert (await egress.post(post(seen.url()))).body == b"ok"


async def test_an_answer_before_the_body_was_read_counts(egress: EgressClient) -> None:
    async def script(wire: Wire) -> None:
        await wire.reader.readuntil(b"\r\n\r\n")
        await wire.send(b"HTTP/1.1 413 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await wire.until_closed()

    async with target(script) as seen:
        response = await egress.post(post(seen.url(), body=bytes(30_000_000)))
    assert (response.status_code, response.error) == (413, None)


async def test_a_connection_with_half_a_request_on_it_is_not_used_again(
    egress: EgressClient,
) -> None:
    """The target answers before it has read the body, and would read on when it likes."""

    async def script(wire: Wire) -> None:
        await wire.reader.readuntil(b"\r\n\r\n")
        await wire.send(OK)
        await wire.until_closed()

    async with target(script) as seen:
        for count in (1, 2):
            response = await egress.post(post(seen.url(), body=bytes(30_000_000)))
            assert (response.status_code, seen.connections) == (200, count)


async def test_a_reset_while_a_request_is_sent_is_a_closed_connection(
    egress: EgressClient,
) -> None:
    async def script(wire: Wire) -> None:
        await wire.reader.readuntil(b"\r\n\r\n")
        wire.reset()

    async with target(script) as seen:
        response = await egress.post(post(seen.url(), body=bytes(30_000_000)))
    assert (response.error, seen.connections) == (CLOSED, 1)


def _first_answers_one(last: bytes, then: Callable[[Wire], Awaitable[None]]) -> Script:
    """The first connection answers one request, reads another one, sends `last` and ends."""

    async def script(wire: Wire) -> None:
        if wire.target.connections > 1:
            await then(wire)
            return
        await wire.request()
        await wire.send(OK)
        await wire.request()
        await wire.send(last)

    return script


async def test_a_request_that_meets_an_idle_close_goes_again_at_once(
    egress: EgressClient,
) -> None:
    async with target(_first_answers_one(b"", answers(OK))) as seen:
        for _ in range(2):
            assert (await egress.post(post(seen.url(), body=b"x"))).status_code == 200
    assert (len(seen.requests), seen.connections) == (3, 2)
    assert len(set(seen.requests)) == 1


async def test_a_large_request_that_meets_a_reset_goes_again_whole(egress: EgressClient) -> None:
    body = bytes(range(256)) * 4096

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK)
        if wire.target.connections == 1:
            await wire.reader.readuntil(b"\r\n\r\n")
            wire.reset()
        else:
            await wire.until_closed()

    async with target(script) as seen:
        for _ in range(2):
            assert (await egress.post(post(seen.url(), body=body))).status_code == 200
    assert [request.endswith(body) for request in seen.requests] == [True, True]


async def test_it_goes_again_once_at_most(egress: EgressClient) -> None:
    async def hang_up(wire: Wire) -> None:
        await wire.request()

    async with target(_first_answers_one(b"", hang_up)) as seen:
        assert (await egress.post(post(seen.url()))).status_code == 200
        assert (await egress.post(post(seen.url()))).error is CLOSED
    assert (len(seen.requests), seen.connections) == (3, 2)


async def test_it_goes_again_on_a_new_connection_not_on_another_old_one(
    egress: EgressClient,
) -> None:
    both = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        if len(wire.target.requests) == 2:
            both.set()
        await both.wait()
        await wire.send(OK)
        await wire.request()
        if wire.target.connections > 2:
            await wire.send(OK)

    async with target(script) as seen:
        await asyncio.gather(*(egress.post(post(seen.url())) for _ in range(2)))
        assert (seen.connections, len(seen.requests)) == (2, 2)
        assert (await egress.post(post(seen.url()))).status_code == 200
    assert (seen.connections, len(seen.requests)) == (3, 4)


@pytest.mark.parametrize("last", [b"H", b"HTTP/1.1 500 X\r\n", b"\r\n"])
async def test_nothing_goes_again_once_an_answer_has_begun(
    egress: EgressClient, last: bytes
) -> None:
    async with target(_first_answers_one(last, answers(OK))) as seen:
        assert (await egress.post(post(seen.url()))).status_code == 200
        assert (await egress.post(post(seen.url()))).error in {CLOSED, PROTOCOL}
    assert (len(seen.requests), seen.connections) == (2, 1)


async def test_a_new_connection_that_closes_gets_no_second_request(egress: EgressClient) -> None:
    async with target(answers(b"", close=True)) as seen:
        assert (await egress.post(post(seen.url()))).error is CLOSED
    assert (len(seen.requests), seen.connections) == (1, 1)


async def test_one_deadline_covers_both_times(egress: EgressClient) -> None:
    async with target(_first_answers_one(b"", _never)) as seen:
        assert (await egress.post(post(seen.url()))).status_code == 200
        response = await egress.post(post(seen.url(), timeout=SHORT))
        assert response.error is EgressError.TIMEOUT
        await until(lambda: seen.open == 0, "the connection to end")
    assert seen.connections == 2


async def test_cancelling_closes_the_connection(egress: EgressClient) -> None:
    async with target(_never) as seen:
        running = asyncio.ensure_future(egress.post(post(seen.url())))
        await until(lambda: seen.open == 1, "the connection to open")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: seen.open == 0, "the connection to end")
