"""The oracle itself: it is content with what is right, and notices each thing that is not."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

import pytest

from support.chaos.oracle import violations
from support.chaos.seen import CHILDREN, Answers, Seen
from support.chaos.tenants import BROKEN_FILTER, placed
from support.kubernetes.manifests import endpoint, made, secret, subscription

Object = dict[str, Any]
KEY = base64.b64encode(base64.b64encode(b"x" * 32)).decode()
FINE = Answers(right=202, wrong=401)
AWAY = Answers(right=503, wrong=503)
ROLES = ("receiver", "dispatcher")


def told(one: Object, uid: str, namespace: str = "shop", **false: str) -> Object:
    """As its status says that it is in force; `false`: conditions that say no, and why."""
    found = placed(copy.deepcopy(one), namespace)
    found["metadata"] |= {"generation": 2, "uid": uid}
    reasons = {"Ready": "Programmed"} | false
    if false:
        reasons["Ready"] = next(iter(false.values()))
    conditions = [
        {
            "type": kind,
            "status": "False" if false else "True",
            "reason": reason,
            "observedGeneration": 2,
        }
        for kind, reason in reasons.items()
    ]
    return found | {"status": {"observedGeneration": 2, "conditions": conditions}}


def child(kind: str, role: str) -> Object:
    owner = {"uid": "g"}
    metadata = {"name": f"default-{role}", "ownerReferences": [owner]}
    return {"kind": kind, "metadata": metadata, "spec": {"replicas": 1}}


def children() -> list[Object]:
    every = [(kind, role) for kind in CHILDREN for role in ROLES]
    return [child(*x) for x in every if x != ("Service", "dispatcher")]


def generated(name: str) -> Object:
    labels = {"hookplane.dev/generated-for": "e"}
    return {"metadata": {"name": name, "labels": labels}, "data": {"key": KEY}}


def seen(**more: Any) -> Seen:
    """A gateway, an endpoint and its reader, all of them well."""
    whole: Object = {
        "gateways": (told(made("WebhookGateway", "default", {}), "g", "home"),),
        "endpoints": (told(endpoint("orders"), "e"),),
        "subscriptions": (told(subscription("to-erp", ["orders"], "http://x"), "s"),),
        "children": tuple(children()),
        "secrets": {("shop", "orders-verification"): generated("orders-verification")},
        "rows": frozenset({("Endpoint", UID_E), ("Endpoint", "operational/shop")}),
        "answers": {("shop", "orders"): FINE},
    }
    whole["endpoints"][0]["metadata"]["uid"] = UID_E
    return Seen(**whole | more)


UID_E = "11111111-1111-4111-8111-111111111111"
UID_GONE = "22222222-2222-4222-8222-222222222222"
REFERRED: Object = {"verification": {"keys": [{"secretKeyRef": {"name": "shared", "key": "key"}}]}}


def behind() -> Object:
    found = told(endpoint("orders"), UID_E)
    found["metadata"]["generation"] = 3
    return found


def test_what_is_right_is_right() -> None:
    assert violations(seen()) == []


def test_what_is_wrong_with_a_spec_is_expected_to_be_told() -> None:
    broken = subscription("to-erp", ["orders"], "http://x", filter={"cel": BROKEN_FILTER})
    assert violations(seen(subscriptions=(told(broken, "s", Accepted="Invalid"),))) == []
    referred = told(endpoint("orders", **REFERRED), UID_E, SecretsResolved="SecretNotFound")
    away = {("shop", "orders"): AWAY}
    assert violations(seen(endpoints=(referred,), secrets={}, answers=away)) == []
    lonely = subscription("to-erp", ["nowhere"], "http://x")
    waits = told(lonely, "s", EndpointsResolved="EndpointNotFound")
    assert violations(seen(subscriptions=(waits,))) == []


def test_how_many_run_is_left_to_others_where_the_gateway_does_not_say() -> None:
    scaled = [x | {"spec": {"replicas": 5}} if x["kind"] == "Deployment" else x for x in children()]
    assert violations(seen(children=tuple(scaled))) == []


def test_one_that_is_gone_answers_404() -> None:
    gone = {("shop", "orders"): FINE, ("shop", "users"): Answers(404, 404)}
    assert violations(seen(answers=gone)) == []


def test_one_that_is_on_its_way_out_is_not_judged() -> None:
    going = behind()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert violations(seen(endpoints=(going,), answers={("shop", "orders"): AWAY})) == []


WRONG: dict[str, tuple[Callable[[], Seen], str]] = {
    "an old status": (lambda: seen(endpoints=(behind(),)), "not told of generation 3"),
    "no status": (lambda: seen(subscriptions=(untold(),)), "not told of generation 2"),
    "not ready": (
        lambda: seen(endpoints=(told(endpoint("orders"), UID_E, Programmed="Pending"),)),
        "Ready=False, though nothing is wrong",
    ),
    "ready without its Secret": (
        lambda: seen(endpoints=(told(endpoint("orders", **REFERRED), UID_E),)),
        "does not say SecretsResolved=False SecretNotFound",
    ),
    "a child that is missing": (
        lambda: seen(children=tuple(children()[1:])),
        "Deployment default-receiver is wanted and not there",
    ),
    "a child that nobody wants": (
        lambda: seen(children=(*children(), child("Deployment", "console"))),
        "Deployment default-console is there and nobody wants it",
    ),
    "a child of a former gateway": (
        lambda: seen(gateways=(told(made("WebhookGateway", "default", {}), "h", "home"),)),
        "not to its gateway h",
    ),
    "too few replicas": (
        lambda: seen(
            gateways=(told(made("WebhookGateway", "default", many()), "g", "home"),),
        ),
        "receiver: 1 replicas, 2 are wanted",
    ),
    "a URL that is dead": (
        lambda: seen(answers={("shop", "orders"): AWAY}),
        "shop/orders answers 503 to its key",
    ),
    "a URL that takes anything": (
        lambda: seen(answers={("shop", "orders"): Answers(202, 202)}),
        "and 202 to another",
    ),
    "a URL of one that is gone": (
        lambda: seen(answers={("shop", "orders"): FINE, ("shop", "users"): FINE}),
        "shop/users answers 202",
    ),
    "a row of one that is gone": (
        lambda: seen(rows=frozenset({("Endpoint", UID_GONE)})),
        "there is no such object",
    ),
    "a key that nobody made": (lambda: seen(secrets={}), "is not there"),
    "a sweep that is held up": (lambda: seen(gateways=(held(),)), "SweepBlocked"),
}


def untold() -> Object:
    found = told(subscription("to-erp", ["orders"], "http://x"), "s")
    del found["status"]
    return found


def many() -> Object:
    return {"receiver": {"replicas": 2}}


def held() -> Object:
    found = told(made("WebhookGateway", "default", {}), "g", "home")
    blocked = {"type": "SweepBlocked", "status": "True", "reason": "X", "observedGeneration": 2}
    found["status"]["conditions"].append(blocked)
    return found


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found(case: str) -> None:
    make, words = WRONG[case]
    assert words in "\n".join(violations(make()))


def test_a_secret_of_somebody_else_is_not_taken() -> None:
    taken = {("shop", "orders-verification"): secret("orders-verification") | {"data": {}}}
    refused = told(endpoint("orders"), UID_E, SecretsResolved="SecretNameTaken")
    answers = {("shop", "orders"): AWAY}
    assert violations(seen(endpoints=(refused,), secrets=taken, answers=answers)) == []
