"""A compiled expression as a tree: reads the engine's serialized form, which is
`cel.expr.CheckedExpr` (https://github.com/google/cel-spec/blob/master/proto/cel/expr) in protobuf's
wire format (https://protobuf.dev/programming-guides/encoding). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from hookplane.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    text: str | None
    """Of a string or bytes; None: a number, a bool or null."""


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of something; also `has(...)` of it."""

    of: Node
    name: str
    is_asked_for: bool = False
    """By `has(...)`."""
    number: int = field(default=0, compare=False)
    """See `places`."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator; what a method is called on is its first operand."""

    function: str
    operands: tuple[Node, ...]
    number: int = field(default=0, compare=False)
    """See `places`."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A list or a map that is written out."""

    parts: tuple[Node, ...]
    is_list: bool


@dataclass(frozen=True, slots=True)
class Loop:
    """What the macros (`all`, `exists`, `map`, …) become."""

    over: Node
    names: frozenset[str]
    """The variable of each turn, and the one that gathers."""
    gathers: str
    parts: tuple[Node, ...]
    """What is done in each turn, and before and after all."""


Node: TypeAlias = Constant | Name | FieldOf | Call | Literal | Loop

_Fields: TypeAlias = dict[int, list[bytes]]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EXPRESSION, _SOURCE = 4, 5
_NUMBER, _POSITIONS = 2, 4
_STRING, _RAW = 6, 7
_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}


def tree(serialized: bytes) -> Node:
    """The root. `serialized`: an `Any` that holds a CheckedExpr. Raises InvalidValue when it is in
    another form."""
    with _form():
        return _node(_checked(serialized)[_EXPRESSION][0])


def children(node: Node) -> tuple[Node, ...]:
    """What is directly in it."""
    match node:
        case FieldOf():
            return (node.of,)
        case Call():
            return node.operands
        case Literal():
            return node.parts
        case Loop():
            return (node.over, *node.parts)
        case _:
            return ()


def places(serialized: bytes) -> dict[int, int]:
    """Number of a node → where it is in the text, in characters. Raises InvalidValue."""
    with _form():
        source = _fields(_checked(serialized)[_SOURCE][0])
        entries = map(_fields, source.get(_POSITIONS, []))
        return {_whole(entry, 1): _whole(entry, 2) for entry in entries}


@contextmanager
def _form() -> Iterator[None]:
    try:
        yield
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise InvalidValue("the compiled expression has an unknown form") from error


def _checked(serialized: bytes) -> _Fields:
    return _fields(_fields(serialized)[2][0])


def _node(message: bytes) -> Node:
    fields = _fields(message)
    for number, make in _KINDS.items():
        if number in fields:
            node = make(_fields(fields[number][0]))
            if isinstance(node, FieldOf | Call):
                return replace(node, number=_whole(fields, _NUMBER))
            return node
    raise KeyError("no kind of expression that is known")


def _constant(fields: _Fields) -> Node:
    text = fields.get(_STRING) or fields.get(_RAW)
    return Constant(text[0].decode("utf-8", "replace") if text else None)


def _name(fields: _Fields) -> Node:
    return Name(_text(fields, 1))


def _member(fields: _Fields) -> Node:
    return FieldOf(_node(fields[1][0]), _text(fields, 2), is_asked_for=bool(_whole(fields, 3)))


def _call(fields: _Fields) -> Node:
    operands = fields.get(1, []) + fields.get(3, [])
    return Call(_text(fields, 2), tuple(map(_node, operands)))


def _list(fields: _Fields) -> Node:
    return Literal(tuple(map(_node, fields.get(1, []))), is_list=True)


def _map(fields: _Fields) -> Node:
    entries = [_fields(entry) for entry in fields.get(2, [])]
    parts = [part for entry in entries for part in entry.get(3, []) + entry.get(4, [])]
    return Literal(tuple(map(_node, parts)), is_list=False)


def _loop(fields: _Fields) -> Node:
    gathers = _text(fields, 3)
    names = frozenset({_text(fields, 1), gathers, _text(fields, 8) if 8 in fields else gathers})
    parts = tuple(_node(fields[number][0]) for number in (4, 5, 6, 7))
    return Loop(_node(fields[2][0]), names, gathers, parts)


_KINDS: Final[dict[int, Callable[[_Fields], Node]]] = {
    3: _constant,
    4: _name,
    5: _member,
    6: _call,
    7: _list,
    8: _map,
    9: _loop,
}
"""Number of the field of `cel.expr.Expr` → what is in it."""


def _text(fields: _Fields, number: int) -> str:
    return fields[number][0].decode()


def _whole(fields: _Fields, number: int) -> int:
    """A number; absent: 0."""
    return _varint(fields[number][0], 0)[0] if number in fields else 0


def _fields(message: bytes) -> _Fields:
    found: _Fields = {}
    for number, value in _walk(message):
        found.setdefault(number, []).append(value)
    return found


def _walk(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        start = at
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            length, start = _varint(message, at)
            at = start + length
        else:
            at += _SIZES[kind]
        yield number, message[start:at]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
