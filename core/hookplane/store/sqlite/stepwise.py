"""Answers the steps of listings and replays."""

from __future__ import annotations

import sqlite3
from typing import Any, Final, TypeVar

import orjson

from hookplane.store.listings import Steps
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.connection import snapshot

T = TypeVar("T")

_SQL: Final = {
    **load_statements("hookplane.store.sqlite", "queries.sql"),
    **load_statements("hookplane.store.sqlite", "replay.sql"),
}


def answered(db: sqlite3.Connection, steps: Steps[T]) -> T:
    """What the steps lead to. All that they ask is one state."""
    with snapshot(db):
        try:
            ask = next(steps)
            while True:
                arguments = tuple(map(_argument, ask.arguments))
                ask = steps.send(db.execute(_SQL[ask.statement], arguments).fetchall())
        except StopIteration as end:
            result: T = end.value
            return result


def _argument(value: Any) -> Any:
    """A list becomes JSON."""
    return orjson.dumps(value).decode() if isinstance(value, list) else value
