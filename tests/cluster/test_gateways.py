"""Gateways: whose database, which namespaces, what happens when they go."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from hookplane_operator.gateways.drift import APPLIED
from support.clocks.blocking import until
from support.http.subscriber import Target
from support.kubernetes.audit import about, is_lease
from support.kubernetes.installation import (
    Installation,
    gateway_spec,
    reachable_address,
)
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import endpoint, made, post, secret, subscription


@pytest.fixture(scope="module")
def place(ready: Installation) -> Installation:
    return ready


def reason(found: dict[str, Any], wanted: str) -> str:
    return str(condition(found, wanted).get("reason", ""))


def gateway(name: str, **spec: Any) -> dict[str, Any]:
    return made("WebhookGateway", name, gateway_spec(reachable_address()) | spec)


def test_nothing_is_written_after_a_restart(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    kubectl.apply(endpoint("quiet"), subscription("quiet", ["quiet"], subscriber.url))
    kubectl.until("whe", "quiet", is_ready)
    kubectl.until("whs", "quiet", is_ready)
    place.settle()
    place.operator.stop()
    mark = len(place.plane.audited())
    place.operator.start()
    until(place.operator.leads, "a leader")
    place.settle()
    written = [about(x) for x in place.writes(mark) if not is_lease(x)]
    assert written == []


def test_a_second_gateway_on_the_same_database_is_kept_out(kubectl: Kubectl) -> None:
    kubectl.apply(gateway("second"))
    found = kubectl.until(
        "whg", "second", lambda x: reason(x, "StoreAvailable") == Reason.STORE_IN_USE
    )
    assert found["status"]["store"]["state"] == "InUse"
    assert "take-over-store" in condition(found, "StoreAvailable")["message"]
    assert condition(kubectl.get("whg", "default"), "Ready")["status"] == "True"
    kubectl.run("delete", "whg", "second")
    assert kubectl.find("deployment", "second-receiver") is None


def test_a_database_that_is_not_there(kubectl: Kubectl) -> None:
    kubectl.apply(
        secret("nowhere", dsn="postgresql://u:hidden-word@127.0.0.1:9/x"),
        gateway(
            "third",
            store={"postgresql": {"dsn": {"secretKeyRef": {"name": "nowhere", "key": "dsn"}}}},
        ),
        endpoint("lost", gatewayRef={"name": "third"}),
        endpoint("beside"),
    )
    found = kubectl.until(
        "whg", "third", lambda x: reason(x, "StoreAvailable") == Reason.STORE_UNAVAILABLE
    )
    assert "hidden-word" not in str(found)
    lost = kubectl.until("whe", "lost", lambda x: condition(x, "Ready").get("status") == "Unknown")
    assert reason(lost, "Programmed") == Reason.STORE_UNAVAILABLE
    kubectl.until("whe", "beside", is_ready)
    kubectl.run("delete", "whg/third", "whe/lost", "whe/beside")


def test_a_missing_dsn_is_named(kubectl: Kubectl) -> None:
    dsn = {"secretKeyRef": {"name": "absent", "key": "dsn"}}
    kubectl.apply(gateway("fourth", store={"postgresql": {"dsn": dsn}}))
    found = kubectl.until(
        "whg", "fourth", lambda x: reason(x, "SecretsResolved") == Reason.SECRET_NOT_FOUND
    )
    message = condition(found, "SecretsResolved")["message"]
    assert message.startswith("spec.store.postgresql.dsn: ")
    kubectl.run("delete", "whg", "fourth")


def test_scaling_and_autoscaling(kubectl: Kubectl, place: Installation) -> None:
    spec = gateway_spec(reachable_address())
    resources = {"requests": {"cpu": "100m"}}
    three = {"replicas": 3, "resources": resources}
    scale(place, spec | {"receiver": three})
    kubectl.until("whg", "default", lambda x: x["status"]["receivers"]["summary"] == "3/3")
    scaling = {"minReplicas": 1, "maxReplicas": 5}
    scale(place, spec | {"receiver": {"autoscaling": scaling, "resources": resources}})
    kubectl.until("hpa", "default-receiver", lambda x: x["spec"]["maxReplicas"] == 5)
    assert kubectl.get("deployment", "default-receiver")["spec"]["replicas"] == 3
    kubectl.run("scale", "deployment", "default-receiver", "--replicas=2")  # as an autoscaler does
    kubectl.run("annotate", "deployment", "default-receiver", "--overwrite", f"{APPLIED}=0")
    kubectl.until(
        "deployment", "default-receiver", lambda x: x["metadata"]["annotations"][APPLIED] != "0"
    )
    assert kubectl.get("deployment", "default-receiver")["spec"]["replicas"] == 2

    scale(place, spec | {"receiver": three})
    until(lambda: kubectl.find("hpa", "default-receiver") is None, "no autoscaler")
    kubectl.until("deployment", "default-receiver", lambda x: x["spec"]["replicas"] == 3)
    scale(place, spec | {"console": {"enabled": True}})
    until(lambda: kubectl.find("hpa", "default-receiver") is None, "no autoscaler")
    kubectl.until("deployment", "default-console", lambda _: True)
    kubectl.run("scale", "deployment", "default-receiver", "--replicas=1")  # nobody sets it back
    kubectl.until("whg", "default", lambda x: x["status"]["receivers"]["summary"] == "1/1")
    kubectl.run("annotate", "deployment", "default-receiver", "--overwrite", f"{APPLIED}=0")
    kubectl.until(
        "deployment", "default-receiver", lambda x: x["metadata"]["annotations"][APPLIED] != "0"
    )
    assert kubectl.get("deployment", "default-receiver")["spec"]["replicas"] == 1


def scale(place: Installation, spec: dict[str, Any]) -> None:
    """The default gateway is what the settings say."""
    place.operator.stop()
    place.settings["defaultGateway"] = {"enabled": True, "spec": spec}
    place.operator = place.another("operator-0").start()


def test_deleting_a_gateway_removes_what_it_is_made_of(
    kubectl: Kubectl, place: Installation
) -> None:
    place.operator.stop()
    place.settings["defaultGateway"] = {"enabled": False}
    place.operator = place.another("operator-0").start()
    kubectl.apply(endpoint("orphan"))
    kubectl.run("delete", "whg", "default")
    for kind in ("deployment", "service", "networkpolicy", "pdb"):
        until(lambda kind=kind: not kubectl.list(kind), f"no {kind}")  # type: ignore[misc]
    found = kubectl.until(
        "whe", "orphan", lambda x: reason(x, "Accepted") == Reason.GATEWAY_NOT_FOUND
    )
    assert condition(found, "Ready")["status"] == "False"
    assert kubectl.find("secret", "default-encryption") is not None
    scale(place, gateway_spec(reachable_address()))
    kubectl.until("whe", "orphan", is_ready)


def test_encryption_keys_that_somebody_deletes_are_put_back(
    kubectl: Kubectl, place: Installation
) -> None:
    kubectl.apply(endpoint("sealed"))
    kubectl.until("whe", "sealed", is_ready)
    before = kubectl.get("secret", "default-encryption")
    kubectl.run("delete", "secret", "default-encryption")
    kubectl.run("annotate", "whg", "default", "example.com/look=now")
    found = kubectl.until("secret", "default-encryption", lambda _: True)
    assert found["metadata"]["uid"] != before["metadata"]["uid"]
    assert found["data"] == before["data"]
    assert post(kubectl, place.pods, "sealed", "m1") in (200, 202, 204)


def test_the_api_server_away_does_not_touch_deliveries(
    kubectl: Kubectl, place: Installation, subscriber: Target
) -> None:
    kubectl.apply(endpoint("steady"), subscription("steady", ["steady"], f"{subscriber.url}/s"))
    kubectl.until("whs", "steady", is_ready)
    receiver = place.pods.receiver()
    assert receiver
    place.plane.kill("api")
    before = place.operator.unanswered()
    try:
        until(lambda: place.operator.unanswered() >= before + 5, "the operator to miss it", 120)
    finally:
        place.plane.start_api()
    assert post(kubectl, place.pods, "steady", "m1") in (200, 202, 204)
    until(lambda: subscriber.taken("/s"), "a delivery")
    kubectl.apply(endpoint("returned"))
    kubectl.until("whe", "returned", is_ready, seconds=90)
    assert condition(kubectl.get("whs", "steady"), "Ready")["status"] == "True"
