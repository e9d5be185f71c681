"""What the engine of expressions cannot read, and how an expression is judged all the same.

The engine ends a text at NUL, so another control character, which the body does not have, stands
for it while an expression runs. A value that is nested too deep, and a body that is no JSON or too
long, have no form for the engine at all. Such a spot is left out of the event in one reading and
stands as null in a second one: an expression that does not depend on it gives the same for both.
Half an emoji and bytes that are no UTF-8 have no form in any text, so U+FFFD stands for each of
them, as Unicode advises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from hookplane.lenient_json import TOO_DEEP

Spot: TypeAlias = tuple[Any, Any]
"""A map or a list, and the key or the index in it."""

UNREADABLE: Final = TOO_DEEP
"""Stands where there is nothing that could be read."""
NUL: Final = "\x00"
_STAND_INS: Final = range(1, 8)
"""Control characters that nothing but a broken sender writes; the first sorts as NUL does."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LARGEST: Final = 1 << 63
_REPLACEMENT: Final = "\ufffd"


def stand_in_for_nul(body: bytes) -> str:
    """A character that is not in the body; empty: all are."""
    known = (chr(x) for x in _STAND_INS if bytes([x]) not in body and b"\\u%04d" % x not in body)
    return next(known, "")


def repair(event: dict[str, Any], nul: str) -> list[Spot]:
    """Makes an event readable in place, but for the spots that it gives. `nul` stands for NUL; with
    none, texts with NUL are such spots. Without recursion, since values may be nested deeper than
    Python's calls."""
    spots: list[Spot] = []
    rest: list[Any] = [event]
    while rest:
        container = rest.pop()
        for key, value in list(_items(container)):
            known = _readable(key, nul) if isinstance(container, dict) else key
            if known != key:
                del container[key]
            container[known] = _readable(value, nul)
            if isinstance(value, dict | list):
                rest.append(value)
            if value == UNREADABLE or (not nul and (_has_nul(value) or _has_nul(key))):
                spots.append((container, known))
    return spots


def leave_out(spots: list[Spot]) -> None:
    """The one reading. What is in a list keeps its place, so that others keep theirs."""
    for container, key in spots:
        if isinstance(container, list):
            container[key] = _REPLACEMENT
        else:
            container.pop(key, None)


def put_null(spots: list[Spot]) -> None:
    """The other one."""
    for container, key in spots:
        container[key] = None


def _items(container: Any) -> Iterator[tuple[Any, Any]]:
    return iter(container.items()) if isinstance(container, dict) else enumerate(container)


def _readable(value: Any, nul: str) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub(_REPLACEMENT, value).replace(NUL, nul or _REPLACEMENT)
    if isinstance(value, int) and not -_LARGEST <= value < 2 * _LARGEST:
        return _double(value)
    return value


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _has_nul(value: Any) -> bool:
    return isinstance(value, str) and NUL in value
