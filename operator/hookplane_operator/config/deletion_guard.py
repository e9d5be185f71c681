"""Whether so many objects can be gone at once; pure.

Each namespace is judged by itself, so that nobody's deletions wait for those of another. What is
missing from many of them is judged together: that is how a list looks that lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FEW: Final = 10
SHARE: Final = 0.2
"""More than both is more than is plausible."""
SEVERAL: Final = 3
"""Namespaces."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What is missing from a namespace though nobody was seen deleting it."""

    now: int
    """Objects that are in force and missing."""
    lately: int
    """Names, with those that went a short while ago: a fault may delete one after the other."""
    there: int
    """How many there were, with the missing."""


def implausible(losses: Mapping[str, Loss]) -> frozenset[str]:
    """Namespaces whose losses are to wait for a word. `losses`: of all that have objects, but for
    those that are confirmed."""
    missing = {name: x for name, x in losses.items() if x.now}
    if _are_everywhere(missing, losses):
        return frozenset(missing)
    return frozenset(name for name, x in missing.items() if _is_much(x.lately, x.there))


def _are_everywhere(missing: Mapping[str, Loss], losses: Mapping[str, Loss]) -> bool:
    """In several namespaces, and too many without the one that misses most: no single one can
    bring that about. A list that ends too early misses whole namespaces of many."""
    if len(missing) < SEVERAL:
        return False
    lately = [x.lately for x in missing.values()]
    return _is_much(sum(lately) - max(lately), sum(x.there for x in losses.values()))


def _is_much(count: int, there: int) -> bool:
    return count > max(FEW, SHARE * there)


def told_numbers(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Numbers for people, who look at them while objects go and come: one stays as it was told as
    long as a confirmation of it would do, and is not far from the truth."""
    return {
        name: before[name] if name in before and abs(count - before[name]) <= FEW else count
        for name, count in now.items()
    }
