"""`python -m benchmarks`: measures everything and prints one table."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import orjson

from benchmarks.bench import FULL, QUICK, Bench, Engine, tell
from benchmarks.machine import Placement, allow_many_files, file_system
from benchmarks.postgres_system import PostgresSystem
from benchmarks.report import as_json, table
from benchmarks.rows import Row
from benchmarks.scenarios import (
    bare,
    bloat,
    configuration,
    crowd,
    delivery,
    fanout,
    ingest,
    isolation,
    latency,
    memory,
    receivers,
    tenants,
    through,
)
from benchmarks.system import System

Scenario = Callable[[Bench], list[Row]]
SCENARIOS: Final[dict[str, Scenario]] = {
    "ingest": ingest.run,
    "delivery": delivery.run,
    "through": through.run,
    "latency": latency.run,
    "fanout": fanout.run,
    "crowd": crowd.run,
    "isolation": isolation.run,
    "memory": memory.run,
    "tenants": tenants.run,
}


ON_POSTGRES: Final[dict[str, Scenario]] = {
    "receivers": receivers.run,
    "bloat": bloat.run,
    "configuration": configuration.run,
}
"""Those that ask for what only many processes have."""
ENGINES: Final[dict[str, type[Engine]]] = {"sqlite": System, "postgres": PostgresSystem}


@click.command()
@click.option(
    "--store",
    type=click.Choice(list(ENGINES)),
    default="sqlite",
    show_default=True,
    help="postgres: a receiver, a dispatcher and a database, started for it.",
)
@click.option("--quick", is_flag=True, help="Four minutes instead of twenty.")
@click.option("--only", type=click.Choice([*SCENARIOS, *ON_POSTGRES]), multiple=True)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write it as JSON as well.")
@click.option(
    "--placement",
    type=click.Choice([str(one) for one in Placement]),
    default=str(Placement.SPLIT),
    show_default=True,
    help="split: the first core is for what is measured; together: all share all cores.",
)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder on the disk that is to be measured.",
)
def main(
    store: str,
    quick: bool,
    only: tuple[str, ...],
    file: Path | None,
    placement: str,
    work: Path | None,
) -> None:
    """Measure Hookplane beside bare bars, on this machine, over the loopback alone."""
    allow_many_files()
    known = SCENARIOS | (ON_POSTGRES if store == "postgres" else {})
    strange = [name for name in only if name not in known]
    if strange:
        raise click.UsageError(f"{', '.join(strange)}: only with --store postgres")
    bench = Bench(work, Placement(placement), QUICK if quick else FULL, ENGINES[store])
    begin = time.monotonic()
    try:
        facts = _facts(bench, quick=quick)
        facts["store"] = store
        rows = _measured(bench, {name: known[name] for name in only or known})
    finally:
        bench.close()
    facts["seconds"] = round(time.monotonic() - begin)
    sys.stdout.write("\n".join(f"{name}: {value}" for name, value in facts.items()) + "\n\n")
    sys.stdout.write(table(rows))
    if file is not None:
        file.write_bytes(orjson.dumps(as_json(facts, rows), option=orjson.OPT_INDENT_2) + b"\n")


def _measured(bench: Bench, scenarios: dict[str, Scenario]) -> list[Row]:
    tell("bare bars, before")
    before, between = bare.run(bench), []
    for name, scenario in scenarios.items():
        tell(name)
        between += scenario(bench)
    tell("bare bars, after")
    after = bare.run(bench)
    return [*between, *map(_both, before, after)]


def _both(before: Row, after: Row) -> Row:
    return Row(before.name, before.unit, before.figures + after.figures)


def _facts(bench: Bench, *, quick: bool) -> dict[str, Any]:
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, data on {file_system(bench.folder)}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "placement": str(bench.placement),
        "effort": "quick" if quick else "full",
    }


if __name__ == "__main__":
    main()
