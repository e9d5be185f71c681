"""What wakes other processes, and how a lost connection is found and replaced. The connections are
made up, and time passes only when all wait; that a server does pass it on is seen in the
conformance tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import Any, cast

import asyncpg
import pytest

from hookplane.errors import StoreError, StoreReplaced, StoreUnavailable
from hookplane.store.local_notifier import LocalNotifier
from hookplane.store.notifications import Topic
from hookplane.store.postgres.connection import Connections, Purpose
from hookplane.store.postgres.notify_bridge import (
    LONGEST_RETRY_SECONDS,
    PAUSE_SECONDS,
    PROBE_SECONDS,
    NotifyBridge,
)
from support.clocks.virtual import VirtualLoop

Heard = Callable[[object, int, str, object], None]

SOON = 0.001
MOST_BYTES = 8_000
"""PostgreSQL refuses a payload of this size."""


class Line:
    """A connection that listens."""

    def __init__(self, refused: Exception | None = None) -> None:
        self.heard: dict[str, Heard] = {}
        self.probes: list[float] = []
        self.terminated = self.gone = False
        self._refused = refused
        self._on_end: list[Callable[[object], None]] = []

    async def add_listener(self, channel: str, heard: Heard) -> None:
        if self._refused is not None and channel.endswith(Topic.SUBSCRIPTION):
            raise self._refused
        self.heard[channel] = heard

    def add_termination_listener(self, callback: Callable[[object], None]) -> None:
        self._on_end.append(callback)

    def is_closed(self) -> bool:
        return self.terminated

    async def execute(self, _sql: str) -> None:
        self.probes.append(asyncio.get_running_loop().time())
        if self.gone or self.terminated:
            raise asyncpg.ConnectionDoesNotExistError("it is gone")

    def terminate(self) -> None:
        self.terminated = True

    def end(self) -> None:
        """The server closes it."""
        self.terminated = True
        for callback in self._on_end:
            callback(self)

    def say(self, topic: Topic, payload: str) -> None:
        channel = f"hookplane_{topic}"
        self.heard[channel](self, 1, channel, payload)


class Server:
    """In place of `Connections`: hands out lines, and notes what is announced and when."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.tries: list[float] = []
        self.refuse: list[Exception] = []
        """What the next tries to listen end with."""
        self.next_lines: list[Line] = []
        """What they get first; sound ones when there are no more."""
        self.sent: list[tuple[float, list[tuple[str, str]]]] = []
        self.lose: list[StoreError] = []
        """What the next announcements end with."""

    async def connect(self, purpose: str) -> Line:
        assert purpose == "listen"
        self.tries.append(asyncio.get_running_loop().time())
        if self.refuse:
            raise self.refuse.pop(0)
        self.lines.append(self.next_lines.pop(0) if self.next_lines else Line())
        return self.lines[-1]

    @asynccontextmanager
    async def use(self, purpose: Purpose) -> AsyncIterator[Server]:
        assert purpose is Purpose.OTHER
        if self.lose:
            raise self.lose.pop(0)
        yield self

    async def execute(self, _sql: str, channels: tuple[str], payloads: tuple[str]) -> None:
        calls = list(zip(channels, payloads, strict=True))
        self.sent.append((asyncio.get_running_loop().time(), calls))

    def subjects(self, n: int, topic: Topic) -> list[str]:
        """Those of one announcement."""
        calls = [p for channel, p in self.sent[n][1] if channel == f"hookplane_{topic}"]
        return [x for payload in calls for x in payload.split("\n")[1:]]


class Scene:
    """A bridge that has started, its server, and what was told here."""

    def __init__(self) -> None:
        self.server = Server()
        self.told: list[tuple[Topic, str]] = []
        self.missed: list[float] = []
        notifier = LocalNotifier()
        for topic in Topic:
            notifier.listen(topic, partial(self._note, topic))
        now = asyncio.get_running_loop().time
        connections = cast(Connections, self.server)
        self.bridge = NotifyBridge(connections, notifier, lambda: self.missed.append(now()))

    def _note(self, topic: Topic, subject: str) -> None:
        self.told.append((topic, subject))


Story = Callable[[Scene], Coroutine[Any, Any, None]]


def on_virtual_time(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())


def play(story: Story) -> None:
    """Beside a bridge that has started."""

    async def whole() -> None:
        scene = Scene()
        await scene.bridge.start()
        try:
            await story(scene)
        finally:
            await scene.bridge.close()

    on_virtual_time(whole)


