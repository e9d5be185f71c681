"""The highest steady rate at which events are accepted and delivered at once, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.bench import PATIENCE, Bench, Engine, Loaded
from benchmarks.histogram import Histogram
from benchmarks.manifests import endpoint, subscription
from benchmarks.rows import Figure, Row, overworked
from benchmarks.scenarios import bare
from benchmarks.search import highest
from benchmarks.targets import Targets
from benchmarks.timing import MS, until_arrival

MOST_P99: Final = 250.0
"""Milliseconds from sent to arrival."""
_START: Final = 0.35
"""Of what the bare bars would bear together: where the search begins."""
_BARS: Final = "bare server + client"


@dataclass(frozen=True, slots=True)
class _Trial:
    rate: float
    loaded: Loaded
    times: Histogram
    cpu: float
    """Seconds of the system, until everything was delivered."""
    sink: float
    """Share of a core."""

    @property
    def passed(self) -> bool:
        complete = self.times.count == self.loaded.accepted == self.loaded.sent
        return complete and self.times.quantile(0.99) / MS < MOST_P99

    @property
    def void(self) -> str:
        return overworked(generator=self.loaded.share, sink=self.sink)


def run(bench: Bench) -> list[Row]:
    """Fan-out 1; the bar is one request of the bare server and one of the bare client, in turn on
    the same core."""
    micros = bare.server(bench).micros.value + bare.client(bench).micros.value
    together = 1e6 / micros
    with bench.targets() as targets:
        out = subscription("out", "in", targets.urls[0])
        with bench.system(endpoint("in"), out) as system:
            best = highest(
                lambda rate: _trial(bench, system, targets, rate),
                _START * together,
                1.15,
                bench.effort.tries,
            )
    if best is None:
        none = Figure(0, f"no rate tried kept p99 below {MOST_P99:g} ms")
        return [Row("accepted + delivered", "/s", (none,))]
    return _rows(best, together, micros / 1000)


def _rows(best: _Trial, together: float, cost: float) -> list[Row]:
    def figure(value: float) -> tuple[Figure, ...]:
        return (Figure(value, best.void),)

    name = "accepted + delivered"
    p50, p99 = best.times.quantile(0.5) / MS, best.times.quantile(0.99) / MS
    return [
        Row(f"{name}, p99 < 250 ms", "/s", figure(best.rate), _BARS, (Figure(together),)),
        Row(f"{name}, p50 at that rate", "ms", figure(p50)),
        Row(f"{name}, p99 at that rate", "ms", figure(p99)),
        Row(
            f"{name}, CPU",
            "s per 1,000",
            figure(best.cpu / best.loaded.accepted * 1000),
            _BARS,
            (Figure(cost),),
        ),
    ]


def _trial(bench: Bench, system: Engine, targets: Targets, rate: float) -> _Trial:
    targets.begin()
    before = system.usage().cpu
    count = int(rate * bench.effort.seconds)
    loaded = bench.load(system.endpoint("in"), count, rate=rate, log=True)
    sink = targets.share()
    targets.wait(loaded.accepted, PATIENCE)
    cpu = system.usage().cpu - before
    times = until_arrival(loaded.log, targets.arrivals(bench.folder))
    return _Trial(rate, loaded, times, cpu, sink)
