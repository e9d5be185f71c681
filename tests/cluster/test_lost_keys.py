"""A gateway whose encryption keys are lost or exchanged: everything is sealed anew, and told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from support.clocks.blocking import until
from support.http.subscriber import Target
from support.kubernetes.installation import Installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import Sender, endpoint, made, post, subscription

Object = dict[str, Any]
KEYS = "default-encryption"
TAKEN = (200, 202, 204)
RESUME = '{"spec": {"suspend": false}}'
FOREIGN = """select count(*) from hookplane.config
    where document is not null and position('{}' in convert_from(document, 'UTF8')) > 0"""
"""Documents in which something is sealed with a key."""


@pytest.fixture(scope="module")
def place(ready: Installation) -> Installation:
    return ready


def is_told(found: Object) -> bool:
    told = condition(found, "KeysLost")
    return (told.get("status"), told.get("reason")) == ("True", Reason.SEALED_WITH_OTHER_KEYS)


def is_warned(kubectl: Kubectl) -> bool:
    chosen = f"--field-selector=type=Warning,reason={Reason.SEALED_WITH_OTHER_KEYS.value}"
    return bool(kubectl.list("events", chosen))


def lost(place: Installation) -> float | None:
    """What the metric says."""
    sample = f'hookplane_operator_keys_lost{{gateway="{place.namespace}/default"}}'
    return place.operator.metrics().get(sample)


def sealed_with(place: Installation, keys: Object) -> int:
    """How many documents hold something that one of these keys sealed."""
    ids = [base64.b64decode(x).decode().partition(":")[0] for x in keys["data"].values()]
    return sum(int(place.sql(FOREIGN.format(f'"v1:{x}:'))) for x in ids)


def put_back(kubectl: Kubectl, keys: Object) -> None:
    metadata = {x: keys["metadata"][x] for x in ("name", "namespace", "labels")}
    kubectl.run("replace", "--force", "-f", "-", given=json.dumps(keys | {"metadata": metadata}))


def until_in_force(kubectl: Kubectl, *names: str) -> None:
    """`names`: each with its kind."""
    for kind, _, name in (x.partition("/") for x in names):
        kubectl.until(kind, name, is_ready)


def test_keys_that_are_lost_while_nobody_looks(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    """All that they sealed is made again from the objects; what an endpoint had accepted that goes
    at the same time is delivered all the same."""
    reader = made(
        "WebhookSubscription",
        "reader",
        {
            "endpointSelector": {"matchLabels": {"app": "shop"}},
            "target": {"url": f"{subscriber.url}/lost"},
            "suspend": True,
        },
    )
    kubectl.apply(*[endpoint(x, labels={"app": "shop"}) for x in ("kept", "goner")], reader)
    until_in_force(kubectl, "whe/kept", "whe/goner", "whs/reader")
    assert not is_told(kubectl.get("whg", "default"))
    goner = Sender.of(kubectl, place.pods, "goner")
    assert goner.post("m1") in TAKEN
    before = kubectl.get("secret", KEYS)
    assert sealed_with(place, before) == 3

    place.operator.stop()
    kubectl.run("delete", f"secret/{KEYS}", "whe/goner")
    place.operator.start()

    found = kubectl.until("whg", "default", is_told)
    assert (
        f'3 document(s) in the database were sealed with keys that Secret "{KEYS}"'
        in (condition(found, "KeysLost")["message"])
    )
    until(lambda: is_warned(kubectl), "an Event", 30)
    assert lost(place) == 3
    now = kubectl.get("secret", KEYS)
    assert now["data"] != before["data"]
    until_in_force(kubectl, "whg/default", "whe/kept", "whs/reader")
    assert post(kubectl, place.pods, "kept", "m2") in TAKEN
    until(lambda: goner_answers(place, goner) == 404, "404")
    kubectl.run("patch", "whs", "reader", "--type=merge", "-p", RESUME)
    until(lambda: len(subscriber.taken("/lost")) == 2, "what both had accepted", 120)
    until(lambda: sealed_with(place, before) == 0, "all to be sealed anew")


def goner_answers(place: Installation, sender: Sender) -> int:
    """By a receiver that runs now."""
    path = sender.url.split("/", 3)[3]
    return Sender(f"{place.pods.receiver().url}/{path}", sender.key).post("m3")


def test_keys_that_are_exchanged_while_it_runs(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    """Somebody restores a Secret of former days over the one that is in use."""
    kubectl.apply(endpoint("old"), subscription("old", ["old"], f"{subscriber.url}/old"))
    until_in_force(kubectl, "whe/old", "whs/old")
    former = kubectl.get("secret", KEYS)
    place.operator.stop()
    kubectl.run("delete", "secret", KEYS)
    place.operator.start()
    until(lambda: sealed_with(place, former) == 0, "all to be sealed anew")
    until_in_force(kubectl, "whg/default", "whe/old", "whs/old")
    kubectl.until("whg", "default", is_told)
    place.operator.stop()
    place.operator.start()
    kubectl.until("whg", "default", lambda found: not is_told(found))
    assert lost(place) == 0

    put_back(kubectl, former)
    kubectl.run("annotate", "whg", "default", "--overwrite", "example.com/look=now")
    until(lambda: sealed_with(place, former) > 1, "all to be sealed with the former ones", 120)
    until_in_force(kubectl, "whg/default", "whe/old", "whs/old")
    assert kubectl.get("secret", KEYS)["data"] == former["data"]
    kubectl.until("whg", "default", is_told)
    assert post(kubectl, place.pods, "old", "m1") in TAKEN
    until(lambda: subscriber.taken("/old"), "its delivery", 120)
