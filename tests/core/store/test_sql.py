"""Named statements in `.sql` files."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane.store.sql import load_statements, named_statements


def test_statements_go_by_their_names() -> None:
    text = """-- What is in this file.

-- name: first
-- Why it is so.
select 1,
  2;

-- name: second_one
delete from x;
"""
    assert named_statements(text) == {
        "first": "select 1,\n  2",
        "second_one": "delete from x",
    }


@pytest.mark.parametrize(
    "text",
    [
        "select 1;",  # no name
        "-- name: A\nselect 1",  # not in lower case
        "-- name: a b\nselect 1",
        "-- name: a\nselect 1\n-- name: a\nselect 2",  # twice
    ],
)
def test_a_file_that_is_not_in_order_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        named_statements(text)


def test_files_lie_beside_their_modules() -> None:
    assert "insert_event" in load_statements("hookplane.store.sqlite", "ingest.sql")
