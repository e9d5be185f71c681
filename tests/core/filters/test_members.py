"""Which members of the event an expression names, wherever it names them."""

from __future__ import annotations

import pytest

from hookplane.filters.cel import Program
from hookplane.filters.checked import tree
from hookplane.filters.members import headers_named, uses


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


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("event.headers['x-a'] == '1'", ["x-a"]),
        ("event['headers']['x-a'] == event.headers.b", ["b", "x-a"]),
        ("has(event.headers.b) || 'x-a' in event.headers", ["b", "x-a"]),
        ("event.headers[event.type]", []),
        ("event.headers.all(name, name == 'x-a')", []),
        ("event.body.headers['x-a']", []),
        ("[event].exists(event, event.headers['x-a'] == '')", []),
        ("[event.headers['x-a']].exists(event, event == '')", ["x-a"]),
        ("event.body['x-a'] in event.headers", []),
    ],
)
def test_headers(text: str, names: list[str]) -> None:
    assert sorted(headers_named(tree(Program(text).serialized))) == names
