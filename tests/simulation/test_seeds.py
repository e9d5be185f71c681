"""Some seeds of the simulation; `make simulate SEEDS=1000` runs as many as one likes."""

from __future__ import annotations

import subprocess
import sys

import pytest

SEEDS = 24


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As `make simulate`: in a process of its own, where the hashes of texts are fixed."""
    command = [sys.executable, "-m", "support.simulation", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_first_seeds_keep_every_promise() -> None:
    done = simulate("--seeds", str(SEEDS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seeds {SEEDS}," in done.stdout
    assert "violations: 0" in done.stdout


def test_a_seed_does_the_same_again() -> None:
    first, second = simulate("--seed", "2"), simulate("--seed", "2")
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout == second.stdout
