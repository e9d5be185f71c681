"""Writes the reference in docs/spec: the fields, rules and columns of each kind, as markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hookplane.crds.definition import root_schema
from hookplane.crds.schema import INT_OR_STRING, VALIDATIONS, Schema
from hookplane.kinds.base import API_VERSION, CATEGORY, TIME_PATTERN, SecretKeyRef
from hookplane.kinds.conditions import CONDITIONS, ConditionInfo
from hookplane.kinds.registry import Kind
from hookplane.units import DURATION_PATTERN, SIZE_PATTERN

NAMES: Final = {DURATION_PATTERN: "duration", SIZE_PATTERN: "size", TIME_PATTERN: "time"}
"""What strings with these patterns are called."""
MENTIONED: Final = 512
"""Limits on the length of a text are mentioned above so many characters. Shorter ones are there for
safety, and nobody will meet them."""
SECRET_KEY_FIELDS: Final = SecretKeyRef.model_fields.keys()
INTRODUCTION: Final = (
    "`apiVersion: {version}`, `kind: {kind}`; `kubectl get {short}`, or `kubectl get {category}` "
    "for all kinds.\n\n"
    "A duration is written like `5s` or `1h30m`, a size like `256Ki`, a time like "
    "`2026-11-21T00:00:00Z`. A key of a Secret is `{{name, key}}` in the same namespace; with "
    "`optional: true` a missing one is passed over, but among several keys one must not be "
    "optional."
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One field of a table."""

    path: str
    node: Schema
    required: bool


def kind_page(kind: Kind) -> str:
    """Everything below the head of a kind's page."""
    properties = root_schema(kind)["properties"]
    parts = [
        INTRODUCTION.format(
            version=API_VERSION, kind=kind.kind, short=kind.short_name, category=CATEGORY
        ),
        "## spec",
        _field_table(properties["spec"], "spec"),
        "## Rules",
        _rules(root_schema(kind)),
        "## status",
        _field_table(properties["status"], "status"),
        "## Columns of `kubectl get`",
        _columns(kind),
        "## Fields for `--field-selector`",
        ", ".join(f"`{path.removeprefix('.')}`" for path in kind.selectable),
    ]
    return "\n\n".join(parts) + "\n"


def conditions_page() -> str:
    """Everything below the head of the page on conditions."""
    table = _table(
        ("Condition", "On", "What it tells"),
        ((f"`{info.type}`", ", ".join(info.kinds), info.meaning) for info in CONDITIONS),
    )
    sections = [part for info in CONDITIONS if info.reasons for part in _reasons(info)]
    return "\n\n".join([table, *sections]) + "\n"


def _reasons(info: ConditionInfo) -> tuple[str, str]:
    rows = ((f"`{reason}`", reason.meaning) for reason in info.reasons)
    return f"## Reasons of {info.type}", _table(("Reason", "Meaning"), rows)


def _columns(kind: Kind) -> str:
    rows = (
        (
            column.name.upper(),
            f"`{column.path}`",
            column.description + (" Only with `-o wide`." if column.wide else ""),
        )
        for column in kind.columns
    )
    return _table(("Column", "Shows", "What it tells"), rows)


def _field_table(node: Schema, path: str) -> str:
    rows = (
        (f"`{row.path}`", _type(row), _default(row.node), row.node.get("description", ""))
        for row in _fields(node, path)
    )
    return _table(("Field", "Type", "Default", "What it is"), rows)


def _fields(node: Schema, path: str) -> Iterator[_Row]:
    required = node.get("required", [])
    for name, field in node.get("properties", {}).items():
        below = f"{path}.{name}"
        yield _Row(below, field, name in required)
        if field.get("properties", {}).keys() != SECRET_KEY_FIELDS:
            yield from _fields(field, below)
        yield from _fields(field.get("items", {}), f"{below}[]")


def _type(row: _Row) -> str:
    text = _one_type(row.node)
    return f"{text}, **required**" if row.required else text


def _one_type(node: Schema) -> str:
    match node:
        case {"enum": values}:
            return "one of " + ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            return f"list of {_one_type(items)}, at most {node['maxItems']:,}"
        case {"additionalProperties": values}:
            return f"map of {_one_type(values)}, at most {node['maxProperties']:,}"
        case {"properties": fields} if fields.keys() == SECRET_KEY_FIELDS:
            return "key of a Secret"
    return _scalar(node) + _limits(node)


def _scalar(node: Schema) -> str:
    if node.get(INT_OR_STRING):
        return "string or integer"
    name: str = node["type"]
    return NAMES.get(node.get("pattern", ""), name)


def _limits(node: Schema) -> str:
    if "maximum" in node:
        return f" {node.get('minimum', 0):,} to {node['maximum']:,}"
    if node.get("maxLength", 0) > MENTIONED:
        return f" (≤ {node['maxLength']:,} characters)"
    return ""


def _default(node: Schema) -> str:
    match node.get("default"):
        case None | {}:
            return ""
        case str(text):
            return f"`{text}`"
        case other:
            return f"`{json.dumps(other)}`"


def _rules(root: Schema) -> str:
    return "\n".join(f"- `{path}`: {message}" for path, message in _all_rules(root, ""))


def _all_rules(node: Schema, path: str) -> Iterator[tuple[str, str]]:
    for rule in node.get(VALIDATIONS, []):
        yield path or "metadata.name", rule["message"]
    for name, field in node.get("properties", {}).items():
        yield from _all_rules(field, f"{path}.{name}".removeprefix("."))
    if "items" in node:
        yield from _all_rules(node["items"], f"{path}[]")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
