"""Types and keys of events, with wildcards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_REMEMBERED: Final = 256
"""The answers for at most so many texts are remembered, because senders decide how many there
are, and each subscription has its own."""
WILDCARD: Final = "*"


class Glob:
    """One pattern; `*` stands for any text. Takes time linear in the text, whatever the pattern."""

    def __init__(self, pattern: str) -> None:
        self._parts = pattern.split(WILDCARD)

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


class PatternFilter:
    """Several patterns, of which one must match; with no pattern every text matches."""

    def __init__(self, patterns: Iterable[str]) -> None:
        given = frozenset(patterns)
        self._any = not given
        self._exact = frozenset(x for x in given if WILDCARD not in x)
        self._globs = [Glob(x) for x in given - self._exact]
        self._known: dict[str, bool] = {}

    def matches(self, text: str) -> bool:
        """Whether a type or a key is wanted."""
        if self._any or text in self._exact:
            return True
        if not self._globs:
            return False
        known = self._known.get(text)
        return self._decide(text) if known is None else known

    def _decide(self, text: str) -> bool:
        wanted = any(glob.matches(text) for glob in self._globs)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[text] = wanted
        return wanted


@dataclass(frozen=True, slots=True)
class Interest:
    """Which events concern a subscription, by patterns; none: any will do."""

    types: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


class InterestFilter:
    """What lets an event through by its type and its key. One without a key passes only where none
    is asked for."""

    def __init__(self, interest: Interest) -> None:
        self._types = PatternFilter(interest.types)
        self._keys = PatternFilter(interest.keys) if interest.keys else None

    def matches(self, type: str, key: str) -> bool:  # noqa: A002
        """Whether an event with these is wanted. `key` empty: it has none."""
        return self.wants_key(key) and self._types.matches(type)

    def wants_key(self, key: str) -> bool:
        """Whether an event with this key is wanted if its type is."""
        return self._keys is None or (key != "" and self._keys.matches(key))
