"""Wakes other processes and is woken by them, with LISTEN and NOTIFY. A NOTIFY makes commits queue
behind each other, so it is never sent within a transaction of work."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from hookplane.errors import StoreError
from hookplane.pacing.backoff import Backoff
from hookplane.store.local_notifier import LocalNotifier
from hookplane.store.notifications import Topic
from hookplane.store.postgres.connection import Connections, Purpose
from hookplane.store.postgres.db import Connection
from hookplane.store.postgres.faults import translated

PAUSE_SECONDS: Final = 0.02
"""Between two announcements: under load one carries what many commits have to say."""
FIRST_RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 2.0
"""Between attempts to listen again."""
PROBE_SECONDS: Final = 10.0
"""How often a connection that says nothing is asked whether it still works."""
_CHANNEL: Final = "hookplane_"
_PAYLOAD_BYTES: Final = 7_000
"""PostgreSQL allows 8,000."""
_ANNOUNCE: Final = (
    "select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as g(channel, payload)"
)


class NotifyBridge:
    """Passes the notifications of one process to all others and theirs to it. What a lost one told
    is found by polling; whenever listening begins again, everybody is woken once."""

    def __init__(
        self, connections: Connections, notifier: LocalNotifier, missed: Callable[[], None]
    ) -> None:
        """`missed` is called when notifications may have been lost."""
        self._connections = connections
        self._notifier = notifier
        self._missed = missed
        self._sender = secrets.token_hex(4)
        self._waiting: dict[Topic, set[str]] = {topic: set() for topic in Topic}
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: Connection | None = None

    async def start(self) -> None:
        """Returns when it listens. Raises as a connection does."""
        self._listening = await self._connect()
        self._tasks = [
            asyncio.create_task(self._announce()),
            asyncio.create_task(self._listen(self._listening)),
        ]

    def ring(self, topic: Topic, subjects: Iterable[str] = ("",)) -> None:
        """Wakes listeners here now and elsewhere soon."""
        for subject in subjects:
            self._notifier.tell(topic, subject)
            self._waiting[topic].add(subject)
        self._wanted.set()

    async def close(self) -> None:
        """Sends what still waits, then stops listening."""
        with contextlib.suppress(StoreError):
            await self._send()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listening is not None:  # a task that never began has ended nothing
            self._listening.terminate()

    async def _announce(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            with contextlib.suppress(StoreError):
                await self._send()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self) -> None:
        calls = list(self._calls())
        if not calls:
            return
        channels, payloads = zip(*calls, strict=True)
        async with self._connections.use(Purpose.OTHER) as db:
            await db.execute(_ANNOUNCE, channels, payloads)

    def _calls(self) -> Iterator[tuple[str, str]]:
        for topic, subjects in self._waiting.items():
            waiting, self._waiting[topic] = subjects, set()
            for payload in _packed(self._sender, sorted(waiting)):
                yield _CHANNEL + topic, payload

    async def _listen(self, db: Connection) -> None:
        while True:
            await _until_lost(db)
            db = self._listening = await self._reconnect()
            self._missed()

    async def _reconnect(self) -> Connection:
        backoff = Backoff(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        while True:
            try:
                return await self._connect()
            except StoreError:
                await asyncio.sleep(backoff.next_pause())

    async def _connect(self) -> Connection:
        db = await self._connections.connect("listen")
        try:
            with translated():
                for topic in Topic:
                    await db.add_listener(_CHANNEL + topic, self._heard)
        except BaseException:
            db.terminate()
            raise
        return db

    def _heard(self, _db: object, _pid: int, channel: str, payload: object) -> None:
        sender, *subjects = str(payload).split("\n")
        if sender != self._sender:
            topic = Topic(channel.removeprefix(_CHANNEL))
            for subject in subjects:
                self._notifier.tell(topic, subject)


async def _until_lost(db: Connection) -> None:
    """A connection that is silently gone shows only when it is used."""
    ended = asyncio.Event()
    db.add_termination_listener(lambda _: ended.set())
    try:
        while not (ended.is_set() or db.is_closed()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    await ended.wait()
            with translated():
                await db.execute("select 1")
    except StoreError:
        return
    finally:
        db.terminate()


def _packed(sender: str, subjects: list[str]) -> Iterator[str]:
    """Payloads: the sender, then subjects, a line each."""
    payload, size = [sender], len(sender)
    for subject in subjects:
        added = len(subject.encode()) + 1
        if size + added > _PAYLOAD_BYTES:
            yield "\n".join(payload)
            payload, size = [sender], len(sender)
        payload.append(subject)
        size += added
    if len(payload) > 1:
        yield "\n".join(payload)
