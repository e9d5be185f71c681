"""What the other targets notice when 1 of 20 takes requests and never answers."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.bench import PATIENCE, Bench
from benchmarks.manifests import MANY_IN_FLIGHT, endpoint, subscription
from benchmarks.rows import Figure, Goal, Row, overworked
from benchmarks.scenarios.drain import drain, fill
from benchmarks.timing import MS, until_arrival

TARGETS: Final = 20
HEALTHY: Final = range(TARGETS - 1)
GOAL: Final = Goal("ratio", "≥", 0.98)
_OPTIONS: Final[dict[str, Any]] = {
    "timeout": "2s",
    "circuit": {"failures": 1000},
    "maxInFlight": MANY_IN_FLIGHT,
}
"""The circuit would soon spare us the dead target; it stays closed, so that all its slots hang all
the time."""
_SHARE: Final = 0.4
"""Of what the clean backlog was delivered at: the load for latencies."""


def run(bench: Bench) -> list[Row]:
    """Clean and with one dead, in turn; the same 19 are looked at in both."""
    rates: dict[bool, list[Figure]] = {False: [], True: []}
    p99s: dict[bool, list[Figure]] = {False: [], True: []}
    for _ in range(bench.effort.rounds):
        for dead in (False, True):
            rates[dead].append(_backlog(bench, dead=dead))
    events = _SHARE * rates[False][0].value / len(HEALTHY)
    for _ in range(bench.effort.rounds):
        for dead in (False, True):
            p99s[dead].append(_steady(bench, events, dead=dead))
    return [
        Row(
            "1 of 20 dead: healthy deliveries",
            "/s",
            tuple(rates[True]),
            "none dead",
            tuple(rates[False]),
            GOAL,
        ),
        Row(
            "1 of 20 dead: healthy p99",
            "ms",
            tuple(p99s[True]),
            "none dead",
            tuple(p99s[False]),
        ),
    ]


def _backlog(bench: Bench, *, dead: bool) -> Figure:
    events = bench.effort.deliveries // TARGETS
    with bench.targets(TARGETS) as targets, bench.system(endpoint("in")) as system:
        if dead:
            targets.behave(TARGETS - 1, "dead")
        fill(bench, system, "in", events)
        alive = HEALTHY if dead else range(TARGETS)
        drained = drain(system, targets, "in", events, alive, **_OPTIONS)
        healthy = targets.taken(HEALTHY)
    return Figure(healthy.rate, drained.rate.void)


def _steady(bench: Bench, rate: float, *, dead: bool) -> Figure:
    """p99 from when an event was due to its arrival at each healthy target."""
    with bench.targets(TARGETS) as targets:
        subscriptions = [
            subscription(f"s-{place}", "in", url, **_OPTIONS)
            for place, url in enumerate(targets.urls)
        ]
        if dead:
            targets.behave(TARGETS - 1, "dead")
        with bench.system(endpoint("in"), *subscriptions) as system:
            targets.begin()
            count = max(int(rate * bench.effort.seconds), 1)
            loaded = bench.load(system.endpoint("in"), count, rate=rate, log=True)
            share = targets.share()
            targets.wait(loaded.accepted * (TARGETS - dead), PATIENCE)
            arrivals = targets.arrivals(bench.folder)
    times = until_arrival(loaded.log, arrivals, targets=HEALTHY)
    missing = loaded.accepted * len(HEALTHY) - times.count
    late = f"{missing} deliveries are missing" if missing else ""
    return Figure(times.quantile(0.99) / MS, late or overworked(generator=loaded.share, sink=share))
