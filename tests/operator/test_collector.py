"""One status that cannot be made keeps no other from being told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from kubernetes.aio.client.api_client import ApiClient
from prometheus_client import CollectorRegistry

from hookplane.clock import SystemClock
from hookplane_operator.config.verdict import Verdict
from hookplane_operator.kube.client import Kube
from hookplane_operator.metrics import Metrics
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.writer import StatusWriter
from hookplane_operator.watch.objects import Key, Objects


class Paper(StatusWriter):
    """Notes down what it is offered."""

    offered: list[str]

    def offer(self, key: Key, uid: str, status: Any) -> None:
        self.offered.append(key.name)


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
