from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from hookplane.store.sqlite import bulk

INSERT = "insert into t (a, b) values (?, ?) on conflict (a) do update set b = excluded.b"
SELECT = "with wanted (a) as (values (?)) select a, b from wanted join t using (a) where b > ?"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (a integer primary key, b integer)")
    yield connection
    connection.close()


@pytest.mark.parametrize("count", [0, 1, bulk.BLOCK - 1, bulk.BLOCK, 3 * bulk.BLOCK + 1])
def test_every_row_is_written_and_found_once(db: sqlite3.Connection, count: int) -> None:
    rows = [(number, number * 10) for number in range(count)]
    bulk.insert(db, INSERT, rows)
    assert db.execute("select * from t order by a").fetchall() == rows
    found = list(bulk.select(db, SELECT, [(row[0],) for row in rows], -1))
    assert sorted(set(found)) == rows


def test_clauses_behind_the_values_hold(db: sqlite3.Connection) -> None:
    bulk.insert(db, INSERT, [(1, 1)])
    bulk.insert(db, INSERT, [(number, 2) for number in range(bulk.BLOCK)])
    assert db.execute("select b from t where a = 1").fetchone() == (2,)
    assert list(bulk.select(db, SELECT, [(1,)], 2)) == []
