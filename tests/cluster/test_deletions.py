"""Objects on their way out, in every way in which Kubernetes deletes, and those that a finalizer of
somebody else keeps there."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from support.clocks.blocking import until
from support.http.subscriber import Target
from support.kubernetes.installation import (
    Installation,
)
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import endpoint, post, subscription

WAYS = ("background", "foreground", "orphan")
HELD = '{"metadata":{"finalizers":["example.com/held"]}}'
FREE = '{"metadata":{"finalizers":null}}'
CHILDREN = ("deployment", "service", "serviceaccount", "networkpolicy", "pdb")


@pytest.fixture(scope="module")
def place(ready: Installation) -> Installation:
    return ready


def add_gateway(place: Installation, name: str) -> None:
    place.kubectl.apply(*place.gateway(name))
    place.kubectl.until("whg", name, is_ready)


def hold(kubectl: Kubectl, kind: str, name: str) -> None:
    """It is on its way out, and somebody else's finalizer keeps it there."""
    kubectl.run("patch", kind, name, "--type=merge", "-p", HELD)
    kubectl.run("delete", kind, name, "--wait=false")


def let_go(kubectl: Kubectl, kind: str, name: str) -> None:
    kubectl.run("patch", kind, name, "--type=merge", "-p", FREE)


def children(kubectl: Kubectl, gateway: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = kubectl.list(",".join(CHILDREN), "-l", f"hookplane.dev/gateway={gateway}")
    return {(x["kind"], x["metadata"]["name"]): x for x in found}


@pytest.mark.parametrize("way", ["background", "foreground"])
def test_a_gateway_that_goes_takes_what_it_is_made_of_along(
    place: Installation, kubectl: Kubectl, way: str
) -> None:
    add_gateway(place, way)
    mark = len(place.plane.audited())
    kubectl.run("delete", "whg", way, f"--cascade={way}")
    until(lambda: not children(kubectl, way), "nothing to be left")
    place.settle()
    assert children(kubectl, way) == {}
    own = [x for x in place.writes(mark) if x["objectRef"]["name"].startswith(f"{way}-")]
    assert [x["verb"] for x in own] == [], "something was made again"
    assert kubectl.find("secret", f"{way}-encryption") is not None


def test_a_gateway_that_goes_as_orphan_leaves_all_behind_for_its_successor(
    place: Installation, kubectl: Kubectl
) -> None:
    add_gateway(place, "stayed")
    before = children(kubectl, "stayed")
    kubectl.run("delete", "whg", "stayed", "--cascade=orphan")
    place.settle()
    found = children(kubectl, "stayed")
    assert found.keys() == before.keys()
    assert not any(x["metadata"].get("ownerReferences") for x in found.values())
    add_gateway(place, "stayed")
    uid = kubectl.get("whg", "stayed")["metadata"]["uid"]
    found = children(kubectl, "stayed")
    assert {key: x["metadata"]["uid"] for key, x in found.items()} == {
        key: x["metadata"]["uid"] for key, x in before.items()
    }
    assert {x["metadata"]["ownerReferences"][0]["uid"] for x in found.values()} == {uid}
    kubectl.run("delete", "whg", "stayed")


def test_a_gateway_that_is_held_serves_on_and_nothing_of_it_is_made_again(
    place: Installation, kubectl: Kubectl
) -> None:
    add_gateway(place, "held")
    hold(kubectl, "whg", "held")
    kubectl.run("delete", "networkpolicy", "held-receiver")
    kubectl.apply(endpoint("late", gatewayRef={"name": "held"}))
    kubectl.until("whe", "late", is_ready)
    place.settle()
    assert kubectl.find("networkpolicy", "held-receiver") is None
    assert is_ready(kubectl.get("whg", "held"))
    let_go(kubectl, "whg", "held")
    until(lambda: not children(kubectl, "held"), "nothing to be left")
    kubectl.run("delete", "whe", "late")


@pytest.mark.parametrize("way", WAYS)
def test_a_deployment_that_goes_is_made_again(
    place: Installation, kubectl: Kubectl, way: str
) -> None:
    before = kubectl.get("deployment", "default-dispatcher")["metadata"]["uid"]
    sets = replica_sets(kubectl)
    kubectl.run("delete", "deployment", "default-dispatcher", f"--cascade={way}", "--wait=false")
    kubectl.until(
        "deployment", "default-dispatcher", lambda x: x["metadata"]["uid"] != before, seconds=60
    )
    kubectl.until("whg", "default", is_ready)
    if way == "orphan":  # the new Deployment takes over what runs
        until(lambda: replica_sets(kubectl) == sets, "the same ReplicaSets")


def replica_sets(kubectl: Kubectl) -> set[str]:
    found = kubectl.list("replicaset", "-l", "app.kubernetes.io/component=dispatcher")
    return {x["metadata"]["uid"] for x in found}


def test_a_child_that_is_held_is_told_and_made_again_when_it_is_gone(
    place: Installation, kubectl: Kubectl
) -> None:
    before = kubectl.get("service", "default-receiver")["metadata"]["uid"]
    hold(kubectl, "service", "default-receiver")
    found = kubectl.until(
        "whg",
        "default",
        lambda x: condition(x, "Programmed")["reason"] == Reason.PENDING,
        seconds=30,
    )
    programmed = condition(found, "Programmed")
    assert programmed["status"] == "False"
    assert "kept by the finalizers example.com/held" in programmed["message"]
    let_go(kubectl, "service", "default-receiver")
    kubectl.until("service", "default-receiver", lambda x: x["metadata"]["uid"] != before)
    kubectl.until("whg", "default", is_ready)


@pytest.mark.parametrize("way", WAYS)
def test_an_endpoint_that_goes_is_gone_in_every_way(
    place: Installation, kubectl: Kubectl, way: str
) -> None:
    kubectl.apply(endpoint(f"gone-{way}"))
    kubectl.until("whe", f"gone-{way}", is_ready)
    assert post(kubectl, place.pods, f"gone-{way}", "m1") in (200, 202, 204)
    kubectl.run("delete", "whe", f"gone-{way}", f"--cascade={way}")
    until(lambda: post(kubectl, place.pods, f"gone-{way}", "m2") == 404, "404")


def test_objects_of_users_are_in_force_until_they_are_gone(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    kubectl.apply(endpoint("last"), subscription("last", ["last"], f"{subscriber.url}/last"))
    for kind in ("whe", "whs"):
        kubectl.until(kind, "last", is_ready)
        hold(kubectl, kind, "last")
    place.settle()
    assert post(kubectl, place.pods, "last", "m1") in (200, 202, 204)
    until(lambda: subscriber.taken("/last"), "a delivery")
    kubectl.run("patch", "whe", "last", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    kubectl.until("whe", "last", is_ready)
    until(lambda: post(kubectl, place.pods, "last", "m2") == 503, "an edit to be in force")
    for kind in ("whe", "whs"):
        let_go(kubectl, kind, "last")
    until(lambda: post(kubectl, place.pods, "last", "m3") == 404, "404")
