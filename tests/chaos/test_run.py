"""A short run; `make operator-chaos` runs as long as one likes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.kubernetes.control_plane import require_components


@pytest.mark.slow
def test_a_short_run_keeps_every_promise() -> None:
    require_components()
    course = ("--seed", "1", "--minutes", "2", "--longest", "3")
    command = [sys.executable, "-m", "support.chaos", *course]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "violations: 0" in done.stdout
