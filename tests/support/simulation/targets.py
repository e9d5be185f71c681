"""The subscribers: how they answer, and what they saw."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hookplane.clock import Millis
from hookplane_dispatcher.egress.client import EgressError, OutboundRequest, OutboundResponse
from support.simulation.processes import SimulatedProcess, SimulationLoop


class EventClass(StrEnum):
    """What a target makes of an event, whatever else is the matter with it."""

    GOOD = "good"
    POISON = "poison"
    """400, each time."""
    GONE = "gone"
    """410, each time."""


ANSWERS: Final = {EventClass.POISON: 400, EventClass.GONE: 410}


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a target for a while."""

    status: int = 200
    """0: it never answers."""
    seconds: float = 0.01
    retry_after: str | None = None


WELL = Trouble()
NEVER_SECONDS = 1e9


@dataclass(frozen=True)
class Arrival:
    """A request as its target saw it."""

    at: float
    process: str
    number: int
    """Which event it is, as its body says."""
    event: str
    """Its `webhook-id`."""
    event_class: EventClass
    success: bool
    replay: bool


class Targets:
    """One for each subscription, by its name."""

    def __init__(self, loop: SimulationLoop) -> None:
        self._loop = loop
        self._answers = dict(ANSWERS)
        self.trouble: dict[str, Trouble] = {}
        self.tried: dict[str, set[str]] = defaultdict(set)
        """Subscription → events that arrived."""
        self.delivered: dict[str, set[str]] = defaultdict(set)
        """Subscription → events that were answered 2xx."""
        self.successes: dict[str, Counter[str]] = defaultdict(Counter)
        """Subscription → event → how often it was answered 2xx, replays left out."""
        self.on_arrival: Callable[[str, Arrival], None] = lambda _name, _arrival: None

    def mend(self) -> None:
        """Nothing is answered 410 any more, which alone would go on for ever."""
        del self._answers[EventClass.GONE]

    async def answer(self, process: SimulatedProcess, request: OutboundRequest) -> OutboundResponse:
        """What a target does with a request; what it does it does even if nobody waits for it."""
        name = request.url.reveal().decode().removeprefix("http://").split(".", maxsplit=1)[0]
        trouble = self.trouble.get(name, WELL)
        body = json.loads(request.body)
        event_class = EventClass(body["class"])
        status = trouble.status
        if status == 200:
            status = self._answers.get(event_class, 200)
        seconds = trouble.seconds if trouble.status else NEVER_SECONDS
        timeout = request.timeout / 1000
        headers = dict(request.headers)
        arrival = Arrival(
            self._loop.time(),
            process.name,
            body["n"],
            headers["webhook-id"],
            event_class,
            status == 200 and seconds < timeout,
            "hookplane-replay" in headers,
        )
        self._note(name, arrival)
        await asyncio.sleep(min(seconds, timeout))
        if seconds >= timeout:
            return OutboundResponse(0, Millis(request.timeout), error=EgressError.TIMEOUT)
        return OutboundResponse(status, round(seconds * 1000), b"", trouble.retry_after)

    def _note(self, name: str, arrival: Arrival) -> None:
        self.tried[name].add(arrival.event)
        if arrival.success:
            self.delivered[name].add(arrival.event)
        if arrival.success and not arrival.replay:
            self.successes[name][arrival.event] += 1
        self.on_arrival(name, arrival)


class ProcessEgress:
    """The network as one dispatcher sees it."""

    def __init__(self, targets: Targets, process: SimulatedProcess) -> None:
        self._targets = targets
        self._process = process

    async def post(self, request: OutboundRequest) -> OutboundResponse:
        return await self._targets.answer(self._process, request)

    async def close(self) -> None:
        """Nothing is open."""
