"""Words for exceptions that nobody foresaw, which must not stop anything but their own object."""

from __future__ import annotations

import traceback


def describe(error: Exception) -> str:
    """What may be shown of such an exception: its type, and the last line of our own code that it
    passed. Never its message, which may hold secrets or payloads."""
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("hookplane"):
            where = f" at {module}:{line}"
    return f"a fault of Hookplane's own ({type(error).__name__}{where}); please report it"
