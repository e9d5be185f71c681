"""Statuses are told when anything differs that they are made of, each for itself."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from kubernetes.aio.client.api_client import ApiClient
from prometheus_client import CollectorRegistry

from hookplane.clock import SystemClock
from hookplane.compile.change import Change
from hookplane_operator.config.verdict import Verdict
from hookplane_operator.gateways.facts import GatewayFacts
from hookplane_operator.kube.client import Kube
from hookplane_operator.metrics import Metrics
from hookplane_operator.status.collector import Collector, _Round
from hookplane_operator.status.writer import StatusWriter
from hookplane_operator.watch.objects import Key, Objects
from support_plane import place


class Paper(StatusWriter):
    """Notes down what it is offered."""

    offered: list[str]
    last: Any = None

    def offer(self, key: Key, uid: str, status: Any) -> None:
        self.offered.append(key.name)
        self.last = status


def endpoint(name: str, status: Any) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "1"}
    return {"metadata": metadata, "status": status}


async def test_one_status_that_cannot_be_made(caplog: pytest.LogCaptureFixture) -> None:
    metrics, objects = Metrics(CollectorRegistry()), Objects()
    kube = Kube(ApiClient(), metrics)
    paper = Paper(kube, objects, metrics, lambda *_: None)
    paper.offered = []
    collector = Collector(objects, paper, SystemClock(), lambda _: None, lambda _: None)
    for name, status in (("bad", "hush-hush"), ("good", {})):
        objects.put("WebhookEndpoint", endpoint(name, status))
        key = Key("WebhookEndpoint", "shop", name)
        collector.tell(key, Verdict(key, name, 1), None, frozenset(), None)
    await kube.close()
    assert paper.offered == ["good"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "WebhookEndpoint shop/bad" in record.message
    assert "AttributeError at hookplane_operator.status." in record.message
    assert "hush-hush" not in caplog.text


async def test_what_a_status_depends_on_besides_its_object() -> None:
    """The gateway's URL, and for a selector how many endpoints there are."""
    async with place() as made:
        plane = await made.opened()
        plane.dirty = {made.put_endpoint("orders"), made.put_endpoint("users"), made.put("shop")}
        await made.configurator.reconcile(plane)
        facts = {plane.name: GatewayFacts("uid", 1, url="https://old.example.com")}
        kube = Kube(ApiClient(), Metrics(CollectorRegistry()))
        paper = Paper(kube, made.objects, Metrics(CollectorRegistry()), lambda *_: None)
        collector = Collector(made.objects, paper, made.clock, facts.get, lambda _: None)
        state = _Round()

        async def told() -> list[str]:
            paper.offered = []
            await collector._look(plane, state)
            await collector._tell(plane, state)
            return sorted(paper.offered)

        assert await told() == ["orders", "shop", "users"]
        assert await told() == []
        facts[plane.name] = GatewayFacts("uid", 1, url="https://new.example.com")
        assert await told() == ["orders", "users"]
        assert paper.last.url.startswith("https://new.example.com/shop/")
        gone = plane.book.documents["uid-users"]
        plane.book.take(Change(deleted=(gone,)), plane.book.newest)
        plane.rounds += 1
        del plane.verdicts[Key("WebhookEndpoint", "shop", "users")]
        assert await told() == ["shop"]
        (resolved,) = [x for x in paper.last.conditions if x.type == "EndpointsResolved"]
        assert resolved.message == "1 endpoint"
        await kube.close()
