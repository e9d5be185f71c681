"""Whom an event may concern by its type and its key, found without asking all."""

from __future__ import annotations

from typing import Generic, TypeVar

from hookplane.filters.types import Interest
from hookplane_dispatcher.reading.pattern_map import PatternMap
from hookplane_dispatcher.reading.type_index import TypeIndex

L = TypeVar("L")


class ConcernIndex(Generic[L]):
    """First by key, which tells most of them apart, and then by type: whoever wants another key is
    not even asked for the type."""

    def __init__(self) -> None:
        self._any_key: TypeIndex[L] = TypeIndex()
        self._by_key: PatternMap[TypeIndex[L]] = PatternMap(TypeIndex)

    def add(self, listener: L, interest: Interest) -> None:
        """One more."""
        for index in self._places(interest):
            index.add(listener, interest.types)

    def remove(self, listener: L, interest: Interest) -> None:
        """Undoes `add` with the same interest."""
        for index in self._places(interest):
            index.remove(listener, interest.types)
        for pattern in interest.keys:
            if not self._by_key.at(pattern):
                self._by_key.drop(pattern)

    def concerned(self, type: str, key: str) -> tuple[L, ...]:  # noqa: A002
        """Those that want an event with these, each once. `key` empty: it has none."""
        found = dict.fromkeys(self._any_key.concerned(type))
        for index in self._by_key.matching(key) if key else ():
            found.update(dict.fromkeys(index.concerned(type)))
        return tuple(found)

    def _places(self, interest: Interest) -> list[TypeIndex[L]]:
        patterns = dict.fromkeys(interest.keys)
        return [self._by_key.at(x) for x in patterns] if patterns else [self._any_key]
