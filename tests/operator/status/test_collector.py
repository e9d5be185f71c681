"""Statuses are told when anything differs that they are made of, each for itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from kubernetes.aio.client.configuration import Configuration
from prometheus_client import CollectorRegistry

from hookplane.clock import SystemClock
from hookplane.compile.change import ConfigDiff
from hookplane.compile.model import ObjectKey
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.conditions import Reason
from hookplane.store.delivery_store import Flush, TargetHealth
from hookplane.store.event_log import NewEvent
from hookplane.units import format_time
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.objects import Objects
from hookplane_operator.metrics import Metrics
from hookplane_operator.state.facts import GatewayFacts, Informed
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.state.runtime import GatewayRuntime
from hookplane_operator.status.collector import Collector, RoundMemory
from hookplane_operator.status.gateway import ServedCounts
from hookplane_operator.status.resuming import RESUME
from hookplane_operator.status.writer import StatusWriter
from support.planes.gateway_store import Place, body, place


class Paper(StatusWriter):
    """Notes down what it is offered."""

    offered: list[str]
    last: Any = None

    def offer(self, key: ObjectKey, uid: str, status: Any) -> None:
        self.offered.append(key.name)
        self.last = status


def _ignore(*_: object) -> None:
    """Nobody asks."""


INFORMED = Informed("True", Reason.WATCHING, "")


def endpoint(name: str, status: Any) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "1"}
    return {"metadata": metadata, "status": status}


async def test_one_status_that_cannot_be_made(caplog: pytest.LogCaptureFixture) -> None:
    metrics, objects = Metrics(CollectorRegistry()), Objects()
    kube = Kube(Configuration(), metrics)
    paper = Paper(kube, objects, metrics, _ignore, _ignore, _ignore)
    paper.offered = []
    collector = Collector(
        objects, paper, SystemClock(), lambda _: None, lambda: INFORMED, lambda _: None, _ignore
    )
    for name, status in (("bad", "hush-hush"), ("good", {})):
        objects.put("WebhookEndpoint", endpoint(name, status))
        key = ObjectKey("WebhookEndpoint", "shop", name)
        collector.report_object(key, ReconcileResult(key, name, 1), None, frozenset(), None)
    await kube.close()
    assert paper.offered == ["good"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "WebhookEndpoint shop/bad" in record.message
    assert "AttributeError at hookplane_operator.status." in record.message
    assert "hush-hush" not in caplog.text


class Scene:
    """A collector at work on a gateway."""

    def __init__(self, made: Place, runtime: GatewayRuntime) -> None:
        self.place, self.runtime = made, runtime
        metrics = Metrics(CollectorRegistry())
        self.facts = {runtime.name: GatewayFacts("uid", 1, url="https://old.example.com")}
        self.paper = Paper(made.kube, made.objects, metrics, _ignore, _ignore, _ignore)
        self.collector = Collector(
            made.objects,
            self.paper,
            made.clock,
            self.facts.get,
            lambda: self.informed,
            lambda _: None,
            _ignore,
        )
        self.informed = INFORMED
        self.state = RoundMemory()

    async def told(self) -> list[str]:
        """Whose status was offered in one look."""
        self.paper.offered = []
        await self.collector.collect(self.runtime, self.state)
        return sorted(self.paper.offered)

    async def look_anew(self) -> None:
        """Asks for everything, whatever seems to have happened."""
        self.state.seen = None
        await self.told()

    async def delete(self, name: str) -> None:
        """An endpoint, as a sweep does it."""
        change = ConfigDiff(deleted=(self.runtime.applied.documents[f"uid-{name}"],))
        await self.runtime.applied.write(change)
        key = ObjectKey("WebhookEndpoint", "shop", name)
        self.runtime.record_deletions([key], 0.0)
        self.runtime.forget_object(key)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Endpoints `orders` and `users`, and a subscription `shop` that selects both."""
    async with place() as made:
        runtime = await made.opened()
        runtime.mark_dirty(
            {made.put_endpoint("orders"), made.put_endpoint("users"), made.put("shop")}
        )
        await made.configurator.reconcile(runtime)
        yield Scene(made, runtime)


