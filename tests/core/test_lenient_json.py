"""Bodies as senders really write them."""

from __future__ import annotations

import math

import pytest

from hookplane.lenient_json import parse, parse_with_digits


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
