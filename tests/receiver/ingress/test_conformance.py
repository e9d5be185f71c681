"""What every ingress server must do on the wire, friendly and hostile, over raw sockets."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from hookplane_receiver.ingress.server import (
    BodyBroken,
    BodyTimeout,
    BodyTooLarge,
    InboundResponse,
    IngressLimits,
)
from support.clocks.until import until
from support.planes.ingress import (
    LIMIT,
    Factory,
    chunked,
    drip,
    kept,
    post,
    read_all,
    serving,
    status,
)

CLOSE = b"Connection: close"
CLOSED = b"HTTP/1.1 408 Request Timeout"


async def test_a_request_arrives_as_it_was_sent(factory: Factory) -> None:
    async with serving(factory) as wire:
        path = "/a//b/../c%2e%2E?x=%41&y"
        answer = await wire.talk(post(b"body", path, "X-Two: b", "X-Two: a", "X-UTF: \u00e9"))
        assert status(answer) == 200
        [request] = wire.seen.requests
        assert (request.method, request.target) == ("POST", path)
        assert [v for n, v in request.headers if n == "x-two"] == ["b", "a"]
        assert ("x-utf", "\u00e9") in request.headers
        assert request.peer == "127.0.0.1"
        assert wire.seen.bodies == [b"body"]


async def test_everywhere_means_both_address_families(factory: Factory) -> None:
    async with serving(factory, listen="[::]:0") as wire:
        for wire.host in ("127.0.0.1", "::1"):
            assert status(await wire.talk(post())) == 200
        assert [request.peer for request in wire.seen.requests] == ["127.0.0.1", "::1"]


async def test_the_answer_says_no_more_than_it_must(factory: Factory) -> None:
    async with serving(factory) as wire:
        wire.seen.answer = InboundResponse(202, b"x", "text/x", (("Retry-After", "5"),))
        head, _, body = (await wire.talk(post())).partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        assert lines[0].startswith(b"http/1.1 202")
        assert {b"retry-after: 5", b"content-type: text/x"} <= set(lines)
        assert b"server: hookplane" in lines
        assert b"python" not in head.lower()
        assert body == b"x"


async def test_an_answer_without_a_body(factory: Factory) -> None:
    async with serving(factory) as wire:
        wire.seen.answer = InboundResponse(204)
        answer = await wire.talk(post())
        assert status(answer) == 204
        assert answer.endswith(b"\r\n\r\n")


async def test_connections_are_kept(factory: Factory) -> None:
    async with serving(factory) as wire:
        once = kept(post())
        answer = await wire.talk(once * 2 + post())
        assert answer.count(b"HTTP/1.1 200") == 3


async def test_unread_bodies_do_not_spoil_the_next_request(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(kept(post(b"x" * 500, "/unread")) + post())
        assert b"404" in answer
        assert b"HTTP/1.1 200" in answer
        assert wire.seen.bodies == [b"{}"]


@pytest.mark.parametrize("size", [500, 40_000, 2_000_000])
async def test_a_refused_body_that_comes_later_is_no_next_request(
    factory: Factory, size: int
) -> None:
    """However long after the answer: it is not what the header deadline and bounds are for."""
    async with serving(factory, IngressLimits(header_timeout=200)) as wire:
        reader, writer = await wire.connect()
        writer.write(kept(post(b"", "/unread", length=size)))
        assert b" 404 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x" * (size // 2))
        await asyncio.sleep(0.6)
        writer.write(b"\r\n" * (size // 4) + post())
        answer = await read_all(reader)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"HTTP/1.1 200" in answer
        assert wire.seen.bodies == [b"{}"]


async def test_a_refused_body_that_came_is_no_late_request(factory: Factory) -> None:
    limits = IngressLimits(header_timeout=200, idle_timeout=1_500)
    async with serving(factory, limits) as wire:
        reader, writer = await wire.connect()
        writer.write(kept(post(b"", "/unread", length=500)))
        assert b" 404 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x" * 500 + b"\r\n")
        assert b"HTTP/1.1 " not in await read_all(reader)


async def test_a_large_refused_upload_gets_its_answer(factory: Factory) -> None:
    """Who writes all before reading must not meet a reset."""
    async with serving(factory) as wire:
        for _ in range(3):
            assert status(await wire.talk(post(b"x" * 12_000_000))) == 413


async def test_chunks_are_joined(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(chunked(b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", CLOSE))
        assert status(answer) == 200
        assert wire.seen.bodies == [b"abcde"]


async def test_compressed_bodies_stay_compressed(factory: Factory) -> None:
    async with serving(factory) as wire:
        sent = gzip.compress(b"0" * 50_000)
        assert len(sent) <= LIMIT
        assert status(await wire.talk(post(sent, "/a", "Content-Encoding: gzip"))) == 200
        assert wire.seen.bodies == [sent]


async def test_continue_is_said_when_the_body_is_wanted(factory: Factory) -> None:
    async with serving(factory) as wire:
        reader, writer = await wire.connect()
        head, _, body = post(b"ab", "/a", "Expect: 100-continue").partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert status(await read_all(reader)) == 200


async def test_continue_is_not_said_to_a_body_that_is_too_large(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(post(b"", "/a", "Expect: 100-continue", length=LIMIT + 1))
        assert status(answer) == 413


async def test_a_declared_length_over_the_limit_is_refused_before_reading(
    factory: Factory,
) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(post(b"only a little", length=LIMIT + 1))
        assert status(answer) == 413
        assert wire.seen.broken == [BodyTooLarge]


async def test_a_body_at_the_limit_is_taken(factory: Factory) -> None:
    async with serving(factory) as wire:
        assert status(await wire.talk(post(b"x" * LIMIT))) == 200


async def test_chunks_without_end_are_cut_at_the_limit(factory: Factory) -> None:
    async with serving(factory) as wire:
        body = b"64\r\n" + b"x" * 100 + b"\r\n" + b"1\r\nx\r\n" * 2000
        answer = await wire.talk(chunked(body, CLOSE))
        assert status(answer) == 413
        assert wire.seen.broken == [BodyTooLarge]


async def test_slow_headers_end_at_their_deadline(factory: Factory) -> None:
    limits = IngressLimits(header_timeout=200)
    async with serving(factory, limits) as wire:
        reader, writer = await wire.connect()
        dripping = asyncio.create_task(drip(writer, post(b"", "/a", "X: " + "x" * 1000)))
        answer = await asyncio.wait_for(read_all(reader), 10)
        dripping.cancel()
        assert answer == b"" or answer.startswith(CLOSED)
        assert status(await wire.talk(post())) == 200


async def test_slow_bodies_end_at_their_deadline(factory: Factory) -> None:
    async with serving(factory, IngressLimits(body_timeout=100)) as wire:
        assert status(await wire.talk(post(b"x", length=10))) == 413
        assert wire.seen.broken == [BodyTimeout]


async def test_idle_connections_end(factory: Factory) -> None:
    async with serving(factory, IngressLimits(idle_timeout=100)) as wire:
        assert await wire.talk(b"") == b""


async def test_at_the_cap_the_longest_idle_connection_gives_way(factory: Factory) -> None:
    async with serving(factory, IngressLimits(connections=3)) as wire:
        idle = [await wire.connect() for _ in range(3)]
        for _ in range(2):
            assert status(await wire.talk(post())) == 200
        assert await asyncio.wait_for(idle[0][0].read(), 10) == b""


async def test_at_the_cap_a_connection_at_work_stays(factory: Factory) -> None:
    async with serving(factory, IngressLimits(connections=1)) as wire:
        reader, writer = await wire.connect()
        writer.write(post(b"a", length=2))
        await until(lambda: len(wire.seen.requests) == 1, "the request to arrive")
        assert await wire.talk(post()) == b""
        writer.write(b"b")
        assert status(await read_all(reader)) == 200


async def test_bare_line_feeds_are_refused(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(post().replace(b"\r\n", b"\n"))
        assert status(answer) in (0, 400)
        assert wire.seen.requests == []


TOO_MUCH = {
    "200 headers": post(b"", "/a", *[f"X-{n}: 1" for n in range(200)]),
    "one header of 64 KB": post(b"", "/a", "X: " + "a" * 65536),
    "64 KB in many headers": post(b"", "/a", *[f"X-{n}: " + "a" * 4000 for n in range(16)]),
    "a target of 64 KB": post(b"", "/" + "a" * 65536),
    "a target just too long": post(b"", "/" + "a" * 8200),
}


@pytest.mark.parametrize("data", TOO_MUCH.values(), ids=list(TOO_MUCH))
async def test_too_much_is_refused(factory: Factory, data: bytes) -> None:
    async with serving(factory) as wire:
        assert status(await wire.talk(data)) in (0, 400, 414, 431)
        assert wire.seen.requests == []


async def test_headers_without_end_are_cut(factory: Factory) -> None:
    async with serving(factory) as wire:
        reader, writer = await wire.connect()
        writer.write(b"POST /a HTTP/1.1\r\nHost: x\r\n")
        for n in range(60):
            writer.write(b"X-%d: %b\r\n" % (n, b"a" * 1000))
            await asyncio.sleep(0)
        answer = await asyncio.wait_for(read_all(reader), 10)
        assert status(answer) in (0, 400, 431)


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"\x00" * 100])
async def test_what_is_no_http_is_refused(factory: Factory, data: bytes) -> None:
    async with serving(factory) as wire:
        assert status(await wire.talk(data)) in (0, 400)
        assert wire.seen.requests == []


async def test_a_broken_chunk_is_no_body(factory: Factory) -> None:
    """At once, or at the body's deadline where the parser keeps it to itself."""
    async with serving(factory, IngressLimits(body_timeout=100)) as wire:
        reader, writer = await wire.connect()
        writer.write(chunked(b"", CLOSE))
        await until(lambda: len(wire.seen.requests) == 1, "the request to arrive")
        writer.write(b"zz\r\nab\r\n")
        assert status(await read_all(reader)) >= 400
        assert wire.seen.bodies == []


