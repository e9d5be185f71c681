"""Regular expressions that are written out in an expression. The engine reads them when it runs, so
that one that is none would fail on every event. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hookplane.filters.checked import Call, Constant, Node, children

MAX_CHARACTERS: Final = 500
"""Of all patterns of an expression together; 500 hostile ones take the engine 35 ms."""


def written_patterns(node: Node) -> Iterator[tuple[Call, str]]:
    """Calls of `matches` and the pattern of each, as far as all of them are read in no time: those
    that count (`a{9}`) are left out, and what goes beyond MAX_CHARACTERS."""
    left = MAX_CHARACTERS
    for call, pattern in _patterns(node):
        left -= len(pattern)
        if left >= 0 and "{" not in pattern:
            yield call, pattern


def _patterns(node: Node) -> Iterator[tuple[Call, str]]:
    match node:
        case Call("matches", (_, Constant(str() as pattern))):
            yield node, pattern
    for part in children(node):
        yield from _patterns(part)
