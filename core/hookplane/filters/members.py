"""Which members of `event` an expression names, and which of them there never are. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from hookplane.filters.checked import Call, Constant, FieldOf, Loop, Name, Node, children

VARIABLE: Final = "event"
MEMBERS: Final = ("body", "endpoint", "headers", "id", "namespace", "receivedTime", "type")

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
