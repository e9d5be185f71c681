"""Faults of our own: one object that meets one must not stop the others."""

from __future__ import annotations

import traceback


def describe(error: Exception) -> str:
    """What may be shown of an exception that nobody foresaw: its type, and the last place of ours
    that it came through. Never its message, which may hold values."""
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("hookplane"):
            where = f" at {module}:{line}"
    return f"a fault of Hookplane's own ({type(error).__name__}{where}); please report it"
