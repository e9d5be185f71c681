"""Parameters are bounded, and what is wrong with them is named."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.store.delivery_store import DeliveryState
from hookplane.store.queries import Page
from hookplane_console.api.parameters import (
    headers_of,
    name_of,
    object_of,
    page_of,
    states_of,
    time_of,
    type_of,
)
from hookplane_console.api.replays import new_replay
from hookplane_console.responses import Refusal

NOW = 1_800_000_000_000
ID = "evt_01jdb3q9k2aaaaaaaaaaaaaaaa"


def test_a_page() -> None:
    assert page_of({}) == Page(limit=50, before="")
    assert page_of({"limit": "500", "before": ID}) == Page(500, ID)


@pytest.mark.parametrize("before", [ID, "30f4240", "10000000003.20000000001"])
def test_where_a_page_begins(before: str) -> None:
    assert page_of({"before": before}).before == before


@pytest.mark.parametrize("before", ["nonsense", "evt_", ID[:-1], f"{ID}0", "1..2", "x" * 5000])
def test_where_no_page_begins(before: str) -> None:
    with pytest.raises(Refusal, match="neither an event id nor") as refused:
        page_of({"before": before})
    assert refused.value.field == "before"


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "", "٣", "1e2", "99999999999999999999"])
def test_limits_that_are_none(limit: str) -> None:
    with pytest.raises(Refusal) as refused:
        page_of({"limit": limit})
    assert refused.value.field == "limit"


@pytest.mark.parametrize(
    ("text", "key"),
    [("shop", ("default", "shop")), ("chat/crm", ("chat", "crm"))],
)
def test_names(text: str, key: tuple[str, str]) -> None:
    assert name_of(text, "subscription") == key


@pytest.mark.parametrize("text", ["", "/", "a/", "/a", "a/b/c", "A", "../x", "x" * 300])
def test_no_names(text: str) -> None:
    with pytest.raises(Refusal):
        name_of(text, "subscription")


def test_states() -> None:
    assert states_of("", "state") == frozenset()
    assert states_of("Dead, retrying", "state") == {DeliveryState.DEAD, DeliveryState.RETRYING}
    with pytest.raises(Refusal, match='no state "gone"; there is: dead, delivered'):
        states_of("dead,gone", "state")


def test_types() -> None:
    assert type_of(None) is None
    assert type_of("order.created") == "order.created"
    for text in ("", "x" * 257, "a\r\nb", "\x1b[2J"):
        with pytest.raises(Refusal):
            type_of(text)


def test_times() -> None:
    assert time_of("1h", NOW, "since") == NOW - 3_600_000
    assert time_of("2026-11-21T00:00:00Z", NOW, "since") == 1_795_219_200_000
    for text in ("", "yesterday", "2026-11-21T00:00:00", "1d"):
        with pytest.raises(Refusal, match="neither a time"):
            time_of(text, NOW, "since")


def test_bodies() -> None:
    assert object_of(b"", frozenset()) == {}
    assert object_of(b'{"type":"x"}', frozenset({"type"})) == {"type": "x"}
    for body in (b"[", b"[]", b"1", b'{"other":1}', b"\xff"):
        with pytest.raises(Refusal):
            object_of(body, frozenset({"type"}))


def replay(**body: Any) -> Any:
    return new_replay("uid", "chat", body, NOW, ID)


def test_replay_by_id_takes_all_states() -> None:
    job = replay(ids=[ID, ID])
    assert job.ids == (ID,)
    assert job.states == {
        DeliveryState.DEAD,
        DeliveryState.RETRYING,
        DeliveryState.DELIVERED,
        DeliveryState.FILTERED,
        DeliveryState.EXPIRED,
    }
    assert job.uid == f"requestedreplays/chat/{job.name}"


def test_replay_of_a_range_takes_the_dead() -> None:
    job = replay(since="1h")
    assert (job.received_from, job.received_to) == (NOW - 3_600_000, NOW)
    assert job.states == {DeliveryState.DEAD}
    assert replay(since="2h", until="1h", states=["Delivered"]).received_to == NOW - 3_600_000


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ids"),
        ({"ids": [ID], "since": "1h"}, "ids"),
        ({"ids": []}, "ids"),
        ({"ids": "evt"}, "ids"),
        ({"ids": [ID] * 1001}, "ids"),
        ({"ids": [ID, "evt_short"]}, "ids[1]"),
        ({"ids": [7]}, "ids[0]"),
        ({"ids": [ID], "until": "1h"}, "until"),
        ({"since": "1h", "until": "2h"}, "since"),
        ({"since": "1h", "until": "x"}, "until"),
        ({"since": 5}, "since"),
        ({"since": "1h", "states": ["pending"]}, "states[0]"),
        ({"since": "1h", "states": ["all", "dead"]}, "states[0]"),
        ({"since": "1h", "states": "dead"}, "states"),
    ],
)
def test_replays_that_are_none(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        replay(**body)
    assert (refused.value.status, refused.value.field) == (400, field)


def test_headers_of_a_sample() -> None:
    assert headers_of(None, "headers") == ()
    assert headers_of({"X-Shop": "eu 1"}, "headers") == (("x-shop", "eu 1"),)


@pytest.mark.parametrize(
    "given",
    [
        ["x"],
        {"a b": "x"},
        {"": "x"},
        {"Content-Length": "1"},
        {"x": 1},
        {"x": "a\r\nb: c"},
        {"x": "é"},
        {"x": "y" * 1_025},
        {f"x-{n}": "" for n in range(33)},
    ],
    ids=repr,
)
def test_what_is_no_header_is_told(given: Any) -> None:
    with pytest.raises(Refusal) as refused:
        headers_of(given, "headers")
    assert refused.value.field == "headers"
