"""JSON text → the same trees as YAML, without lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hookplane.manifests.nodes import MAX_DEPTH, MAX_NODES, Malformed, Node


def read_json(text: str) -> Node:
    """The one document of a JSON text. Raises Malformed."""
    try:
        return _node(json.loads(text, object_pairs_hook=_members, parse_constant=_refuse), 0)
    except json.JSONDecodeError as error:
        raise Malformed(f"is not JSON: {error.msg}, column {error.colno}", error.lineno) from error
    except RecursionError as error:
        raise Malformed(f"is nested deeper than {MAX_DEPTH} levels") from error


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f'"{twice}" stands twice in the same object')
    return members


def _refuse(text: str) -> None:
    raise Malformed(f"is not JSON: {text} is not a number")


def _node(value: Any, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise Malformed(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        members = {name: _node(member, depth + 1) for name, member in value.items()}
        return Node(members, 0, _bounded(1 + sum(node.weight for node in members.values())))
    if isinstance(value, list):
        items = [_node(item, depth + 1) for item in value]
        return Node(items, 0, _bounded(1 + sum(node.weight for node in items)))
    return Node(value, 0, 1)


def _bounded(weight: int) -> int:
    if weight > MAX_NODES:
        raise Malformed(f"holds more than {MAX_NODES} values")
    return weight
