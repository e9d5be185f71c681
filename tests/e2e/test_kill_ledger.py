"""`kill -9` under load, and an account of every event; `make ledger` does it 50 times."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ledger import Run, measure


@pytest.mark.slow
def test_nothing_is_lost_and_little_comes_twice(tmp_path: Path) -> None:
    account = measure(Run(kills=6, rate=200.0, seed=7), tmp_path)
    assert account.flaws == []
    assert len(account.duplicates) == 6
    assert account.accepted > 0
    assert account.retried > 0
