"""Samples with a body and a key of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.providers.samples import Sample
from hookplane_cli.wished_sample import wished
from hookplane_console.trigger import SampleWish, TriggerRefused

MADE = Sample("msg_1", "order.created", (), b'{"type":"order.created","lines":[{"n":1}]}')
IN_BODY, IN_HEADER = Source(body_path="type"), Source(header="x-event")


def endpoint(event_type: Source = IN_BODY, **facts: Any) -> EndpointConfig:
    facts = {"provider": "Generic", "event_type": event_type, **facts}
    return EndpointConfig(uid="e", namespace="default", name="one", path="/default/one", **facts)


def test_without_a_wish_it_stays_as_it_is() -> None:
    assert wished(endpoint(), SampleWish(), MADE) == MADE


def test_the_body_says_the_type() -> None:
    made = wished(endpoint(), SampleWish(body='{"type":"order.paid"}'), MADE)
    assert (made.type, made.body, made.id) == ("order.paid", b'{"type":"order.paid"}', "msg_1")
    assert wished(endpoint(), SampleWish(body="no JSON"), MADE).type == "unknown"
    beside = wished(endpoint(IN_HEADER), SampleWish("order.created", body="text"), MADE)
    assert (beside.type, beside.body) == ("order.created", b"text")


def test_a_type_that_the_body_does_not_have_is_refused() -> None:
    with pytest.raises(TriggerRefused, match='the type of the event is "a": one reads it'):
        wished(endpoint(), SampleWish("b", body='{"type":"a"}'), MADE)


@pytest.mark.parametrize(
    ("path", "steps"),
    [("customer", ["customer"]), ("data.customer.id", ["data", "customer", "id"])],
)
def test_a_key_is_written_where_it_is_looked_for(path: str, steps: list[str]) -> None:
    config = endpoint(event_key=Source(body_path=path))
    found = json.loads(wished(config, SampleWish(key="cus_1"), MADE).body)
    for step in steps:
        found = found[step]
    assert found == "cus_1"


def test_a_key_in_a_list() -> None:
    config = endpoint(event_key=Source(body_path="lines.0.sku"))
    found = json.loads(wished(config, SampleWish(key="x"), MADE).body)
    assert found["lines"] == [{"n": 1, "sku": "x"}]


@pytest.mark.parametrize(
    ("source", "body", "message"),
    [
        (None, None, "events of one have no key"),
        (Source(value="constant"), None, "events of one have no key"),
        (Source(body_path="id"), "no JSON", 'in the body at "id", and this body has no place'),
        (Source(body_path="id"), "[1]", "has no place there"),
        (Source(body_path="type.id"), None, "has no place there"),
        (Source(body_path="lines.7.id"), None, "has no place there"),
    ],
)
def test_a_key_without_a_place_is_refused(
    source: Source | None, body: str | None, message: str
) -> None:
    with pytest.raises(TriggerRefused, match=message):
        wished(endpoint(event_key=source), SampleWish(key="x", body=body), MADE)
