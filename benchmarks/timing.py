"""Joins what the generator wrote down with what the sink did: one clock serves both."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal

from benchmarks.histogram import Histogram

MS = 1e6
"""Nanoseconds."""


def until_arrival(
    log: dict[str, Any],
    arrivals: dict[str, list[Any]],
    since: Literal["due", "answered"] = "due",
    targets: Collection[int] = (0,),
) -> Histogram:
    """Nanoseconds from when an event was due (or its 2xx came) until its first arrival at each of
    some targets."""
    started, first = log[since], log["first"]
    return Histogram(
        max(at - started[number - first], 0)
        for (target, number), at in _firsts(arrivals)
        if target in targets and 0 <= number - first < len(started)
    )


def _firsts(arrivals: dict[str, list[Any]]) -> Iterator[tuple[tuple[int, int], int]]:
    seen: dict[tuple[int, int], int] = {}
    columns = zip(arrivals["target"], arrivals["number"], arrivals["at"], strict=True)
    for target, number, at in columns:
        seen.setdefault((target, number), at)
    return iter(seen.items())
