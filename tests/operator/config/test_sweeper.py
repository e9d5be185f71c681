"""What is removed is what is gone, whatever comes while that is found out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from hookplane.compile.endpoint import builtin_endpoints
from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.store.event_log import NewEvent
from hookplane.store.postgres.connection import Purpose
from hookplane_operator.config.sweeper import (
    FEW,
    SOONEST_SECONDS,
    WINDOW_SECONDS,
    ListedObjects,
    Sweeper,
    plan_sweep,
)
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.kinds import ENDPOINT, SUBSCRIPTION, Object, Resource
from hookplane_operator.metrics import Metrics
from hookplane_operator.referred.secrets import GENERATED_FOR
from hookplane_operator.settings import Scope
from hookplane_operator.state.runtime import GatewayRuntime
from support.planes.gateway_store import Place, body
from support.planes.gateway_store import place as made_place


class Cluster:
    """What there is, as full lists find it."""

    def __init__(self) -> None:
        self.there: dict[ObjectKey, Object] = {}
        self.secrets: dict[tuple[str, str], Object] = {}
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        """Happens once, when everything was listed."""

    async def list(self, resource: Resource, _: str | None, **__: Any) -> AsyncIterator[Object]:
        for key, found in self.there.items():
            if key.kind == resource.kind:
                yield found

    async def find(self, _: Resource, namespace: str, name: str) -> Object | None:
        return self.secrets.get((namespace, name))

    async def delete(self, _: Resource, namespace: str, name: str, uid: str) -> None:
        assert self.secrets.pop((namespace, name))["metadata"]["uid"] == uid

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
        """With these subscriptions in force."""
        runtime = await self.place.opened()
        await self.comes(runtime, *names)
        return runtime

    def deleted(self, name: str) -> None:
        gone = self.cluster.there.pop(ObjectKey(SUBSCRIPTION.kind, "shop", name))
        self.place.objects.remove(SUBSCRIPTION.kind, gone)

    def seen(self, name: str, *, kind: str = SUBSCRIPTION.kind, uid: str = "") -> ObjectKey:
        """There now, and known, but not compiled."""
        made = body(name, kind=kind)
        made["metadata"] |= {"uid": uid or f"uid-{name}", "labels": {"app": "shop"}}
        self.place.objects.put(kind, made)
        key = ObjectKey(kind, "shop", name)
        self.cluster.there[key] = made
        return key

    async def comes(self, runtime: GatewayRuntime, *names: str) -> None:
        """Seen, compiled and written."""
        await self.compile(runtime, {self.seen(name) for name in names})

    async def compile(self, runtime: GatewayRuntime, keys: Iterable[ObjectKey]) -> None:
        runtime.mark_dirty(keys)
        while await self.place.configurator.reconcile(runtime) == 0.0:
            pass

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


A_DAY_LATER = "update orphan set due = 1"


async def sweep_a_day_later(scene: Scene, runtime: GatewayRuntime) -> None:
    async with scene.place.store.connections.use(Purpose.OTHER) as db:
        await db.execute(A_DAY_LATER)
    runtime.begin_sweep(time.monotonic() - SOONEST_SECONDS)
    await scene.sweeper.sweep(runtime)


@pytest.mark.parametrize(
    ("back", "owner", "kept"),
    [
        pytest.param("", "uid-a", False, id="gone"),
        pytest.param("uid-a", "uid-a", True, id="there-again-by-a-restore"),
        pytest.param("", "uid-other", True, id="of-another-that-has-its-name"),
    ],
)
async def test_a_generated_secret_goes_if_its_object_is_gone(
    scene: Scene, back: str, owner: str, kept: bool
) -> None:
    runtime = await scene.runtime("a", "b")
    metadata = {"uid": "uid-secret", "labels": {GENERATED_FOR: owner}}
    scene.cluster.secrets["shop", "a-signing"] = {"metadata": metadata}
    scene.deleted("a")
    await scene.sweeper.sweep(runtime)
    assert scene.cluster.secrets
    if back:
        scene.seen("a", uid=back)
    await sweep_a_day_later(scene, runtime)
    assert bool(scene.cluster.secrets) is kept
    assert await scene.place.store.due_orphans(1 << 62) == []


async def test_what_comes_after_the_lists_stays(scene: Scene) -> None:
    runtime = await scene.runtime("a", "b")
    scene.deleted("a")
    scene.cluster.meanwhile = lambda: scene.comes(runtime, "new")
    await scene.sweeper.sweep(runtime)
    assert await scene.place.in_force() == {"b": 1, "new": 1}


async def test_what_was_made_again_and_is_not_compiled_yet_loses_nothing(scene: Scene) -> None:
    """However many there are: the sweep is faster than the rounds that write them."""
    names = [f"reader-{number}" for number in range(FEW + 1)]
    runtime = await scene.runtime()
    await scene.compile(
        runtime, {scene.seen("orders", kind=ENDPOINT.kind), *(scene.seen(x) for x in names)}
    )
    event = NewEvent("uid-orders", "1", scene.place.clock.now(), "order.created", (), b"{}")
    await scene.place.store.append(event)
    again = {scene.seen("orders", kind=ENDPOINT.kind, uid="orders-again")}
    again |= {scene.seen(x, uid=f"{x}-again") for x in names}
    await scene.sweeper.sweep(runtime)
    assert runtime.blocked == 0
    assert not runtime.recently_lost(time.monotonic(), WINDOW_SECONDS)
    await scene.compile(runtime, again)
    stats = await scene.place.store.subscription_stats([f"{x}-again" for x in names])
    assert [(x.pending, x.counters.expired) for x in stats] == [(1, 0)] * len(names)
    await scene.sweeper.sweep(runtime)
    assert (await scene.place.in_force()).keys() == {*names}


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
    runtime.record_deletions(lost(FEW), time.monotonic() - seconds_ago)
    scene.deleted("a")
    await scene.sweeper.sweep(runtime)
    assert await scene.place.in_force() == left


def lost(count: int) -> list[ObjectKey]:
    return [ObjectKey(ENDPOINT.kind, "elsewhere", f"lost-{number}") for number in range(count)]


async def test_what_a_sweep_removed_counts_for_the_next(scene: Scene) -> None:
    runtime = await scene.runtime("a", "b")
    scene.deleted("a")
    await scene.sweeper.sweep(runtime)
    recent = runtime.recently_lost(time.monotonic(), WINDOW_SECONDS)
    assert recent == {ObjectKey(SUBSCRIPTION.kind, "shop", "a")}


# The plan alone ------------------------------------------------------------------------------

EVERYWHERE = Scope("system", ("system",), ())


def document(uid: str, namespace: str = "a", name: str = "") -> EndpointConfig:
    return EndpointConfig(
        uid=uid,
        namespace=namespace,
        name=name or uid,
        path=f"/{namespace}/{uid}",
        provider="Generic",
        event_type=Source(header="x-type"),
    )


def documents(count: int) -> list[EndpointConfig]:
    return [document(f"u{number}") for number in range(count)]


def listed(*found: EndpointConfig) -> ListedObjects:
    keys = {ObjectKey(ENDPOINT.kind, x.namespace, x.name) for x in found}
    return ListedObjects({x.uid for x in found}, keys)


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
    before = set(lost(recent))
    sweep = plan_sweep(known, listed(*known[gone:]), set(), EVERYWHERE, confirmed, before)
    assert len(sweep.doomed) == removed
    assert (len(sweep.lost), sweep.blocked) == (removed, blocked)


def test_what_was_made_again_is_no_loss() -> None:
    former = [document(f"former-{number}", name="churn") for number in range(40)]
    living, innocent = document("living", name="churn"), document("innocent")
    sweep = plan_sweep([*former, living, innocent], listed(living), set(), EVERYWHERE)
    assert {x.uid for x in sweep.doomed} == {"innocent", *(x.uid for x in former)}
    assert ([x.uid for x in sweep.lost], sweep.blocked) == (["innocent"], 0)


def test_what_was_made_again_goes_while_losses_wait() -> None:
    known = [document("former", name="churn"), document("living", name="churn"), *documents(11)]
    sweep = plan_sweep(known, listed(known[1]), set(), EVERYWHERE)
    assert [x.uid for x in sweep.doomed] == ["former"]
    assert (sweep.lost, sweep.blocked) == ((), 11)


def test_what_was_lost_and_made_again_counts_no_more() -> None:
    known = documents(30)
    recent = {ObjectKey(ENDPOINT.kind, x.namespace, x.name) for x in known[1:20]}
    sweep = plan_sweep(known, listed(*known[1:]), set(), EVERYWHERE, recent=recent)
    assert ([x.uid for x in sweep.lost], sweep.blocked) == (["u0"], 0)


def test_what_is_lost_again_and_again_is_one_loss() -> None:
    known = documents(20)
    recent = {ObjectKey(ENDPOINT.kind, x.namespace, x.name) for x in known[:10]}
    sweep = plan_sweep(known, listed(*known[10:]), set(), EVERYWHERE, recent=recent)
    assert (len(sweep.lost), sweep.blocked) == (10, 0)


def test_the_share_is_of_what_there_is_and_not_of_its_former_lives() -> None:
    former = [document(f"former-{number}", name="churn") for number in range(200)]
    living = document("living", name="churn")
    known = [*former, living, *documents(11)]
    assert plan_sweep(known, listed(living), set(), EVERYWHERE).blocked == 11


def test_a_narrower_scope_removes_nothing() -> None:
    narrow = Scope("system", ("system",), ("b",))
    assert plan_sweep(documents(3), listed(), set(), narrow).doomed == ()


def test_a_built_in_endpoint_stays_as_long_as_anything_is_in_its_namespace() -> None:
    known = [*builtin_endpoints(["a", "b"]), document("u1", "a")]
    sweep = plan_sweep(known, listed(document("u1", "a")), set(), EVERYWHERE)
    assert [x.namespace for x in sweep.doomed] == ["b"]
