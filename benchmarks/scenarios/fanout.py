"""Deliveries a second when one event goes to 1, 10 or 100 subscribers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.bench import Bench
from benchmarks.manifests import IN_FLIGHT, MANY_IN_FLIGHT, endpoint
from benchmarks.rows import Figure, Goal, Row
from benchmarks.scenarios.drain import Drained, drain, fill

WIDTHS: Final = (1, 10, 100)
GOALS: Final = {100: Goal("ratio", "≥", 0.9)}


def run(bench: Bench) -> list[Row]:
    """The same number of deliveries each time, in turn; each subscriber has its own port."""
    found: dict[int, list[Drained]] = {width: [] for width in WIDTHS}
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
                found[width].append(drained)
    rates = {width: tuple(one.rate for one in drains) for width, drains in found.items()}
    micros = {width: tuple(one.micros for one in drains) for width, drains in found.items()}
    return [
        *(_row(f"fan-out {width}", "/s", width, rates, GOALS.get(width)) for width in WIDTHS),
        *(_row(f"fan-out {width}, CPU", "µs each", width, micros) for width in WIDTHS),
    ]


def _in_flight(width: int) -> int:
    return IN_FLIGHT if width == 1 else MANY_IN_FLIGHT


def _row(
    name: str,
    unit: str,
    width: int,
    figures: Mapping[int, tuple[Figure, ...]],
    goal: Goal | None = None,
) -> Row:
    bars = figures[1] if width > 1 else ()
    return Row(name, unit, figures[width], "fan-out 1" if bars else "", bars, goal)
