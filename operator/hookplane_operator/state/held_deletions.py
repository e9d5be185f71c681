"""Objects that are gone and whose rows are kept until somebody confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HeldDeletions:
    """Of one gateway."""

    namespaces: Mapping[str, int] = field(default_factory=dict)
    """Namespace → how many of its objects; the number that people are told."""
    objection: str = ""
    """What is wrong with the annotation that was to confirm it; empty: nothing."""

    @property
    def total(self) -> int:
        return sum(self.namespaces.values())

    def __bool__(self) -> bool:
        return bool(self.namespaces)