# Listening --------------------------------------------------------------------------------------


def test_what_others_announce_is_told_here_by_topic() -> None:
    async def story(scene: Scene) -> None:
        (line,) = scene.server.lines
        line.say(Topic.EVENTS, "other\nuid-1\nuid-2")
        line.say(Topic.SUBSCRIPTION, "other\nuid-3")
        line.say(Topic.CONFIG, "other\n")
        assert scene.told == [
            (Topic.EVENTS, "uid-1"),
            (Topic.EVENTS, "uid-2"),
            (Topic.SUBSCRIPTION, "uid-3"),
            (Topic.CONFIG, ""),
        ]
        assert scene.missed == []

    play(story)


def test_what_was_announced_here_is_not_told_twice() -> None:
    async def story(scene: Scene) -> None:
        scene.bridge.ring(Topic.EVENTS, ["uid-1"])
        await asyncio.sleep(SOON)
        for channel, payload in scene.server.sent[0][1]:
            scene.server.lines[0].say(Topic(channel.removeprefix("hookplane_")), payload)
        assert scene.told == [(Topic.EVENTS, "uid-1")]

    play(story)


def test_a_line_that_lives_is_asked_now_and_then_and_kept() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(3.5 * PROBE_SECONDS)
        (line,) = scene.server.lines
        assert line.probes == [PROBE_SECONDS, 2 * PROBE_SECONDS, 3 * PROBE_SECONDS]
        assert (line.terminated, scene.missed) == (False, [])

    play(story)


def test_a_line_that_ends_is_replaced_at_once_and_what_was_missed_is_said() -> None:
    async def story(scene: Scene) -> None:
        scene.server.lines[0].end()
        await asyncio.sleep(SOON)
        old, new = scene.server.lines
        assert (old.terminated, new.terminated, scene.missed) == (True, False, [0.0])
        new.say(Topic.EVENTS, "other\nuid-1")
        assert scene.told == [(Topic.EVENTS, "uid-1")]

    play(story)


def test_the_second_line_is_watched_as_the_first_one_was() -> None:
    async def story(scene: Scene) -> None:
        scene.server.lines[0].end()
        await asyncio.sleep(1)
        scene.server.lines[1].end()
        await asyncio.sleep(1)
        assert [x.terminated for x in scene.server.lines] == [True, True, False]
        assert scene.missed == [0.0, 1.0]

    play(story)


def test_a_line_that_is_silently_gone_is_found_when_it_is_asked() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(1)
        scene.server.lines[0].gone = True
        await asyncio.sleep(PROBE_SECONDS)
        old, new = scene.server.lines
        assert (old.terminated, new.terminated) == (True, False)
        assert scene.missed == [PROBE_SECONDS]

    play(story)


@pytest.mark.parametrize(
    "error", [StoreUnavailable("starting"), StoreReplaced("another one than before")]
)
def test_listening_is_tried_until_it_succeeds_ever_more_rarely(error: Exception) -> None:
    """And only then is it said that something was missed: before, nobody could look."""

    async def story(scene: Scene) -> None:
        scene.server.refuse = [error] * 8
        scene.server.lines[0].end()
        await asyncio.sleep(9)
        assert scene.missed == []
        await asyncio.sleep(2)
        pauses = [round(b - a, 3) for a, b in pairwise(scene.server.tries[1:])]
        assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, *[LONGEST_RETRY_SECONDS] * 3]
        assert scene.missed == [scene.server.tries[-1]]
        assert [x.terminated for x in scene.server.lines] == [True, False]

    play(story)


def test_the_pauses_of_a_second_loss_begin_anew() -> None:
    async def story(scene: Scene) -> None:
        scene.server.refuse = [StoreUnavailable("starting")] * 5
        scene.server.lines[0].end()
        await asyncio.sleep(10)
        scene.server.refuse = [StoreUnavailable("starting")]
        scene.server.lines[1].end()
        await asyncio.sleep(1)
        before, after = scene.server.tries[-2:]
        assert round(after - before, 3) == 0.1

    play(story)


def test_a_line_that_cannot_hear_every_topic_is_ended_and_tried_again() -> None:
    async def story(scene: Scene) -> None:
        refused = asyncpg.ConnectionDoesNotExistError("in the middle")
        scene.server.next_lines = [Line(refused)]
        scene.server.lines[0].end()
        await asyncio.sleep(1)
        _, half, whole = scene.server.lines
        assert (half.terminated, whole.terminated) == (True, False)
        assert sorted(whole.heard) == sorted(f"hookplane_{topic}" for topic in Topic)

    play(story)


