"""What the demo shows, step by step, on a running plane."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import click

from hookplane_cli.client.admin import AdminClient
from hookplane_cli.sink.arrival import Arrival
from hookplane_cli.sink.behaviour import Behaviour
from hookplane_cli.sink.sink import Sink

ORDERS: Final = "/endpoints/default/orders/trigger"
GITHUB: Final = "/endpoints/default/github/trigger"
PAUSE_SECONDS: Final = 1.0
"""After each step, for those who read along."""
ARRIVAL_SECONDS: Final = 60.0
"""How long the tour waits for a delivery."""
KEPT_ARRIVALS: Final = 1000
"""Events that are remembered; the tour needs the last few."""
_FORGED: Final = {
    "Content-Type": "application/json",
    "X-GitHub-Event": "push",
    "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "X-Hub-Signature-256": "sha256=" + "0" * 64,
}


class Inbox:
    """Counts attempts by event, and lets the tour wait for one."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._changed = asyncio.Event()

    def record(self, arrival: Arrival) -> None:
        self._seen[arrival.webhook_id] = arrival.attempt
        if len(self._seen) > KEPT_ARRIVALS:
            del self._seen[next(iter(self._seen))]
        self._changed.set()

    async def wait_for_attempt(self, event: str, number: int) -> None:
        """Returns when attempt `number` of this event has come. Raises click.ClickException if it
        does not come in time."""
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                while self._seen.get(event, 0) < number:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise click.ClickException(f"{event} was not delivered; see above") from error


@dataclass(frozen=True, slots=True)
class Stage:
    """What the steps act on."""

    client: AdminClient
    receiver_url: str
    sink: Sink
    inbox: Inbox


Step = tuple[str, Callable[[Stage], Awaitable[None]]]


async def tour(stage: Stage, say: Callable[[str], None]) -> None:
    """Says each step and carries it out; the next one begins when it has happened. Raises
    click.ClickException."""
    for number, (text, act) in enumerate(STEPS, 1):
        say(f"\n{number}. {text}")
        await act(stage)
        await asyncio.sleep(PAUSE_SECONDS)


async def _order(stage: Stage) -> None:
    await stage.inbox.wait_for_attempt(await _trigger(stage, ORDERS, "order.created"), 1)


async def _push(stage: Stage) -> None:
    await _trigger(stage, GITHUB, "push")


async def _forgery(stage: Stage) -> None:
    url = urlsplit(stage.receiver_url)

    def post() -> None:
        connection = http.client.HTTPConnection(url.netloc, timeout=10)
        connection.request("POST", "/default/github", b'{"ref":"refs/heads/main"}', _FORGED)
        connection.getresponse().read()
        connection.close()

    await asyncio.to_thread(post)


async def _bad_moment(stage: Stage) -> None:
    stage.sink.behave(Behaviour(first=1))
    await stage.inbox.wait_for_attempt(await _trigger(stage, ORDERS, "order.paid"), 2)


async def _trigger(stage: Stage, path: str, type_: str) -> str:
    """Sends a sample; the id of its event."""
    result: dict[str, Any] = await asyncio.to_thread(stage.client.post, path, {"type": type_})
    if result["statusCode"] >= 300:
        raise click.ClickException(f"{path} answered {result['statusCode']}")
    return str(result["eventID"])


STEPS: Final[tuple[Step, ...]] = (
    (
        "A shop sends an event, signed with the endpoint's key. Hookplane checks the signature,\n"
        "   stores the event on disk, answers 200, and delivers it, signed, to the subscriber.",
        _order,
    ),
    (
        "GitHub sends a push. It is verified and kept; no subscription asks for it yet.",
        _push,
    ),
    (
        "Somebody without the key sends the same. The answer is 401 and nothing is stored.",
        _forgery,
    ),
    (
        "The subscriber has a bad moment and answers 503 once. The event is kept and tried again.",
        _bad_moment,
    ),
)
