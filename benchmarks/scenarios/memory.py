"""Memory of the one process, and what it costs to do nothing."""

from __future__ import annotations

import time
from typing import Final

from benchmarks.bench import Bench
from benchmarks.manifests import endpoint
from benchmarks.rows import Figure, Row
from benchmarks.scenarios.drain import drain, fill

_MB: Final = 1 << 20
SETTLE_SECONDS: Final = 10.0
"""After a start, until nothing is left to do."""
IDLE_SECONDS: Final = 30.0


def run(bench: Bench) -> list[Row]:
    """Started; with a backlog stored; the most while all of it was delivered."""
    events = bench.effort.deliveries * bench.effort.rounds
    with bench.targets() as targets, bench.system(endpoint("in")) as system:
        time.sleep(SETTLE_SECONDS)
        started = system.usage()
        time.sleep(IDLE_SECONDS)
        idle = (system.usage().cpu - started.cpu) / IDLE_SECONDS
        fill(bench, system, "in", events)
        stored = system.usage()
        void = drain(system, targets, "in", events, [0]).rate.void
        delivered = system.usage()
    return [
        Row("CPU without traffic", "% of a core", (Figure(100 * idle),)),
        Row("memory, started", "MB", (Figure(started.resident / _MB),)),
        Row(f"memory, {events:,} events stored", "MB", (Figure(stored.resident / _MB),)),
        Row("memory, the most", "MB", (Figure(delivered.most_resident / _MB, void),)),
    ]
