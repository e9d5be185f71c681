"""What an API server demands of a CRD, checked on every node of every schema.

Source: the structural schema rules of
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import StringConstraints, TypeAdapter

from hookplane.kinds.registry import KINDS
from support.kubernetes.crds import (
    VALIDATIONS,
    Schema,
    all_nodes,
    compiled,
    defaulted,
    refusals,
    schema_errors,
    schema_of,
    walk,
)

NODES = all_nodes()
ENVELOPE = re.compile(r"^\w+(\.apiVersion|\.kind|\.metadata)?$")
"""The API server's own: the object itself and what is beside spec and status."""
OUR_NODES = [(path, node) for path, node in NODES if not ENVELOPE.match(path)]
RULES = [(path, node, rule) for path, node in NODES for rule in node.get(VALIDATIONS, [])]
FORBIDDEN = {
    "$ref",
    "$defs",
    "title",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "uniqueItems",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "propertyNames",
    "patternProperties",
    "x-kubernetes-preserve-unknown-fields",
}
COST_LIMIT = 10_000_000
"""What one rule may cost by the API server's estimate."""


def _of_type(*types: str) -> list[tuple[str, Schema]]:
    return [(path, node) for path, node in OUR_NODES if node.get("type") in types]


def test_nothing_that_is_not_structural() -> None:
    found = {path: FORBIDDEN & node.keys() for path, node in NODES if FORBIDDEN & node.keys()}
    assert found == {}


def test_every_node_has_one_type_or_is_int_or_string() -> None:
    allowed = {"object", "array", "string", "integer", "boolean"}
    wrong = [
        path
        for path, node in NODES
        if (node.get("type") in allowed) == bool(node.get("x-kubernetes-int-or-string"))
    ]
    assert wrong == []


def test_objects_have_fields_or_are_maps_never_both() -> None:
    wrong = [
        path
        for path, node in _of_type("object")
        if ("properties" in node) == ("additionalProperties" in node)
    ]
    assert wrong == []


def test_every_string_list_and_map_is_bounded() -> None:
    def bounded(node: Schema) -> bool:
        match node:
            case {"enum": _} | {"type": "integer" | "boolean"} | {"properties": _}:
                return True
            case {"type": "array"}:
                return "maxItems" in node
            case {"additionalProperties": _}:
                return "maxProperties" in node
        return "maxLength" in node

    assert [path for path, node in OUR_NODES if not bounded(node)] == []


def test_every_integer_has_a_lower_bound() -> None:
    assert [path for path, node in _of_type("integer") if "minimum" not in node] == []


def test_every_field_has_a_description() -> None:
    fields = [(path, node) for path, node in OUR_NODES if not path.endswith(("[]", "{}"))]
    assert [path for path, node in fields if not node.get("description")] == []


def test_no_description_has_line_breaks() -> None:
    assert [path for path, node in NODES if "\n" in node.get("description", "")] == []


def test_every_list_says_how_it_is_merged() -> None:
    kinds = {path: node.get("x-kubernetes-list-type") for path, node in _of_type("array")}
    assert {path for path, kind in kinds.items() if kind == "map"} == {
        "WebhookEndpoint.spec.verification.parameters",
        "WebhookSubscription.spec.endpointRefs",
        "WebhookSubscription.spec.target.headers",
        *(f"{kind.kind}.status.conditions" for kind in KINDS),
    }
    assert set(kinds.values()) == {"map", "atomic"}


def test_keys_of_list_maps_are_required() -> None:
    for path, node in _of_type("array"):
        keys = set(node.get("x-kubernetes-list-map-keys", []))
        assert keys <= set(node["items"].get("required", [])), path
        assert bool(keys) == (node["x-kubernetes-list-type"] == "map"), path


def test_required_fields_exist_and_have_no_default() -> None:
    for path, node in NODES:
        for name in node.get("required", []):
            assert "default" not in node["properties"][name], f"{path}.{name}"


def test_no_default_is_null_and_each_is_valid() -> None:
    for path, node in NODES:
        if "default" in node:
            assert node["default"] is not None, path
            assert schema_errors(node, defaulted(node, node["default"])) == [], path


