"""A namespace over its quota, and one beside it, at a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from support.clocks.blocking import until
from support.kubernetes.installation import (
    Installation,
    gateway_spec,
    installation,
    reachable_address,
)
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import endpoint, post


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("quotas")) as made:
        yield made


@pytest.fixture
def other(place: Installation) -> Iterator[Kubectl]:
    """A second namespace that the operator watches."""
    name = f"{place.namespace}-other"
    place.kubectl.run("create", "namespace", name)
    place.settings["watchNamespaces"] = [place.namespace, name]
    yield Kubectl(place.plane.admin, name)
    place.kubectl.run("delete", "namespace", name, "--wait=false")


def allow(place: Installation, **quota: Any) -> None:
    """The default gateway gives each namespace so much."""
    place.operator.stop()
    spec = gateway_spec(reachable_address()) | {
        "allowedNamespaces": {"from": "All"},
        "quotas": {"perNamespace": quota},
    }
    place.settings["defaultGateway"] = {"enabled": True, "spec": spec}
    place.operator = place.another("operator-0").start()


def test_a_namespace_over_its_quota_is_refused_alone_and_told_what_to_do(
    place: Installation, other: Kubectl
) -> None:
    allow(place, storedBytes="2000")
    for kubectl in (place.kubectl, other):
        kubectl.apply(endpoint("orders"))
        kubectl.until("whe", "orders", is_ready)
    until(lambda: "2000" in str(place.kubectl.get("deployment", "default-receiver")), "a rollout")
    until(lambda: fill(place, place.kubectl, "m") == 503, "the quota to be in force")
    assert fill(place, other, "first") == 200
    found = place.kubectl.until("whe", "orders", lambda x: x["status"].get("state") == "Rejecting")
    receiving = condition(found, "Receiving")
    assert (receiving["status"], receiving["reason"]) == ("False", Reason.REJECTING)
    assert receiving["message"] == (
        f"StorageQuotaExceeded: namespace {place.namespace} has no room left in its quota of 2000 "
        "of stored bodies; raise spec.quotas.perNamespace.storedBytes of gateway "
        f"{place.namespace}/default, or shorten the retention of events"
    )
    assert found["status"]["requests"]["rejectedByReason"]["StorageQuotaExceeded"] >= 1
    assert is_ready(found)
    allow(place, storedBytes="1Mi")
    until(lambda: fill(place, place.kubectl, "again") == 200, "the larger quota to be in force")
    place.kubectl.until("whe", "orders", lambda x: x["status"].get("state") == "Receiving")


_sent = iter(range(1_000_000))


def fill(place: Installation, kubectl: Kubectl, event: str) -> int:
    """Status of a request of more than half of the small quota."""
    try:
        return post(kubectl, place.pods, "orders", f"{event}-{next(_sent)}", filling="x" * 1500)
    except OSError:
        return 0  # between the old process and the new one
