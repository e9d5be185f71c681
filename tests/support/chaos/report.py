"""What came of a run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mended:
    """A round after which all was as it should be."""

    kinds: frozenset[str]
    seconds: float
    """From when nothing was broken any more."""


@dataclass
class Report:
    """Counts, times, and what did not hold."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    mended: list[Mended] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def violated(self, what: str, where: str) -> None:
        """`where`: how it can be done again."""
        with self._lock:
            self.violations.append(f"{where}: {what}")

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"seed {self.seed}"
        for name, count in sorted(self.counts.items()):
            yield f"  {name:<28}{count:>7,}"
        yield "worst seconds from mended to true:   alone   with others"
        for kind, (alone, mixed) in sorted(worst(self.mended).items()):
            yield f"  {kind:<32}{_seconds(alone)}   {_seconds(mixed)}"
        yield from self.notes
        yield from (f"VIOLATED {x}" for x in self.violations)
        yield f"violations: {len(self.violations)}"


def worst(mended: list[Mended]) -> dict[str, tuple[float | None, float | None]]:
    """Kind → the most seconds where it was alone, and with others."""
    found: dict[str, tuple[float | None, float | None]] = {}
    for one in mended:
        for kind in one.kinds or {"changes of users"}:
            alone, mixed = found.get(kind, (None, None))
            if len(one.kinds) < 2:
                found[kind] = (max(alone or 0.0, one.seconds), mixed)
            else:
                found[kind] = (alone, max(mixed or 0.0, one.seconds))
    return found


def _seconds(value: float | None) -> str:
    return f"{'-':>8}" if value is None else f"{value:>8.1f}"
