"""Runs seeds and says which of them broke a promise: `make simulate SEEDS=1000`."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from typing import Final

import click

from support.postgres.server import binaries
from support.simulation.runs import Ran, run_seed, run_seeds
from support.simulation.shrinking import shrink
from support.simulation.world import POSTGRES, SQLITE

SHOW_SECONDS: Final = 10.0


@click.command()
@click.option("--seeds", default=100, help="How many.")
@click.option("--first", default=0, help="The first of them.")
@click.option("--minutes", default=25.0, help="No longer than this.")
@click.option("--jobs", default=os.cpu_count() or 1, help="Processes that run seeds.")
@click.option("--store", type=click.Choice([SQLITE, POSTGRES]), default=SQLITE, help="Which one.")
@click.option("--seed", type=int, help="Only this one.")
@click.option("--only", help="Some of its actions: 3,9,12")
@click.option("--shrink", "shrinks", is_flag=True, help="Leave out what is not needed to fail.")
def main(
    seeds: int,
    first: int,
    minutes: float,
    jobs: int,
    store: str,
    seed: int | None,
    only: str | None,
    shrinks: bool,
) -> None:
    """Exit code 1: a promise was broken."""
    logging.disable(logging.WARNING)
    if store == POSTGRES and binaries() is None:
        raise click.UsageError("PostgreSQL is not installed; scripts/test-tools installs it")
    if seed is None:
        sys.exit(_run_many(range(first, first + seeds), jobs, minutes * 60, store))
    sys.exit(_run_one(seed, _parse(only), shrinks, store))


def _run_one(seed: int, places: tuple[int, ...] | None, shrinks: bool, store: str) -> int:
    ran = run_seed(seed, places, store)
    if ran.violation and shrinks:

        def fails(left: tuple[int, ...]) -> bool:
            return bool(run_seed(seed, left, store).violation)

        ran = run_seed(seed, shrink(ran.places, fails), store)
    click.echo(
        _describe(ran, store) if ran.violation else f"seed {seed}: kept. {_summary(ran.counts)}"
    )
    return 1 if ran.violation else 0


def _run_many(seeds: range, jobs: int, seconds: float, store: str) -> int:
    begun = shown = time.monotonic()
    total: Counter[str] = Counter()
    for ran in run_seeds(seeds, jobs, seconds, store):
        most = max(total["most retrying"], ran.counts["most retrying"])
        total += ran.counts
        total["most retrying"] = most
        total["seeds"] += 1
        if ran.violation:
            total["violations"] += 1
            click.echo(_describe(ran, store))
        if time.monotonic() - shown > SHOW_SECONDS:
            shown = time.monotonic()
            click.echo(f"{total['seeds']} of {len(seeds)} seeds, {shown - begun:.0f} s")
    click.echo(f"{_summary(total)}; {time.monotonic() - begun:.0f} s")
    click.echo(f"violations: {total['violations']}")
    return 1 if total["violations"] or not total["seeds"] else 0


def _describe(ran: Ran, store: str) -> str:
    only = ",".join(map(str, ran.places))
    again = f"make simulate SEED={ran.seed}" + (f" STORE={store}" if store != SQLITE else "")
    return (
        f"seed {ran.seed}: {ran.violation}\n"
        f"  again: {again} ONLY={only}\n  with fewer actions: {again} SHRINK=1"
    )


def _summary(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _parse(only: str | None) -> tuple[int, ...] | None:
    return None if only is None else tuple(int(x) for x in only.split(",") if x)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # the order of sets of texts is part of what a seed does
        os.environ["PYTHONHASHSEED"] = "0"
        again = [sys.executable, "-m", "support.simulation", *sys.argv[1:]]
        os.execv(sys.executable, again)  # noqa: S606 - this very program
    main()
