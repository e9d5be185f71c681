"""How long an event takes on a quiet machine: 10 a second, to one target."""

from __future__ import annotations

from typing import Final

from benchmarks.bench import PATIENCE, Bench
from benchmarks.histogram import Histogram
from benchmarks.manifests import endpoint, subscription
from benchmarks.rows import Figure, Goal, Row
from benchmarks.timing import MS, until_arrival

GOAL: Final = Goal("figure", "≤", 4)
RATE: Final = 10.0
_BARE: Final = "straight to the sink"


def run(bench: Bench) -> list[Row]:
    """The bar is the same event sent straight to the sink."""
    bare, sent, accepted = [], [], []
    for _ in range(bench.effort.rounds):
        bare.append(_straight(bench))
        since_due, since_answer = _through(bench)
        sent.append(since_due)
        accepted.append(since_answer)
    return [
        _row("sent → arrival, p50", 0.5, sent, bare, GOAL),
        _row("sent → arrival, p99", 0.99, sent, bare, None),
        _row("accepted → arrival, p50", 0.5, accepted, [], None),
        _row("accepted → arrival, p99", 0.99, accepted, [], None),
    ]


def _row(
    name: str, share: float, times: list[Histogram], bare: list[Histogram], goal: Goal | None
) -> Row:
    figures, bars = (tuple(_figure(one, share) for one in side) for side in (times, bare))
    return Row(f"10/s, {name}", "ms", figures, _BARE if bars else "", bars, goal)


def _figure(times: Histogram, share: float) -> Figure:
    return Figure(times.quantile(share) / MS, "" if times.count else "nothing arrived")


def _straight(bench: Bench) -> Histogram:
    with bench.targets() as targets:
        targets.begin()
        loaded = bench.load(targets.urls[0], bench.effort.sparse, rate=RATE, log=True)
        return until_arrival(loaded.log, targets.arrivals(bench.folder))


def _through(bench: Bench) -> tuple[Histogram, Histogram]:
    with bench.targets() as targets:
        out = subscription("out", "in", targets.urls[0])
        with bench.system(endpoint("in"), out) as system:
            targets.begin()
            loaded = bench.load(system.endpoint("in"), bench.effort.sparse, rate=RATE, log=True)
            targets.wait(loaded.accepted, PATIENCE)
            arrivals = targets.arrivals(bench.folder)
    return until_arrival(loaded.log, arrivals), until_arrival(loaded.log, arrivals, "answered")
