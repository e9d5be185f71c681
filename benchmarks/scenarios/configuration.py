"""How long a change of configuration takes until it is in force everywhere, and how long a process
takes to load ten thousand subscriptions and to own them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.manifests import endpoint, subscription
from benchmarks.postgres_system import PostgresSystem
from benchmarks.rows import Figure, Goal, Row

SUBSCRIPTIONS: Final = 10_000
PER_FILE: Final = 500
CHANGES: Final = 30
PATIENCE: Final = 60.0
IDLE_SECONDS: Final = 20.0
LOAD: Final = Goal("figure", "≤", 5)
IN_FORCE: Final = Goal("figure", "≤", 1_000)
_TARGET: Final = "http://127.0.0.1:8099/nobody"
_LOOK_SECONDS: Final = 0.003


def run(bench: Bench) -> list[Row]:
    """Two dispatchers and a receiver; nothing is delivered meanwhile."""
    with bench.system(endpoint("in"), files=dict(_files())) as system:
        assert isinstance(system, PostgresSystem)
        begin = time.monotonic()
        system.add_dispatcher()
        load = time.monotonic() - begin
        owned = _until_spread(system, begin)
        cpu, database = system.usage().cpu, system.cpu_of_database()
        time.sleep(IDLE_SECONDS)
        cpu = (system.usage().cpu - cpu) / IDLE_SECONDS
        database = (system.cpu_of_database() - database) / IDLE_SECONDS
        waits = sorted(_change(system, number) for number in range(CHANGES))
    many = f"{SUBSCRIPTIONS:,} subscriptions"
    return [
        Row(f"{many}, a dispatcher's start until ready", "s", (Figure(load),), goal=LOAD),
        Row(f"{many}, its start until it owns its share", "s", (Figure(owned),)),
        Row(f"{many}, idle, CPU of all", "cores", (Figure(cpu),)),
        Row(f"{many}, idle, CPU of the database", "cores", (Figure(database),)),
        Row("change, commit → every process, p50", "ms", (Figure(waits[CHANGES // 2]),)),
        Row(
            f"change, commit → every process, slowest of {CHANGES}",
            "ms",
            (Figure(waits[-1]),),
            goal=IN_FORCE,
        ),
    ]


def _files() -> Iterator[tuple[str, tuple[dict[str, Any], ...]]]:
    for first in range(0, SUBSCRIPTIONS, PER_FILE):
        places = range(first, first + PER_FILE)
        yield (
            f"out-{first:05}",
            tuple(subscription(f"out-{place}", "in", _TARGET, maxInFlight=16) for place in places),
        )


def _until_spread(system: PostgresSystem, begin: float) -> float:
    """Seconds until the new dispatcher owns at least 45 % of the subscriptions."""
    while time.monotonic() - begin < PATIENCE:
        share = system.query(
            "select coalesce(min(n), 0) from (select count(*) as n from hookplane.subscription"
            " where owner is not null group by owner having count(*) > 0) x"
        )
        owners = system.query(
            "select count(distinct owner) from hookplane.subscription where owner is not null"
        )
        if int(owners) == 2 and int(share) >= 0.45 * SUBSCRIPTIONS:
            return time.monotonic() - begin
        time.sleep(0.1)
    raise RuntimeError("the new dispatcher did not get its share")


def _change(system: PostgresSystem, number: int) -> float:
    """Milliseconds from when a new version is seen until every live process reports it.

    A report comes with a heartbeat, of which there are at most ten a second: that is part of it."""
    before = int(system.query("select config_version from hookplane.store"))
    system.apply("changing", endpoint(f"changing-{number}"))
    version = _until(system, "select config_version from hookplane.store", before + 1)
    seen = time.monotonic()
    _until(system, "select min(version) from hookplane.process where not ended", version)
    return (time.monotonic() - seen) * 1_000


def _until(system: PostgresSystem, statement: str, least: int) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = int(system.query(statement))
        if found >= least:
            return found
        time.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"{statement}: {found}, not {least}")