async def test_a_body_that_breaks_off_is_told(factory: Factory) -> None:
    async with serving(factory) as wire:
        _, writer = await wire.connect()
        writer.write(post(b"ab", length=10))
        await until(lambda: len(wire.seen.requests) == 1, "the request to arrive")
        writer.transport.abort()
        await until(lambda: len(wire.seen.broken) == 1, "the broken body to be noticed")
        assert wire.seen.broken == [BodyBroken]


async def test_many_tiny_chunks_are_one_body(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(chunked(b"1\r\nx\r\n" * LIMIT + b"0\r\n\r\n", CLOSE))
        assert status(answer) == 200
        assert wire.seen.bodies == [b"x" * LIMIT]


async def test_answers_that_nobody_reads_do_not_pile_up(factory: Factory) -> None:
    async with serving(factory) as wire:
        wire.seen.answer = InboundResponse(200, b"x" * 500_000)
        once = kept(post())
        _, writer = await wire.connect()
        writer.write(once * 100)
        await until(lambda: len(wire.seen.requests) >= 2, "two requests to arrive")
        for _ in range(20):
            await wire.talk(post(path="/unread"))
        assert len(wire.seen.bodies) < 100


async def test_a_bug_in_the_handler_is_one_answer(
    factory: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(factory) as wire:
        assert status(await wire.talk(post(path="/crash"))) == 500
        assert status(await wire.talk(post())) == 200
        assert "could not be handled" in caplog.text


async def test_hostile_requests_leave_no_trace_in_the_log(
    factory: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(factory) as wire:
        await wire.talk(b"garbage\r\n\r\n")
        await wire.talk(post(length=5, body=b"").replace(b"th: 5", b"th: +5"))
        assert caplog.text == ""


async def test_stopping_lets_a_request_finish(factory: Factory) -> None:
    async with serving(factory) as wire:
        reader, writer = await wire.connect()
        writer.write(post(b"a", length=2))
        await until(lambda: len(wire.seen.requests) == 1, "the request to arrive")
        stopping = asyncio.create_task(wire.server.stop(5000))
        await asyncio.sleep(0)
        writer.write(b"b")
        assert status(await read_all(reader)) == 200
        await stopping
        with pytest.raises(OSError, match=r"refused|failed"):
            await wire.connect()


async def test_whoever_leaves_still_answers_and_each_answer_is_the_last_of_its_connection(
    factory: Factory,
) -> None:
    async with serving(factory) as wire:
        reader, writer = await wire.connect()
        writer.write(kept(post()))
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n" + wire.seen.answer.body)
        wire.server.leave()
        writer.write(kept(post()))
        answer = await read_all(reader)
        assert status(answer) == 200
        assert b"connection: close" in answer.lower()
        assert status(await wire.talk(post())) == 200, "new connections are still taken"


async def test_stopping_does_not_wait_for_idle_connections(factory: Factory) -> None:
    async with serving(factory) as wire:
        reader, _ = await wire.connect()
        await asyncio.wait_for(wire.server.stop(60_000), 10)
        assert await reader.read() == b""
