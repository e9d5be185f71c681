"""YAML and JSON become trees; what could hurt is refused."""

from __future__ import annotations

import json

import pytest

from hookplane.manifests.nodes import MAX_DEPTH, Malformed, read_json, read_yaml


def plain(text: str) -> list[object]:
    return [node.plain() for node in read_yaml(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 2.5, true, ~]", {"a": 1, "b": ["x", 2.5, True, None]}),
        ("a: 2026-11-21T00:00:00Z", {"a": "2026-11-21T00:00:00Z"}),  # times stay text
        ("a: 1:30\nb: 1:30.5", {"a": "1:30", "b": "1:30.5"}),  # no base 60, as in Kubernetes
        ("a: 0644\nb: 0x1f\nc: -3\nd: 1_000", {"a": 420, "b": 31, "c": -3, "d": 1000}),
        ("a: .inf", {"a": float("inf")}),
        ("a: yes\nb: 'yes'", {"a": True, "b": "yes"}),
        ("[true, Yes, ON]", [True, True, True]),
        ("[false, No, OFF]", [False, False, False]),
        ("a: null\nb: {c: ~}", {"b": {}}),  # null members are absent
        ("a: &x {k: 1}\nb: *x", {"a": {"k": 1}, "b": {"k": 1}}),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}", {"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}),
        ("? a\n: 1", {"a": 1}),
        ("!!str 5", "5"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_values(text: str, value: object) -> None:
    assert plain(text) == [value]


def test_several_documents_and_empty_ones() -> None:
    assert plain("---\na: 1\n---\n---\nb: 2\n...\n") == [{"a": 1}, None, {"b": 2}]


def test_anchors_do_not_reach_into_the_next_document() -> None:
    with pytest.raises(Malformed, match=r"\*x stands for nothing"):
        plain("a: &x 1\n---\nb: *x")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: 2\na: 3", '"a" stands twice in the same mapping', 3),
        ("a: &x [*x]", r"\*x stands for nothing that was written before it", 1),
        ("a: !!python/object/apply:os.system [ls]", "the tag", 1),
        ("a: !secret x", "the tag !secret is not allowed", 1),
        ("a: !!int x", '"x" is not a value of type int', 1),
        (f"a: {'1' * 5_000}", f'"{"1" * 40}" is not a value of type int', 1),
        ("a: !!int ''", '"" is not a value of type int', 1),
        ("a: !!int '-'", '"-" is not a value of type int', 1),
        ("a: !!float ''", '"" is not a value of type float', 1),
        ("a:\n  - b\n c: d", "is not YAML", 3),
        ("a: [1, 2", "is not YAML", 2),
        ("a: b: c", "^is not YAML: mapping values are not allowed in this context, column 5$", 1),
        ("{[a]: 1}", "the name of a field must be plain text", 1),
        ("a: {<<: 5}", "<< takes a mapping", 1),
        ("a: \x00", "does not allow", 0),
    ],
)
def test_refused(text: str, message: str, line: int) -> None:
    with pytest.raises(Malformed, match=message) as refused:
        plain(text)
    assert refused.value.line == line


def test_aliases_are_counted_as_often_as_they_are_used() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(Malformed, match="holds more than 200000 values"):
        plain("\n".join(lines))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_has_an_end(opening: str) -> None:
    with pytest.raises(Malformed, match=f"deeper than {MAX_DEPTH} levels"):
        plain(opening * 10_000)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_how_deep_a_text_may_be(opening: str, closing: str) -> None:
    deepest = opening * MAX_DEPTH + "0" + closing * MAX_DEPTH
    too_deep = opening + deepest + closing
    assert plain(deepest) == [read_json(deepest).plain()]
    for read in (read_json, plain):
        with pytest.raises(Malformed, match="deeper than"):
            read(too_deep)


def test_a_node_knows_the_line_of_every_field() -> None:
    (node,) = read_yaml("kind: X\nspec:\n  keys:\n  - a\n  - b: 1\n")
    assert dict(node.lines()) == {
        "": 1,
        "kind": 1,
        "spec": 3,
        "spec.keys": 4,
        "spec.keys[0]": 4,
        "spec.keys[1]": 5,
        "spec.keys[1].b": 5,
    }


def test_json_is_read_without_lines() -> None:
    node = read_json('{"a": [1, {"b": null, "c": "d"}]}')
    assert node.plain() == {"a": [1, {"c": "d"}]}
    assert set(dict(node.lines()).values()) == {0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', '"a" stands twice'),
        ('{"b": 1, "a": 2, "a": 3}', '"a" stands twice'),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": ', "is not JSON"),
        ("[" * 100_000, "deeper than"),
        ("[" * 100 + "]" * 100, "deeper than"),
        (json.dumps([0] * 200_000), "holds more than 200000 values"),
    ],
)
def test_json_refused(text: str, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        read_json(text)


def test_a_number_of_json_may_have_so_many_digits() -> None:
    with pytest.raises(Malformed, match="a number has 5000 digits"):
        read_json(f'{{"a": {"1" * 5_000}}}')
