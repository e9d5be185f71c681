"""How fast a backlog is delivered to one target, beside a client that only sends."""

from __future__ import annotations

from typing import Final

from benchmarks.bench import Bench
from benchmarks.manifests import endpoint
from benchmarks.rows import Goal, Row
from benchmarks.scenarios import bare
from benchmarks.scenarios.drain import drain, fill

GOAL: Final = Goal("ratio", "≥", 0.6)


def run(bench: Bench) -> list[Row]:
    """A and B in turn on one backlog."""
    events, bars, drains = bench.effort.deliveries, [], []
    with bench.targets() as targets, bench.system(endpoint("in")) as system:
        fill(bench, system, "in", events)
        for _ in range(max(bench.effort.rounds, 2)):
            bars.append(bare.client(bench))
            drains.append(drain(system, targets, "in", events, [0]))
    return [
        Row(
            "delivery of a backlog",
            "/s",
            tuple(drained.rate for drained in drains),
            bare.CLIENT,
            tuple(bar.rate for bar in bars),
            GOAL,
        ),
        Row(
            "delivery, CPU",
            "µs each",
            tuple(drained.micros for drained in drains),
            bare.CLIENT,
            tuple(bar.micros for bar in bars),
        ),
    ]
