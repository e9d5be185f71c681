"""What an event costs when one of 10, 1,000, 3,000 or 10,000 subscriptions wants it, and what they
cost while nothing comes."""

from __future__ import annotations

import time
from typing import Final

from benchmarks.bench import PATIENCE, Bench, Engine
from benchmarks.manifests import endpoint, subscription
from benchmarks.rows import Figure, Goal, Row

SIZES: Final = (10, 1_000, 3_000, 10_000)
GOAL: Final = Goal("ratio", "≤", 1.5)
RATE: Final = 10.0
AT_REST: Final = 0.05
"""Of a core: less than this five times in a row, and everything is loaded and claimed."""
LOOKS: Final = 5
OF_A_FILE: Final = 1_000
REST_SECONDS: Final = 240.0
IDLE_SECONDS: Final = 10.0


def run(bench: Bench) -> list[Row]:
    """Events at 10 a second; all others want types that never come."""
    measured = {size: _measure(bench, size) for size in SIZES}
    costs = {size: cost for size, (cost, _) in measured.items()}
    return [
        *(_row(size, costs[size], costs[SIZES[0]]) for size in SIZES),
        Row(f"{SIZES[-1]:,} subscriptions, idle", "% of a core", (measured[SIZES[-1]][1],)),
    ]


def _row(size: int, cost: Figure, bar: Figure) -> Row:
    name = f"1 of {size:,} subscriptions wants it, CPU"
    if size == SIZES[0]:
        return Row(name, "ms each", (cost,))
    return Row(name, "ms each", (cost,), f"1 of {SIZES[0]}", (bar,), GOAL)


def _measure(bench: Bench, size: int) -> tuple[Figure, Figure]:
    """Milliseconds for an event, and the share of a core while nothing comes."""
    with bench.targets() as targets:
        wanting = subscription("wants", "in", targets.urls[0], types=("bench",))
        with bench.system(endpoint("in"), wanting) as system:
            _apply_others(system, size - 1, targets.urls[0])
            void = _rest(system)
            idle = 100 * _share(system, IDLE_SECONDS)
            targets.begin()
            before = system.usage().cpu
            loaded = bench.load(system.endpoint("in"), bench.effort.sparse, rate=RATE)
            complete = targets.wait(loaded.accepted, PATIENCE)
            cost = 1_000 * (system.usage().cpu - before) / max(loaded.accepted, 1)
    void = void or ("" if complete else "not all was delivered")
    return Figure(cost, void), Figure(idle, void)


def _apply_others(system: Engine, count: int, url: str) -> None:
    """A file holds no more values than are read of one."""
    others = [subscription(f"other-{x}", "in", url, types=(f"other.{x}",)) for x in range(count)]
    for start in range(0, count, OF_A_FILE):
        system.apply(f"others-{start}", *others[start : start + OF_A_FILE])


def _rest(system: Engine) -> str:
    """Waits until it has nothing to do; else says so."""
    end, calm = time.monotonic() + REST_SECONDS, 0
    while calm < LOOKS:
        calm = calm + 1 if _share(system, 2.0) <= AT_REST else 0
        if time.monotonic() > end:
            return f"was still busy after {REST_SECONDS:g} s"
    return ""


def _share(system: Engine, seconds: float) -> float:
    """Of a core, for so long."""
    before, begin = system.usage().cpu, time.monotonic()
    time.sleep(seconds)
    return (system.usage().cpu - before) / (time.monotonic() - begin)
