"""Gateways: whose database, which namespaces, what happens when they go; and several operators."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from hookplane_operator.gateways.drift import APPLIED
from support_kubernetes import Kubectl, condition
from support_manifests import endpoint, made, post, secret, subscription
from support_operator import (
    LEAD,
    Installation,
    gateway_spec,
    installation,
    reachable_address,
    settled,
)
from support_target import Target, target, until


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("gateways")) as made_here:
        made_here.kubectl.until("whg", "default", ready)
        yield made_here


@pytest.fixture
def kubectl(place: Installation) -> Kubectl:
    return place.kubectl


@pytest.fixture
def subscriber() -> Iterator[Target]:
    with target(reachable_address()) as made_here:
        yield made_here


def ready(found: dict[str, Any]) -> bool:
    return condition(found, "Ready").get("status") == "True"


def reason(found: dict[str, Any], wanted: str) -> str:
    return str(condition(found, wanted).get("reason", ""))


def gateway(name: str, **spec: Any) -> dict[str, Any]:
    return made("WebhookGateway", name, gateway_spec(reachable_address()) | spec)


def test_nothing_is_written_after_a_restart(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    kubectl.apply(endpoint("quiet"), subscription("quiet", ["quiet"], subscriber.url))
    kubectl.until("whe", "quiet", ready)
    kubectl.until("whs", "quiet", ready)
    settled(place)
    place.operator.stop()
    mark = len(place.plane.audited())
    place.operator.start()
    until(lambda: place.operator.metrics()[LEAD] == 1.0, "a leader")
    time.sleep(6)
    written = [x for x in writes(place, mark) if x["objectRef"]["resource"] != "leases"]
    assert [(x["verb"], x["objectRef"]) for x in written] == []


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
    )
    found = kubectl.until(
        "whg", "third", lambda x: reason(x, "StoreAvailable") == Reason.STORE_UNAVAILABLE
    )
    assert "hidden-word" not in str(found)
    lost = kubectl.until("whe", "lost", lambda x: condition(x, "Ready").get("status") == "Unknown")
    assert reason(lost, "Programmed") == Reason.STORE_UNAVAILABLE
    kubectl.run("delete", "whg/third", "whe/lost")


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
    kubectl.until("deployment", "default-receiver", lambda x: x["spec"]["replicas"] == 1)
    kubectl.until("deployment", "default-console", lambda _: True)


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
    kubectl.until("whe", "orphan", ready)


def test_a_second_replica_takes_over_and_only_one_writes(
    kubectl: Kubectl, place: Installation, subscriber: Target
) -> None:
    own = place.plane.kubeconfig_of("second-operator", "system:masters")
    second = place.another("operator-1", own).start()
    try:
        assert second.metrics()[LEAD] == 0.0
        begun = time.monotonic()
        mark = len(place.plane.audited())
        place.operator.kill()
        until(lambda: second.metrics()[LEAD] == 1.0, "a takeover")
        took = time.monotonic() - begun
        print(f"takeover after {took:.1f} s")
        kubectl.apply(endpoint("after"), subscription("after", ["after"], subscriber.url))
        kubectl.until("whs", "after", ready)
        assert post(kubectl, place.pods, "after", "m1") in (200, 202, 204)
        until(subscriber.taken, "a delivery")
        written = writes(place, mark)
        by_second = [x for x in written if x["user"]["username"] == "second-operator"]
        resources = [x["objectRef"]["resource"] for x in by_second]
        assert resources[0] == "leases", "it wrote before it had taken the Lease"
        assert "webhooksubscriptions" in resources
        # what the first had written before it was killed may be in the log after the mark
        taken = by_second[0]["stageTimestamp"]
        late = [x for x in written if x["requestReceivedTimestamp"] > taken and x not in by_second]
        assert late == [], "the first wrote after the second had taken the Lease"
    finally:
        second.stop()
        place.operator.start()


def writes(place: Installation, mark: int) -> list[dict[str, Any]]:
    """What operators wrote in this namespace since then."""
    return [
        x
        for x in place.plane.audited()[mark:]
        if x["userAgent"].startswith("hookplane")
        and x["verb"] not in ("get", "list", "watch")
        and x["objectRef"].get("namespace") == place.namespace
    ]


def test_a_stopped_leader_writes_nothing_when_it_goes_on(
    kubectl: Kubectl, place: Installation
) -> None:
    until(lambda: place.operator.metrics()[LEAD] == 1.0, "a leader")
    second = place.another("operator-1").start()
    try:
        os.kill(place.operator.pid, signal.SIGSTOP)
        until(lambda: second.metrics()[LEAD] == 1.0, "a takeover")
        os.kill(place.operator.pid, signal.SIGCONT)
        until(lambda: place.operator.metrics()[LEAD] == 0.0, "the old one to notice")
        assert second.metrics()[LEAD] == 1.0
        kubectl.apply(endpoint("later"))
        kubectl.until("whe", "later", ready)
    finally:
        os.kill(place.operator.pid, signal.SIGCONT)
        second.stop()


def test_many_deletions_at_once_wait_for_a_word(kubectl: Kubectl, place: Installation) -> None:
    names = [f"many-{number}" for number in range(12)]
    kubectl.apply(*[endpoint(name) for name in names])
    for name in names:
        kubectl.until("whe", name, ready)
    before = len(kubectl.list("whe"))
    place.operator.stop()
    kubectl.run("delete", "whe", *names)
    place.operator.start()
    found = kubectl.until(
        "whg", "default", lambda x: condition(x, "SweepBlocked").get("status") == "True"
    )
    assert found["status"]["resources"]["endpoints"] == before
    assert post(kubectl, place.pods, names[0], "m1") in (200, 202, 204)
    count = condition(found, "SweepBlocked")["message"].split()[0]
    kubectl.run("annotate", "whg", "default", f"hookplane.dev/confirm-deletions={count}")
    until(lambda: post(kubectl, place.pods, names[0], "m2") == 404, "404")
    kubectl.until("whg", "default", lambda x: not condition(x, "SweepBlocked"), seconds=90)


def test_the_api_server_away_does_not_touch_deliveries(
    kubectl: Kubectl, place: Installation, subscriber: Target
) -> None:
    kubectl.apply(endpoint("steady"), subscription("steady", ["steady"], f"{subscriber.url}/s"))
    kubectl.until("whs", "steady", ready)
    receiver = place.pods.receiver()
    assert receiver
    place.plane.kill("api")
    try:
        time.sleep(20)
    finally:
        place.plane.start_api()
    assert post(kubectl, place.pods, "steady", "m1") in (200, 202, 204)
    until(lambda: subscriber.taken("/s"), "a delivery")
    kubectl.apply(endpoint("returned"))
    kubectl.until("whe", "returned", ready, seconds=90)
    assert condition(kubectl.get("whs", "steady"), "Ready")["status"] == "True"
