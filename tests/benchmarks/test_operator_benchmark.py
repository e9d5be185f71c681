"""The benchmark of the operator in short: everything is measured, and what does not depend on the
machine holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.operator import Run, measure


@pytest.mark.slow
def test_a_few_objects(tmp_path: Path) -> None:
    rows = measure(Run(pairs=10, changes=3, rest_seconds=5, failures=1), tmp_path)
    found = {row.name.removeprefix("20 objects: "): row.value for row in rows}
    assert all(value is not None for value in found.values())
    assert found["restart, writes to the API server"] == 0
    assert 1 <= (found["status writes for each object"] or 0) <= 1.5
    assert found["times that the lead was lost"] == 0
