from __future__ import annotations

import json
from typing import Any

import pytest

from hookplane.errors import InvalidValue
from hookplane.filters.cel import MAX_RESULT_BYTES, Program, check_expression
from hookplane.filters.event import MAX_PARSED_BYTES, EventView, parse_body


def event(body: bytes = b'{"amount": 11, "items": [1, 2]}', content_type: str = "") -> EventView:
    headers: tuple[tuple[str, str], ...] = (("x-a", "1"), ("x-a", "2"))
    if content_type:
        headers += (("content-type", content_type),)
    return EventView("evt_1", "order.created", "orders", "shop", 1_800_000_000_000, headers, body)


@pytest.mark.parametrize(
    "text",
    [
        'event.id == "evt_1"',
        'event.type == "order.created"',
        'event.endpoint == "orders"',
        'event.namespace == "shop"',
        'event.receivedTime == "2027-01-15T08:00:00Z"',
        "timestamp(event.receivedTime).getFullYear() == 2027",
        'event.headers["x-a"] == "1, 2"',
        "event.body.amount > 10",
        "event.body.amount < 10.5 || true",
        "size(event.body.items) == 2",
        "event.body.items.exists(x, x == 2)",
        "!has(event.body.missing)",
        'event.type.split(".")[0] == "order"',  # the strings extension
    ],
)
def test_what_holds(text: str) -> None:
    check_expression(text, expect_bool=True)
    assert Program(text).holds(event()) is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("event.body.missing == 1", "missing"),
        ("event.body.amount", "INT instead of a bool"),
        ("1 / (event.body.amount - 11) == 0", "divide by zero"),
    ],
)
def test_what_fails(text: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        Program(text).holds(event())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event.x ==", "line 1, column 11: Syntax error"),
        ("evnet == 1", "line 1, column 1: undeclared reference to 'evnet'"),
        ("event.x\n  && foo(1)", "line 2, column"),
        ("1 + 1", "gives INT instead of a bool"),
        ('"a"', "gives STRING instead of a bool"),
    ],
)
def test_what_does_not_compile(text: str, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_expression(text, expect_bool=True)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 400


def test_a_long_reason_is_cut() -> None:
    name = "e" * 1000
    with pytest.raises(InvalidValue, match=r"undeclared reference to 'eee[e]*…$") as caught:
        check_expression(f"{name} == 1", expect_bool=True)
    assert len(str(caught.value)) == len("line 1, column 1: ") + 300 + 1


def test_a_transform_may_give_anything() -> None:
    check_expression("1 + 1", expect_bool=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": event.body.amount}', {"a": 11}),
        ("event.body", {"amount": 11, "items": [1, 2]}),
        ("[1, 2.5, null, true]", [1, 2.5, None, True]),
        ('b"abc"', "YWJj"),
        ('timestamp("2020-01-01T00:00:00Z")', "2020-01-01T00:00:00Z"),
        ('duration("1.5s")', "1.5s"),
        ("18446744073709551615u", 2**64 - 1),
    ],
)
def test_json_of_a_transform(text: str, value: Any) -> None:
    assert json.loads(Program(text).json(event())) == value


@pytest.mark.parametrize("text", ["{1: 2}", "type(1)", "event.body.missing"])
def test_what_has_no_json(text: str) -> None:
    with pytest.raises(InvalidValue):
        Program(text).json(event())


def test_a_result_is_bounded() -> None:
    half = json.dumps({"a": "x" * (MAX_RESULT_BYTES // 2)}).encode()
    with pytest.raises(InvalidValue, match="longer than"):
        Program("[event.body, event.body, event.body]").json(event(half))


def test_an_endless_expression_is_cut() -> None:
    loops = "[1,2,3,4,5,6,7,8,9,10]"
    text = "true"
    for name in "abcdefg":
        text = f"{loops}.all({name}, {text})"
    with pytest.raises(InvalidValue):
        Program(text).holds(event())


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a": NaN}',
        b'{"a": 1e400}',
        b"[" * 10_000 + b"]" * 10_000,
        b'"\xff"',
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        b"",
        b"1" * (MAX_PARSED_BYTES + 1),
    ],
)
def test_hostile_json_fails_with_a_reason(body: bytes) -> None:
    with pytest.raises(InvalidValue, match="body is"):
        Program("event.body == 1").holds(event(body, "application/json"))
    view = event(body, "application/json")
    for _ in range(2):  # the second time from memory
        with pytest.raises(InvalidValue):
            view.variables()


def test_what_does_not_claim_to_be_json() -> None:
    assert parse_body(b"a=1&b=2", must_be_json=False) == "a=1&b=2"
    assert parse_body(b'{"a": 1}', must_be_json=False) == {"a": 1}
    with pytest.raises(InvalidValue, match="neither JSON nor UTF-8"):
        parse_body(b"\xff", must_be_json=False)


def test_a_long_body_is_not_parsed_whatever_it_is() -> None:
    longest = b'"' + b"x" * (MAX_PARSED_BYTES - 2) + b'"'
    assert len(parse_body(longest, must_be_json=True)) == MAX_PARSED_BYTES - 2
    for body in (longest + b" ", b"x" * (MAX_PARSED_BYTES + 1)):
        with pytest.raises(InvalidValue, match="body is longer than"):
            parse_body(body, must_be_json=False)


def test_integers_beyond_64_bits_and_deep_values_do_no_harm() -> None:
    assert Program("event.body > 1.0").holds(event(b"1" * 30))
    deep = b"[" * 1000 + b"]" * 1000
    assert Program("size(event.body) == 1").holds(event(deep))
    with pytest.raises(InvalidValue):
        Program("event.body").json(event(deep))


def test_the_body_is_parsed_once() -> None:
    view = event()
    assert view.variables() is view.variables()
