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
        'has(event.type) && has(event.headers) && event["type"] == "order.created"',
        "size(event) == 8",
        "event.headers.all(name, name == 'x-a')",
        "[{'a': 1}].exists(event, event.a == 1)",
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
        ("event.id\n  && foo(1)", "line 2, column"),
        (
            "event.typo == 'x'",
            "line 1, column 6: event has no member 'typo'; it has body, endpoint, headers, id, "
            "key, namespace, receivedTime, type",
        ),
        ("true &&\n  event.Type == 'x'", "line 2, column 8: event has no member 'Type'"),
        ("has(event.typo)", "line 1, column 4: event has no member 'typo'"),
        ("event['typo'] == 1", "line 1, column 6: event has no member 'typo'"),
        ("event.body.l.exists(x, x == event.typo)", "line 1, column 34: event has no member"),
        ("event.type", "gives STRING instead of a bool"),
        ("event.headers", "gives MAP"),
        ("event.type == 5", "line 1, column 12: found no matching overload"),
        ("event.headers['x'] > 3", "line 1, column 20: found no matching overload"),
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


def test_headers_that_are_named_are_told() -> None:
    text = "event.headers['x-b'] == event.headers['x-a'] && has(event.headers.X) && 'x-b' != ''"
    assert check_expression(text, expect_bool=True) == ("x-b", "x-a", "X")
    assert check_expression("event.type == ''", expect_bool=True) == ()


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
        b'{"a": 1,}',
        b"[" * 10_000,
        b"[" * 200_000 + b"]" * 200_000,
        b"plain words",
        b"",
        b"1" * (MAX_PARSED_BYTES + 1),
    ],
)
def test_hostile_json_fails_with_a_reason(body: bytes) -> None:
    view = event(body, "application/json")
    with pytest.raises(InvalidValue, match="body is"):
        Program("event.body == 1").holds(view)
    with pytest.raises(InvalidValue, match="body is"):
        Program("event").json(view)
    assert Program("event.type == 'order.created' || event.body == 1").holds(view)
    assert Program("{'type': event.type}").json(view) == b'{"type":"order.created"}'


