"""Who may want an event of a type, found without asking all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from hookplane_dispatcher.reading.pattern_map import PatternMap

K = TypeVar("K")


class TypeIndex(Generic[K]):
    """Those who want something, by the patterns of the types that they want."""

    def __init__(self) -> None:
        self._all: dict[K, None] = {}
        self._by_pattern: PatternMap[dict[K, None]] = PatternMap(dict)
        self._size = 0

    def __bool__(self) -> bool:
        return self._size > 0

    def add(self, key: K, patterns: Iterable[str]) -> None:
        """With no pattern it wants every type."""
        self._size += 1
        for wanting in self._places(tuple(patterns)):
            wanting[key] = None

    def remove(self, key: K, patterns: Iterable[str]) -> None:
        """Undoes `add` with the same patterns."""
        self._size -= 1
        given = tuple(patterns)
        for wanting in self._places(given):
            wanting.pop(key, None)
        for pattern in given:
            if not self._by_pattern.at(pattern):
                self._by_pattern.drop(pattern)

    def concerned(self, type: str) -> tuple[K, ...]:  # noqa: A002
        """Those that want this type, each once."""
        found = dict(self._all)
        for wanting in self._by_pattern.matching(type):
            found.update(wanting)
        return tuple(found)

    def _places(self, patterns: tuple[str, ...]) -> list[dict[K, None]]:
        return [self._by_pattern.at(x) for x in patterns] if patterns else [self._all]
