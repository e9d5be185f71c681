"""What an endpoint accepts belongs to all that read it, whatever is written in which order, and
wherever the operator stops: events arrive after every single write of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from hookplane.compile.model import ObjectKey
from hookplane.errors import StoreUnavailable, UnknownObject
from hookplane.store.config_store import ConfigChange, ConfigKind
from hookplane.store.event_log import NewEvent
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.protocol import Store
from hookplane_operator.config.reconcile import ROWS_AT_ONCE
from hookplane_operator.kube.objects import key_of
from hookplane_operator.state.runtime import GatewayRuntime
from support.clocks.manual import ManualClock
from support.planes.gateway_store import CLOCK, Place, body, nowhere
from support.planes.store import DRIVERS, EventIds

ENDPOINT, SUBSCRIPTION = "WebhookEndpoint", "WebhookSubscription"


class BusyStore:
    """The store itself, into whose endpoints an event arrives after every write of configuration;
    a write may fail before or after it was carried out."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.accepted: Counter[str] = Counter()
        self.writes: list[ConfigChange] = []
        self.fail_at: tuple[int, bool] | None = None
        """Before which write, and whether it is carried out all the same."""
        self._ids = EventIds()
        self._endpoints: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def apply_config(self, change: ConfigChange) -> int:
        self.writes.append(change)
        number, carried_out = self.fail_at or (0, False)
        if len(self.writes) == number and not carried_out:
            raise StoreUnavailable("away")
        version = await self.store.apply_config(change)
        own = {x.uid for x in change.upserts if x.kind is ConfigKind.ENDPOINT and x.namespace}
        self._endpoints |= own
        await self.arrive()
        if len(self.writes) == number:
            raise StoreUnavailable("the answer was lost")
        return version

    async def arrive(self) -> None:
        """An event at each URL that answers."""
        for endpoint in sorted(self._endpoints):
            event = NewEvent(endpoint, self._ids.next(), CLOCK.now(), "order.created", (), b"{}")
            try:
                await self.store.append(event)
            except UnknownObject:
                continue
            self.accepted[endpoint] += 1


class Cluster:
    """Objects of users, and the operator's configuration of one gateway."""

    def __init__(self, store: Store) -> None:
        self.store = BusyStore(store)
        self.place = Place(cast(PostgresStore, self.store), nowhere())
        self.runtime: GatewayRuntime | None = None
        self._versions = count(1)

    def put(self, kind: str, name: str, namespace: str = "shop", **changes: Any) -> None:
        """Creates or changes an object; `uid` and `labels` are of its metadata, others of its
        spec."""
        made = body(name, kind=kind)
        made["metadata"] |= {
            "namespace": namespace,
            "uid": changes.pop("uid", f"{namespace}-{name}"),
            "labels": changes.pop("labels", {"app": "shop"}),
            "generation": changes.pop("generation", 1),
            "resourceVersion": str(next(self._versions)),
        }
        made["spec"] |= changes
        if changes.get("endpointRefs"):
            del made["spec"]["endpointSelector"]
        self.place.objects.put(kind, made)
        self._dirty(kind, namespace, name)

    def drop(self, kind: str, name: str, namespace: str = "shop") -> None:
        key = ObjectKey(kind, namespace, name)
        self.place.objects.drop(key)
        self._dirty(kind, namespace, name)

    def _dirty(self, kind: str, namespace: str, name: str) -> None:
        if self.runtime is not None:
            self.runtime.mark_dirty([ObjectKey(kind, namespace, name)])

    async def settle(self) -> None:
        """Rounds until nothing is left to do."""
        if self.runtime is None:
            self.runtime = await self.place.opened()
            self.runtime.mark_dirty(self._everything())
        while await self.place.configurator.reconcile(self.runtime) == 0.0:
            pass

    async def crash(self) -> None:
        """Another operator goes on with what the store has."""
        self.runtime = None
        self.place.configurator = self.place.make_configurator()
        await self.settle()

    def _everything(self) -> set[ObjectKey]:
        kinds = (ENDPOINT, SUBSCRIPTION)
        return {key_of(kind, x) for kind in kinds for x in self.place.objects.all(kind)}

    async def pending(self, uid: str) -> int:
        (found,) = await self.store.subscription_stats([uid])
        assert found.counters.expired == 0
        return int(found.pending)


@pytest.fixture(params=sorted(DRIVERS))
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with DRIVERS[request.param](tmp_path, ManualClock()) as store:
        made = Cluster(store)
        try:
            yield made
        finally:
            await made.place.kube.close()


@pytest.mark.parametrize("start", ["Latest", "Earliest"])
async def test_a_new_endpoint_is_written_with_all_that_read_it(
    cluster: Cluster, start: str
) -> None:
    cluster.put(SUBSCRIPTION, "by-label", startFrom=start)
    cluster.put(SUBSCRIPTION, "by-name", endpointRefs=[{"name": "orders"}], startFrom=start)
    await cluster.settle()
    cluster.put(ENDPOINT, "orders")
    await cluster.settle()
    await cluster.store.arrive()
    accepted = cluster.store.accepted["shop-orders"]
    assert accepted == 2
    assert await cluster.pending("shop-by-label") == accepted
    assert await cluster.pending("shop-by-name") == accepted


