"""Values by patterns of texts, found by a text without comparing all patterns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from hookplane.filters.types import WILDCARD, Glob

V = TypeVar("V")

_Globs = dict[str, tuple[Glob, V]]
"""Pattern → the pattern itself and its value."""

_REMEMBERED: Final = 64
"""For so many texts it is remembered which patterns match. There are maps for each log, and senders
decide how many texts there are."""


class PatternMap(Generic[V]):
    """A pattern without wildcards costs a look-up. One with them is compared with those texts alone
    that begin as it does before its first wildcard, and once with each."""

    def __init__(self, make: Callable[[], V]) -> None:
        """`make`: the value of a pattern that is new."""
        self._make = make
        self._exact: dict[str, V] = {}
        self._globs: defaultdict[int, dict[str, _Globs[V]]] = defaultdict(dict)
        """Length of a beginning → beginning → the patterns that have it."""
        self._known: dict[str, tuple[V, ...]] = {}
        """Text → values of the patterns with wildcards that match it."""

    def at(self, pattern: str) -> V:
        """The value of a pattern."""
        if WILDCARD not in pattern:
            if pattern not in self._exact:
                self._exact[pattern] = self._make()
            return self._exact[pattern]
        alike = self._alike(pattern)
        if pattern not in alike:
            self._known.clear()
            alike[pattern] = (Glob(pattern), self._make())
        return alike[pattern][1]

    def drop(self, pattern: str) -> None:
        """Forgets a pattern."""
        if WILDCARD not in pattern:
            self._exact.pop(pattern, None)
            return
        alike, start = self._alike(pattern), _start(pattern)
        alike.pop(pattern, None)
        self._known.clear()
        if not alike:
            del self._globs[len(start)][start]
        if not self._globs[len(start)]:
            del self._globs[len(start)]

    def matching(self, text: str) -> list[V]:
        """The values of all patterns that match a text."""
        exact = self._exact.get(text)
        found = [] if exact is None else [exact]
        return [*found, *self._matching_globs(text)] if self._globs else found

    def _alike(self, pattern: str) -> _Globs[V]:
        """The patterns that begin like this one; `pattern` may become one of them."""
        start = _start(pattern)
        return self._globs[len(start)].setdefault(start, {})

    def _matching_globs(self, text: str) -> tuple[V, ...]:
        known = self._known.get(text)
        if known is None:
            known = tuple(
                value
                for length, starts in self._globs.items()
                for glob, value in starts.get(text[:length], {}).values()
                if glob.matches(text)
            )
            self._remember(text, known)
        return known

    def _remember(self, text: str, matching: tuple[V, ...]) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[text] = matching


def _start(pattern: str) -> str:
    """What stands before the first wildcard."""
    return pattern.partition(WILDCARD)[0]
