"""Which gateway an object belongs to, and what is said while that one does not work."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.compile.model import ObjectKey
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane_operator.gateways.facts import GatewayFacts, Trouble
from hookplane_operator.settings import DefaultGateway, OperatorSettings, Scope
from hookplane_operator.status.gateway_missing import gateway_missing
from hookplane_operator.watch.objects import Objects
from hookplane_operator.watch.user_objects import UserObject, UserObjects

SETTINGS = OperatorSettings(
    image="hookplane:test", default_gateway=DefaultGateway(enabled=False, name="usual")
)
SCOPE = Scope(own="system", gateways=("system",), tenants=())
PUBLIC = ("edge", "public")
USUAL = ("system", "usual")
KEY = ObjectKey("WebhookEndpoint", "shop", "orders")


def tenant(kind: str, name: str, namespace: str = "shop", **spec: Any) -> UserObject:
    metadata = {"namespace": namespace, "name": name, "uid": f"{namespace}-{name}", "generation": 3}
    metadata["resourceVersion"] = "1"
    return UserObject(ObjectKey(kind, namespace, name), {"metadata": metadata, "spec": spec})


def known(*tenants: UserObject) -> UserObjects:
    objects = Objects()
    for key, body in tenants:
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
    assert known().gateway(tenant(kind, "x", **spec)) == gateway


def test_a_replay_belongs_where_its_subscription_does() -> None:
    ref = {"name": "public", "namespace": "edge"}
    there = tenant("WebhookSubscription", "to-shop", gatewayRef=ref)
    replay = tenant("WebhookReplay", "again", subscriptionRef={"name": "to-shop"})
    lost = tenant("WebhookReplay", "lost", subscriptionRef={"name": "unknown"})
    elsewhere = tenant("WebhookReplay", "x", "other", subscriptionRef={"name": "to-shop"})
    tenants = known(there, replay, lost, elsewhere)
    assert tenants.gateway(replay) == PUBLIC
    assert tenants.gateway(lost) == tenants.gateway(elsewhere) == USUAL
    assert {x.key.name for x in tenants.of(PUBLIC)} == {"to-shop", "again"}
    assert {x.key.name for x in tenants.all("other")} == {"x"}
    assert len(list(tenants.all())) == 4


def test_without_a_gateway_the_reference_is_what_is_wrong() -> None:
    body = tenant(*KEY[::2]).body
    told = gateway_missing(KEY, body, PUBLIC, False, None, 5)
    assert told is not None
    assert told.seen is None
    (problem,) = told.verdict.problems
    assert (problem.path, problem.reason) == ("spec.gatewayRef", Reason.GATEWAY_NOT_FOUND)
    assert problem.message == 'there is no WebhookGateway "public" in namespace "edge"'
    assert (told.verdict.uid, told.verdict.generation) == ("shop-orders", 3)


def test_with_a_broken_gateway_nobody_blames_the_object() -> None:
    trouble = Trouble(ConditionType.STORE_AVAILABLE, Reason.STORE_UNAVAILABLE, "no route to host")
    facts = GatewayFacts("u", 1, troubles=(trouble,))
    told = gateway_missing(KEY, tenant(*KEY[::2]).body, PUBLIC, True, facts, 5)
    assert told is not None
    assert told.verdict.problems == ()
    assert told.seen is not None
    assert told.seen.away == 'WebhookGateway "edge/public" does not work: no route to host'


@pytest.mark.parametrize("facts", [None, GatewayFacts("u", 1)])
def test_nothing_is_said_while_a_gateway_is_opened(facts: GatewayFacts | None) -> None:
    assert gateway_missing(KEY, tenant(*KEY[::2]).body, PUBLIC, True, facts, 5) is None