def test_a_bridge_that_cannot_listen_at_first_does_not_start() -> None:
    async def story() -> None:
        made = Scene()
        made.server.refuse = [StoreUnavailable("no")]
        with pytest.raises(StoreUnavailable):
            await made.bridge.start()
        assert made.server.tries == [0.0]

    on_virtual_time(story)


# Announcing -------------------------------------------------------------------------------------


def test_one_announcement_says_what_many_commits_have_to_say() -> None:
    async def story(scene: Scene) -> None:
        for n in range(100):
            scene.bridge.ring(Topic.EVENTS, [f"uid-{n % 3}"])
        scene.bridge.ring(Topic.CONFIG)
        assert len(scene.told) == 101
        await asyncio.sleep(10 * PAUSE_SECONDS)
        assert len(scene.server.sent) == 1
        assert scene.server.subjects(0, Topic.EVENTS) == ["uid-0", "uid-1", "uid-2"]
        assert scene.server.subjects(0, Topic.CONFIG) == [""]
        assert scene.server.subjects(0, Topic.PROCESSES) == []

    play(story)


def test_two_announcements_are_a_pause_apart() -> None:
    async def story(scene: Scene) -> None:
        async def ring() -> None:
            for n in range(100):
                scene.bridge.ring(Topic.EVENTS, [f"uid-{n}"])
                await asyncio.sleep(0.001)

        await ring()
        await asyncio.sleep(2 * PAUSE_SECONDS)
        times = [at for at, _ in scene.server.sent]
        assert all(b - a >= PAUSE_SECONDS - 1e-9 for a, b in pairwise(times))
        assert 5 <= len(times) <= 7
        said = [x for n in range(len(times)) for x in scene.server.subjects(n, Topic.EVENTS)]
        assert sorted(said) == sorted(f"uid-{n}" for n in range(100))

    play(story)


def test_an_announcement_that_fails_holds_up_none_that_follow() -> None:
    async def story(scene: Scene) -> None:
        scene.server.lose = [StoreUnavailable("no")]
        scene.bridge.ring(Topic.EVENTS, ["uid-1"])
        await asyncio.sleep(1)
        scene.bridge.ring(Topic.EVENTS, ["uid-2"])
        await asyncio.sleep(1)
        assert [scene.server.subjects(0, Topic.EVENTS), len(scene.server.sent)] == [["uid-2"], 1]

    play(story)


def test_many_subjects_go_in_payloads_that_postgresql_takes() -> None:
    async def story(scene: Scene) -> None:
        subjects = [f"ü{n:05}" * 6 for n in range(1_000)]
        scene.bridge.ring(Topic.EVENTS, subjects)
        await asyncio.sleep(SOON)
        ((_, calls),) = scene.server.sent
        sizes = [len(payload.encode()) for _, payload in calls]
        assert max(sizes) < MOST_BYTES
        assert min(sizes[:-1]) > MOST_BYTES * 0.8
        assert len({payload.split("\n")[0] for _, payload in calls}) == 1
        assert scene.server.subjects(0, Topic.EVENTS) == subjects

    play(story)


@pytest.mark.parametrize("begun", [False, True])
def test_closing_says_what_still_waits_and_hears_nothing_more(begun: bool) -> None:
    async def story() -> None:
        made = Scene()
        await made.bridge.start()
        if begun:
            made.bridge.ring(Topic.EVENTS, ["uid-1"])
            await asyncio.sleep(SOON)
        made.bridge.ring(Topic.EVENTS, ["uid-2"])
        await made.bridge.close()
        assert made.server.subjects(-1, Topic.EVENTS) == ["uid-2"]
        assert made.server.lines[0].terminated
        await asyncio.sleep(2 * PROBE_SECONDS)
        assert len(made.server.tries) == 1

    on_virtual_time(story)


def test_a_store_that_is_gone_holds_up_no_closing() -> None:
    async def story() -> None:
        made = Scene()
        await made.bridge.start()
        made.server.lose = [StoreUnavailable("no")]
        made.bridge.ring(Topic.EVENTS, ["uid-1"])
        await made.bridge.close()
        assert made.server.lines[0].terminated

    on_virtual_time(story)
