"""How many events a second several receivers on one PostgreSQL store, and what that costs."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.manifests import endpoint
from benchmarks.postgres_system import PostgresSystem
from benchmarks.program import Program
from benchmarks.rows import Figure, Goal, Row, overworked

COUNTS: Final = (1, 2, 4)
CONNECTIONS: Final = 64
TRANSACTIONS: Final = Goal("figure", "≤", 50)
_RATE: Final = 12_000
_COMMITS: Final = "select xact_commit from pg_stat_database where datname = 'postgres'"


def run(bench: Bench) -> list[Row]:
    """Nobody subscribes; a closed loop of 64 connections for each receiver."""
    rows: list[Row] = []
    for count in COUNTS:
        found = [_once(bench, count) for _ in range(bench.effort.rounds)]
        for name, unit, goal in (
            ("ingest", "/s", None),
            ("CPU", "µs each", None),
            ("CPU of the database", "µs each", None),
            ("transactions", "per 1,000", TRANSACTIONS),
        ):
            figures = tuple(one[name] for one in found)
            rows.append(Row(f"{count} receivers, {name}", unit, figures, goal=goal))
    return rows


def _once(bench: Bench, count: int) -> dict[str, Figure]:
    with bench.system(endpoint("in"), receivers=count) as system:
        assert isinstance(system, PostgresSystem)
        cpu, database = system.usage().cpu, system.cpu_of_database()
        commits = int(system.query(_COMMITS))
        said = _load(bench, system, count)
        accepted = sum(one["accepted"] for one in said)
        cpu, database = system.usage().cpu - cpu, system.cpu_of_database() - database
        commits = int(system.query(_COMMITS)) - commits
    void = next((x for x in (overworked(generator=one["cpu"]) for one in said) if x), "")
    return {
        "ingest": Figure(sum(one["rate"] for one in said), void),
        "CPU": Figure(cpu / accepted * 1e6, void),
        "CPU of the database": Figure(database / accepted * 1e6, void),
        "transactions": Figure(commits / accepted * 1e3, void),
    }


def _load(bench: Bench, system: PostgresSystem, count: int) -> list[dict[str, Any]]:
    each = int(_RATE * bench.effort.seconds / count)
    programs = []
    for place in range(count):
        options = {
            "url": system.endpoint("in", place),
            "count": each,
            "first": place * each,
            "seconds": bench.effort.seconds,
            "connections": CONNECTIONS,
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        programs.append(Program("benchmarks.loadgen", *arguments, cores=bench.placement.measuring))
    for program in programs:
        program.listen()
    said = [program.listen() for program in programs]
    for program in programs:
        program.end()
    return said
