"""The ledger of many processes in short: faults of every kind, and every event accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cluster_ledger.report import text
from benchmarks.cluster_ledger.run import Run, measure


@pytest.mark.slow
async def test_faults_lose_nothing(tmp_path: Path) -> None:
    run = Run(kills=8, others=11, rate=60, seed=4, receivers=2, dispatchers=2)
    account, seen = await measure(run, tmp_path)
    assert account.accepted > 0
    assert seen.replayed > 0
    assert not account.flaws, text(account, seen)
    assert not seen.errors, text(account, seen)
