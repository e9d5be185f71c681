"""Connections to the database file, and transactions on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BUSY_SECONDS: Final = 1.0
"""How long a lock that somebody else's tool holds on the file is waited for."""
CHECKPOINT_PAGES: Final = 2_000
"""The write-ahead log is copied into the database when it has grown to this (8 MB)."""
LOG_BYTES: Final = 64 << 20
"""The log's file is cut to this after a burst. Below it is overwritten in place, which makes an
fsync many times cheaper than growing it."""
CACHED_STATEMENTS: Final = 256
PAGE_BYTES: Final = 4_096

_COMMON: Final = ("pragma temp_store = memory",)
_WRITER: Final = (
    f"pragma page_size = {PAGE_BYTES}",
    "pragma auto_vacuum = incremental",  # holds for a file that is new
    "pragma journal_mode = wal",
    "pragma synchronous = full",
    f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}",
    f"pragma journal_size_limit = {LOG_BYTES}",
    "pragma cache_size = -32768",  # KB
)
_READER: Final = ("pragma query_only = on", "pragma cache_size = -8192")


def connect_writer(file: Path, max_bytes: int | None = None) -> sqlite3.Connection:
    """The one connection that writes. `max_bytes`: the file never grows past it."""
    db = _connect(file, _WRITER)
    if max_bytes is not None:
        db.execute(f"pragma max_page_count = {max(1, max_bytes // PAGE_BYTES)}")
    return db


def connect_reader(file: Path) -> sqlite3.Connection:
    """A connection that sees what is committed and writes nothing."""
    return _connect(file, _READER)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; after it the changes are on the disk."""
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """All reads within it see the same state of the database."""
    db.execute("begin")
    try:
        yield
    finally:
        db.execute("commit")


def _connect(file: Path, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    db = sqlite3.connect(
        file,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED_STATEMENTS,
    )
    for pragma in (*_COMMON, *pragmas):
        db.execute(pragma)
    return db
