"""Bodies of many connections at once, counted where they are kept."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from hookplane_receiver.ingress.body_budget import ALLOWANCE
from hookplane_receiver.ingress.body_room import BodyRoom
from hookplane_receiver.ingress.connection import SenderConnection
from hookplane_receiver.ingress.connections import SharedBounds
from hookplane_receiver.ingress.request_parser import IncomingRequest, RequestParser
from hookplane_receiver.ingress.server import (
    BodyBroken,
    Handler,
    InboundRequest,
    InboundResponse,
    IngressLimits,
    IngressServer,
    NoRoomForBody,
)
from hookplane_receiver.ingress.tls import TlsTransport
from support.clocks.until import PATIENCE, until
from support.planes.ingress import SERVERS, Wire, post, read_all, serving, status

MIB = 1 << 20
ROOM = 5 * MIB // 2
PATIENT = IngressLimits(body_timeout=60_000)


@dataclass
class Hall:
    """A server with a room for bodies; its handler takes those of up to 1 MiB. Paths are
    networks."""

    wire: Wire
    room: BodyRoom
    begun: list[str] = field(default_factory=list)


@asynccontextmanager
async def hall(name: str, limits: IngressLimits = PATIENT, size: int = ROOM) -> AsyncIterator[Hall]:
    shared, begun = SharedBounds(replace(limits, unverified_bytes=size)), list[str]()
    server = cast("Callable[..., IngressServer]", SERVERS[name])

    async def handle(request: InboundRequest) -> InboundResponse:
        begun.append(request.path)
        try:
            body = await request.read_body(MIB, request.path)
        except NoRoomForBody:
            return InboundResponse(503)
        except BodyBroken:
            return InboundResponse(400)
        return InboundResponse(200, str(len(body)).encode())

    def factory(handler: Handler, listen: str, limits: IngressLimits) -> IngressServer:
        return server(handler, listen, limits, shared=shared)

    async with serving(factory, limits, handler=handle) as wire:
        yield Hall(wire, shared.bodies, begun)


@pytest.fixture(params=list(SERVERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def withhold(
    wire: Wire, path: str = "/a", size: int = MIB, sent: int = 100_000
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await wire.connect()
    writer.write(post(bytes(sent), path, length=size))
    return reader, writer


async def test_strangers_keep_no_more_than_the_room(name: str) -> None:
    """And what they kept is free when they have gone."""
    async with hall(name) as found:
        strangers = [await withhold(found.wire) for _ in range(8)]
        await until(lambda: len(found.begun) == 8, "all requests to be at work")
        await until(lambda: found.room.held > MIB, "room to be taken")
        assert found.room.held <= ROOM
        for _, writer in strangers:
            writer.transport.abort()
        await until(lambda: found.room.held == 0, "all room to be free")
        assert status(await found.wire.talk(post(bytes(MIB), "/b"))) == 200
        assert found.room.held == 0


async def test_small_bodies_pass_whatever_strangers_keep(name: str) -> None:
    async with hall(name) as found:
        for _ in range(4):
            await withhold(found.wire)
        await until(lambda: found.room.held > MIB, "room to be taken")
        for size in (0, 1, ALLOWANCE):
            assert status(await found.wire.talk(post(bytes(size)))) == 200


async def test_whoever_sends_gets_the_room_of_those_who_do_not(name: str) -> None:
    """Also one of the same network."""
    async with hall(name) as found:
        strangers = [await withhold(found.wire) for _ in range(4)]
        await until(lambda: found.room.held > MIB, "room to be taken")
        for path in ("/a", "/b"):
            assert status(await found.wire.talk(post(bytes(MIB), path))) == 200
        answer = await asyncio.wait_for(strangers[0][0].readline(), PATIENCE)
        assert status(answer) == 503


async def test_a_burst_of_large_bodies_is_taken_in_turn(name: str) -> None:
    """Of known and of unknown length."""
    chunks = b"10000\r\n" + bytes(65536) + b"\r\n"
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunked = head + 12 * chunks + b"0\r\n\r\n"
    async with hall(name) as found:
        whole = [found.wire.talk(post(bytes(MIB))) for _ in range(8)]
        pieces = [found.wire.talk(chunked) for _ in range(4)]
        answers = await asyncio.gather(*whole, *pieces)
        assert [status(x) for x in answers] == [200] * 12
        assert found.room.held == 0


async def test_who_waits_in_vain_is_told_at_the_deadline(name: str) -> None:
    async with hall(name, IngressLimits(body_timeout=300), MIB // 2) as found:
        late, _ = await withhold(found.wire)
        assert status(await asyncio.wait_for(read_all(late), PATIENCE)) == 503


async def test_at_the_cap_a_body_that_does_not_come_gives_way(name: str) -> None:
    async with hall(name, IngressLimits(connections=2, body_timeout=60_000)) as found:
        strangers = [await withhold(found.wire, sent=1) for _ in range(2)]
        await until(lambda: len(found.begun) == 2, "all requests to be at work")

        async def answered() -> bool:
            return status(await found.wire.talk(post(b"{}", "/b"))) == 200

        async with asyncio.timeout(PATIENCE):
            while not await answered():
                pass
        assert await asyncio.wait_for(read_all(strangers[0][0]), PATIENCE) == b""


async def test_what_strangers_kept_needs_no_collector_to_be_free(name: str) -> None:
    """It would come so seldom that thousands of connections were waiting for it."""
    kinds = (SenderConnection, IncomingRequest, RequestParser, TlsTransport)

    def left() -> list[object]:
        return [x for x in gc.get_objects() if isinstance(x, kinds)]

    gc.collect()
    gc.disable()
    try:
        async with hall(name) as found:
            for sent in (0, 100, 100_000):
                _, writer = await withhold(found.wire, sent=sent)
                await until(lambda: left() != [], "the connection")
                writer.transport.abort()
                await until(lambda: left() == [], "its end")
            assert status(await found.wire.talk(post(b"{}"))) == 200
            await until(lambda: left() == [], "its end")
    finally:
        gc.enable()


async def test_a_million_chunks_hold_up_nobody_else(name: str) -> None:
    """They are read in small pieces, and everybody has a turn between two."""
    chunked = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    async with hall(name) as found:
        stranger = asyncio.create_task(
            found.wire.talk(chunked + b"1\r\nx\r\n" * 1_000_000 + b"0\r\n\r\n")
        )
        answered = 0
        while not stranger.done():
            assert status(await found.wire.talk(post(b"{}"))) == 200
            answered += 1
        assert (await stranger).endswith(b"1000000")
        assert answered > 20
