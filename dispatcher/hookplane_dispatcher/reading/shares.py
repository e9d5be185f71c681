"""Bytes in use of one budget, shared between namespaces. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Final

GREED: Final = 3
"""Nobody takes more than so many times what then stays free. So one alone has three quarters of the
budget, two have three sevenths each, and whoever comes next finds room, however slow the others
are."""


class Shares:
    """Who uses how much. Whoever uses much waits for himself, and others come beside him (dynamic
    thresholds, Choudhury and Hahne, 1998)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: Counter[str] = Counter()
        self.in_use = 0
        """Bytes, of all."""

    def room(self, namespace: str) -> int:
        """How much more it may take now. Who has nothing may take all that is free, since one event
        may be large."""
        free = max(self._limit - self.in_use, 0)
        used = self._used[namespace]
        return max((GREED * free - used) // (GREED + 1), 0) if used else free

    def take(self, namespace: str, size: int) -> None:
        """It uses so much more."""
        self._used[namespace] += size
        self.in_use += size

    def give(self, namespace: str, size: int) -> None:
        """It uses so much less."""
        self.in_use -= size
        self._used[namespace] -= size
        if not self._used[namespace]:
            del self._used[namespace]
