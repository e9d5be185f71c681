"""What a tenant notices when another one does its worst beside him, a kind of it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from benchmarks.bench import PATIENCE, Bench, Engine
from benchmarks.manifests import Manifest, endpoint, secret, subscription
from benchmarks.payload import SIZE
from benchmarks.rows import Figure, Goal, Row, overworked
from benchmarks.targets import Targets
from benchmarks.timing import MS, until_arrival

RATE: Final = 50.0
"""Events a second of the good tenant."""
HOSTILE_SECONDS: Final = 60.0
"""The other one is stopped when the good one has sent all."""
RATE_GOAL: Final = Goal("ratio", "≥", 0.95)
P99_GOAL: Final = Goal("ratio", "≤", 1.5)
MEMORY_GOAL: Final = Goal("figure", "≤", 768)
"""MB: the least that the chart lets a dispatcher have, and here a receiver is in it, too."""
_MB: Final = 1 << 20
_OTHER: Final = "hostile"
_LONG: Final = ", ".join(map(str, range(60)))
_DEAR: Final = "[{0}].all(a, [{0}].all(b, [{0}].all(c, [{0}].all(d, a + b + c + d >= 0))))"


@dataclass(frozen=True, slots=True)
class Hostile:
    """What one does."""

    name: str
    mode: str
    """Of its target, see `benchmarks.sink`."""
    subscriptions: int
    rate: float
    size: int = SIZE
    spec: dict[str, Any] = field(default_factory=dict)
    """Of each subscription, as `manifests.subscription` takes it."""


KINDS: Final = (
    Hostile(
        "targets that never answer",
        "dead",
        14,
        20,
        512 << 10,
        {"timeout": "60s", "maxInFlight": 256, "circuit": {"failures": 1000}},
    ),
    Hostile(
        "targets that refuse all, 33 times at once",
        "fail",
        50,
        10,
        SIZE,
        {"retry": {"schedule": ["0s"] * 32}, "circuit": {"failures": 1000}},
    ),
    Hostile("filters that never end", "ok", 20, 10, SIZE, {"cel": _DEAR.format(_LONG)}),
)


class Noticed(NamedTuple):
    """By the good one."""

    rate: Figure
    p99: Figure
    memory: Figure


def run(bench: Bench) -> list[Row]:
    """Alone and beside each kind, in turn."""
    return [row for kind in KINDS for row in _beside(bench, kind)]


def _beside(bench: Bench, kind: Hostile) -> list[Row]:
    alone, beside = list[Noticed](), list[Noticed]()
    for _ in range(bench.effort.rounds):
        alone.append(_measured(bench, None))
        beside.append(_measured(bench, kind))
    rates, p99s, memory = zip(*beside, strict=True)
    bars = list(zip(*alone, strict=True))
    return [
        Row(f"beside {kind.name}: deliveries", "/s", rates, "alone", bars[0], RATE_GOAL),
        Row(f"beside {kind.name}: p99", "ms", p99s, "alone", bars[1], P99_GOAL),
        Row(f"beside {kind.name}: the most memory", "MB", memory, goal=MEMORY_GOAL),
    ]


def _measured(bench: Bench, kind: Hostile | None) -> Noticed:
    with bench.targets(2) as targets:
        targets.behave(1, kind.mode if kind else "ok")
        good = [endpoint("in"), subscription("out", "in", targets.urls[0])]
        others = _manifests(kind, targets.urls[1])
        with bench.system(*good, *others) as system, _others(bench, kind, system):
            return _good(bench, system, targets)


def _manifests(kind: Hostile | None, url: str) -> list[Manifest]:
    if kind is None:
        return []
    own = [
        subscription(f"s-{place}", "in", url, namespace=_OTHER, **kind.spec)
        for place in range(kind.subscriptions)
    ]
    return [secret(_OTHER), endpoint("in", _OTHER), *own]


@contextmanager
def _others(bench: Bench, kind: Hostile | None, system: Engine) -> Iterator[None]:
    if kind is None:
        yield
        return
    url = system.endpoint("in").replace("/default/", f"/{_OTHER}/")
    with bench.loading(url, kind.rate, kind.size, HOSTILE_SECONDS):
        yield


def _good(bench: Bench, system: Engine, targets: Targets) -> Noticed:
    targets.begin()
    count = max(int(RATE * bench.effort.seconds), 1)
    loaded = bench.load(system.endpoint("in"), count, rate=RATE, log=True)
    targets.wait(loaded.accepted, PATIENCE)  # nobody else's target answers 2xx
    arrived = targets.taken([0]).rate
    times = until_arrival(loaded.log, targets.arrivals(bench.folder))
    void = overworked(generator=loaded.share, sink=targets.share())
    missing = loaded.accepted - times.count
    late = f"{missing} deliveries are missing" if missing else void
    return Noticed(
        Figure(arrived, void),
        Figure(times.quantile(0.99) / MS, late),
        Figure(system.usage().most_resident / _MB),
    )
