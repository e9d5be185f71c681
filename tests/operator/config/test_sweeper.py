"""What is removed is what is gone, whatever comes while that is found out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig
from hookplane.kinds.gateway import WebhookGateway
from hookplane.store.event_log import NewEvent
from hookplane.store.postgres.connection import Purpose
from hookplane.units import format_time
from hookplane_operator.config.deletion_guard import FEW
from hookplane_operator.config.sweeper import SOONEST_SECONDS, WINDOW_SECONDS, Sweeper
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, Forbidden
from hookplane_operator.kube.kinds import ENDPOINT, NAMESPACE, SUBSCRIPTION, Object, Resource
from hookplane_operator.kube.names import CONFIRM_DELETIONS
from hookplane_operator.metrics import Metrics
from hookplane_operator.referred.secrets import GENERATED_FOR
from hookplane_operator.settings import Scope
from hookplane_operator.state.runtime import GatewayRuntime
from hookplane_operator.state.seen_deletions import SeenDeletions
from support.planes.gateway_store import Place, body
from support.planes.gateway_store import place as made_place


class Cluster:
    """What there is, as full lists find it."""

    def __init__(self) -> None:
        self.there: dict[ObjectKey, Object] = {}
        self.secrets: dict[tuple[str, str], Object] = {}
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        """Happens once, when everything was listed."""
        self.namespaces: dict[str, Object | Forbidden | None] = {}
        """Where they are another than usual; None: there is none."""
        self.unlisted: set[str] = set()
        self.whole = True

    async def list(
        self, resource: Resource, namespace: str | None, **__: Any
    ) -> AsyncIterator[Object]:
        if namespace in self.unlisted:
            raise Forbidden(403, "no list")
        for key, found in self.there.items():
            if key.kind == resource.kind and namespace in (None, key.namespace):
                yield found

    async def find(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        if resource is not NAMESPACE:
            assert namespace
            return self.secrets.get((namespace, name))
        found = self.namespaces.get(name, {"metadata": {"name": name, "uid": f"uid-of-{name}"}})
        if isinstance(found, Forbidden):
            raise found
        return found

    async def delete(self, _: Resource, namespace: str, name: str, uid: str) -> None:
        assert self.secrets.pop((namespace, name))["metadata"]["uid"] == uid

    async def takes_new(self, _: object) -> bool:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()
        return self.whole


class Scene:
    def __init__(self, place: Place, namespaces: tuple[str, ...] = ()) -> None:
        """`namespaces`: those that the operator looks at; empty: all."""
        self.place = place
        self.cluster = Cluster()
        self.deletions = SeenDeletions()
        self.sweeper = Sweeper(
            cast(Kube, self.cluster),
            place.objects,
            self.deletions,
            Scope("shop", ("shop",), namespaces),
            Metrics(CollectorRegistry()),
            place.clock,
        )

    async def runtime(self, *names: str) -> GatewayRuntime:
        """With these subscriptions in force."""
        runtime = await self.place.opened()
        await self.comes(runtime, *names)
        return runtime

    def deleted(self, name: str, namespace: str = "shop") -> None:
        """Nobody was seen doing it."""
        gone = self.cluster.there.pop(ObjectKey(SUBSCRIPTION.kind, namespace, name))
        self.place.objects.remove(SUBSCRIPTION.kind, gone)

    def seen_deleted(self, name: str) -> None:
        """A watch told it."""
        self.deletions.saw(f"uid-{name}")
        self.deleted(name)

    def seen(
        self,
        name: str,
        *,
        kind: str = SUBSCRIPTION.kind,
        uid: str = "",
        namespace: str = "shop",
    ) -> ObjectKey:
        """There now, and known, but not compiled."""
        made = body(name, kind=kind)
        made["metadata"] |= {
            "namespace": namespace,
            "uid": uid or f"uid-{name}",
            "labels": {"app": "shop"},
        }
        self.place.objects.put(kind, made)
        key = ObjectKey(kind, namespace, name)
        self.cluster.there[key] = made
        return key

    async def comes(self, runtime: GatewayRuntime, *names: str, namespace: str = "shop") -> None:
        """Seen, compiled and written."""
        await self.compile(runtime, {self.seen(name, namespace=namespace) for name in names})

    async def sweep(self, runtime: GatewayRuntime) -> dict[str, int]:
        """At once, however long ago the last one was. What is in force then."""
        runtime.begin_sweep(time.monotonic() - SOONEST_SECONDS)
        await self.sweeper.sweep(runtime)
        return await self.place.in_force()

    def confirm(self, runtime: GatewayRuntime, words: str) -> None:
        """`words`: `shop=12`, of today."""
        today = format_time(self.place.clock.now())[:10]
        gateway = runtime.gateway
        notes = {CONFIRM_DELETIONS: f"{words}@{today}"}
        metadata = gateway.metadata.model_copy(update={"annotations": notes})
        runtime.renew(WebhookGateway.model_copy(gateway, update={"metadata": metadata}))

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
    assert not runtime.held
    assert not runtime.recently_doubted(time.monotonic(), WINDOW_SECONDS)
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
    return [ObjectKey(ENDPOINT.kind, "shop", f"lost-{number}") for number in range(count)]


async def test_what_a_sweep_removed_counts_for_the_next(scene: Scene) -> None:
    runtime = await scene.runtime("a", "b")
    scene.deleted("a")
    await scene.sweeper.sweep(runtime)
    recent = runtime.recently_doubted(time.monotonic(), WINDOW_SECONDS)
    assert recent == {ObjectKey(SUBSCRIPTION.kind, "shop", "a")}


# Who was seen, and who was not ----------------------------------------------------------------

MANY = [f"many-{number}" for number in range(FEW + 2)]


async def test_what_was_seen_to_be_deleted_goes_at_once_however_much_it_is(scene: Scene) -> None:
    runtime = await scene.runtime(*MANY, "stays")
    for name in MANY:
        scene.seen_deleted(name)
    assert await scene.sweep(runtime) == {"stays": 1}
    assert not runtime.held
    assert not runtime.recently_doubted(time.monotonic(), WINDOW_SECONDS)


async def test_a_namespace_that_misses_much_waits_and_no_other_does(scene: Scene) -> None:
    runtime = await scene.runtime(*MANY, "stays")
    await scene.comes(runtime, "theirs", "other", namespace="blog")
    for name in MANY:
        scene.deleted(name)
    scene.deleted("theirs", "blog")
    assert (await scene.sweep(runtime)).keys() == {*MANY, "stays", "other"}
    assert runtime.held.namespaces == {"shop": len(MANY)}


@pytest.mark.parametrize("change", ["one more is gone", "one came back", "nothing"])
async def test_what_is_confirmed_goes_though_it_moved_meanwhile(scene: Scene, change: str) -> None:
    runtime = await scene.runtime(*MANY, "stays", "next")
    for name in MANY:
        scene.deleted(name)
    await scene.sweep(runtime)
    left = {"stays", "next"}
    if change == "one more is gone":
        scene.deleted("next")
        left = {"stays"}
    elif change == "one came back":
        scene.seen(MANY[0])
        left |= {MANY[0]}
    await scene.sweep(runtime)
    assert runtime.held.namespaces == {"shop": len(MANY)}, "the number stays as it was told"
    scene.confirm(runtime, f"shop={len(MANY)}")
    assert (await scene.sweep(runtime)).keys() == left
    assert not runtime.held


async def test_what_is_confirmed_makes_nothing_after_it_wait(scene: Scene) -> None:
    runtime = await scene.runtime(*MANY, "stays", "next")
    for name in MANY:
        scene.deleted(name)
    scene.confirm(runtime, f"shop={len(MANY)}")
    await scene.sweep(runtime)
    scene.confirm(runtime, "other=1")
    scene.deleted("next")
    assert (await scene.sweep(runtime)).keys() == {"stays"}


@pytest.mark.parametrize(
    ("namespace", "left"),
    [
        pytest.param(None, set(), id="gone"),
        pytest.param({"uid": "uid-of-shop", "deletionTimestamp": "now"}, set(), id="going"),
        pytest.param({"uid": "another"}, set(), id="made-again"),
        pytest.param({"uid": "uid-of-shop"}, {*MANY}, id="there"),
        pytest.param(Forbidden(403, "no"), {*MANY}, id="may-not-be-read"),
    ],
)
async def test_a_namespace_that_is_gone_is_no_doubt(
    scene: Scene, namespace: dict[str, str] | Forbidden | None, left: set[str]
) -> None:
    runtime = await scene.runtime(*MANY)
    for name in MANY:
        scene.deleted(name)
    found = {"metadata": namespace} if isinstance(namespace, dict) else namespace
    scene.cluster.namespaces["shop"] = found
    assert (await scene.sweep(runtime)).keys() == left
    assert bool(runtime.held) is bool(left)


async def test_what_the_caches_still_have_waits_for_the_watch(scene: Scene) -> None:
    """A list may be newer than a watch, which is about to tell who deleted it."""
    runtime = await scene.runtime(*MANY, "stays")
    for name in MANY:
        del scene.cluster.there[ObjectKey(SUBSCRIPTION.kind, "shop", name)]
    assert len(await scene.sweep(runtime)) == len(MANY) + 1
    assert not runtime.held


async def test_what_goes_with_its_kind_was_deleted_by_nobody(scene: Scene) -> None:
    runtime = await scene.runtime(*MANY)
    for name in MANY[:5]:
        scene.seen_deleted(name)
    scene.cluster.whole = False
    with pytest.raises(ApiError, match="a CRD is being deleted"):
        await scene.sweep(runtime)
    for name in MANY[5:]:
        scene.seen_deleted(name)
    scene.cluster.whole = True
    assert (await scene.sweep(runtime)).keys() == {*MANY}
    assert runtime.held.namespaces == {"shop": len(MANY)}


async def test_a_namespace_that_cannot_be_listed_holds_up_no_other() -> None:
    """As one that was deleted together with the Role that let us list it."""
    async with made_place() as place:
        scene = Scene(place, ("shop", "blog"))
        runtime = await scene.runtime("unknown", "deleted")
        await scene.comes(runtime, "theirs", "other", namespace="blog")
        scene.cluster.unlisted = {"shop"}
        scene.seen_deleted("deleted")
        scene.deleted("unknown")
        scene.deleted("theirs", "blog")
        with pytest.raises(Forbidden):
            await scene.sweep(runtime)
        assert (await place.in_force()).keys() == {"unknown", "other"}
        assert scene.builtin(runtime) == ["shop", "blog"]
