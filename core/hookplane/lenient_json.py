"""JSON as senders really write it: one bad character decides about its own string alone.

Half an emoji, a control character, a byte that is not UTF-8, NaN or a byte order mark leave the
rest of a body readable (RFC 8259 §8.2 and §9 allow that). What is no JSON for other reasons raises.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import orjson

_MAX_EXACT_DIGITS: Final = 4_000
"""Python reads no longer integers."""


class Digits(str):
    """A number as it is written."""

    __slots__ = ()


def parse(text: bytes | str) -> Any:
    """The value; what is not UTF-8 is read as lone surrogates. Raises ValueError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _read(_LENIENT, text)


def parse_with_digits(text: bytes | str) -> Any:
    """The same with each number as `Digits`. Raises ValueError."""
    return _read(_EXACT, text)


def _read(decoder: json.JSONDecoder, text: bytes | str) -> Any:
    known = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    try:
        return decoder.decode(known.removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_EXACT_DIGITS else math.inf


_LENIENT: Final = json.JSONDecoder(strict=False, parse_int=_integer)
_EXACT: Final = json.JSONDecoder(
    strict=False, parse_int=Digits, parse_float=Digits, parse_constant=Digits
)