BAD = [
    b'"\\ud83d"',
    b'"\\u0000"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"a\nb"',
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"1" * 5_000,
    b"-18446744073709551617",
    b"[" * 3_000 + b"]" * 3_000,
    b'{"\\ud83d":1,"a\\u0000":2}',
    b'{"x":1,"x":2}',
    b'["\\u0000"]',
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("mime", ["application/json", "text/plain"])
def test_a_bad_spot_decides_about_itself_alone(bad: bytes, mime: str) -> None:
    view = event(b'{"bad":%b,"list":[%b,{"good":1}],"good":1}' % (bad, bad), mime)
    for good in (
        "event.body.good == 1",
        "event.body.list[1].good == 1",
        "event.endpoint == 'orders'",
    ):
        assert Program(good).holds(view)
    assert json.loads(Program("{'n': event.body.good}").json(view)) == {"n": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"Ann \ud83d"', "Ann \ufffd"),
        (b'"Ann \xf0\x9f"', "Ann \ufffd\ufffd"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
    ],
)
def test_half_an_emoji_is_one_replacement_character(text: bytes, value: str) -> None:
    view = event(b'{"name":%b}' % text, "application/json")
    assert json.loads(Program("event.body.name").json(view)) == value
    assert Program("event.body.name.startsWith('Ann') || size(event.body.name) == 1").holds(view)


MANY = "{" + ", ".join(f'"k{number}": {number}' for number in range(30, -1, -1)) + "}"


def test_members_come_in_one_order() -> None:
    """The engine has another one each time, and a retry must have the same bytes."""
    members = sorted(f"k{number}" for number in range(31))
    for _ in range(20):
        assert list(json.loads(Program(MANY).json(event()))) == members


DEEP = b"[" * 3_000 + b"]" * 3_000


@pytest.mark.parametrize(
    "expression",
    [
        "event.body.text == 'a\\u0000b'",
        "event.body.text != 'a\\x00b'",
        "event.body.text.contains('\\000')",
        "size(bytes(event.body.text)) == 3",
    ],
)
def test_what_the_engine_cannot_read_is_never_decided_on(expression: str) -> None:
    with pytest.raises(InvalidValue, match="NUL, or a value that is nested too deep"):
        Program(expression).holds(event(b'{"text":"a\\u0000b"}', "application/json"))


def test_what_is_nested_too_deep_is_never_sent() -> None:
    with pytest.raises(InvalidValue, match="nested too deep"):
        Program("event.body.deep").json(event(b'{"deep":%b}' % DEEP, "application/json"))


def test_a_transform_goes_on_that_does_not_read_what_cannot_be_read() -> None:
    for _ in range(20):
        sent = Program(MANY).json(event(b'{"deep":%b}' % DEEP, "application/json"))
        assert len(json.loads(sent)) == 31


NUL = b'{"text":"a\\u0000b","text2":"a","a\\u0000":"\\\\u0001\\u0000\\u0002\\"","id":7}'


@pytest.mark.parametrize(
    "expression",
    [
        "event.body.text != 'a' && event.body.text2 == 'a'",
        "event.body.text.startsWith('a') && event.body.text.endsWith('b')",
        "size(event.body.text) == 3",
        "event.body.text > 'a' && event.body.text < 'aa'",
        "!has(event.body.a) && size(event.body) == 4",
    ],
)
def test_a_text_with_nul_is_whole(expression: str) -> None:
    assert Program(expression).holds(event(NUL))


def test_nul_goes_through_a_transform() -> None:
    assert json.loads(Program("event.body").json(event(NUL))) == json.loads(NUL)
    for escape in range(1, 7):  # the body has the character that would stand for NUL
        body = b'{"a":"\\u0000%b"}' % b"".join(b"\\u%04d" % x for x in range(1, escape + 1))
        assert json.loads(Program("event.body").json(event(body))) == json.loads(body)


def test_where_nothing_can_stand_for_nul_it_is_said() -> None:
    body = b'{"a":"\\u0000%b","id":7}' % b"".join(b"\\u%04d" % x for x in range(1, 8))
    assert Program("{'id': event.body.id}").json(event(body)) == b'{"id":7}'
    for text in ("event", "event.body", "{'t': event.body.a}"):
        with pytest.raises(InvalidValue, match="NUL"):
            Program(text).json(event(body))


def test_numbers_beyond_what_an_integer_holds_are_doubles() -> None:
    view = event(b'{"a":NaN,"b":18446744073709551616,"c":-9223372036854775809,"d":1e400,"e":NaN}')
    assert Program("event.body.b > 1.0 && event.body.c < 1.0 && event.body.d > 1.0").holds(view)
    assert not Program("event.body.a == event.body.e").holds(view)


def test_what_does_not_claim_to_be_json() -> None:
    assert parse_body(b"a=1&b=2", must_be_json=False) == ("a=1&b=2", False)
    assert parse_body(b'{"a": 1}', must_be_json=False) == ({"a": 1}, True)
    assert parse_body(b'{"a": 1', must_be_json=False) == ('{"a": 1', False)
    assert parse_body(b"NaN", must_be_json=False) == ("NaN", False)
    with pytest.raises(InvalidValue, match="neither JSON nor UTF-8"):
        parse_body(b"\xff", must_be_json=False)


def test_a_long_body_is_not_parsed_whatever_it_is() -> None:
    longest = b'"' + b"x" * (MAX_PARSED_BYTES - 2) + b'"'
    assert len(parse_body(longest, must_be_json=True)[0]) == MAX_PARSED_BYTES - 2
    for body in (longest + b" ", b"x" * (MAX_PARSED_BYTES + 1)):
        with pytest.raises(InvalidValue, match="body is longer than"):
            parse_body(body, must_be_json=False)


def test_integers_beyond_64_bits_and_deep_values_do_no_harm() -> None:
    assert Program("event.body > 1.0").holds(event(b"1" * 30))
    deep = b"[" * 1000 + b"]" * 1000
    assert Program("size(event.body) == 1").holds(event(deep))
    with pytest.raises(InvalidValue):
        Program("event.body").json(event(deep))
