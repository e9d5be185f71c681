"""How many events a second are verified, stored durably and answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.bench import Bench, Engine, Loaded
from benchmarks.manifests import endpoint
from benchmarks.rows import Figure, Goal, Row
from benchmarks.scenarios import bare
from benchmarks.search import highest

GOAL: Final = Goal("ratio", "≥", 0.35)
MOST_P99: Final = 50.0
"""Milliseconds; a higher rate than that which keeps it is no use."""
_RATE: Final = 12_000
"""More than this a second is not expected; bounds what is prepared."""


def run(bench: Bench) -> list[Row]:
    """Nobody subscribes: this is the receiver and the store alone."""
    closed, bars = [], []
    for _ in range(max(bench.effort.rounds, 2)):
        bars.append(bare.server(bench))
        closed.append(_closed(bench))
    open_loop = _open(bench, max(rate.value for rate, _ in closed))
    return [
        Row(
            "ingest, closed loop of 64",
            "/s",
            tuple(rate for rate, _ in closed),
            bare.SERVER,
            tuple(bar.rate for bar in bars),
            GOAL,
        ),
        Row(
            "ingest, CPU",
            "µs each",
            tuple(micros for _, micros in closed),
            bare.SERVER,
            tuple(bar.micros for bar in bars),
        ),
        *open_loop,
    ]


def _closed(bench: Bench) -> tuple[Figure, Figure]:
    seconds = bench.effort.seconds
    with bench.system(endpoint("in")) as system:
        before = system.usage().cpu
        url = system.endpoint("in")
        loaded = bench.load(url, int(_RATE * seconds), seconds=seconds)
        cpu = system.usage().cpu - before
    void = loaded.void or _errors(loaded)
    return Figure(loaded.rate, void), Figure(cpu / max(loaded.accepted, 1) * 1e6, void)


def _errors(loaded: Loaded) -> str:
    bad = loaded.sent - loaded.accepted
    return f"{bad} of {loaded.sent} requests were not accepted" if bad else ""


@dataclass(frozen=True, slots=True)
class _Trial:
    rate: float
    loaded: Loaded

    @property
    def passed(self) -> bool:
        return self.loaded.accepted == self.loaded.sent and self.loaded.p99 < MOST_P99


def _open(bench: Bench, ceiling: float) -> list[Row]:
    with bench.system(endpoint("in")) as system:
        best = highest(
            lambda rate: _trial(bench, system, rate), 0.8 * ceiling, 1.2, bench.effort.tries
        )
    void = best.loaded.void if best else f"no rate tried kept p99 below {MOST_P99:g} ms"
    values = (best.rate, best.loaded.p50, best.loaded.p99) if best else (0.0, 0.0, 0.0)
    units = (("p99 < 50 ms", "/s"), ("p50 at that rate", "ms"), ("p99 at that rate", "ms"))
    return [
        Row(f"ingest, open loop, {what}", unit, (Figure(value, void),))
        for (what, unit), value in zip(units, values, strict=True)
    ]


def _trial(bench: Bench, system: Engine, rate: float) -> _Trial:
    count = int(rate * bench.effort.seconds)
    return _Trial(rate, bench.load(system.endpoint("in"), count, rate=rate))
