"""How far the tables that are updated in place grow while deliveries come and go."""

from __future__ import annotations

from typing import Final

from benchmarks.bench import PATIENCE, Bench
from benchmarks.manifests import endpoint, subscription
from benchmarks.postgres_system import PostgresSystem
from benchmarks.rows import Figure, Row
from benchmarks.scenarios.drain import fill

TABLES: Final = ("endpoint", "cursor", "subscription", "delivery")
_SIZE: Final = "select pg_total_relation_size('hookplane.{}')"


def run(bench: Bench) -> list[Row]:
    """One target that takes everything and one that refuses a third, so that rows of deliveries
    are written and removed all the time. Vacuum is PostgreSQL's own."""
    events = bench.effort.deliveries
    with bench.targets(2) as targets, bench.system(endpoint("in")) as system:
        assert isinstance(system, PostgresSystem)
        targets.behave(1, "flaky")
        system.apply(
            "out",
            *(
                subscription(
                    f"out-{place}",
                    "in",
                    url,
                    retry={"schedule": ["300ms"] * 32},
                    circuit={"failures": 1_000, "probeEvery": "200ms", "probeAtMostEvery": "1s"},
                    disableAfter="0s",
                )
                for place, url in enumerate(targets.urls)
            ),
        )
        targets.begin()
        fill(bench, system, "in", events)
        complete = targets.wait(2 * events, 2 * PATIENCE)
        sizes = {name: int(system.query(_SIZE.format(name))) for name in TABLES}
    void = "" if complete else "not all was delivered"
    return [
        Row(f"{name} after {2 * events:,} deliveries", "KB", (Figure(size / 1024, void),))
        for name, size in sizes.items()
    ]
