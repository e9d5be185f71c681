"""JSON as senders really write it: one bad character decides about its own string alone.

Half an emoji, a control character, a byte that is not UTF-8, NaN, a byte order mark or a value that
is nested too deep leave the rest of a body readable (RFC 8259 §8.2 and §9 allow that). What is no
JSON for other reasons raises.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

_MAX_EXACT_DIGITS: Final = 4_000
"""Python reads no longer integers."""
MAX_DEPTH: Final = 256
"""Of a body that is nested too deep to be read at once, values are read down to here."""
MAX_DEEP_CHARACTERS: Final = 64 << 10
"""Of longer ones nothing is read, because looking for what is too deep blocks the event loop."""
TOO_DEEP: Final = "\udfff\x00\ud800"
"""What is read in place of a value that is nested too deep; no sender writes such a text."""
_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{\]}]', re.DOTALL)


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
    known = known.removeprefix("\ufeff")
    try:
        return decoder.decode(known)
    except RecursionError:
        if len(known) > MAX_DEEP_CHARACTERS:
            raise ValueError("nested too deep") from None
    return decoder.decode("".join(_cut(known)))


def _cut(text: str) -> Iterator[str]:
    """The text with TOO_DEEP in place of each value that is nested deeper than MAX_DEPTH."""
    depth = start = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                yield text[start : token.start()]
                yield json.dumps(TOO_DEEP)
        elif mark in "]}":
            if depth == MAX_DEPTH + 1:
                start = token.end()
            depth -= 1
    yield text[start:] if depth <= MAX_DEPTH else ""


def _digits(text: str) -> Digits:
    """In Python, so that other threads have their turns while numbers are read."""
    return Digits(text)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_EXACT_DIGITS else math.inf


_LENIENT: Final = json.JSONDecoder(strict=False, parse_int=_integer)
_EXACT: Final = json.JSONDecoder(
    strict=False, parse_int=_digits, parse_float=_digits, parse_constant=_digits
)
