"""HTTPRoute and Ingress of a gateway, with the real Gateway API; the test plays the controllers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from support.clocks.blocking import until
from support.kubernetes.control_plane import (
    CRDS,
    ControlPlane,
    gateway_api,
    install_crds,
    require_components,
)
from support.kubernetes.installation import (
    Installation,
    gateway_spec,
    installation,
    reachable_address,
)
from support.kubernetes.kubectl import Kubectl, condition
from support.kubernetes.manifests import made
from support.kubernetes.routes import ACCEPTED, RESOLVED, parent, report, write_status

EDGE = {"name": "edge", "namespace": "infra", "sectionName": "https"}
ROUTE = {"parentRefs": [EDGE], "hostnames": ["hooks.example.com"]}
CHILD = "way-receiver"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One without the Gateway API: that it appears and goes is tried here."""
    made_here = ControlPlane(require_components()).start()
    install_crds(made_here, CRDS)
    yield made_here
    made_here.stop()


@pytest.fixture(scope="module")
def place(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("ways-in")
    with installation(folder, plane, defaultGateway={"enabled": False}) as made_here:
        way_in(made_here.kubectl)
        made_here.kubectl.until("whg", "way", lambda x: is_ready(x) == "True")
        yield made_here


@pytest.fixture
def routed(plane: ControlPlane, kubectl: Kubectl) -> Kubectl:
    """With a route that nobody has said anything about."""
    install_crds(plane, gateway_api())
    way_in(kubectl, route=ROUTE)
    kubectl.until("httproute", CHILD, lambda _: True)
    report(kubectl, CHILD)
    until_exposed(kubectl, "Unknown", Reason.NOT_REPORTED)
    return kubectl


def way_in(kubectl: Kubectl, **receiver: Any) -> None:
    spec = gateway_spec(reachable_address()) | {"receiver": receiver}
    kubectl.apply(made("WebhookGateway", "way", spec))


def is_ready(found: dict[str, Any]) -> str:
    status = found.get("status", {})
    if status.get("observedGeneration") != found["metadata"]["generation"]:
        return ""
    return str(condition(found, "Ready").get("status", ""))


def until_exposed(kubectl: Kubectl, status: str, reason: Reason) -> dict[str, Any]:
    """The gateway, once it says so of its way in."""

    def holds(found: dict[str, Any]) -> bool:
        exposed = condition(found, "Exposed")
        return (exposed.get("status"), exposed.get("reason")) == (status, reason)

    def is_supported(found: dict[str, Any]) -> bool:
        return condition(found, "Accepted").get("status") == "True"

    return kubectl.until("whg", "way", lambda x: is_ready(x) != "" and is_supported(x) and holds(x))


def edge(*conditions: dict[str, Any], ref: dict[str, Any] = EDGE) -> dict[str, Any]:
    return parent(ref, *conditions)


def test_a_gateway_with_neither_says_nothing_of_it(kubectl: Kubectl) -> None:
    assert condition(kubectl.get("whg", "way"), "Exposed") == {}


def test_the_gateway_api_is_found_when_it_is_installed_later(
    plane: ControlPlane, place: Installation, kubectl: Kubectl
) -> None:
    way_in(kubectl, route=ROUTE)
    found = kubectl.until(
        "whg", "way", lambda x: condition(x, "Accepted").get("reason") == Reason.NOT_SUPPORTED
    )
    assert "spec.receiver.route" in condition(found, "Accepted")["message"]
    assert condition(found, "Stalled")["status"] == "True"
    pid = place.operator.pid
    install_crds(plane, gateway_api())
    until_exposed(kubectl, "Unknown", Reason.NOT_REPORTED)
    report(kubectl, CHILD, edge(ACCEPTED, RESOLVED))
    until_exposed(kubectl, "True", Reason.EXPOSED)
    assert place.operator.pid == pid


def test_the_route_leads_to_the_receivers(routed: Kubectl) -> None:
    spec = routed.get("httproute", CHILD)["spec"]
    assert spec["hostnames"] == ["hooks.example.com"]
    (ref,) = spec["parentRefs"]
    assert ref.items() >= EDGE.items()
    ((backend,),) = (rule["backendRefs"] for rule in spec["rules"])
    service = routed.get("service", backend["name"])
    assert backend["port"] in [x["port"] for x in service["spec"]["ports"]]


REFUSED = {
    "type": "Accepted",
    "status": "False",
    "reason": "NotAllowedByListeners",
    "message": "no listener admits this namespace",
}
UNRESOLVED = {
    "type": "ResolvedRefs",
    "status": "False",
    "reason": "BackendNotFound",
    "message": "there is no such Service",
}
OTHER = {"name": "other", "namespace": "infra"}
REPORTS = {
    "accepted": ([edge(ACCEPTED, RESOLVED)], "True", Reason.EXPOSED),
    "refused": ([edge(REFUSED)], "False", Reason.ROUTE_NOT_ACCEPTED),
    "unresolved": ([edge(ACCEPTED, UNRESOLVED)], "False", Reason.REFS_NOT_RESOLVED),
    "another Gateway refuses": (
        [edge(REFUSED, ref=OTHER), edge(ACCEPTED, RESOLVED)],
        "True",
        Reason.EXPOSED,
    ),
    "only another Gateway accepts": (
        [edge(ACCEPTED, RESOLVED, ref=OTHER)],
        "Unknown",
        Reason.NOT_REPORTED,
    ),
}


@pytest.mark.parametrize("case", REPORTS)
def test_what_gateways_say_of_the_route_is_in_the_status(routed: Kubectl, case: str) -> None:
    parents, status, reason = REPORTS[case]
    report(routed, CHILD, edge({**ACCEPTED, "status": "Unknown"}, ref=OTHER))
    report(routed, CHILD, *parents)
    found = until_exposed(routed, status, reason)
    assert is_ready(found) == status
    assert bool(condition(found, "Reconciling")) == (status != "True")
    said = [x["message"] for x in parents[0]["conditions"] if x["status"] == "False"]
    if status == "False":
        assert said[0] in condition(found, "Exposed")["message"]
        report(routed, CHILD, edge(ACCEPTED, RESOLVED))
        assert is_ready(until_exposed(routed, "True", Reason.EXPOSED)) == "True"


def test_what_was_said_of_an_older_route_does_not_count(routed: Kubectl) -> None:
    report(routed, CHILD, edge(ACCEPTED, RESOLVED))
    until_exposed(routed, "True", Reason.EXPOSED)
    way_in(routed, route={**ROUTE, "hostnames": ["other.example.com"]})
    assert is_ready(until_exposed(routed, "Unknown", Reason.NOT_REPORTED)) == "Unknown"
    report(routed, CHILD, edge(ACCEPTED, RESOLVED))
    until_exposed(routed, "True", Reason.EXPOSED)


def test_the_gateway_api_may_go_and_come_back(
    plane: ControlPlane, place: Installation, routed: Kubectl
) -> None:
    pid = place.operator.pid
    routed.run("delete", "crd", "httproutes.gateway.networking.k8s.io")
    routed.run("annotate", "whg", "way", "--overwrite", "example.com/look=1")
    routed.until(
        "whg", "way", lambda x: condition(x, "Accepted").get("reason") == Reason.NOT_SUPPORTED
    )
    install_crds(plane, gateway_api())
    until_exposed(routed, "Unknown", Reason.NOT_REPORTED)
    report(routed, CHILD, edge(ACCEPTED, RESOLVED))
    until_exposed(routed, "True", Reason.EXPOSED)
    assert place.operator.pid == pid


def test_a_route_that_is_wanted_no_more_is_deleted(routed: Kubectl) -> None:
    way_in(routed)
    until(lambda: routed.find("httproute", CHILD) is None, "no HTTPRoute")
    found = routed.until("whg", "way", lambda x: is_ready(x) == "True")
    assert condition(found, "Exposed") == {}


def test_an_ingress_without_an_address_keeps_nobody_waiting(kubectl: Kubectl) -> None:
    way_in(kubectl, ingress={"host": "hooks.example.com"})
    found = until_exposed(kubectl, "Unknown", Reason.NO_ADDRESS)
    assert is_ready(kubectl.until("whg", "way", lambda x: is_ready(x) == "True")) == "True"
    assert "some controllers never publish one" in condition(found, "Exposed")["message"]
    for entry, words in (({"ip": "203.0.113.7"}, "at 203.0.113.7"), ({"hostname": "lb"}, "at lb")):
        write_status(kubectl, "ingress", CHILD, {"loadBalancer": {"ingress": [entry]}})
        found = until_exposed(kubectl, "True", Reason.EXPOSED)
        assert condition(found, "Exposed")["message"] == words
        write_status(kubectl, "ingress", CHILD, {"loadBalancer": None})
        until_exposed(kubectl, "Unknown", Reason.NO_ADDRESS)
