"""The subscriber, a program of its own: `python -m benchmarks.sink --ports 20`.

Each port is a target. It reads commands, one line of JSON each, and answers each with one:

    {"do": "behave", "target": 3, "mode": "dead"}
    {"do": "wait", "count": 1000, "seconds": 30}     when so many were answered 2xx, or in vain
    {"do": "cpu"}                                    seconds that it used so far
    {"do": "steady", "targets": [0, 1]}              see `Arrivals.steady`
    {"do": "dump", "file": "…"}                      every arrival
    {"do": "reset"}
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final, cast

import click
import orjson
import uvloop

from benchmarks.arrivals import Arrivals
from benchmarks.payload import NUMBER
from benchmarks.wire import answer, header, message_end

_OK: Final = answer("200 OK")
_FAIL: Final = answer("500 Internal Server Error")
_BUSY: Final = answer("429 Too Many Requests", b"", "Retry-After: 1")
_DRIP: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
_ID: Final = b"\r\nwebhook-id:"
_FLAKY_NS: Final = 250_000_000
_DRIP_SECONDS: Final = 1.0
_BACKLOG: Final = 1024


def ok(connection: Connection) -> bool:
    connection.write(_OK)
    return True


def dead(connection: Connection) -> bool:
    """Takes the request and never answers."""
    return False


def fail(connection: Connection) -> bool:
    connection.write(_FAIL)
    return False


def busy(connection: Connection) -> bool:
    connection.write(_BUSY)
    return False


def drip(connection: Connection) -> bool:
    """A byte a second, for ever."""
    connection.write(_DRIP)
    connection.drip()
    return False


def flaky(connection: Connection) -> bool:
    """Fails in one of three quarters of a second."""
    return fail(connection) if time.monotonic_ns() // _FLAKY_NS % 3 == 0 else ok(connection)


Mode = Callable[["Connection"], bool]
"""Answers a request, and says whether it did so with 2xx."""
MODES: Final[dict[str, Mode]] = {
    "ok": ok,
    "dead": dead,
    "fail": fail,
    "429": busy,
    "drip": drip,
    "flaky": flaky,
}


class Sink:
    """All targets and what came to them."""

    def __init__(self, targets: int) -> None:
        self.modes: list[Mode] = [ok] * targets
        self.arrivals = Arrivals()
        self._wanted = 0
        self._enough = asyncio.Event()

    def take(self, connection: Connection, target: int, data: bytes, begin: int) -> None:
        """A whole request; its body begins at `begin`."""
        at = time.monotonic_ns()
        good = self.modes[target](connection)
        number = int(data[begin + NUMBER.start : begin + NUMBER.stop])
        self.arrivals.add(target, number, at, good, header(data[:begin], _ID))
        if good and self.arrivals.good == self._wanted:
            self._enough.set()

    async def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        match command:
            case {"do": "behave", "target": int(target), "mode": str(mode)}:
                self.modes[target] = MODES[mode]
            case {"do": "wait", "count": int(count), "seconds": seconds}:
                return {"good": await self._wait(count, float(seconds))}
            case {"do": "cpu"}:
                return {"cpu": time.process_time()}
            case {"do": "steady", "targets": list(targets)}:
                return self.arrivals.steady(frozenset(targets))
            case {"do": "dump", "file": str(file)}:
                self.arrivals.dump(file)
            case {"do": "reset"}:
                self.arrivals.reset()
            case _:
                return {"error": "no such command"}
        return {}

    async def _wait(self, count: int, seconds: float) -> int:
        self._wanted = count
        if self.arrivals.good < count:
            self._enough.clear()
            waiting = asyncio.ensure_future(self._enough.wait())
            await asyncio.wait([waiting], timeout=seconds)
            waiting.cancel()
        return self.arrivals.good


class Connection(asyncio.Protocol):
    """Reads requests with a Content-Length, pipelined or not."""

    def __init__(self, sink: Sink, target: int) -> None:
        self._sink = sink
        self._target = target
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        while (found := message_end(data)) is not None:
            begin, end = found
            self._sink.take(self, self._target, data[:end], begin)
            data = data[end:]
        self._buffer = data

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def drip(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"x")
            asyncio.get_running_loop().call_later(_DRIP_SECONDS, self.drip)


@click.command()
@click.option("--ports", type=click.IntRange(1, 1000), default=1, help="Targets.")
def main(ports: int) -> None:
    """Take events in and write down when each came."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(ports))


async def _serve(ports: int) -> None:
    loop, sink = asyncio.get_running_loop(), Sink(ports)
    addresses = []
    for target in range(ports):
        server = await loop.create_server(
            lambda target=target: Connection(sink, target),  # type: ignore[misc]
            "127.0.0.1",
            backlog=_BACKLOG,
        )
        addresses.append(_url(server.sockets[0]))
    _say({"urls": addresses})
    async for line in _lines():
        _say(await sink.obey(orjson.loads(line)))


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{host}:{port}/"


async def _lines() -> Any:
    """Of standard input, until it ends."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    pipe = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    while line := await reader.readline():
        yield line


def _say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
