"""Some seeds of the simulation; `make simulate SEEDS=1000` runs as many as one likes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.postgres.server import require_binaries

SEEDS = 24
FOUND = {
    372: "a subscription stood still: its endpoint was made again, so nobody released it",
    888: "the same, after a claim whose rows were of no use",
    549: "the same, while it moved to another dispatcher",
    482: "a delivered event was listed as filtered: a receiver was 8 days ahead",
    3005: "a delivered event was listed as filtered: its attempt was older than itself",
}
"""Seeds that found a fault that is mended, besides those that run anyway."""
FOUND_ON_POSTGRES = {
    556: "by key, an event was sent behind a later one: the filter changed as its turn came",
    618: "the same, with an endpoint that was made again",
    954: "subscriptions stood still: contents were not given back when the store was away",
    825: "by key, an event was never sent: the filter changed as its turn came",
}


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


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_seed_does_the_same_again(store: str) -> None:
    if store == "postgres":
        require_binaries()
    first, second = (simulate("--seed", "2", "--store", store) for _ in range(2))
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout == second.stdout


@pytest.mark.slow
@pytest.mark.parametrize("seed", FOUND)
def test_a_seed_that_found_a_fault_keeps_every_promise(seed: int) -> None:
    done = simulate("--seed", str(seed))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", FOUND_ON_POSTGRES)
def test_a_seed_that_found_a_fault_on_postgresql_keeps_every_promise(seed: int) -> None:
    require_binaries()
    done = simulate("--seed", str(seed), "--store", "postgres")
    assert done.returncode == 0, done.stdout + done.stderr
