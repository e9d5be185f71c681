"""The data folder: for this user only, and for one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from hookplane.errors import StoreLocked

DATABASE_FILE: Final = "hookplane.db"
_LOCK_FILE: Final = "lock"
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


class DataFolder:
    """A locked folder. The lock ends with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Makes the folder where needed. Raises StoreLocked."""
        path.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        path.chmod(_FOLDER_MODE)
        self._lock: int | None = _lock(path / _LOCK_FILE)
        self.database = path / DATABASE_FILE
        self._files: dict[Path, int] = {}
        # SQLite gives its -wal and -shm files the mode of the database
        os.close(os.open(self.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE))
        self.database.chmod(_FILE_MODE)

    def remember_files(self) -> None:
        """Notes which files the connections have open; both exist once something is written."""
        self._files = {path: _inode(path) for path in (self.database, _log_of(self.database))}

    def lost(self) -> str:
        """Why what is written into the open files can not be found again; empty: it can. Files that
        are deleted take everything, and say nothing."""
        for path, inode in self._files.items():
            if _inode(path) != inode:
                return f"{path} was deleted, moved or replaced while it was in use"
        return ""

    def release(self) -> None:
        """Lets another process have the folder. Once is enough: the number may be another's."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _log_of(database: Path) -> Path:
    """SQLite's write-ahead log."""
    return database.with_name(database.name + "-wal")


def _inode(path: Path) -> int:
    """0: it is not there."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _lock(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreLocked(f"another process is using the data in {path.parent}") from error
    return handle
