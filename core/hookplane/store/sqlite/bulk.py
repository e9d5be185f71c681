"""Many rows in few steps.

Each step of a statement gives up the interpreter's lock, and under load the writer waits longer to
get it back than a row takes. So rows go in blocks; what is left over goes one by one.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

BLOCK: Final = 32
"""Rows of one step. A fixed number, so that the statement is prepared once."""
_VALUES: Final = re.compile(r"values (\([?, ]+\))")

Row = tuple[Any, ...]


def insert(db: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> None:
    """`executemany` for a statement with one `values (?, …)`."""
    whole = len(rows) - len(rows) % BLOCK
    for start in range(0, whole, BLOCK):
        db.execute(_wide(statement), _flat(rows[start : start + BLOCK]))
    if whole < len(rows):
        db.executemany(statement, rows[whole:])


def select(
    db: sqlite3.Connection, statement: str, keys: Sequence[Row], *arguments: object
) -> Iterator[Row]:
    """The rows that a statement with `values (?, …)`, then `arguments`, finds for many keys."""
    for start in range(0, len(keys), BLOCK):
        block = list(keys[start : start + BLOCK])
        block += [block[-1]] * (BLOCK - len(block))
        yield from db.execute(_wide(statement), [*_flat(block), *arguments])


def _flat(rows: Sequence[Row]) -> list[Any]:
    return list(chain.from_iterable(rows))


@lru_cache(maxsize=64)
def _wide(statement: str) -> str:
    return _VALUES.sub(lambda found: "values " + ", ".join([found[1]] * BLOCK), statement)
