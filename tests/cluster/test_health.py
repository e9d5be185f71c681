"""What others make of our statuses: kstatus (Flux, kpt), Argo CD's check, `kubectl wait`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from support.clocks.blocking import until
from support.http.subscriber import target
from support.kubernetes.argocd import health
from support.kubernetes.installation import (
    Installation,
    gateway_spec,
    installation,
    reachable_address,
)
from support.kubernetes.kstatus import kstatus
from support.kubernetes.kubectl import Kubectl, condition
from support.kubernetes.manifests import endpoint, made, post, subscription

Object = dict[str, Any]
FINE = ("Current", "Healthy")
UNDER_WAY = ("InProgress", "Progressing")
STUCK = ("Failed", "Degraded")
KINDS = ("whg", "whe", "whs", "whr")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("health")) as made_here:
        arrange(made_here)
        yield made_here


def replay(name: str, subscription: str) -> Object:
    events = {"from": "2026-01-01T00:00:00Z", "states": ["Delivered"]}
    ref = {"subscriptionRef": {"name": subscription}}
    return made("WebhookReplay", name, ref | {"events": events})


def gateway(name: str, **spec: Any) -> Object:
    return made("WebhookGateway", name, gateway_spec(reachable_address()) | spec)


def arrange(place: Installation) -> None:
    """Objects of every kind in every state."""
    no_key = {"keys": [{"secretKeyRef": {"name": "absent", "key": "key"}}]}
    no_dsn = {"postgresql": {"dsn": {"secretKeyRef": {"name": "absent", "key": "dsn"}}}}
    unused = "https://shop.example.com"
    # first come, first served: the database is to be this one's
    place.kubectl.until(
        "whg", "default", lambda x: condition(x, "StoreAvailable").get("status") == "True"
    )
    place.kubectl.apply(
        endpoint("fine"),
        endpoint("waiting", provider="GitHub", verification=no_key),
        endpoint("stuck", provider="Nobody"),
        subscription("fine", ["fine"], unused),
        subscription("waiting", ["absent"], unused),
        subscription("stuck", ["fine"], "https://10.0.0.1"),
        replay("fine", "fine"),
        replay("waiting", "absent"),
        gateway("waiting", store=no_dsn),
        gateway("stuck"),
    )


@dataclass(frozen=True)
class Case:
    """An object that comes to rest with this condition."""

    kind: str
    name: str
    type: str
    reason: Reason
    seen: tuple[str, str]


CASES = (
    Case("whg", "default", "Ready", Reason.PROGRAMMED, FINE),
    Case("whg", "waiting", "Reconciling", Reason.SECRET_NOT_FOUND, UNDER_WAY),
    Case("whg", "stuck", "Stalled", Reason.STORE_IN_USE, STUCK),
    Case("whe", "fine", "Ready", Reason.PROGRAMMED, FINE),
    Case("whe", "waiting", "Reconciling", Reason.SECRET_NOT_FOUND, UNDER_WAY),
    Case("whe", "stuck", "Stalled", Reason.UNKNOWN_PROVIDER, STUCK),
    Case("whs", "fine", "Ready", Reason.PROGRAMMED, FINE),
    Case("whs", "waiting", "Reconciling", Reason.ENDPOINT_NOT_FOUND, UNDER_WAY),
    Case("whs", "stuck", "Stalled", Reason.NOT_ALLOWED, STUCK),
    Case("whr", "fine", "Ready", Reason.PROGRAMMED, FINE),
    # whatever could be wrong with the spec of a replay is refused by the API server
    Case("whr", "waiting", "Reconciling", Reason.SUBSCRIPTION_NOT_FOUND, UNDER_WAY),
)


@pytest.mark.parametrize("case", CASES, ids=lambda x: f"{x.kind}-{x.name}")
def test_everybody_sees_the_same(kubectl: Kubectl, case: Case) -> None:
    found = kubectl.until(
        case.kind, case.name, lambda x: condition(x, case.type).get("reason") == case.reason
    )
    assert condition(found, case.type)["status"] == "True"
    assert (kstatus(found), health(found)) == case.seen


def test_wait_sees_it_for_every_kind(place: Installation, kubectl: Kubectl) -> None:
    for kind in KINDS:
        name = "default" if kind == "whg" else "fine"
        kubectl.run("wait", "--for=condition=Ready", "--timeout=60s", f"{kind}/{name}")
        stuck = kubectl.attempt("wait", "--for=condition=Ready", "--timeout=1s", f"{kind}/waiting")
        assert "timed out" in stuck.stderr
    kubectl.run("wait", "--for=delete", "--timeout=1s", "whe/never-there")


def test_nobody_takes_what_the_operator_has_not_seen_for_done(
    place: Installation, kubectl: Kubectl
) -> None:
    place.operator.stop()
    try:
        kubectl.apply(
            gateway("new"),
            endpoint("new"),
            subscription("new", ["new"], "https://shop.example.com"),
            replay("new", "fine"),
        )
        kubectl.run("patch", "whe", "fine", "--type=merge", "-p", '{"spec": {"suspend": true}}')
        seen = [kubectl.get(kind, "new") for kind in KINDS] + [kubectl.get("whe", "fine")]
        assert [(kstatus(x), health(x)) for x in seen] == [UNDER_WAY] * len(seen)
    finally:
        place.operator.start()
    for kind in ("whe", "whs", "whr"):
        kubectl.run("wait", "--for=condition=Ready", "--timeout=60s", f"{kind}/new")
    assert kstatus(kubectl.get("whe", "new")) == "Current"


def test_one_that_is_being_deleted_is_terminating(kubectl: Kubectl) -> None:
    kubectl.apply(
        endpoint("going") | {"metadata": {"name": "going", "finalizers": ["example.com/x"]}}
    )
    kubectl.run("delete", "whe", "going", "--wait=false")
    assert kstatus(kubectl.get("whe", "going")) == "Terminating"
    kubectl.run("patch", "whe", "going", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    until(lambda: kubectl.find("whe", "going") is None, "the deletion")


@pytest.mark.parametrize("status", [200, 503])
def test_what_a_target_does_is_not_our_health(
    place: Installation, kubectl: Kubectl, status: int
) -> None:
    name = f"to-{status}"
    with target(reachable_address()) as subscriber:
        subscriber.status = status
        kubectl.apply(endpoint(name), subscription(name, [name], f"{subscriber.url}/x"))
        kubectl.run("wait", "--for=condition=Ready", "--timeout=60s", f"whe/{name}", f"whs/{name}")
        assert post(kubectl, place.pods, name, "m1") in (200, 202, 204)
        state = "Delivering" if status == 200 else "Failing"
        found = kubectl.until("whs", name, lambda x: x["status"].get("state") == state)
    assert (kstatus(found), health(found)) == FINE
