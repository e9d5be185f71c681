"""Requests that are odd, broken or meant to harm, and what any ingress server makes of them."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import threading
from contextlib import suppress
from typing import cast

import pytest

from hookplane_receiver.ingress.server import (
    BodyBroken,
    BodyTimeout,
    InboundRequest,
    InboundResponse,
    IngressLimits,
)
from support.clocks.until import PATIENCE, until
from support.cluster.sockets import open_sockets
from support.planes.ingress import (
    Factory,
    Wire,
    chunked,
    drip,
    kept,
    lines,
    post,
    read_all,
    received,
    serving,
    status,
)

NEXT = post(b"next", "/next")


async def answered_alone(wire: Wire, sent: bytes) -> int:
    """The status of the answer to what is no request; what comes behind it is not answered."""
    answer = await wire.talk(sent + NEXT)
    assert answer.count(b"HTTP/1.") == 1
    return status(answer)


# Framing ----------------------------------------------------------------------------------------

AMBIGUOUS = {
    "no host": [b"Hos: x"],
    "two hosts": [b"Host: x", b"Host: y"],
    "the same host twice": [b"Host: x", b"Host: x"],
    "a coding besides": [b"Transfer-Encoding: gzip, chunked"],
    "a coding that is none": [b"Transfer-Encoding: xchunked"],
    "identity": [b"Transfer-Encoding: identity"],
    "no coding": [b"Transfer-Encoding:"],
    "a vertical tab before the coding": [b"Transfer-Encoding: \x0bchunked"],
    "chunked twice": [b"Transfer-Encoding: chunked, chunked"],
    "chunked in two headers": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
    "chunks and a length": [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
    "length and chunks": [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    "two codings": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
    "chunked is not last": [b"Transfer-Encoding: chunked, identity"],
    "two lengths": [b"Content-Length: 5", b"Content-Length: 6"],
    "the same length twice": [b"Content-Length: 5", b"Content-Length: 5"],
    "signed length": [b"Content-Length: +5"],
    "negative length": [b"Content-Length: -5"],
    "no number": [b"Content-Length: 5 5"],
    "space before the colon": [b"Content-Length : 5"],
    "folded": [b"X-A: a", b" b"],
    "NUL in a value": [b"X-A: a\x00b"],
    "CR in a value": [b"X-A: a\rb"],
    "a list of lengths": [b"Content-Length: 5, 5"],
    "no length": [b"Content-Length:"],
    "a length in hexadecimal": [b"Content-Length: 0x5"],
    "a length beyond 64 bits": [b"Content-Length: 99999999999999999999999"],
    "a folded coding": [b"Transfer-Encoding:", b" chunked"],
    "a line that is folded first": [b" X-A: a"],
    "a bare line feed in a header": [b"X-A: a\nX-B: b"],
    "a bare line feed before the end": [b"X-A: a\n"],
    "a control character": [b"X-A: a\x01b"],
    "NUL in a name": [b"X\0A: a"],
    "no name": [b": a"],
    "no colon": [b"Content-Length 5"],
    "a name with a bracket": [b"X(A): a"],
    "a name that is not ASCII": [b"X-\xe9: a"],
}


@pytest.mark.parametrize("headers", AMBIGUOUS.values(), ids=list(AMBIGUOUS))
async def test_headers_that_can_be_read_in_two_ways_are_refused(
    factory: Factory, headers: list[bytes]
) -> None:
    async with serving(factory) as wire:
        host = [] if headers[0].startswith(b"Hos") else [b"Host: x"]
        sent = lines(b"POST /a HTTP/1.1", *host, *headers) + b"0\r\n\r\n"
        assert await answered_alone(wire, sent) in (400, 501)
        assert wire.seen.requests == []


REQUEST_LINES = {
    "two spaces are no target": b"POST  HTTP/1.1",
    "no version": b"POST /a",
    "a newer version": b"POST /a HTTP/2.0",
    "a version that is none": b"POST /a HTTP/1.7",
    "the preface of HTTP/2": b"PRI * HTTP/2.0",
    "a tab": b"POST\t/a HTTP/1.1",
    "a space behind the version": b"POST /a HTTP/1.1 ",
    "a control character": b"POST /a\x01 HTTP/1.1",
    "a target without a slash": b"POST a HTTP/1.1",
    "a method that is none": b"FOO(R) /a HTTP/1.1",
    "a tunnel": b"CONNECT x:80 HTTP/1.1",
    "a line feed alone": b"POST /a HTTP/1.1\nX: y",
}


@pytest.mark.parametrize("line", REQUEST_LINES.values(), ids=list(REQUEST_LINES))
async def test_request_lines_that_are_none_are_refused(factory: Factory, line: bytes) -> None:
    async with serving(factory) as wire:
        sent = lines(line, b"Host: x", b"Content-Length: 0")
        assert await answered_alone(wire, sent) in (400, 505)
        assert wire.seen.requests == []


BAD_CHUNKS = {
    "hexadecimal with a prefix": b"0x1\r\nx\r\n0\r\n\r\n",
    "a sign": b"+1\r\nx\r\n0\r\n\r\n",
    "a minus": b"-1\r\nx\r\n0\r\n\r\n",
    "a space before": b" 1\r\nx\r\n0\r\n\r\n",
    "a space behind": b"1 \r\nx\r\n0\r\n\r\n",
    "line feeds alone": b"1\nx\n0\n\n",
    "no size": b"\r\nx\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"fffffffffffffffff\r\nx",
    "more than was said": b"1\r\nxy\r\n0\r\n\r\n",
    "a line feed in an extension": b"1;a\nb\r\nx\r\n0\r\n\r\n",
    "an extension of 128 KiB": b"1;" + b"a" * 131072 + b"\r\nx\r\n0\r\n\r\n",
    "a length behind the body": b"1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n",
    "a coding behind the body": b"1\r\nx\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "128 KiB behind the body": b"1\r\nx\r\n0\r\nX: " + b"a" * 131072 + b"\r\n\r\n",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=list(BAD_CHUNKS))
async def test_chunks_that_are_none_are_no_body(factory: Factory, body: bytes) -> None:
    async with serving(factory, IngressLimits(body_timeout=300)) as wire:
        assert 400 <= await answered_alone(wire, chunked(body)) < 500
        assert wire.seen.bodies == []


@pytest.mark.parametrize("size", [0, 200_000])
async def test_a_broken_body_that_nobody_wants_ends_its_connection(
    factory: Factory, size: int
) -> None:
    """Right behind the request, or long after the answer."""
    async with serving(factory) as wire:
        sent = chunked(b"1\r\nx\r\n").replace(b"/a", b"/unread")
        reader, writer = await wire.connect()
        writer.write(sent)
        assert b" 404 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"zz\r\n" + b"x" * size)
        writer.write(NEXT)
        assert b"HTTP/1." not in await read_all(reader)
        assert status(await wire.talk(post())) == 200
        assert wire.seen.bodies == [b"{}"]


GOOD_CHUNKS = {
    "upper case": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "lower case": (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "zeros before": (b"00000a\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
    "extensions": (b'1;a=b;c="d;e"\r\nx\r\n0;z\r\n\r\n', b"x"),
    "headers behind the body": (b"1\r\nx\r\n0\r\nX-Sum: 1\r\nX-Two: 2\r\n\r\n", b"x"),
    "nothing": (b"0\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", GOOD_CHUNKS)
async def test_chunks_of_any_writing_are_one_body(factory: Factory, name: str) -> None:
    sent, meant = GOOD_CHUNKS[name]
    async with serving(factory) as wire:
        answer = await wire.talk(chunked(sent) + NEXT)
        assert answer.count(b"HTTP/1.1 200") == 2
        assert wire.seen.bodies == [meant, b"next"]
        assert all(name != "x-sum" for name, _ in wire.seen.requests[0].headers)


async def test_chunks_are_for_newer_clients_than_those_of_http_1_0(factory: Factory) -> None:
    """RFC 9112 §6.1: such framing is faulty."""
    async with serving(factory) as wire:
        sent = lines(b"POST /a HTTP/1.0", b"Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n\r\n"
        assert status(await wire.talk(sent)) == 400
        assert wire.seen.bodies == []


async def test_a_request_may_come_a_byte_at_a_time(factory: Factory) -> None:
    async with serving(factory) as wire:
        reader, writer = await wire.connect()
        for byte in chunked(b"3\r\nabc\r\n0\r\n\r\n", b"X-A:  a b \t ") + NEXT:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await read_all(reader)).count(b"HTTP/1.1 200") == 2
        assert wire.seen.bodies == [b"abc", b"next"]
        assert ("x-a", "a b") in wire.seen.requests[0].headers


async def test_an_empty_header_is_one(factory: Factory) -> None:
    async with serving(factory) as wire:
        assert status(await wire.talk(post(b"", "/a", "X-A:", "X-B: b"))) == 200
        headers = wire.seen.requests[0].headers
        assert ("x-a", "") in headers
        assert ("x-b", "b") in headers


async def test_empty_lines_before_a_request_are_passed_over(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(b"\r\n\r\n" + kept(post()) + b"\r\n" + post())
        assert answer.count(b"HTTP/1.1 200") == 2


async def test_every_method_may_have_a_body(factory: Factory) -> None:
    async with serving(factory) as wire:
        sent = lines(b"GET /a HTTP/1.1", b"Host: x", b"Content-Length: 3") + b"abc" + NEXT
        assert (await wire.talk(sent)).count(b"HTTP/1.1 200") == 2
        assert wire.seen.bodies == [b"abc", b"next"]


# Versions, targets, and what else a client may want ----------------------------------------------


async def test_the_answer_to_head_has_no_body(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(lines(b"HEAD /a HTTP/1.1", b"Host: x") + post())
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert b"content-length: 2" in head.lower()
        assert rest.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("method", [b"GET", b"OPTIONS", b"PUT", b"DELETE", b"PATCH"])
async def test_the_handler_decides_about_methods(factory: Factory, method: bytes) -> None:
    async with serving(factory) as wire:
        assert (
            status(await wire.talk(lines(method + b" /a?b HTTP/1.1", b"Host: x") + post())) == 200
        )
        first = wire.seen.requests[0]
        assert (first.method, first.path, first.target) == (method.decode(), "/a", "/a?b")


async def test_connections_of_http_1_0_end_with_the_answer(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(lines(b"POST /a HTTP/1.0", b"Content-Length: 2") + b"ab")
        assert status(answer) == 200
        assert wire.seen.bodies == [b"ab"]


async def test_connections_of_http_1_0_are_kept_if_they_ask(factory: Factory) -> None:
    async with serving(factory) as wire:
        asks = lines(b"POST /a HTTP/1.0", b"Connection: keep-alive", b"Content-Length: 0")
        answer = await wire.talk(asks + post())
        assert answer.count(b"HTTP/1.") == 2
        assert b"connection: keep-alive" in answer.lower()


async def test_nothing_is_read_behind_a_last_request(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(post() + NEXT)
        assert answer.count(b"HTTP/1.") == 1
        assert wire.seen.bodies == [b"{}"]


@pytest.mark.parametrize("target", ["http://x.example/a/b?c=d", "HTTPS://x.example:1/a/b?c=d"])
async def test_a_target_may_name_the_server(factory: Factory, target: str) -> None:
    """RFC 9112 §3.2.2: every server must take the absolute form."""
    async with serving(factory) as wire:
        assert status(await wire.talk(post(path=target))) == 200
        assert wire.seen.requests[0].target == "/a/b?c=d"


async def test_a_target_that_names_the_server_alone_is_its_root(factory: Factory) -> None:
    async with serving(factory) as wire:
        await wire.talk(kept(post(path="http://x.example")) + post(path="http://x.example?b"))
        assert [request.target for request in wire.seen.requests] == ["/", "/?b"]


async def test_an_offer_of_another_protocol_is_not_taken(factory: Factory) -> None:
    """Clients of HTTP/2 make it with their first request, and that one is served."""
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    whole = lines(b"POST /a HTTP/1.1", b"Host: x", *offer, b"Content-Length: 3") + b"abc"
    async with serving(factory) as wire:
        answer = await wire.talk(whole + chunked(b"1\r\nx\r\n0\r\n\r\n", *offer) + NEXT)
        assert answer.count(b"HTTP/1.1 200") == 3
        assert wire.seen.bodies == [b"abc", b"x", b"next"]


async def test_the_body_behind_an_offer_may_come_later(factory: Factory) -> None:
    async with serving(factory) as wire:
        reader, writer = await wire.connect()
        offer = "Connection: Upgrade", "Upgrade: websocket"
        head, _, body = kept(post(b"abc", "/a", *offer)).partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        await until(lambda: len(wire.seen.requests) == 1, "the request to arrive")
        writer.write(body + NEXT)
        assert (await read_all(reader)).count(b"HTTP/1.1 200") == 2
        assert wire.seen.bodies == [b"abc", b"next"]


async def test_a_client_that_waits_to_send_its_body_need_not(factory: Factory) -> None:
    """It may leave the body of a refused request out, or not, so no other one can follow."""
    async with serving(factory) as wire:
        sent = kept(post(b"", "/unread", "Expect: 100-continue", length=5))
        answer = await wire.talk(sent)
        assert status(answer) == 404
        assert b"connection: close" in answer.lower()


async def test_expectations_that_we_do_not_know_are_refused(factory: Factory) -> None:
    async with serving(factory) as wire:
        assert status(await wire.talk(post(b"", "/a", "Expect: a-miracle"))) == 417
        assert wire.seen.requests == []


async def test_continue_is_not_said_to_who_does_not_ask(factory: Factory) -> None:
    """Nor to a client of HTTP/1.0, which would take it for the answer (RFC 9110 §10.1.1)."""
    async with serving(factory) as wire:
        old = lines(b"POST /a HTTP/1.0", b"Expect: 100-continue", b"Content-Length: 2")
        for head in (old, post(b"", length=2)):
            wire.seen.requests.clear()
            reader, writer = await wire.connect()
            writer.write(head)
            await until(lambda: wire.seen.requests, "the request to arrive")
            writer.write(b"ab")
            assert status(await read_all(reader)) == 200


async def test_who_closes_its_half_gets_its_answer(factory: Factory) -> None:
    closed = threading.Event()

    async def handle(request: InboundRequest) -> InboundResponse:
        await until(closed.is_set, "the client to close its half")
        for _ in range(10):  # the server learns of it
            await asyncio.sleep(0)
        return InboundResponse(200, await request.read_body(100, request.peer))

    async with serving(factory, handler=handle) as wire:
        answer = await asyncio.to_thread(half_closed, wire, kept(post(b"ab")), closed)
        assert status(answer) == 200
        assert answer.endswith(b"ab")


async def test_a_body_that_ends_with_its_half_of_the_connection_is_broken(
    factory: Factory,
) -> None:
    async with serving(factory) as wire:
        answer = await asyncio.to_thread(half_closed, wire, post(b"ab", length=5))
        assert status(answer) == 413
        assert wire.seen.broken == [BodyBroken]


def half_closed(wire: Wire, sent: bytes, closed: threading.Event | None = None) -> bytes:
    """What comes to a client that closes its half behind what it sent. With TLS that is its half of
    the connection underneath: the end that TLS itself tells is that of both."""
    with wire.dial() as client:
        client.sendall(sent)
        socket.socket.shutdown(client, socket.SHUT_WR)  # that of an SSLSocket drops its keys too
        if closed is not None:
            closed.set()
        return received(client)


# Many at once -----------------------------------------------------------------------------------


async def test_requests_of_a_connection_are_answered_one_by_one(factory: Factory) -> None:
    running, most = 0, 0

    async def handle(request: InboundRequest) -> InboundResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await request.read_body(100, request.peer)
        await asyncio.sleep(0)
        running -= 1
        return InboundResponse(200, request.target.encode())

    async with serving(factory, handler=handle) as wire:
        sent = [kept(post(b"{}", f"/{number}")) for number in range(500)]
        answer = await wire.talk(b"".join(sent) + post(b"{}", "/last"))
        assert most == 1
        parts = answer.split(b"\r\n\r\n/")[1:]
        told = [part.split(b"HTTP/1.1")[0] for part in parts]
        assert told == [*(str(number).encode() for number in range(500)), b"last"]


async def test_good_requests_before_a_bad_one_are_answered(factory: Factory) -> None:
    async with serving(factory) as wire:
        answer = await wire.talk(kept(post()) * 2 + b"garbage\r\n\r\n" + NEXT)
        assert answer.count(b"HTTP/1.1 200") == 2
        assert answer.count(b"HTTP/1.1 400") == 1
        assert wire.seen.bodies == [b"{}", b"{}"]


async def test_a_body_that_nobody_asked_for_is_not_kept(factory: Factory) -> None:
    """The client is held up instead."""
    asked, held_up = asyncio.Event(), threading.Event()

    async def handle(request: InboundRequest) -> InboundResponse:
        await asked.wait()
        body = await request.read_body(20_000_000, request.peer)
        return InboundResponse(200, str(len(body)).encode())

    async with serving(factory, handler=handle) as wire:
        sent = post(b"x" * 20_000_000)
        sending = asyncio.create_task(asyncio.to_thread(patiently, wire, sent, held_up))
        await until(held_up.is_set, "the client to be held up")
        asked.set()
        assert (await sending).endswith(b"20000000")


def patiently(wire: Wire, sent: bytes, held_up: threading.Event) -> bytes:
    """Sends everything, and tells when nothing of it has been taken for a while."""
    left = memoryview(sent)
    with wire.dial() as client:
        client.settimeout(0.3)
        while left:
            try:
                left = left[client.send(left[:65536]) :]
            except TimeoutError:
                held_up.set()
        client.settimeout(PATIENCE)
        return received(client)


# Deadlines, and answers that get through ---------------------------------------------------------


async def test_dripping_bodies_end_at_their_deadline(factory: Factory) -> None:
    async with serving(factory, IngressLimits(body_timeout=200)) as wire:
        reader, writer = await wire.connect()
        dripping = asyncio.create_task(drip(writer, post(b"x" * 900)))
        assert status(await read_all(reader)) == 413
        dripping.cancel()
        assert wire.seen.broken == [BodyTimeout]


async def test_a_second_request_has_a_deadline_of_its_own(factory: Factory) -> None:
    async with serving(factory, IngressLimits(header_timeout=300, idle_timeout=60_000)) as wire:
        reader, writer = await wire.connect()
        writer.write(kept(post()))
        await reader.readuntil(b"\r\n\r\nok")
        writer.write(b"POST /a HT")
        assert (await read_all(reader)).startswith(b"HTTP/1.1 408")


async def test_an_idle_connection_is_no_late_request(factory: Factory) -> None:
    """Not even if empty lines came on it."""
    async with serving(factory, IngressLimits(header_timeout=100, idle_timeout=700)) as wire:
        reader, writer = await wire.connect()
        writer.write(kept(post()))
        await reader.readuntil(b"\r\n\r\nok")
        writer.write(b"\r\n")
        assert await read_all(reader) == b""


REFUSED = {
    "400": b"garbage\r\n\r\n",
    "431": b"POST /a HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000,
    "414": b"POST /" + b"a" * 70_000,
}


@pytest.mark.parametrize("expected", REFUSED)
async def test_who_is_still_sending_can_read_the_refusal(factory: Factory, expected: str) -> None:
    async with serving(factory) as wire:
        for _ in range(3):
            answer = await wire.talk(REFUSED[expected] + b"x" * 5_000_000)
            assert status(answer) == int(expected)
            assert answer.count(b"HTTP/1.") == 1


async def test_who_never_stops_sending_is_hung_up_on(factory: Factory) -> None:
    async with serving(factory, IngressLimits(linger_timeout=200)) as wire:
        reader, writer = await wire.connect()
        writer.write(post(b"", length=1 << 40))
        assert b" 413 " in await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(OSError, match=r".*"):
            await _send_for_ever(writer)


async def _send_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def test_who_is_gone_when_it_is_refused_leaves_no_trace_in_the_log(
    factory: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """Its end is noticed by the very answer."""
    begun, refused = threading.Event(), asyncio.Event()

    async def handle(request: InboundRequest) -> InboundResponse:
        begun.set()
        await refused.wait()
        return InboundResponse(413, b"no", close=True)

    async with serving(factory, handler=handle) as wire:
        await asyncio.to_thread(leave_when, begun, wire)
        refused.set()
        assert status(await wire.talk(post(b"ab", length=10))) == 413
    assert caplog.text == ""


def leave_when(begun: threading.Event, wire: Wire) -> None:
    """Without a word: nothing tells of the end but the connection's own."""
    with wire.dial() as client:
        client.sendall(post(b"ab", length=10))
        assert begun.wait(PATIENCE)