async def test_one_that_is_made_again_under_traffic_keeps_its_readers(cluster: Cluster) -> None:
    cluster.put(ENDPOINT, "orders")
    cluster.put(SUBSCRIPTION, "by-label")
    cluster.put(SUBSCRIPTION, "by-name", endpointRefs=[{"name": "orders"}])
    await cluster.settle()
    cluster.drop(ENDPOINT, "orders")
    await cluster.settle()
    await cluster.store.arrive()
    cluster.put(ENDPOINT, "orders", uid="orders-again")
    await cluster.settle()
    await cluster.store.arrive()
    assert cluster.store.accepted["orders-again"]
    for name in ("by-label", "by-name"):
        assert await cluster.pending(f"shop-{name}") == cluster.store.accepted.total()


async def test_namespaces_that_come_together_each_get_their_own(cluster: Cluster) -> None:
    namespaces = ("bakery", "shop", "zoo")
    for namespace in namespaces:
        cluster.put(SUBSCRIPTION, "all", namespace)
    await cluster.settle()
    for namespace in namespaces:
        for name in ("orders", "users"):
            cluster.put(ENDPOINT, name, namespace)
    await cluster.settle()
    await cluster.store.arrive()
    for namespace in namespaces:
        own = [x for x in cluster.store.accepted if x.startswith(f"{namespace}-")]
        assert len(own) == 2
        expected = sum(cluster.store.accepted[x] for x in own)
        assert await cluster.pending(f"{namespace}-all") == expected


async def test_a_wider_selector_gets_what_comes_from_then_on(cluster: Cluster) -> None:
    cluster.put(ENDPOINT, "users", labels={"app": "users"})
    cluster.put(ENDPOINT, "orders")
    await cluster.settle()
    cluster.put(SUBSCRIPTION, "shop")
    await cluster.settle()
    before = cluster.store.accepted["shop-users"]
    every = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    cluster.put(SUBSCRIPTION, "shop", generation=2, endpointSelector=every)
    pending = await cluster.pending("shop-shop")
    await cluster.settle()
    assert await cluster.pending("shop-shop") == pending + 2
    await cluster.store.arrive()
    assert await cluster.pending("shop-shop") == pending + 4
    assert cluster.store.accepted["shop-users"] == before + 2


async def test_an_endpoint_that_gets_the_label_is_joined_with_its_document(
    cluster: Cluster,
) -> None:
    cluster.put(ENDPOINT, "orders", labels={"app": "other"})
    await cluster.settle()
    cluster.put(SUBSCRIPTION, "shop")
    await cluster.settle()
    writes = len(cluster.store.writes)
    cluster.put(ENDPOINT, "orders")
    await cluster.settle()
    assert len(cluster.store.writes) == writes + 1
    assert await cluster.pending("shop-shop") == 1


async def test_a_reader_that_cannot_be_compiled_now_gets_all_of_it_later(cluster: Cluster) -> None:
    target = {"serviceRef": {"name": "web", "port": 80}}
    cluster.put(SUBSCRIPTION, "shop", target=target)
    await cluster.settle()
    cluster.place.refused = {("shop", "web")}
    cluster.runtime = None
    cluster.place.configurator = cluster.place.make_configurator()
    cluster.put(ENDPOINT, "orders")
    await cluster.settle()
    await cluster.store.arrive()
    assert await cluster.pending("shop-shop") == 0
    cluster.place.refused = set()
    await cluster.crash()
    assert await cluster.pending("shop-shop") == cluster.store.accepted["shop-orders"] >= 2


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_an_operator_that_ends_anywhere_leaves_nothing_to_nobody(
    cluster: Cluster, number: int, carried_out: bool
) -> None:
    cluster.put(SUBSCRIPTION, "shop", startFrom="Earliest")
    cluster.put(SUBSCRIPTION, "bakery", "bakery", startFrom="Earliest")
    await cluster.settle()
    cluster.store.fail_at = len(cluster.store.writes) + number, carried_out
    for turn in range(3):
        for namespace in ("shop", "bakery"):
            cluster.put(ENDPOINT, "orders", namespace, uid=f"{namespace}-{turn}")
        try:
            await cluster.settle()
        except StoreUnavailable:
            await cluster.crash()
    await cluster.store.arrive()
    for namespace in ("shop", "bakery"):
        accepted = {x: n for x, n in cluster.store.accepted.items() if x.startswith(namespace)}
        assert len(accepted) == 3
        assert await cluster.pending(f"{namespace}-{namespace}") == sum(accepted.values())


async def test_many_are_written_in_parts_and_no_endpoint_without_its_readers(
    cluster: Cluster,
) -> None:
    names = [f"s{n:04}" for n in range(ROWS_AT_ONCE + 50)]
    for name in names:
        cluster.put(SUBSCRIPTION, name, endpointRefs=[{"name": f"e{name[-1]}"}])
    await cluster.settle()
    for number in range(10):
        cluster.put(ENDPOINT, f"e{number}")
    await cluster.settle()
    await cluster.store.arrive()
    stats = await cluster.store.subscription_stats([f"shop-{name}" for name in names])
    assert {x.pending for x in stats} == {2}
