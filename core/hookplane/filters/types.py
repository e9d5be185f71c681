"""Event types with wildcards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_REMEMBERED: Final = 4096
"""The answers for at most so many types are remembered, because senders decide how many types there
are."""


class Glob:
    """One pattern; `*` stands for any text. Takes time linear in the text, whatever the pattern."""

    def __init__(self, pattern: str) -> None:
        self._parts = pattern.split("*")

    def matches(self, text: str) -> bool:
        """Whether the whole text fits."""
        first, *middle = self._parts
        if not middle:
            return text == first
        last = middle.pop()
        if not (text.startswith(first) and text.endswith(last)):
            return False
        end = len(text) - len(last)
        return _in_order(middle, text, len(first), end)


def _in_order(parts: list[str], text: str, start: int, end: int) -> bool:
    for part in parts:
        found = text.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return start <= end


class TypeFilter:
    """Several patterns, of which one must match; with no pattern every type matches."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._globs = [Glob(pattern) for pattern in patterns]
        self._known: dict[str, bool] = {}

    def matches(self, type: str) -> bool:  # noqa: A002
        """Whether an event of this type is wanted."""
        if not self._globs:
            return True
        known = self._known.get(type)
        return self._decide(type) if known is None else known

    def _decide(self, type: str) -> bool:  # noqa: A002
        wanted = any(glob.matches(type) for glob in self._globs)
        if len(self._known) < _REMEMBERED:
            self._known[type] = wanted
        return wanted
