"""Who may want an event of a type, found without asking all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from hookplane.filters.types import Glob

K = TypeVar("K")

_REMEMBERED: Final = 64
"""For so many types it is remembered which patterns match. There is an index for each log, and
senders decide how many types there are."""


class TypeIndex(Generic[K]):
    """Keys by the patterns of the types that they want. A type without wildcards costs a look-up,
    one with them is compared once for each pattern, however many have it."""

    def __init__(self) -> None:
        self._all: dict[K, None] = {}
        self._exact: dict[str, dict[K, None]] = {}
        self._globs: dict[str, tuple[Glob, dict[K, None]]] = {}
        self._known: dict[str, tuple[str, ...]] = {}
        """Type → patterns with wildcards that match it."""

    def add(self, key: K, patterns: Iterable[str]) -> None:
        """With no pattern it wants every type."""
        self._known.clear()
        for wanting in self._places(tuple(patterns)):
            wanting[key] = None

    def remove(self, key: K, patterns: Iterable[str]) -> None:
        """Undoes `add` with the same patterns."""
        self._known.clear()
        given = tuple(patterns)
        for wanting in self._places(given):
            wanting.pop(key, None)
        for pattern in given:
            if not self._exact.get(pattern, True):
                del self._exact[pattern]
            if pattern in self._globs and not self._globs[pattern][1]:
                del self._globs[pattern]

    def concerned(self, type: str) -> tuple[K, ...]:  # noqa: A002
        """Those that want this type, each once."""
        found = {**self._all, **self._exact.get(type, {})}
        for pattern in self._matching(type):
            found.update(self._globs[pattern][1])
        return tuple(found)

    def _places(self, patterns: tuple[str, ...]) -> list[dict[K, None]]:
        return [self._place(pattern) for pattern in patterns] if patterns else [self._all]

    def _place(self, pattern: str) -> dict[K, None]:
        if "*" not in pattern:
            return self._exact.setdefault(pattern, {})
        return self._globs.setdefault(pattern, (Glob(pattern), {}))[1]

    def _matching(self, type: str) -> tuple[str, ...]:  # noqa: A002
        known = self._known.get(type)
        if known is None:
            matching = (text for text, (glob, _) in self._globs.items() if glob.matches(type))
            known = tuple(matching)
            self._remember(type, known)
        return known

    def _remember(self, type: str, matching: tuple[str, ...]) -> None:  # noqa: A002
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        if self._globs:
            self._known[type] = matching
