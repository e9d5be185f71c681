from __future__ import annotations

import base64
import json

import pytest

from hookplane.errors import InvalidValue
from hookplane.filters.event import EventView
from hookplane.filters.transform import make_transform

BODY = b'{"a": 1.0}'


def event(
    body: bytes = BODY, content_type: str = "application/json", type_: str = "order.created"
) -> EventView:
    headers = (("content-type", content_type), ("x-other", "1")) if content_type else ()
    return EventView("evt_1", type_, "orders", "shop", 1_800_000_000_000, headers, body)


def test_nothing_is_changed() -> None:
    payload = make_transform(None)(event())
    assert payload.body == BODY
    assert payload.headers == (("content-type", "application/json"),)
    assert make_transform(None)(event(content_type="")).headers == ()


def test_what_the_bytes_are_goes_with_them() -> None:
    encoded = (("content-encoding", "br"), ("content-type", "text/x"), ("content-encoding", "gzip"))
    view = EventView("evt_1", "t", "orders", "shop", 0, encoded, b"\x1f\x8b")
    wanted = (("content-type", "text/x"), ("content-encoding", "br"), ("content-encoding", "gzip"))
    assert make_transform(None)(view).headers == wanted
    binary = make_transform("Binary")(view)
    assert binary.headers[:3] == wanted
    structured = json.loads(make_transform("Structured")(view).body)
    assert structured["datacontenttype"] == "text/x"


def test_binary() -> None:
    payload = make_transform("Binary")(event(type_="bestellt für"))
    assert payload.body == BODY
    assert dict(payload.headers) == {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "evt_1",
        "ce-source": "/shop/orders",
        "ce-type": "bestellt%20f%C3%BCr",
        "ce-time": "2027-01-15T08:00:00Z",
    }


def test_structured_json_keeps_its_digits() -> None:
    payload = make_transform("Structured")(event())
    assert payload.headers == (("content-type", "application/cloudevents+json; charset=UTF-8"),)
    assert BODY in payload.body
    assert json.loads(payload.body) == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "/shop/orders",
        "type": "order.created",
        "time": "2027-01-15T08:00:00Z",
        "datacontenttype": "application/json",
        "data": {"a": 1.0},
    }


@pytest.mark.parametrize("content_type", ["application/octet-stream", ""])
def test_structured_bytes(content_type: str) -> None:
    transform = make_transform("Structured")
    envelope = json.loads(transform(event(b"\xff", content_type)).body)
    assert base64.b64decode(envelope["data_base64"]) == b"\xff"
    assert "data" not in envelope


def test_structured_without_a_body() -> None:
    envelope = json.loads(make_transform("Structured")(event(b"")).body)
    assert not {"data", "data_base64"} & set(envelope)


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"a":NaN}', b'{"a":-Infinity}', b'"\xff"', b"\xef\xbb\xbf{}", b'"\n"', b"[" * 9_000],
)
def test_what_claims_to_be_json_must_be(body: bytes) -> None:
    with pytest.raises(InvalidValue, match="body is not JSON"):
        make_transform("Structured")(event(body))


@pytest.mark.parametrize("body", [rb'"Ann \ud83d"', b"1e400", b"1" * 5_000, b'{"a":1,"a":2}'])
def test_what_is_json_by_its_grammar_goes_as_it_came(body: bytes) -> None:
    payload = make_transform("Structured")(event(body))
    assert payload.body.endswith(b'"data":' + body + b"}")


def test_a_body_that_is_too_long_to_be_looked_at_is_no_data() -> None:
    with pytest.raises(InvalidValue, match="longer than"):
        make_transform("Structured")(event(b"1" * (5 << 20)))


def test_no_type_gets_one() -> None:
    payload = make_transform("Binary")(event(type_=""))
    assert dict(payload.headers)["ce-type"] == "hookplane.event"
