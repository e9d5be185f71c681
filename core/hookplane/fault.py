"""Words for exceptions that must not stop anything but their own object or task."""

from __future__ import annotations

import traceback

from hookplane.errors import HookplaneError


def words(error: Exception) -> str:
    """What may be shown of any exception: ours speak for themselves, those of the operating system
    say what it could not do, and nobody foresaw the others."""
    if isinstance(error, HookplaneError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return describe(error)


def describe(error: Exception) -> str:
    """What may be shown of an exception that nobody foresaw: its type, and the last line of our own
    code that it passed. Never its message, which may hold secrets or payloads."""
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("hookplane"):
            where = f" at {module}:{line}"
    return f"a fault of Hookplane's own ({type(error).__name__}{where}); please report it"
