"""What SQLite's errors mean for the callers of the store (https://sqlite.org/rescode.html)."""

from __future__ import annotations

import sqlite3
from typing import Final

from hookplane.errors import RejectedEvent, StoreUnavailable

DATA_ERRORS: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    UnicodeError,
)
"""Raised for a value that cannot be stored, by SQLite or on the way to it."""

_SHARED_MEMORY: Final = {
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
}
"""Nothing of the data was touched; a full disk looks like this too."""
_FATAL: Final = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_fatal(error: BaseException) -> bool:
    """Whether what was written before may be gone: after a failed fsync the page cache no longer
    says what is on the disk, so the process must not go on."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF in _FATAL and code not in _SHARED_MEMORY


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """Full disk, locked file and the like: the caller may try again later."""
    return StoreUnavailable(f"the store cannot do this now: {error}")


def rejected(error: BaseException) -> RejectedEvent:
    """A value cannot be stored. The message names no content."""
    return RejectedEvent(f"cannot be stored: {getattr(error, 'sqlite_errorname', 'bad value')}")
