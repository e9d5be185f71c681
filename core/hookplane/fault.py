"""Faults of our own: one object that meets one must not stop the others."""

from __future__ import annotations

import traceback
from itertools import dropwhile
from pathlib import Path


def told(error: Exception) -> str:
    """What may be shown of an exception that nobody foresaw: never its message, which may hold
    values."""
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        parts = dropwhile(lambda part: not part.startswith("hookplane"), Path(frame.filename).parts)
        if path := "/".join(parts):
            where = f" at {path}:{frame.lineno}"
    return f"a fault of Hookplane's own ({type(error).__name__}{where}); please report it"
