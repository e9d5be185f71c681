"""promtool, the checker that comes with Prometheus."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.cluster.cache import cache_folder
from support.cluster.missing import left_out


def promtool(*arguments: str | Path, given: str | None = None) -> str:
    """What it prints. Raises AssertionError with its words when it finds something wrong."""
    done = subprocess.run(
        [_binary(), *arguments], check=False, input=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _binary() -> str:
    """Skips the test when there is none, and fails it in CI."""
    unpacked = cache_folder() / "tools" / "promtool"
    found = str(unpacked) if unpacked.exists() else shutil.which("promtool")
    if found is None:
        left_out("promtool is not installed; scripts/test-tools unpacks it")
    return found
