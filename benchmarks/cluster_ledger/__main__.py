"""`python -m benchmarks.cluster_ledger --kills 100`: receivers and dispatchers on PostgreSQL, with
faults of every kind under load, and an account of every event that was accepted.

Exit code 1 when an accepted event was lost, or came twice without having been in flight.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.cluster_ledger.report import text
from benchmarks.cluster_ledger.run import Run, measure


@click.command()
@click.option("--kills", type=click.IntRange(0, 1000), default=100, show_default=True)
@click.option("--others", type=click.IntRange(0, 1000), default=33, show_default=True)
@click.option("--rate", type=float, default=100.0, show_default=True, help="Events a second.")
@click.option("--seed", type=int, default=1, show_default=True)
def main(**given: Any) -> None:
    """Break it in every way, and account for every event."""
    with tempfile.TemporaryDirectory(prefix="hookplane-ledger-") as folder:
        account, seen = asyncio.run(measure(Run(**given), Path(folder)))
    sys.stdout.write(text(account, seen))
    sys.exit(1 if account.flaws else 0)


if __name__ == "__main__":
    main()
