"""Endpoints come, change and go; one that cannot be served is told, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from hookplane.config.endpoint import EndpointConfig
from hookplane.errors import InvalidValue
from hookplane.store.config_store import ConfigKind
from hookplane_receiver.metrics import AllEndpointsMetrics
from hookplane_receiver.router import Router
from support.clocks.manual import ManualClock
from support.planes.activity import RecordingActivityLog
from support.planes.receiver import endpoint

OF_A_NEWER_VERSION: dict[str, dict[str, Any]] = {
    "a handshake": {"handshake": "Tomorrow"},
    "addresses": {"sources": ("2001:db8::/129",)},
}


def apply(router: Router, document: EndpointConfig) -> None:
    router.apply(ConfigKind.ENDPOINT, document.uid, document)


@pytest.mark.parametrize("name", OF_A_NEWER_VERSION)
def test_what_this_version_cannot_serve_is_told_and_changes_nothing(name: str) -> None:
    activity = RecordingActivityLog()
    router = Router(AllEndpointsMetrics(CollectorRegistry()), ManualClock(), activity)
    apply(router, endpoint("orders"))
    before = router.find("/default/orders")
    with pytest.raises(InvalidValue, match="this version cannot serve it"):
        apply(router, endpoint("orders", **OF_A_NEWER_VERSION[name]))
    assert router.find("/default/orders") is before
    (note,) = activity.notes
    assert note[:2] == ("webhookendpoints/default/orders", "ConfigRefused")


def test_an_endpoint_that_goes_has_no_path_any_more() -> None:
    router = Router(AllEndpointsMetrics(CollectorRegistry()), ManualClock(), RecordingActivityLog())
    document = endpoint("orders")
    apply(router, document)
    router.apply(ConfigKind.ENDPOINT, document.uid, None)
    assert router.find("/default/orders") is None


def test_an_endpoint_that_changes_its_path_answers_at_the_new_one_only() -> None:
    router = Router(AllEndpointsMetrics(CollectorRegistry()), ManualClock(), RecordingActivityLog())
    document = endpoint("orders")
    apply(router, document)
    apply(router, document.model_copy(update={"path": "/default/moved"}))
    assert router.find("/default/orders") is None
    assert router.find("/default/moved") is not None


def test_the_numbers_of_one_that_is_made_again_go_with_the_last_of_its_name() -> None:
    registry = CollectorRegistry()
    metrics = AllEndpointsMetrics(registry)
    router = Router(metrics, ManualClock(), RecordingActivityLog())
    old = endpoint("orders")
    new = old.model_copy(update={"uid": "made-again"})
    apply(router, old)
    found = router.find("/default/orders")
    assert found is not None
    metrics.reject(found.label, found.metrics, "BadSignature")
    apply(router, new)  # its row comes before the tombstone of the former one
    router.apply(ConfigKind.ENDPOINT, old.uid, None)
    labels = {"endpoint": "default/orders"}
    assert registry.get_sample_value("hookplane_ingest_bytes_total", labels) == 0
    rejected = labels | {"reason": "BadSignature"}
    assert registry.get_sample_value("hookplane_rejected_total", rejected) == 1
    router.apply(ConfigKind.ENDPOINT, new.uid, None)
    assert registry.get_sample_value("hookplane_ingest_bytes_total", labels) is None
    assert registry.get_sample_value("hookplane_rejected_total", rejected) is None
