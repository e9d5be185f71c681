"""The tree of a compiled expression."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane.filters.cel import Program
from hookplane.filters.checked import (
    Call,
    Constant,
    FieldOf,
    Literal,
    Loop,
    Name,
    Node,
    places,
    tree,
)

EVENT = Name("event")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("1", Constant(None)),
        ("-1.5", Constant(None)),
        ("null", Constant(None)),
        ("''", Constant("")),
        ("'ä'", Constant("ä")),
        ("b'ab'", Constant("ab")),
        ("event", EVENT),
        ("event.a.b", FieldOf(FieldOf(EVENT, "a"), "b")),
        ("has(event.a)", FieldOf(EVENT, "a", is_asked_for=True)),
        ("event == 'x'", Call("_==_", (EVENT, Constant("x")))),
        ("event.a.contains('x')", Call("contains", (FieldOf(EVENT, "a"), Constant("x")))),
        ("[event, 1]", Literal((EVENT, Constant(None)), is_list=True)),
        ("{'a': event}", Literal((Constant("a"), EVENT), is_list=False)),
        ("[]", Literal((), is_list=True)),
    ],
)
def test_every_kind_of_node(text: str, node: Node) -> None:
    assert tree(Program(text).serialized) == node


def test_a_macro_is_a_loop_over_something_with_names_of_its_own() -> None:
    loop = tree(Program("event.l.exists(x, x == 1)").serialized)
    assert isinstance(loop, Loop)
    assert loop.over == FieldOf(EVENT, "l")
    assert loop.names == {"x", loop.gathers}
    assert Call("_==_", (Name("x"), Constant(None))) in _all(loop)


def _all(node: Node) -> list[Node]:
    match node:
        case Call(_, parts) | Literal(parts):
            inner = list(parts)
        case Loop():
            inner = [node.over, *node.parts]
        case _:
            inner = []
    return [node, *(x for part in inner for x in _all(part))]


def test_a_node_has_its_place_in_the_text() -> None:
    text = "'ä' == \n event.a"
    serialized = Program(text).serialized
    call = tree(serialized)
    assert isinstance(call, Call)
    member = call.operands[1]
    assert isinstance(member, FieldOf)
    where = places(serialized)
    assert (where[call.number], where[member.number]) == (text.index("=="), text.index("."))


FOREIGN = [b"", b"\x12\x00", b"\x12\x02\x22\x00", b"\xff", b"\x12\x7f"]


@pytest.mark.parametrize("serialized", FOREIGN)
def test_another_form_is_refused(serialized: bytes) -> None:
    with pytest.raises(InvalidValue, match="unknown form"):
        tree(serialized)
    with pytest.raises(InvalidValue, match="unknown form"):
        places(serialized)
