"""How statuses differ, and what is taken out of one."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane_operator.status.difference import is_same, removals, without_empty


def condition(type: str, status: str = "True") -> dict[str, str]:  # noqa: A002
    return {"type": type, "status": status, "reason": "Because", "message": ""}


OWN: dict[str, Any] = {
    "observedGeneration": 1,
    "state": "Idle",
    "requests": {"accepted": 0, "rejectedByReason": {"TooLarge": 1}},
    "conditions": [condition("Ready"), condition("Accepted")],
}


def test_empty_fields_go_at_every_depth_and_zero_and_no_words_stay() -> None:
    given = {"a": {"b": {}, "c": [], "d": None, "e": 0, "f": ""}, "g": {"h": {"i": {}}}, "j": [{}]}
    assert without_empty(given) == {"a": {"e": 0, "f": ""}, "j": [{}]}


@pytest.mark.parametrize(
    "told",
    [
        OWN,
        OWN | {"conditions": OWN["conditions"][::-1]},
        OWN | {"url": "", "lastRejected": {}, "requests": OWN["requests"] | {"more": {}}},
    ],
)
def test_order_and_empty_fields_are_no_difference(told: dict[str, Any]) -> None:
    assert is_same(told, OWN)
    assert removals(told, OWN) == []


def test_a_count_a_condition_and_a_field_more_are_differences() -> None:
    assert not is_same(OWN | {"requests": {"accepted": 1}}, OWN)
    assert not is_same(OWN | {"conditions": [condition("Ready", "False")]}, OWN)
    assert not is_same(OWN | {"url": "https://elsewhere.example.com"}, OWN)


def test_what_others_have_put_there_is_taken_out_from_the_end() -> None:
    told = {
        **OWN,
        "url": "https://elsewhere.example.com",
        "requests": OWN["requests"] | {"rejectedByReason": {"TooLarge": 1, "a/b~c": 2}},
        "conditions": [condition("Foreign"), condition("Ready"), condition("Other")],
    }
    assert removals(told, OWN) == [
        {"op": "remove", "path": "/status/requests/rejectedByReason/a~1b~0c"},
        {"op": "test", "path": "/status/conditions/2/type", "value": "Other"},
        {"op": "remove", "path": "/status/conditions/2"},
        {"op": "test", "path": "/status/conditions/0/type", "value": "Foreign"},
        {"op": "remove", "path": "/status/conditions/0"},
        {"op": "remove", "path": "/status/url"},
    ]


def test_a_list_that_is_another_is_replaced() -> None:
    told = OWN | {"recentFailures": [1, 2]}
    expected = [{"op": "replace", "path": "/status/recentFailures", "value": [1]}]
    assert removals(told, OWN | {"recentFailures": [1]}) == expected
