"""Which of SQLite's errors mean that the disk can be trusted no more."""

from __future__ import annotations

import sqlite3

import pytest

from hookplane.store.sqlite.faults import is_fatal


def failed(code: int) -> sqlite3.Error:
    """An error as the driver raises it."""
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CORRUPT_INDEX,
        sqlite3.SQLITE_NOTADB,
    ],
)
def test_what_was_written_may_be_gone(code: int) -> None:
    assert is_fatal(failed(code))


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_BUSY_SNAPSHOT,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMLOCK,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_IOERR_SHMOPEN,
    ],
)
def test_nothing_of_the_data_was_touched(code: int) -> None:
    assert not is_fatal(failed(code))


def test_an_error_that_has_no_code_is_not_of_the_disk() -> None:
    assert not is_fatal(sqlite3.ProgrammingError("no code"))
    assert not is_fatal(ValueError("no database at all"))
