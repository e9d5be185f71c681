"""What breaks: processes, the database, the ways to it, and clocks."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from benchmarks.cluster_ledger.providers import Accepted
from support.cluster.processes import Process
from support.postgres.proxy import Cut, FaultProxy
from support.postgres.server import PostgresServer

STOPPED_SECONDS: Final = 12.0
"""Longer than a lease."""
FROZEN_SECONDS: Final = 3.0
WRONG_SECONDS: Final = 4.0
"""How long a clock is wrong that is set right again."""
WRONG_BY: Final = tuple(
    sign * seconds * 1000 for seconds in (10, 3_600, 86_400, 31_536_000) for sign in (1, -1)
)
"""Milliseconds."""
_STRAGGLERS_SECONDS: Final = 0.3
"""What the victim had sent is seen by then: by the loop that waits, however late it is."""

Fault = Callable[[], Awaitable[None]]


class Faults:
    """Each leaves everything running; `kills` are the moments between which nothing may come
    twice."""

    def __init__(
        self,
        chance: random.Random,
        server: PostgresServer,
        receivers: Sequence[Process],
        dispatchers: Sequence[Process],
        proxies: Mapping[str, FaultProxy],
        accepted: Accepted,
    ) -> None:
        self._chance = chance
        self._server = server
        self._receivers = receivers
        self._dispatchers = dispatchers
        self._proxies = proxies
        self._accepted = accepted
        self.kills: list[int] = []
        """Nanoseconds, monotonic."""
        self.back: list[float] = []
        """Seconds from the end of an outage until something was accepted again."""

    @property
    def others(self) -> dict[str, Fault]:
        """All but `kill`, by what people call them."""
        return {
            "SIGSTOP": self._stop_and_continue,
            "PostgreSQL restarted, fast": lambda: self._restart(signal.SIGINT),
            "PostgreSQL restarted, immediate": lambda: self._restart(signal.SIGQUIT),
            "cut before the server had it": lambda: self._cut(Cut.BEFORE),
            "cut after the server had it": lambda: self._cut(Cut.AFTER),
            "no answer from the database": self._freeze,
            "SIGTERM and start": self._replace,
            "clock wrong for a moment": self._set_clock_wrong_for_a_moment,
            "clock wrong for long": self._set_a_clock,
        }

    async def kill(self) -> None:
        """`kill -9`."""
        victim = self._any()
        await victim.kill()
        await self._mark()
        await victim.start()

    def _any(self) -> Process:
        return self._chance.choice([*self._receivers, *self._dispatchers])

    async def _mark(self) -> None:
        """The fault lies between all that its victim had sent and all that a successor sends."""
        await asyncio.sleep(_STRAGGLERS_SECONDS)
        self.kills.append(time.monotonic_ns())

    async def _stop_and_continue(self) -> None:
        victim = self._chance.choice(self._dispatchers)
        victim.send(signal.SIGSTOP)
        await self._mark()
        await asyncio.sleep(STOPPED_SECONDS)
        # an attempt that was on its way when it was stopped goes on now, whoever made it meanwhile
        self.kills.append(time.monotonic_ns())
        victim.send(signal.SIGCONT)

    async def _restart(self, sent: signal.Signals) -> None:
        await asyncio.to_thread(self._server.stop, sent)
        await asyncio.sleep(self._chance.uniform(0.2, 2.0))
        # who hands a subscription over while the store is away cannot write down what it has sent
        self.kills.append(time.monotonic_ns())
        await asyncio.to_thread(self._server.start)
        await self._until_accepted(time.monotonic())

    async def _until_accepted(self, end: float) -> None:
        times = self._accepted.at
        while max(times[-1:], default=0.0) < end:  # noqa: ASYNC110 - it is a list
            await asyncio.sleep(0.01)
        self.back.append(times[-1] - end)

    async def _cut(self, cut: Cut) -> None:
        """In the middle of an append and of a flush."""
        self._proxies["receiver"].cut_next(b'{"n": ', cut)
        self._proxies["dispatcher"].cut_next(b"evt_", cut)

    async def _freeze(self) -> None:
        proxy = self._chance.choice(list(self._proxies.values()))
        proxy.freeze()
        await asyncio.sleep(FROZEN_SECONDS)
        self.kills.append(time.monotonic_ns())
        proxy.thaw()
        await self._until_accepted(time.monotonic())

    async def _replace(self) -> None:
        victim = self._any()
        await victim.stop()
        await victim.start()

    async def _set_clock_wrong_for_a_moment(self) -> None:
        victim = self._any()
        victim.shift_wall_clock(self._chance.choice(WRONG_BY))
        await asyncio.sleep(WRONG_SECONDS)
        victim.shift_wall_clock(0)

    async def _set_a_clock(self) -> None:
        """One dispatcher is wrong from now on, also when it is started again; all others are right.
        A receiver would refuse what is signed at another time."""
        for process in self._dispatchers:
            process.shift_wall_clock(0)
        self._chance.choice(self._dispatchers).shift_wall_clock(self._chance.choice(WRONG_BY))
