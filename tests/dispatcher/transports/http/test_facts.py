from __future__ import annotations

from dataclasses import replace

import pytest

from hookplane.filters.event import EventView
from hookplane.network.headers import Headers
from hookplane.providers.registry import FACTS
from hookplane_dispatcher.transports.http.facts import told

JSON = ("content-type", "application/json")


def event(type: str = "push", *headers: tuple[str, str]) -> EventView:  # noqa: A002 - the field's word
    return EventView("evt_1", type, "repository", "shop", 0, headers, b"{}")


def passed(*headers: tuple[str, str], described: Headers = (JSON,), extra: str = "") -> Headers:
    found = told(event("push", *headers), described, FACTS | {extra})
    return tuple(header for header in found if header not in described)[2:]


def test_type_and_endpoint_are_told() -> None:
    assert told(event(), (JSON,), FACTS) == [
        JSON,
        ("hookplane-event-type", "push"),
        ("hookplane-endpoint", "shop/repository"),
    ]


@pytest.mark.parametrize(
    ("key", "header"),
    [
        ("cus_4711", "cus_4711"),
        ("Küche 7", "K%C3%BCche%207"),
        ("K%C3%BCche%207", "K%25C3%25BCche%25207"),
    ],
)
def test_a_key_is_told_if_there_is_one(key: str, header: str) -> None:
    assert told(replace(event(), key=key), (), FACTS)[2:] == [("hookplane-key", header)]


@pytest.mark.parametrize(
    ("type", "header"),
    [("Push Hook", "Push Hook"), ("bestellt.ä", "bestellt.%C3%A4"), ("a\r\nx: y", "a%0D%0Ax:%20y")],
)
def test_a_type_that_no_header_can_carry_is_encoded(type: str, header: str) -> None:  # noqa: A002
    assert told(event(type), (), FACTS)[0] == ("hookplane-event-type", header)


@pytest.mark.parametrize("name", sorted(FACTS))
def test_facts_of_every_provider_travel(name: str) -> None:
    assert passed((name, "x")) == ((name, "x"),)


def test_other_headers_stay_behind() -> None:
    assert passed(("x-request-id", "1"), ("accept", "*/*"), ("x-forwarded-for", "a")) == ()


def test_headers_that_a_target_asks_for_travel_as_often_as_they_came() -> None:
    both = (("x-request-id", "1"), ("x-request-id", "2"))
    assert passed(*both, extra="x-request-id") == both


def test_what_is_sent_already_is_not_sent_twice() -> None:
    assert passed(("content-type", "other"), extra="content-type") == ()


def test_attributes_of_a_cloud_event_travel_unless_there_are_others() -> None:
    source = ("ce-source", "/theirs")
    assert passed(source) == (source,)
    assert passed(source, described=(JSON, ("ce-id", "evt_1"))) == ()
