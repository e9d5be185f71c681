"""YAML or JSON text → trees of values. YAML trees know their lines.

YAML trees are built from parser events, so that every bound holds before memory is used up.

Refused: keys that stand twice in a mapping, aliases that multiply into too many nodes or contain
themselves, nesting without end, tags that are not plain data. Times stay text, as in Kubernetes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from hookplane.errors import InvalidValue
from hookplane.manifests import scalars

MAX_NODES: Final = 200_000
"""In one file; what an alias stands for counts again at every use."""
MAX_DEPTH: Final = 64
_MERGE: Final = "<<"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Content = str | int | float | bool | None | list["Node"] | dict[str, "Node"]


class Malformed(InvalidValue):
    """A text is not YAML or JSON that we read; `line` is 0 when it is not known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its line, and the number of nodes that it consists of."""

    content: Content
    line: int
    weight: int

    def plain(self) -> Any:
        """The value as plain Python data. Members that are null are left out, as the API server
        does."""
        if isinstance(self.content, dict):
            members = ((name, node.plain()) for name, node in self.content.items())
            return {name: value for name, value in members if value is not None}
        if isinstance(self.content, list):
            return [node.plain() for node in self.content]
        return self.content

    def lines(self, path: str = "") -> Iterator[tuple[str, int]]:
        """The path of every field inside, with its line."""
        yield path, self.line
        if isinstance(self.content, dict):
            for name, node in self.content.items():
                yield from node.lines(f"{path}.{name}" if path else name)
        if isinstance(self.content, list):
            for index, node in enumerate(self.content):
                yield from node.lines(f"{path}[{index}]")


def read_yaml(text: str) -> Iterator[Node]:
    """The documents of a YAML text, one after the other. Raises Malformed."""
    loader = _LOADER(text)
    try:
        yield from _YamlReader(loader).documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise Malformed(_sentence(error), mark.line + 1 if mark else 0) from error
    except yaml.YAMLError as error:
        raise Malformed("holds a character that YAML does not allow") from error
    finally:
        loader.dispose()


def _sentence(error: yaml.MarkedYAMLError) -> str:
    column = f", column {error.problem_mark.column + 1}" if error.problem_mark else ""
    return f"is not YAML: {error.problem or error.context}{column}"


class _YamlReader:
    """Turns the events of one text into nodes."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def documents(self) -> Iterator[Node]:
        while not self._loader.check_event(yaml.StreamEndEvent):
            if not isinstance(self._loader.get_event(), yaml.DocumentStartEvent):
                continue
            self._anchors.clear()
            yield self._node(0)

    def _node(self, depth: int) -> Node:
        event = self._loader.get_event()
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise Malformed(f"is nested deeper than {MAX_DEPTH} levels", line)
        if isinstance(event, yaml.AliasEvent):
            return self._anchored(str(event.anchor), line)
        node = self._new(event, depth, line)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _anchored(self, anchor: str, line: int) -> Node:
        """What an alias stands for. Anchors are known only after their node is complete, so no node
        can contain itself."""
        if anchor not in self._anchors:
            raise Malformed(f"*{anchor} stands for nothing that was written before it", line)
        node = self._anchors[anchor]
        self._count(node.weight, line)
        return node

    def _new(self, event: Any, depth: int, line: int) -> Node:
        self._count(1, line)
        before = self._nodes
        content: Content
        if isinstance(event, yaml.ScalarEvent):
            content = _scalar(event, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            _check_tag(event, "seq", line)
            content = self._sequence(depth)
        else:
            _check_tag(event, "map", line)
            content = self._mapping(depth)
        return Node(content, line, 1 + self._nodes - before)

    def _count(self, weight: int, line: int) -> None:
        self._nodes += weight
        if self._nodes > MAX_NODES:
            raise Malformed(f"holds more than {MAX_NODES} values, aliases counted in full", line)

    def _sequence(self, depth: int) -> list[Node]:
        nodes = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            nodes.append(self._node(depth + 1))
        self._loader.get_event()
        return nodes

    def _mapping(self, depth: int) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            name, line, merge = self._name()
            node = self._node(depth + 1)
            if merge:
                merged = _merged(node) | merged
            elif name in own:
                raise Malformed(f'"{name}" stands twice in the same mapping', line)
            else:
                own[name] = node
        self._loader.get_event()
        return merged | own

    def _name(self) -> tuple[str, int, bool]:
        event = self._loader.get_event()
        line = event.start_mark.line + 1
        if not isinstance(event, yaml.ScalarEvent):
            raise Malformed("the name of a field must be plain text", line)
        if event.value == _MERGE and (_is_plain(event) or event.tag == scalars.TAG + "merge"):
            return _MERGE, line, True
        try:
            return scalars.name(event.value, plain=_is_plain(event)), line, False
        except ValueError as error:
            raise Malformed(f'"{event.value[:40]}" as a name needs quotes', line) from error


def _scalar(event: Any, line: int) -> Content:
    try:
        return scalars.resolve(event.tag, event.value, plain=_is_plain(event))
    except LookupError as error:
        raise _forbidden(event.tag, line) from error
    except ValueError as error:
        name = (event.tag or "int").removeprefix(scalars.TAG)  # without one: too many digits
        raise Malformed(f'"{event.value[:40]}" is not a value of type {name}', line) from error


def _is_plain(event: Any) -> bool:
    """Neither quotes, nor a block, nor a tag."""
    return bool(event.implicit[0])


def _check_tag(event: Any, natural: str, line: int) -> None:
    if event.tag not in (None, "!", scalars.TAG + natural):
        raise _forbidden(event.tag, line)


def _forbidden(tag: str, line: int) -> Malformed:
    return Malformed(f"the tag {tag.replace(scalars.TAG, '!!')} is not allowed", line)


def _merged(node: Node) -> dict[str, Node]:
    """`<<: *defaults`, or a list of them where the first one wins."""
    parts = node.content if isinstance(node.content, list) else [node]
    merged: dict[str, Node] = {}
    for part in reversed(parts):
        if not isinstance(part.content, dict):
            raise Malformed("<< takes a mapping or a list of mappings", node.line)
        merged |= part.content
    return merged


def read_json(text: str) -> Node:
    """The document of a JSON text, without lines. Raises Malformed."""
    try:
        found = json.loads(
            text, object_pairs_hook=_members, parse_constant=_refuse, parse_int=_whole_number
        )
        return _json_node(found, 0)
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


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Malformed(f"a number has {len(text)} digits") from error


def _refuse(text: str) -> None:
    raise Malformed(f"is not JSON: {text} is not a number")


def _json_node(value: Any, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise Malformed(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        members = {name: _json_node(member, depth + 1) for name, member in value.items()}
        return Node(members, 0, _bounded(1 + sum(node.weight for node in members.values())))
    if isinstance(value, list):
        items = [_json_node(item, depth + 1) for item in value]
        return Node(items, 0, _bounded(1 + sum(node.weight for node in items)))
    return Node(value, 0, 1)


def _bounded(weight: int) -> int:
    if weight > MAX_NODES:
        raise Malformed(f"holds more than {MAX_NODES} values")
    return weight