async def test_a_refused_body_that_never_comes_is_not_waited_for(factory: Factory) -> None:
    async with serving(factory, IngressLimits(linger_timeout=200)) as wire:
        reader, writer = await wire.connect()
        writer.write(kept(post(b"", "/unread", length=5)))
        assert (await read_all(reader)).count(b"HTTP/1.") == 1


async def test_an_answer_that_nobody_reads_ends_its_connection(factory: Factory) -> None:
    async with serving(factory, IngressLimits(idle_timeout=300)) as wire:
        wire.seen.answer = InboundResponse(200, b"x" * 30_000_000)
        _, writer = await wire.connect()
        cast(asyncio.Transport, writer.transport).pause_reading()
        writer.write(kept(post()) * 2)
        await until(lambda: wire.seen.bodies, "the request to be answered")
        await until(
            lambda: wire.port not in {x.port for x in open_sockets()}, "the end of the connection"
        )
        assert wire.seen.bodies == [b"{}"]


# Stopping -----------------------------------------------------------------------------------------


async def test_stopping_waits_for_one_answer_of_many(factory: Factory) -> None:
    """What has come behind a request that is under way is not begun."""
    async with serving(factory) as wire:
        reader, writer = await wire.connect()
        writer.write(kept(post(b"a", length=2)))
        await until(lambda: len(wire.seen.requests) == 1, "the request to arrive")
        stopping = asyncio.create_task(wire.server.stop(5000))
        await asyncio.sleep(0)
        writer.write(b"b" + NEXT)
        answer = await read_all(reader)
        assert answer.count(b"HTTP/1.1 200") == 1
        assert b"connection: close" in answer.lower()
        await stopping
        assert wire.seen.bodies == [b"ab"]


