"""What is removed is what is gone, whatever comes while that is found out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from hookplane.compile.endpoint import builtin_endpoints
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane_operator.config.sweeper import FEW, WINDOW_SECONDS, Sweeper, plan_sweep
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.kinds import SUBSCRIPTION, Object, Resource
from hookplane_operator.metrics import Metrics
from hookplane_operator.settings import Scope
from hookplane_operator.state.runtime import GatewayRuntime
from support.planes.gateway_store import Place, body
from support.planes.gateway_store import place as made_place


class Cluster:
    """Subscriptions that there are, as a full list finds them."""

    def __init__(self) -> None:
        self.there: list[str] = []
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        """Happens once, when everything was listed."""

    async def list(self, resource: Resource, _: str | None, **__: Any) -> AsyncIterator[Object]:
        for name in self.there if resource == SUBSCRIPTION else ():
            yield body(name)

    async def takes_new(self, _: object) -> bool:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()
        return True


class Scene:
    def __init__(self, place: Place) -> None:
        self.place = place
        self.cluster = Cluster()
        self.sweeper = Sweeper(
            cast(Kube, self.cluster),
            place.objects,
            Scope("shop", ("shop",), ()),
            Metrics(CollectorRegistry()),
            place.clock,
        )

    async def runtime(self, *names: str) -> GatewayRuntime:
        """With these in force."""
        runtime = await self.place.opened()
        runtime.mark_dirty({self.place.put(name) for name in names})
        await self.place.configurator.reconcile(runtime)
        self.cluster.there = list(names)
        return runtime

    def deleted(self, name: str) -> None:
        self.cluster.there.remove(name)
        self.place.objects.remove(SUBSCRIPTION.kind, body(name))

    async def comes(self, runtime: GatewayRuntime, name: str) -> None:
        """Seen, compiled and written."""
        self.cluster.there.append(name)
        runtime.mark_dirty([self.place.put(name)])
        await self.place.configurator.reconcile(runtime)

    def builtin(self, runtime: GatewayRuntime) -> list[str]:
        documents = runtime.applied.documents.values()
        return [x.namespace for x in documents if isinstance(x, EndpointConfig) and x.builtin]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with made_place() as made:
        yield Scene(made)


async def test_what_is_gone_is_removed(scene: Scene) -> None:
    runtime = await scene.runtime("a", "b")
    scene.deleted("a")
    await scene.sweeper.sweep(runtime)
    assert await scene.place.in_force() == {"b": 1}
    assert [x.name for x in await scene.place.store.due_orphans(1 << 62)] == ["a-signing"]


async def test_what_comes_after_the_lists_stays(scene: Scene) -> None:
    runtime = await scene.runtime("a", "b")
    scene.deleted("a")
    scene.cluster.meanwhile = lambda: scene.comes(runtime, "new")
    await scene.sweeper.sweep(runtime)
    assert await scene.place.in_force() == {"b": 1, "new": 1}


async def test_a_namespace_that_was_empty_for_a_moment_keeps_what_it_has_by_itself(
    scene: Scene,
) -> None:
    runtime = await scene.runtime("a")
    assert scene.builtin(runtime) == ["shop"]
    scene.deleted("a")
    scene.cluster.meanwhile = lambda: scene.comes(runtime, "new")
    await scene.sweeper.sweep(runtime)
    assert await scene.place.in_force() == {"new": 1}
    assert scene.builtin(runtime) == ["shop"]


async def test_nothing_is_compiled_while_something_is_removed(scene: Scene) -> None:
    """A round that is under way has taken for known what the sweep finds gone."""
    runtime = await scene.runtime("a")
    scene.deleted("a")
    async with runtime.changing:
        task = asyncio.create_task(scene.sweeper.sweep(runtime))
        await asyncio.sleep(0.05)
        assert not task.done()
        assert await scene.place.in_force() == {"a": 1}
    await task
    assert await scene.place.in_force() == {}


@pytest.mark.parametrize(
    ("seconds_ago", "left"),
    [
        # together with those of just now they are too many
        (0.0, {"a": 1, "b": 1}),
        # those of long ago do not count
        (WINDOW_SECONDS, {"b": 1}),
    ],
)
async def test_only_recent_deletions_count(
    scene: Scene, seconds_ago: float, left: dict[str, int]
) -> None:
    runtime = await scene.runtime("a", "b")
    runtime.record_deletions(FEW, time.monotonic() - seconds_ago)
    scene.deleted("a")
    await scene.sweeper.sweep(runtime)
    assert await scene.place.in_force() == left


async def test_what_a_sweep_removed_counts_for_the_next(scene: Scene) -> None:
    runtime = await scene.runtime("a", "b")
    scene.deleted("a")
    await scene.sweeper.sweep(runtime)
    assert runtime.recently_swept(time.monotonic(), WINDOW_SECONDS) == 1


# The plan alone ------------------------------------------------------------------------------

EVERYWHERE = Scope("system", ("system",), ())


def document(uid: str, namespace: str = "a") -> EndpointConfig:
    return EndpointConfig(
        uid=uid,
        namespace=namespace,
        name=uid,
        path=f"/{namespace}/{uid}",
        provider="Generic",
        event_type=Source(header="x-type"),
    )


def documents(count: int) -> list[EndpointConfig]:
    return [document(f"u{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("there", "gone", "recent", "confirmed", "removed", "blocked"),
    [
        (100, 10, 0, "", 10, 0),  # as many as always may go
        (30, 11, 0, "", 0, 11),  # one more, and more than a fifth
        (100, 20, 0, "", 20, 0),  # a fifth
        (100, 21, 0, "", 0, 21),  # more
        (100, 21, 0, "21", 21, 0),  # somebody said so
        (100, 21, 0, "20", 0, 21),  # somebody said something else
        (90, 8, 10, "", 8, 0),  # a few went before
        (80, 8, 14, "", 0, 8),  # together they are too many
        (5, 0, 50, "", 0, 0),  # nothing is gone now
    ],
)
def test_how_much_goes(
    there: int, gone: int, recent: int, confirmed: str, removed: int, blocked: int
) -> None:
    known = documents(there)
    listed = {x.uid for x in known[gone:]}
    sweep = plan_sweep(known, listed, {"a"}, EVERYWHERE, confirmed, recent)
    assert len(sweep.doomed) == removed
    assert sweep.blocked == blocked


def test_a_narrower_scope_removes_nothing() -> None:
    narrow = Scope("system", ("system",), ("b",))
    assert plan_sweep(documents(3), set(), set(), narrow).doomed == ()


def test_a_built_in_endpoint_stays_as_long_as_anything_is_in_its_namespace() -> None:
    known = [*builtin_endpoints(["a", "b"]), document("u1", "a")]
    sweep = plan_sweep(known, {"u1"}, {"a"}, EVERYWHERE)
    assert [x.namespace for x in sweep.doomed] == ["b"]
