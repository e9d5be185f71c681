"""Files that only their owner may read, and that a crash never leaves half written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_OWNER_ONLY: Final = 0o600
_FOLDER: Final = 0o700


def write_private(path: Path, content: bytes) -> None:
    """Replaces the file in one step, and returns when it is on disk. Makes its folder. Raises
    OSError."""
    path.parent.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    # the dot hides the draft from whoever lists the folder
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(file, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