async def test_stopping_waits_no_longer_than_it_may(factory: Factory) -> None:
    async with serving(factory) as wire:
        _, writer = await wire.connect()
        writer.write(post(b"a", length=2))
        await until(lambda: len(wire.seen.requests) == 1, "the request to arrive")
        async with asyncio.timeout(10):
            await wire.server.stop(100)
        assert wire.seen.bodies == []


# Chance -------------------------------------------------------------------------------------------

PARTS = [
    post(),
    kept(post()),
    kept(post(b"x" * 500, "/unread")),
    kept(post(b"x" * 5000)),
    lines(b"HEAD /a HTTP/1.1", b"Host: x"),
    lines(b"GET / HTTP/1.0"),
    chunked(b"5\r\nabcde\r\n"),
    chunked(b"zz\r\n").replace(b"/a", b"/unread"),
    b"POST /a HTTP/1.1\r\nHost: x\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Upgrade: h2c\r\nConnection: upgrade\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
    b"abcde",
    b"0\r\n\r\n",
    b"x" * 70_000,
    b"\n\0",
]


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_comes_the_server_goes_on(
    factory: Factory, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    """All waits are short, so that none of these connections outlives them."""
    chance = random.Random(seed)
    limits = IngressLimits(
        header_timeout=100, body_timeout=100, idle_timeout=100, linger_timeout=100
    )
    async with serving(factory, limits) as wire:
        await asyncio.gather(*[_anything(wire, chance) for _ in range(40)])
        assert status(await wire.talk(post())) == 200
    assert [x for x in caplog.records if x.name.startswith("hookplane")] == []


async def _anything(wire: Wire, chance: random.Random) -> None:
    data = b"".join(chance.choices(PARTS, k=chance.randint(1, 14)))
    reader, writer = await wire.connect()
    with suppress(OSError, RuntimeError):  # what loops raise where the other end has closed
        while data:
            size = chance.choice([1, 50, 1000, 30_000])
            writer.write(data[:size])
            data = data[size:]
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        if chance.random() < 0.2:
            writer.transport.abort()
        elif chance.random() < 0.3 and wire.tls is None:
            writer.write_eof()
    with suppress(ConnectionError, ssl.SSLError):
        await until_ended(reader)


async def until_ended(reader: asyncio.StreamReader) -> None:
    """Fails the test when the server keeps the connection."""
    ended = asyncio.create_task(read_all(reader))
    done, _ = await asyncio.wait([ended], timeout=PATIENCE)
    assert done, "the connection outlives all waits"
    await ended
