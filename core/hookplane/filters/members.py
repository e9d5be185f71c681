"""Which members of `event` an expression names, which of them there never are, and which headers.
Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

from hookplane.filters.checked import Call, Constant, FieldOf, Loop, Name, Node, children

VARIABLE: Final = "event"
MEMBERS: Final = ("body", "endpoint", "headers", "id", "key", "namespace", "receivedTime", "type")

Use: TypeAlias = FieldOf | Call


def uses(node: Node) -> Iterator[tuple[str, Use]]:
    """Each member of the event that is named, and where. A variable of a loop that has the event's
    name hides it."""
    match node:
        case FieldOf(Name(name), member) if name == VARIABLE:
            yield member, node
        case Call("_[_]", (Name(name), Constant(str(member)))) if name == VARIABLE:
            yield member, node
        case Loop() if VARIABLE in node.names:
            yield from uses(node.over)
            return
    for part in children(node):
        yield from uses(part)


def headers_named(node: Node) -> Iterator[str]:
    """The headers of the event that are named by literals."""
    match node:
        case FieldOf(of, name) if _is_headers(of):
            yield name
        case Call("_[_]", (of, Constant(str(name)))) if _is_headers(of):
            yield name
        case Call("@in", (Constant(str(name)), of)) if _is_headers(of):
            yield name
        case Loop() if VARIABLE in node.names:
            yield from headers_named(node.over)
            return
    for part in children(node):
        yield from headers_named(part)


def _is_headers(node: Node) -> bool:
    return isinstance(node, FieldOf | Call) and any(
        (member, use) == ("headers", node) for member, use in islice(uses(node), 1)
    )
