"""What is dirty goes into the store; what was changed does not wait for what was not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from kubernetes.aio.client.api_client import ApiClient
from prometheus_client import CollectorRegistry

from hookplane.clock import SystemClock
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.base import API_VERSION
from hookplane.kinds.gateway import WebhookGateway
from hookplane.manifests.objects import parse_object
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.store.model import ConfigKind
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_operator.config import reconcile
from hookplane_operator.config.book import Book
from hookplane_operator.config.generated import GeneratedSecrets
from hookplane_operator.config.reconcile import RETRY, Configurator
from hookplane_operator.gateways.plane import Plane
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import Object
from hookplane_operator.metrics import Metrics
from hookplane_operator.referred.readings import Name
from hookplane_operator.referred.secrets import secrets_in_use
from hookplane_operator.referred.services import services_in_use
from hookplane_operator.watch.objects import Key, Objects
from support_store import ManualClock

SEALERS = dict.fromkeys(ConfigKind, Sealer({"a": b"k" * 32}, "a"))
CLOCK = SystemClock()


def body(name: str, generation: int = 1, kind: str = "WebhookSubscription") -> dict[str, Any]:
    """A subscription without keys, or a gateway."""
    metadata = {
        "namespace": "shop",
        "name": name,
        "uid": f"uid-{name}",
        "generation": generation,
        "resourceVersion": str(generation),
    }
    dsn = {"secretKeyRef": {"name": "database", "key": "dsn"}}
    specs = {
        "WebhookGateway": {"store": {"postgresql": {"dsn": dsn}}},
        "WebhookSubscription": {
            "endpointSelector": {"matchLabels": {"no": "match"}},
            "target": {"url": f"https://shop.example.com/{generation}"},
            "signing": {"scheme": "None"},
        },
    }
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": specs[kind]}


class Place:
    """One gateway's store and what is in the cluster."""

    def __init__(self, store: SQLiteStore, kube: Kube) -> None:
        self.store = store
        self.objects = Objects()
        self.clock = ManualClock(CLOCK.now())
        self.refused: set[Name] = set()
        self.meanwhile: Callable[[], None] = lambda: None
        """Called whenever a Service is read."""
        secrets = secrets_in_use(_nothing, self.clock, lambda _: None)
        self.configurator = Configurator(
            self.objects,
            secrets,
            services_in_use(self._service, self.clock, lambda _: None),
            GeneratedSecrets(kube, secrets, self.clock, self.objects.has),
            self.clock,
            lambda *_: True,
            dict,
        )

    def put(self, name: str, generation: int = 1) -> Key:
        self.objects.put("WebhookSubscription", body(name, generation))
        return Key("WebhookSubscription", "shop", name)

    async def opened(self) -> Plane:
        gateway = parse_object(body("default", kind="WebhookGateway")).value
        assert isinstance(gateway, WebhookGateway)
        store = cast(PostgresStore, self.store)  # what both drivers can do is all that is needed
        book = await Book.load(store, SEALERS)
        return Plane(gateway, Secret("dsn"), store, SEALERS, book)

    async def _service(self, name: Name) -> Object | None:
        self.meanwhile()
        if name in self.refused:
            raise ApiError(403, "not allowed")
        return {"spec": {"selector": {"app": "web"}}}

    def put_for_service(self, name: str, service: str) -> Key:
        made = body(name)
        made["spec"]["target"] = {"serviceRef": {"name": service, "port": 80}}
        self.objects.put("WebhookSubscription", made)
        return Key("WebhookSubscription", "shop", name)

    async def in_force(self) -> dict[str, int]:
        """Name → generation, as the store has it."""
        book = await Book.load(self.store, SEALERS)
        found = [x for x in book.documents.values() if isinstance(x, SubscriptionConfig)]
        return {x.name: x.generation for x in found}


async def _nothing(_: Name) -> None:
    return None


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store = await SQLiteStore.open(tmp_path, CLOCK)
    kube = Kube(ApiClient(), Metrics(CollectorRegistry()))
    yield Place(store, kube)
    await kube.close()
    await store.close()


async def test_a_change_does_not_wait_for_what_is_only_looked_through(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {place.put(name) for name in "abcde"}
    plane = await place.opened()
    plane.dirty = set(keys)
    await place.configurator.reconcile(plane)
    assert await place.in_force() == dict.fromkeys("abcde", 1)
    monkeypatch.setattr(reconcile, "LOOKED_THROUGH", 2)
    changed = {place.put("b", 2), place.put("new")}
    restarted = await place.opened()
    restarted.dirty = keys | changed
    assert await place.configurator.reconcile(restarted) == 0.0
    assert await place.in_force() == dict.fromkeys("acde", 1) | {"b": 2, "new": 1}
    assert len(restarted.dirty) == 2
    assert restarted.verdicts.keys() == (keys | changed) - restarted.dirty
    await place.configurator.reconcile(restarted)
    assert restarted.dirty == set()
    assert restarted.verdicts.keys() == keys | changed


async def test_many_that_are_new_go_together(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "LOOKED_THROUGH", 2)
    plane = await place.opened()
    plane.dirty = {place.put(name) for name in "abcde"}
    await place.configurator.reconcile(plane)
    assert plane.dirty == set()
    assert await place.in_force() == dict.fromkeys("abcde", 1)


async def test_what_could_not_be_read_is_asked_for_again_whatever_else_comes(place: Place) -> None:
    waiting = place.put_for_service("waiting", "closed")
    plane = await place.opened()
    plane.dirty = {waiting}
    place.refused = {("shop", "closed")}
    place.meanwhile = lambda: plane.dirty.add(place.put("other"))
    assert await place.configurator.reconcile(plane) == 0.0
    assert await place.configurator.reconcile(plane) == RETRY / 1000
    assert await place.in_force() == {"other": 1}
    assert plane.take_due(place.clock.now() + RETRY - 1) == set()
    place.refused, place.meanwhile = set(), lambda: None
    plane.dirty = plane.take_due(place.clock.now() + RETRY)
    assert plane.dirty == {waiting}
    assert await place.configurator.reconcile(plane) is None
    assert await place.in_force() == {"other": 1, "waiting": 1}


async def test_those_who_deliver_to_services_are_not_compiled_again_with_each_change(
    place: Place,
) -> None:
    plane = await place.opened()
    plane.dirty = {place.put_for_service(f"to-service-{n}", f"web-{n}") for n in range(5)}
    assert await place.configurator.reconcile(plane) is None
    assert plane.take_due(place.clock.now() + 3_600_000) == set()
