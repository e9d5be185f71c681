"""Which gateway an object belongs to, which namespaces may use it, and what is said while it does
not work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hookplane.compile.model import ObjectKey
from hookplane.kinds.base import GatewayRef
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.gateways.user_objects import UserObject, UserObjects, admits, gateway_of
from hookplane_operator.kube.objects import Objects
from hookplane_operator.settings import DefaultGateway, OperatorSettings, Scope
from hookplane_operator.state.facts import Blocker, GatewayFacts
from hookplane_operator.status.gateway_missing import gateway_missing

SETTINGS = OperatorSettings(
    image="hookplane:test", default_gateway=DefaultGateway(enabled=False, name="usual")
)
SCOPE = Scope(own="system", gateways=("system",), user_namespaces=())
PUBLIC = ("edge", "public")
USUAL = ("system", "usual")
KEY = ObjectKey("WebhookEndpoint", "shop", "orders")


def user_object(kind: str, name: str, namespace: str = "shop", **spec: Any) -> UserObject:
    metadata = {"namespace": namespace, "name": name, "uid": f"{namespace}-{name}", "generation": 3}
    metadata["resourceVersion"] = "1"
    return UserObject(ObjectKey(kind, namespace, name), {"metadata": metadata, "spec": spec})


def known(*user_objects: UserObject) -> UserObjects:
    objects = Objects()
    for key, body in user_objects:
        objects.put(key.kind, body)
    return UserObjects(objects, SETTINGS, SCOPE)


REFERENCES: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "none": ({}, USUAL),
    "empty": ({"gatewayRef": None}, USUAL),
    "a name": ({"gatewayRef": {"name": "other"}}, ("system", "other")),
    "both": ({"gatewayRef": {"name": "public", "namespace": "edge"}}, PUBLIC),
}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("kind", ["WebhookEndpoint", "WebhookSubscription"])
def test_a_reference_names_the_gateway(kind: str, name: str) -> None:
    spec, gateway = REFERENCES[name]
    assert known().gateway(user_object(kind, "x", **spec)) == gateway


def test_a_replay_belongs_where_its_subscription_does() -> None:
    ref = {"name": "public", "namespace": "edge"}
    there = user_object("WebhookSubscription", "to-shop", gatewayRef=ref)
    replay = user_object("WebhookReplay", "again", subscriptionRef={"name": "to-shop"})
    lost = user_object("WebhookReplay", "lost", subscriptionRef={"name": "unknown"})
    elsewhere = user_object("WebhookReplay", "x", "other", subscriptionRef={"name": "to-shop"})
    user_objects = known(there, replay, lost, elsewhere)
    assert user_objects.gateway(replay) == PUBLIC
    assert user_objects.gateway(lost) == user_objects.gateway(elsewhere) == USUAL
    assert {x.key.name for x in user_objects.of(PUBLIC)} == {"to-shop", "again"}
    assert {x.key.name for x in user_objects.all("other")} == {"x"}
    assert len(list(user_objects.all())) == 4


def test_without_a_gateway_the_reference_is_what_is_wrong() -> None:
    body = user_object(*KEY[::2]).body
    told = gateway_missing(KEY, body, PUBLIC, False, None, 5)
    assert told is not None
    assert told.seen is None
    (problem,) = told.result.problems
    assert (problem.path, problem.reason) == ("spec.gatewayRef", Reason.GATEWAY_NOT_FOUND)
    assert problem.message == 'there is no WebhookGateway "public" in namespace "edge"'
    assert (told.result.uid, told.result.generation) == ("shop-orders", 3)


def test_with_a_broken_gateway_nobody_blames_the_object() -> None:
    blocker = Blocker(ConditionType.STORE_AVAILABLE, Reason.STORE_UNAVAILABLE, "no route to host")
    facts = GatewayFacts("u", 1, blockers=(blocker,))
    told = gateway_missing(KEY, user_object(*KEY[::2]).body, PUBLIC, True, facts, 5)
    assert told is not None
    assert told.result.problems == ()
    assert told.seen is not None
    assert told.seen.away == 'WebhookGateway "edge/public" does not work: no route to host'


@pytest.mark.parametrize("facts", [None, GatewayFacts("u", 1)])
def test_nothing_is_said_while_a_gateway_is_opened(facts: GatewayFacts | None) -> None:
    assert gateway_missing(KEY, user_object(*KEY[::2]).body, PUBLIC, True, facts, 5) is None


SELECTOR = {"from": "Selector", "selector": {"matchLabels": {"hooks": "yes"}}}


def gateway(allowed: Mapping[str, Any] | None) -> WebhookGateway:
    spec: dict[str, Any] = {
        "store": {"postgresql": {"dsn": {"secretKeyRef": {"name": "db", "key": "dsn"}}}}
    }
    if allowed is not None:
        spec["allowedNamespaces"] = allowed
    return WebhookGateway.model_validate(
        {"metadata": {"name": "g", "namespace": "system", "uid": "u"}, "spec": spec}
    )


@pytest.mark.parametrize(
    ("allowed", "namespace", "labels", "admitted"),
    [
        ({"from": "All"}, "shop", {}, True),
        ({"from": "All"}, "shop", None, True),
        ({"from": "Same"}, "shop", {"hooks": "yes"}, False),
        ({"from": "Same"}, "system", None, True),
        (SELECTOR, "shop", {"hooks": "yes"}, True),
        (SELECTOR, "shop", {"hooks": "no"}, False),
        (SELECTOR, "shop", {}, False),
        (SELECTOR, "shop", None, False),
        (SELECTOR, "system", None, True),
    ],
)
def test_who_is_admitted(
    allowed: Mapping[str, Any], namespace: str, labels: Mapping[str, str] | None, admitted: bool
) -> None:
    assert admits(gateway(allowed), namespace, labels) is admitted


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        (None, ("system", "usual")),
        (GatewayRef(name="public"), ("system", "public")),
        (GatewayRef(name="public", namespace="edge"), ("edge", "public")),
    ],
)
def test_the_gateway_that_a_reference_means(ref: GatewayRef | None, name: tuple[str, str]) -> None:
    assert gateway_of(ref, SETTINGS, Scope("system", ("edge",), ())) == name
