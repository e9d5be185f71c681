"""What expressions see of an event."""

from __future__ import annotations

import pytest

from hookplane.filters.event import EventView, claims_json, joined

JSON = ("content-type", "application/json")


@pytest.mark.parametrize(
    ("headers", "claimed"),
    [
        ([], False),
        ([JSON], True),
        ([("content-type", "Application/JSON; charset=utf-8")], True),
        ([("content-type", "application/cloudevents+json")], True),
        ([("content-type", "text/plain")], False),
        ([("accept", "application/json")], False),
        ([("accept", "application/json"), ("content-type", "text/plain")], False),
        ([("x-other", "1"), JSON], True),
    ],
)
def test_only_the_content_type_claims_that_a_body_is_json(
    headers: list[tuple[str, str]], claimed: bool
) -> None:
    assert claims_json(headers) is claimed


def test_headers_that_are_repeated_are_joined_in_their_order() -> None:
    headers = [("a", "1"), ("b", "x"), ("a", "2"), ("a", "3")]
    assert joined(headers) == {"a": "1, 2, 3", "b": "x"}


@pytest.mark.parametrize(
    ("body", "headers", "value"),
    [
        (b'{"a": 1}', (JSON,), {"a": 1}),
        (b'{"a": 1}', (), {"a": 1}),
        (b"plain words", (("accept", "application/json"),), "plain words"),
    ],
)
def test_a_body_is_its_json_or_its_text(
    body: bytes, headers: tuple[tuple[str, str], ...], value: object
) -> None:
    event = EventView("evt_1", "t", "orders", "shop", 1_800_000_000_000, headers, body)
    readings = event.readings()
    (variables,) = readings.variables
    assert (variables["event"]["body"], readings.unreadable) == (value, "")


def test_a_body_that_claims_to_be_json_and_is_not_is_left_out_and_said_to_be_wrong() -> None:
    event = EventView("evt_1", "t", "orders", "shop", 1_800_000_000_000, (JSON,), b"plain words")
    readings = event.readings()
    without, null = (variables["event"] for variables in readings.variables)
    assert "body" not in without
    assert null == without | {"body": None}
    assert readings.unreadable.startswith("body is not JSON: ")
