"""Deliveries a second when one event goes to 1, 10 or 100 subscribers."""

from __future__ import annotations

from typing import Final

from benchmarks.bench import Bench
from benchmarks.manifests import IN_FLIGHT, MANY_IN_FLIGHT, endpoint
from benchmarks.rows import Figure, Goal, Row
from benchmarks.scenarios.drain import drain, fill

WIDTHS: Final = (1, 10, 100)
GOALS: Final = {100: Goal("ratio", "≥", 0.9)}


def run(bench: Bench) -> list[Row]:
    """The same number of deliveries each time, in turn; each subscriber has its own port."""
    rates: dict[int, list[Figure]] = {width: [] for width in WIDTHS}
    names = {width: f"in-{width}" for width in WIDTHS}
    with bench.system(*map(endpoint, names.values())) as system:
        for width, name in names.items():
            fill(bench, system, name, bench.effort.deliveries // width)
        for _ in range(bench.effort.rounds):
            for width, name in names.items():
                events = bench.effort.deliveries // width
                with bench.targets(width) as targets:
                    drained = drain(
                        system, targets, name, events, range(width), maxInFlight=_in_flight(width)
                    )
                rates[width].append(drained.rate)
    return [_row(width, rates) for width in WIDTHS]


def _in_flight(width: int) -> int:
    return IN_FLIGHT if width == 1 else MANY_IN_FLIGHT


def _row(width: int, rates: dict[int, list[Figure]]) -> Row:
    bars = tuple(rates[1]) if width > 1 else ()
    bar = "fan-out 1" if bars else ""
    return Row(f"fan-out {width}", "/s", tuple(rates[width]), bar, bars, GOALS.get(width))
