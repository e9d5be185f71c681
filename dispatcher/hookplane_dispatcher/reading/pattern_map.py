"""Values by patterns of texts, found by a text without comparing all patterns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from hookplane.filters.types import Glob

V = TypeVar("V")

_REMEMBERED: Final = 64
"""For so many texts it is remembered which patterns match. There are maps for each log, and senders
decide how many texts there are."""


class PatternMap(Generic[V]):
    """A pattern without wildcards costs a look-up, one with them is compared once for a text."""

    def __init__(self, make: Callable[[], V]) -> None:
        """`make`: the value of a pattern that is new."""
        self._make = make
        self._exact: dict[str, V] = {}
        self._globs: dict[str, tuple[Glob, V]] = {}
        self._known: dict[str, tuple[str, ...]] = {}
        """Text → patterns with wildcards that match it."""

    def at(self, pattern: str) -> V:
        """The value of a pattern."""
        if "*" not in pattern:
            if pattern not in self._exact:
                self._exact[pattern] = self._make()
            return self._exact[pattern]
        if pattern not in self._globs:
            self._known.clear()
            self._globs[pattern] = (Glob(pattern), self._make())
        return self._globs[pattern][1]

    def drop(self, pattern: str) -> None:
        """Forgets a pattern."""
        self._exact.pop(pattern, None)
        if self._globs.pop(pattern, None) is not None:
            self._known.clear()

    def matching(self, text: str) -> list[V]:
        """The values of all patterns that match a text."""
        exact = self._exact.get(text)
        found = [] if exact is None else [exact]
        return found + [self._globs[pattern][1] for pattern in self._matching_globs(text)]

    def _matching_globs(self, text: str) -> tuple[str, ...]:
        known = self._known.get(text)
        if known is None:
            known = tuple(x for x, (glob, _) in self._globs.items() if glob.matches(text))
            self._remember(text, known)
        return known

    def _remember(self, text: str, matching: tuple[str, ...]) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        if self._globs:
            self._known[text] = matching
