"""Reading the logs for delivery."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import orjson

from hookplane.errors import UnknownObject
from hookplane.store.event_log import Content, EventRead, LogBounds, LogEntry
from hookplane.store.event_numbers import SEQUENCE_MASK, event_number, sequence_of
from hookplane.store.rows import content_of
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.id_map import SQLiteIdMap
from hookplane.store.storable_text import unpack_headers

_SQL: Final = load_statements("hookplane.store.sqlite", "queries.sql")


def read_log(
    db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, after: int, limit: int
) -> list[LogEntry]:
    """Events behind a sequence, in order. Raises UnknownObject."""
    endpoint = id_map.endpoint(uid)
    bounds = (event_number(endpoint, after), event_number(endpoint, SEQUENCE_MASK), limit)
    rows = db.execute(_SQL["read_log"], bounds)
    return [LogEntry(uid, number & SEQUENCE_MASK, *rest) for number, *rest in rows]


def read_events(
    db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, after: int, limit: int, most_bytes: int
) -> list[EventRead]:
    """The same with the contents of those whose body has at most so many bytes. Raises
    UnknownObject."""
    endpoint = id_map.endpoint(uid)
    bounds = (event_number(endpoint, after), event_number(endpoint, SEQUENCE_MASK))
    rows = db.execute(_SQL["read_events"], (*bounds, limit, most_bytes))
    return [
        (LogEntry(uid, number & SEQUENCE_MASK, *entry), content_of(headers, body))
        for number, *entry, headers, body in rows
    ]


def bounds(db: sqlite3.Connection, uids: Sequence[str]) -> dict[str, LogBounds]:
    """Where each log begins and ends that is there."""
    rows = db.execute(_SQL["find_bounds"], (orjson.dumps(list(uids)).decode(),))
    return {uid: LogBounds(sequence_of(first), sequence_of(head)) for uid, first, head in rows}


def floor(db: sqlite3.Connection, uid: str) -> int:
    """The sequence up to which retention has removed everything. Raises UnknownObject."""
    row = db.execute(_SQL["find_floor"], (uid,)).fetchone()
    if row is None:
        raise UnknownObject(f'no endpoint "{uid}"')
    return sequence_of(row[0])


def read_contents(
    db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, sequences: Sequence[int]
) -> dict[int, Content]:
    """The contents of those of these events that are still there. Raises UnknownObject."""
    endpoint = id_map.endpoint(uid)
    wanted = orjson.dumps([event_number(endpoint, sequence) for sequence in sequences]).decode()
    rows = db.execute(_SQL["read_contents"], (wanted,))
    return {
        number & SEQUENCE_MASK: Content(unpack_headers(headers), body)
        for number, headers, body in rows
    }
