"""A list is the state, a watch goes on from it, and whatever interrupts a watch brings a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from hookplane_operator.kube.answers import WatchEvent
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, Forbidden
from hookplane_operator.kube.kinds import ENDPOINT, Object
from hookplane_operator.metrics import Metrics
from hookplane_operator.watch.knowledge import Knowledge
from hookplane_operator.watch.reflector import Reflector
from support.clocks.manual import ManualClock
from support.clocks.until import until


def body(name: str, version: int, uid: str = "") -> Object:
    metadata = {"namespace": "shop", "name": name, "uid": uid or name}
    return {"kind": ENDPOINT.kind, "metadata": metadata | {"resourceVersion": str(version)}}


class ApiServer:
    """One kind of objects, and what watches of it tell."""

    def __init__(self) -> None:
        self.there: list[Object] = []
        self.version = 1
        self.list_error: ApiError | None = None
        self.watch_error: ApiError | None = None
        self.lists = 0
        self.watched_from: list[str] = []
        self._events: asyncio.Queue[WatchEvent | ApiError | None] = asyncio.Queue()

    async def pages(self, *_: object, **__: object) -> AsyncIterator[Object]:
        """Each object on a page of its own."""
        self.lists += 1
        found: list[Object | None] = [*self.there]
        for item in found or [None]:
            metadata = {"resourceVersion": str(self.version)}
            yield {"metadata": metadata, "items": [item] if item else None}
        if self.list_error:
            raise self.list_error

    async def watch(self, *given: Any, **_: object) -> AsyncGenerator[WatchEvent, None]:
        self.watched_from.append(given[2])
        if self.watch_error:
            raise self.watch_error
        while (event := await self._events.get()) is not None:
            if isinstance(event, ApiError):
                raise event
            yield event

    def tell(self, type: str, told: Object) -> None:  # noqa: A002
        self._events.put_nowait(WatchEvent(type, told))

    def end(self, error: ApiError | None = None) -> None:
        """The watch is over; None: in its time."""
        self._events.put_nowait(error)


class Scene:
    def __init__(self) -> None:
        self.server, self.monotonic = ApiServer(), 0.0
        self.knowledge = Knowledge(
            Metrics(CollectorRegistry()), ManualClock(), lambda: self.monotonic
        )
        self.seen: list[tuple[str | None, str, str]] = []
        """Type of the event, name and uid."""
        self.first_lists = 0
        kube = cast(Kube, self.server)
        source = self.knowledge.source(ENDPOINT, None)
        self.reflector = Reflector(kube, source, "", self._saw, self.knowledge, self._listed)

    def _saw(self, kind: str, type: str | None, told: Object) -> None:  # noqa: A002
        assert kind == ENDPOINT.kind
        self.seen.append((type, told["metadata"]["name"], told["metadata"]["uid"]))

    def _listed(self) -> None:
        self.first_lists += 1

    async def until(self, holds: Callable[[], bool]) -> None:
        await until(holds, "the reflector", 20)


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[ApiServer]:
    task = asyncio.create_task(scene.reflector.run())
    try:
        yield scene.server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_watch_goes_on_where_the_list_and_the_one_before_ended(scene: Scene) -> None:
    scene.server.there, scene.server.version = [body("a", 3)], 7
    async with running(scene) as server:
        server.tell("ADDED", body("b", 8))
        server.tell("DELETED", body("b", 9))
        server.tell("BOOKMARK", {"metadata": {"resourceVersion": "12"}})
        server.end()
        await scene.until(lambda: server.watched_from == ["7", "12"])
    assert scene.seen == [(None, "a", "a"), ("ADDED", "b", "b"), ("DELETED", "b", "b")]
    assert (server.lists, scene.first_lists) == (1, 1)


async def test_after_a_restore_the_list_is_the_state(scene: Scene) -> None:
    scene.server.there, scene.server.version = [body("edited", 90), body("new", 80)], 100
    async with running(scene) as server:
        await scene.until(lambda: server.watched_from == ["100"])
        server.there, server.version = [body("edited", 10), body("deleted", 20)], 50
        server.end(ApiError(0, "no answer"))
        await scene.until(lambda: server.watched_from == ["100", "50"])
    assert sorted(scene.seen[2:], key=str) == [
        ("MISSING", "new", "new"),
        (None, "deleted", "deleted"),
        (None, "edited", "edited"),
    ]


async def test_history_that_goes_back_on_a_watch_brings_a_list(scene: Scene) -> None:
    scene.server.version = 100
    async with running(scene) as server:
        server.tell("MODIFIED", body("a", 60))
        await scene.until(lambda: server.lists == 2)
    assert scene.seen == []


async def test_a_list_that_breaks_makes_nothing_gone(scene: Scene) -> None:
    scene.server.there = [body("a", 1), body("b", 1)]
    async with running(scene) as server:
        await scene.until(lambda: len(server.watched_from) == 1)
        server.there, server.list_error = [body("b", 1)], ApiError(0, "no answer")
        server.end(ApiError(410, "too old"))
        await scene.until(lambda: server.lists >= 2)
        assert "MISSING" not in {x[0] for x in scene.seen}
        server.list_error = None
        await scene.until(lambda: ("MISSING", "a", "a") in scene.seen)
    assert ("MISSING", "b", "b") not in scene.seen


async def test_where_watching_is_refused_lists_go_on(scene: Scene) -> None:
    scene.server.watch_error = Forbidden(403, "no watch")
    async with running(scene) as server:
        await scene.until(lambda: server.lists == 2)
        server.there = [body("a", 1)]
        await scene.until(lambda: (None, "a", "a") in scene.seen)
        assert scene.knowledge.judge().reason == "Watching"  # it may pass
        scene.monotonic = 106.0
        await scene.until(lambda: scene.knowledge.judge().reason == "Listing")


async def test_what_cannot_be_listed_was_tried(scene: Scene) -> None:
    scene.server.list_error = Forbidden(403, "no list")
    async with running(scene):
        await scene.reflector.tried.wait()
        assert not scene.reflector.listed.is_set()
        assert scene.first_lists == 0


async def test_what_is_withdrawn_is_gone(scene: Scene) -> None:
    scene.server.there = [body("a", 1)]
    await scene.reflector.list()
    scene.reflector.withdraw()
    scene.monotonic = 5.0
    assert scene.seen == [(None, "a", "a"), ("MISSING", "a", "a")]
    assert scene.knowledge.age(ENDPOINT.kind) == 0.0
