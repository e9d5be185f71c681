"""Answers the steps of listings and replays."""

from __future__ import annotations

from typing import Final, TypeVar

from hookplane.store.listings import Steps
from hookplane.store.postgres.db import Db
from hookplane.store.sql import load_statements

T = TypeVar("T")

_SQL: Final = {
    **load_statements("hookplane.store.postgres", "queries.sql"),
    **load_statements("hookplane.store.postgres", "replay.sql"),
}


async def answered(db: Db, steps: Steps[T]) -> T:
    """What the steps lead to. All that they ask is to be one state: the caller's transaction."""
    try:
        ask = next(steps)
        while True:
            rows = await db.fetch(_SQL[ask.statement], *ask.arguments)
            ask = steps.send([tuple(row) for row in rows])
    except StopIteration as end:
        result: T = end.value
        return result
