"""Runs the kill ledger as anyone would: as a program."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMEOUT = 300.0
"""Seconds; far more than it takes."""


async def ledger(kills: int, seed: int) -> tuple[int, dict[str, Any]]:
    """Exit code and ledger of `python -m benchmarks.ledger`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.ledger", "--kills", str(kills), "--seed", str(seed),
        "--json", cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert out, errors.decode()
    return process.returncode or 0, json.loads(out)