async def test_what_a_status_depends_on_besides_its_object(scene: Scene) -> None:
    """The gateway's URL, and for a selector how many endpoints there are."""
    assert await scene.told() == ["orders", "shop", "users"]
    assert await scene.told() == []
    scene.facts[scene.runtime.name] = GatewayFacts("uid", 1, url="https://new.example.com")
    assert await scene.told() == ["orders", "users"]
    assert scene.paper.last.url.startswith("https://new.example.com/shop/")
    await scene.delete("users")
    assert await scene.told() == ["shop"]
    (resolved,) = [x for x in scene.paper.last.conditions if x.type == "EndpointsResolved"]
    assert resolved.message == "1 endpoint"


async def test_an_endpoint_that_is_gone_is_left_when_nothing_of_it_pends(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted after it was deleted: an event may be accepted a moment before that."""
    store = scene.runtime.store
    count = store.subscription_stats

    async def slow(uids: Sequence[str]) -> Any:
        monkeypatch.undo()
        counted = await count(uids)
        event = NewEvent("uid-users", f"evt_{1:026d}", 1, "x", (), b"late")
        await store.append(event)
        await scene.delete("users")
        return counted

    monkeypatch.setattr(store, "subscription_stats", slow)
    for _ in range(2):
        await scene.told()
        assert scene.runtime.drained == {}
    status = (await store.subscription_stats(["uid-shop"]))[0]
    assert (status.pending, status.counters.expired) == (1, 0)
    claimed = await store.claim("uid-shop")
    flush = Flush("uid-shop", claimed.epoch, claimed.flush_number + 1, cursors={"uid-users": 1})
    await store.flush(flush)
    await scene.told()
    assert scene.runtime.drained == {"uid-shop": frozenset({"uid-users"})}


async def test_one_that_goes_later_is_left_later(scene: Scene) -> None:
    """Nothing pended of the first one, something does of the second."""
    shop = ObjectKey("WebhookSubscription", "shop", "shop")
    await scene.delete("orders")
    await scene.told()
    assert scene.runtime.drained == {"uid-shop": frozenset({"uid-orders"})}
    await scene.runtime.store.append(NewEvent("uid-users", f"evt_{1:026d}", 1, "x", (), b"late"))
    await scene.delete("users")
    scene.runtime.mark_dirty({shop})
    await scene.place.configurator.reconcile(scene.runtime)
    status = (await scene.runtime.store.subscription_stats(["uid-shop"]))[0]
    assert (status.pending, status.counters.expired) == (1, 0)
    document = scene.runtime.applied.documents["uid-shop"]
    assert isinstance(document, SubscriptionConfig)
    assert document.endpoints == ("uid-users",)


async def test_a_gateway_reports_what_it_serves_and_one_that_is_gone_reports_nothing(
    scene: Scene,
) -> None:
    scene.place.objects.put("WebhookGateway", body("default", kind="WebhookGateway"))
    assert "default" in await scene.told()
    scene.collector.report_gateway(scene.runtime.name, ServedCounts(2, 1, 7), None)
    served = scene.paper.last.resources
    assert (served.endpoints, served.subscriptions) == (2, 1)
    scene.paper.offered = []
    scene.facts.clear()
    scene.collector.report_gateway(scene.runtime.name, ServedCounts(), None)
    assert scene.paper.offered == []


async def test_an_annotation_resumes_what_was_disabled_before_it_and_once(scene: Scene) -> None:
    store, now = scene.runtime.store, scene.place.clock.now()
    key = ObjectKey("WebhookSubscription", "shop", "shop")
    await disable(scene, now - 60_000)

    await scene.look_anew()
    assert await store.resume_requested("uid-shop") == 0
    for at, requests in ((now - 120_000, 0), (now, 1), (now, 1), (now + 1_000, 1)):
        live = scene.place.objects.get(key)
        assert live is not None
        annotated = live["metadata"] | {"annotations": {RESUME: format_time(at)}}
        scene.place.objects.put(key.kind, live | {"metadata": annotated})
        await scene.look_anew()
        assert await store.resume_requested("uid-shop") == requests

    # disabled again after that time
    await disable(scene, now + 3_600_000)
    await scene.look_anew()
    assert await store.resume_requested("uid-shop") == 1


async def disable(scene: Scene, at: int) -> None:
    claimed = await scene.runtime.store.claim("uid-shop")
    state = TargetHealth(disabled_at=at, disabled_reason="the target is gone")
    number = claimed.flush_number + 1
    await scene.runtime.store.flush(Flush("uid-shop", claimed.epoch, number, state=state))
