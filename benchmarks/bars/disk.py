"""How often a second the disk makes a small write durable: the file is as big as it will get, as
SQLite's log is after its first rounds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

BLOCK: Final = b"x" * 4096
BLOCKS: Final = 256


def fdatasync_rate(folder: Path, seconds: float) -> float:
    """Write and fdatasync, one after the other."""
    file = folder / "fdatasync"
    file.write_bytes(BLOCK * BLOCKS)
    handle = os.open(file, os.O_WRONLY)
    try:
        os.fsync(handle)
        return _rate(handle, seconds)
    finally:
        os.close(handle)
        file.unlink()


def _rate(handle: int, seconds: float) -> float:
    times, begin = 0, time.monotonic()
    while (now := time.monotonic()) - begin < seconds:
        os.pwrite(handle, BLOCK, times % BLOCKS * len(BLOCK))
        os.fdatasync(handle)
        times += 1
    return times / (now - begin)
