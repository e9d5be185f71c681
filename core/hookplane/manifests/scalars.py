"""What a YAML scalar means: the rules of sigs.k8s.io/yaml, by which kubectl reads manifests.

They are those of Go's yaml.v2, a mixture of YAML 1.1 and 1.2: `y` and `on` are booleans, `0o14` and
`014` octal, `08` and `1e3` numbers, but `1:30` and times are text. Numbers then go through JSON, so
`1.0` is the integer 1. A tag only names the type that the text must have.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

Scalar = str | int | float | bool | None

TAG: Final = "tag:yaml.org,2002:"
_TEXTS: Final = frozenset({TAG + "str", TAG + "timestamp"})

_TYPES: Final[Mapping[str, Sequence[type]]] = {
    TAG + "int": (int,),
    TAG + "float": (float, int),
    TAG + "bool": (bool,),
    TAG + "null": (type(None),),
}


def _each(value: Scalar, *words: str) -> dict[str, Scalar]:
    """Words in lower case, with a capital, and in capitals."""
    return {form: value for word in words for form in (word, word.capitalize(), word.upper())}


_WORDS: Final[Mapping[str, Scalar]] = {
    "": None,
    "~": None,
    **_each(None, "null"),
    **_each(True, "y", "yes", "true", "on"),
    **_each(False, "n", "no", "false", "off"),
    ".nan": math.nan,
    ".NaN": math.nan,
    ".NAN": math.nan,
    **{
        sign + word: math.copysign(math.inf, value)
        for sign, value in (("", 1), ("+", 1), ("-", -1))
        for word in (".inf", ".Inf", ".INF")
    },
}
_INTEGER: Final = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))"
)
_BASES: Final = (16, 2, 8, 10)
_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MIN_INTEGER: Final = -(1 << 63)
_MAX_INTEGER: Final = (1 << 64) - 1
_EXPONENT_FROM: Final = 1e21
"""From here on JSON's numbers are written with an exponent, and are no integers any more."""


def resolve(tag: str | None, text: str, *, plain: bool) -> Scalar:
    """The value of a scalar; `plain` says that it has neither quotes nor the form of a block.

    Raises ValueError when the text is not of the type that the tag names, LookupError when the tag
    is not one of plain data.
    """
    if tag in (None, "!"):
        return _untagged(text) if plain and tag is None else text
    if tag in _TEXTS:
        return text
    if tag not in _TYPES:
        raise LookupError(tag)
    value = _untagged(text)
    if type(value) not in _TYPES[tag]:
        raise ValueError(text)
    return value


def name(text: str, *, plain: bool) -> str:
    """What a scalar is as the name of a field: `y` is `true`, `010` is `8`.

    Raises ValueError for nothing and for fractions, which are not names that anybody means.
    """
    value = _untagged(text) if plain else text
    if value is None or isinstance(value, float):
        raise ValueError(text)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _untagged(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if text[0] == ".":
        return _number(text, text)
    digits = text.replace("_", "")
    integer = _integer(digits)
    return _number(digits, text) if integer is None else integer


def _integer(digits: str) -> int | None:
    match = _INTEGER.fullmatch(digits)
    if not match:
        return None
    sign, *forms = match.groups()
    value = next(int(form, base) for form, base in zip(forms, _BASES, strict=True) if form)
    signed = -value if sign == "-" else value
    return signed if _MIN_INTEGER <= signed <= (_MAX_INTEGER if not sign else 2**63 - 1) else None


def _number(digits: str, text: str) -> str | int | float:
    value = float(digits) if _NUMBER.fullmatch(digits) else math.inf
    if math.isinf(value):  # more than a double holds is text
        return text
    return int(value) if value.is_integer() and abs(value) < _EXPONENT_FROM else value
