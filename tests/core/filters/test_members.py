"""Which members of the event an expression names, wherever it names them."""

from __future__ import annotations

import pytest

from hookplane.filters.cel import Program
from hookplane.filters.checked import tree
from hookplane.filters.members import uses


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("event.a == event.b.c", ["a", "b"]),
        ("has(event.a)", ["a"]),
        ("event['a']", ["a"]),
        ("event[event.a]", ["a"]),
        ("{'x': [event.a]}", ["a"]),
        ("event.l.exists(x, x == event.a)", ["a", "l"]),
        ("event.l.exists(event, event.a == 1)", ["l"]),
        ("[{'event': {'a': 1}}].map(x, x.event.a)", []),
        ("event", []),
    ],
)
def test_members(text: str, members: list[str]) -> None:
    found = {name for name, _ in uses(tree(Program(text).serialized))}
    assert sorted(found) == members
