"""Bodies as senders really write them."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from types import FrameType

import pytest

from hookplane.lenient_json import (
    MAX_DEEP_CHARACTERS,
    MAX_DEPTH,
    TOO_DEEP,
    parse,
    parse_with_digits,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": "\t"}', {"a": math.nan, "b": "\t"}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": "\xff"}', {"a": "\udcff"}),
        ('{"a": "\t"}', {"a": "\t"}),
    ],
)
def test_one_bad_character_leaves_the_rest_readable(text: bytes | str, value: object) -> None:
    assert repr(parse(text)) == repr(value)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"no json"])
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)
    with pytest.raises(ValueError, match=r"."):
        parse_with_digits(text)


def test_integers_are_exact_as_far_as_they_can_be_read() -> None:
    longest = "9" * 4_000
    assert parse(f'["\t", {longest}]')[1] == int(longest)
    assert parse(f'["\t", {longest}9]')[1] == math.inf
    assert parse(f'["\t", {"9" * 100_000}]')[1] == math.inf


@pytest.mark.parametrize("number", ["18446744073709551617", "1.50", "1e400", "-0", "NaN"])
def test_numbers_digit_for_digit(number: str) -> None:
    assert parse_with_digits(f'{{"a": [{number}]}}') == {"a": [number]}


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + b"1" + closing * depth


@pytest.mark.parametrize("deep", [nested(3_000), nested(3_000, b'{"a":', b"}"), nested(10_000)])
def test_what_is_nested_too_deep_hides_nothing_else(deep: bytes) -> None:
    body = b'{"id":"]1","deep":%b,"type":"[{","list":[%b,{"n":7}]}' % (deep, deep)
    for read in (parse, parse_with_digits):
        value = read(body)
        assert (value["id"], value["type"], str(value["list"][1]["n"])) == ("]1", "[{", "7")
        assert json.dumps(TOO_DEEP) in json.dumps(value)


def test_as_much_is_read_as_can_be() -> None:
    value = parse(nested(3_000))
    for _ in range(MAX_DEPTH):
        (value,) = value
    assert value == TOO_DEEP


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 3_000,
        b"[" * 3_000 + b"]" * 2_999,
        b"[" * 3_000 + b"}" * 3_000 + b"]",
        b'{"a":' + nested(3_000) + b",}",
        nested(MAX_DEEP_CHARACTERS),
    ],
)
def test_what_is_no_json_stays_none(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's words differ
        parse(body)


async def test_others_have_turns_between_two_numbers_that_a_thread_reads() -> None:
    """Their turns come where the decoder has called back into Python."""
    text = "[" + "1.5," * 200_000 + "1.5]"
    reading = asyncio.create_task(asyncio.to_thread(parse_with_digits, text))
    turns = 0
    while not reading.done():
        turns += any(_reads_a_number(x) for x in sys._current_frames().values())
        await asyncio.sleep(0)
    assert len(await reading) == 200_001
    assert turns


def _reads_a_number(frame: FrameType) -> bool:
    behind = frame.f_back
    return behind is not None and behind.f_code.co_filename == json.decoder.__file__
