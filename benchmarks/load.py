"""Sends requests over kept connections and writes down when each was due, sent and answered."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Sequence
from typing import Final, cast

from benchmarks.wire import message_end

BROKEN: Final = 0
"""Stands for a status: the connection ended, or the answer never came. Whether the request was
accepted is not known."""
REFUSED: Final = 1
"""Nobody listened."""
_STATUS: Final = slice(9, 12)
_LEAST_NS: Final = 1_000_000
"""Between two looks at the schedule: what is due within it is sent together."""
_SPARSE_NS: Final = 20_000_000
"""Requests further apart than this are waited for without sleeping in the last moment."""
_AWAKE_NS: Final = 1_500_000


class Log:
    """Of requests by their place in the run; nanoseconds of the monotonic clock, 0: never."""

    COLUMNS: Final = ("due", "sent", "answered", "status")

    def __init__(self, count: int) -> None:
        self.due, self.sent, self.answered = (array("q", bytes(8 * count)) for _ in range(3))
        self.status = array("h", bytes(2 * count))


class Load:
    """A request that finds no connection free waits; its time runs from when it was due."""

    def __init__(
        self, address: tuple[str, int], requests: Sequence[bytes], connections: int
    ) -> None:
        self.requests = requests
        self.log = Log(len(requests))
        self.under_way = 0
        """Requests that were handed over and are not settled."""
        self.quiet = asyncio.Event()
        """Nothing is under way."""
        self._address = address
        self._most = connections
        self._open = 0
        self._idle: list[_Connection] = []
        self._waiting: deque[int] = deque()
        self._opening: set[asyncio.Task[None]] = set()

    def offer(self, place: int, due: int) -> None:
        """Sends it as soon as a connection is free. `due` 0: whenever that is."""
        self.log.due[place] = due
        self.under_way += 1
        self.quiet.clear()
        if self._idle:
            self._idle.pop().send(place)
        else:
            self._waiting.append(place)
            self._grow()

    def drop_waiting(self) -> None:
        """Forgets what has not been sent."""
        self.under_way -= len(self._waiting)
        self._waiting.clear()
        self._look()

    def settle(self, place: int, status: int) -> None:
        self.log.answered[place] = time.monotonic_ns()
        self.log.status[place] = status
        self.under_way -= 1
        self._look()

    def free(self, connection: _Connection) -> None:
        """It is open and has nothing to do."""
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: _Connection) -> None:
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._grow()

    def _look(self) -> None:
        if not self.under_way:
            self.quiet.set()

    def _grow(self) -> None:
        if self._open < self._most:
            self._open += 1
            task = asyncio.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Connection(self), *self._address)
        except OSError:
            self._open -= 1
            if self._waiting:
                self.settle(self._waiting.popleft(), REFUSED)
            if self._waiting:
                self._grow()


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._place = -1
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._load.free(self)

    def send(self, place: int) -> None:
        assert self._transport is not None
        self._place = place
        log = self._load.log
        log.sent[place] = time.monotonic_ns()
        log.due[place] = log.due[place] or log.sent[place]
        self._transport.write(self._load.requests[place])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._place < 0 or message_end(self._buffer) is None:
            return
        status, self._buffer = int(self._buffer[_STATUS]), b""
        place, self._place = self._place, -1
        self._load.settle(place, status)
        self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._place >= 0:
            self._load.settle(self._place, BROKEN)
            self._place = -1
        self._load.lost(self)


async def open_loop(load: Load, begin: int, rate: float, stopped: asyncio.Event) -> None:
    """Offers each request at its time, whatever became of those before it."""
    step, place, count = int(1e9 / rate), 0, len(load.requests)
    while place < count and not stopped.is_set():
        now = time.monotonic_ns()
        while place < count and begin + place * step <= now:
            load.offer(place, begin + place * step)
            place += 1
        await asyncio.sleep(_rest(begin + place * step - now, step) / 1e9)


def _rest(left: int, step: int) -> int:
    """Timers of event loops are a millisecond coarse: where it costs little, the last one is
    spent awake."""
    return max(left - _AWAKE_NS, 0) if step > _SPARSE_NS else max(left, _LEAST_NS)


async def closed_loop(load: Load, seconds: float, stopped: asyncio.Event) -> None:
    """Each connection sends its next request when the last is answered."""
    for place in range(len(load.requests)):
        load.offer(place, 0)
    waits = [asyncio.ensure_future(event.wait()) for event in (load.quiet, stopped)]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    load.drop_waiting()