def test_defaults_keep_the_rules_even_before_nested_defaults_are_there() -> None:
    """The API server evaluates rules over `default: {}` as it stands, and refuses the CRD."""
    for path, node in NODES:
        if "default" in node:
            assert refusals(node, node["default"]) == [], path
            assert refusals(node, defaulted(node, node["default"])) == [], path


def test_nested_defaults_apply_to_the_smallest_object() -> None:
    subscription = defaulted(schema_of("WebhookSubscription"), {"spec": {"target": {}}})["spec"]
    assert subscription["target"]["timeout"] == "15s"
    assert subscription["signing"] == {"scheme": "StandardWebhooks"}
    assert subscription["delivery"]["retry"]["jitterPercent"] == 10
    assert subscription["delivery"]["circuit"]["probeEvery"] == "30s"
    endpoint = defaulted(schema_of("WebhookEndpoint"), {"spec": {}})["spec"]
    assert "limits" not in endpoint  # how large a body may be depends on the provider
    assert endpoint["deduplication"] == {"window": "24h"}


def test_strict_ordering_gets_no_default_that_contradicts_it() -> None:
    delivery = schema_of("WebhookSubscription")["properties"]["spec"]["properties"]["delivery"]
    assert "default" not in delivery["properties"]["maxInFlight"]


@pytest.mark.parametrize("pattern", sorted({n["pattern"] for _, n in NODES if "pattern" in n}))
def test_patterns_need_no_more_than_re2(pattern: str) -> None:
    """Pydantic's engine has the syntax of RE2: no look-around, no back references."""
    TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    assert pattern.startswith("^")
    assert pattern.endswith("$")


@pytest.mark.parametrize(("path", "node", "rule"), RULES)
def test_rules_compile_and_name_only_fields_that_exist(
    path: str, node: Schema, rule: dict[str, str]
) -> None:
    compiled(rule["rule"])
    for fields in _mentioned(rule["rule"]):
        assert _at(node, fields) is not None, f"{path}: {'.'.join(fields)}"


@pytest.mark.parametrize(("path", "node", "rule"), RULES)
def test_messages_are_one_line(path: str, node: Schema, rule: dict[str, str]) -> None:
    assert rule["message"].strip() == rule["message"] != ""
    assert "\n" not in rule["message"]
    assert rule.keys() == {"rule", "message"}, path


@pytest.mark.parametrize(("path", "node", "rule"), RULES)
def test_rules_are_cheap(path: str, node: Schema, rule: dict[str, str]) -> None:
    """A rough upper estimate: how often the rule is evaluated, times every list it goes through,
    times the longest string it looks at."""
    assert _cost(path, node, rule["rule"]) < COST_LIMIT


MACRO = re.compile(r"self((?:\.\w+)+)\.(?:all|exists|exists_one)\((\w+),")
CHAIN = re.compile(r"\b(\w+)((?:\.\w+\b(?!\())+)")


def _mentioned(rule: str) -> Iterator[list[str]]:
    """Fields that a rule mentions, from `self`; `[]` where a variable of a macro stands for an
    item."""
    text = re.sub(r"'[^']*'", "''", rule).replace("oldSelf", "self")
    variables = {name: [*_names(over), "[]"] for over, name in MACRO.findall(text)}
    for name, fields in CHAIN.findall(text):
        base = [] if name == "self" else variables[name]
        yield [*base, *_names(fields)]


def _names(fields: str) -> list[str]:
    return [name for name in fields.split(".") if name]


def _at(node: Schema, fields: list[str]) -> Schema | None:
    if fields[:2] == ["metadata", "name"]:
        return {}
    for name in fields:
        found: Any = node.get("items") if name == "[]" else node.get("properties", {}).get(name)
        if found is None:
            return None
        node = found
    return node


def _cost(path: str, node: Schema, rule: str) -> int:
    cost = 1
    for depth in range(path.count("[]")):
        parent = "[]".join(path.split("[]")[: depth + 1])
        cost *= int(dict(NODES)[parent]["maxItems"])
    for over, _ in MACRO.findall(rule):
        listed = _at(node, _names(over))
        assert listed is not None
        cost *= int(listed["maxItems"])
    sizes = [int(inner.get("maxLength", 1)) for _, inner in walk(node)]
    return cost * max(sizes) if "==" in rule or "(" in rule else cost
