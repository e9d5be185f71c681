"""Python's garbage collector, set for a server with much long-lived data and few cycles."""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (20_000, 20, 50)
"""Allocations before a collection, and collections before one of the next generation. With the
usual 700 much of the time at a fan-out of 100 goes into looking at what stays anyway."""


def calm_collector() -> None:
    """What was loaded to start with is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
