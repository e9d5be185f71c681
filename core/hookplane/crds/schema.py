"""A pydantic model as a structural OpenAPI v3 schema, in the form that the API server accepts
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from hookplane.kinds.base import Spec

Schema = dict[str, Any]

INT_OR_STRING: Final = "x-kubernetes-int-or-string"
LIST_TYPE: Final = "x-kubernetes-list-type"
VALIDATIONS: Final = "x-kubernetes-validations"
KEPT: Final = (
    "type",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    INT_OR_STRING,
    LIST_TYPE,
    "x-kubernetes-list-map-keys",
    VALIDATIONS,
)
"""Keywords that are copied, because they mean the same in both schemas."""
HANDLED: Final = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "items",
        "properties",
        "propertyNames",
        "required",
        "title",
    }
)
"""Keywords that this module translates or leaves out."""


class UnsupportedSchema(Exception):
    """A model uses something that a structural schema cannot say."""


class _WithRules(GenerateJsonSchema):
    """Adds a model's RULES to its schema."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        result = super().model_schema(schema)
        model = schema["cls"]
        if issubclass(model, Spec) and model.RULES:
            result[VALIDATIONS] = [rule.model_dump() for rule in model.RULES]
        return result


def structural_schema(model: type[BaseModel]) -> Schema:
    """The schema of `model`, without references and unions. Raises UnsupportedSchema."""
    raw = model.model_json_schema(schema_generator=_WithRules, mode="validation")
    return _Converter(raw.get("$defs", {})).node(raw)


class _Converter:
    """Turns nodes of a JSON schema into nodes of a structural one."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._open: list[str] = []
        """References that are being resolved, to find recursion."""

    def node(self, raw: Schema) -> Schema:
        if "$ref" in raw:
            return self._referenced(raw)
        if "anyOf" in raw:
            return self.node(_without_null(raw))
        unknown = raw.keys() - HANDLED - set(KEPT)
        if unknown:
            raise UnsupportedSchema(f"keywords {sorted(unknown)}")
        constant = {"enum": [raw["const"]]} if "const" in raw else {}
        return _head(raw) | _kept(raw) | constant | self._children(raw)

    def _referenced(self, raw: Schema) -> Schema:
        name = raw["$ref"].removeprefix("#/$defs/")
        if name in self._open:
            raise UnsupportedSchema(f"{name} contains itself")
        self._open.append(name)
        beside = {key: value for key, value in raw.items() if key != "$ref"}
        node = self.node(self._definitions[name] | beside)
        self._open.pop()
        return node

    def _children(self, raw: Schema) -> Schema:
        match raw.get("type"):
            case "object":
                return self._object(raw)
            case "array":
                return {LIST_TYPE: raw.get(LIST_TYPE, "atomic"), "items": self.node(raw["items"])}
            case "string" | "integer" | "boolean":
                return {}
            case other:
                raise UnsupportedSchema(f"type {other}")

    def _object(self, raw: Schema) -> Schema:
        if isinstance(raw.get("additionalProperties"), dict):
            return self._map(raw)
        properties = {name: self._property(field) for name, field in raw["properties"].items()}
        required = {"required": raw["required"]} if "required" in raw else {}
        return required | {"properties": properties}

    def _property(self, raw: Schema) -> Schema:
        node = self.node(raw)
        default = _default(raw, node)
        return node if default is None else node | {"default": default}

    def _map(self, raw: Schema) -> Schema:
        values = self.node(raw["additionalProperties"])
        names = raw.get("propertyNames", {}).get("enum")
        if names is None:
            return {"additionalProperties": values}
        return {"properties": dict.fromkeys(names, values)}


def _without_null(raw: Schema) -> Schema:
    """`T | None` as T; what stands beside the union wins."""
    options = [option for option in raw["anyOf"] if option != {"type": "null"}]
    if len(options) != 1:
        raise UnsupportedSchema("a union of several types")
    option: Schema = options[0]
    return option | {key: value for key, value in raw.items() if key != "anyOf"}


def _kept(raw: Schema) -> Schema:
    dropped = {"type"} if INT_OR_STRING in raw else set()
    if "propertyNames" in raw:
        dropped.add("maxProperties")
    return {key: raw[key] for key in KEPT if key in raw and key not in dropped}


def _head(raw: Schema) -> Schema:
    text = " ".join(raw.get("description", "").split())
    return {"description": text} if text else {}


def _default(raw: Schema, node: Schema) -> Any:
    """The default of a field; None: it has none. An object with defaults inside gets `{}`, because
    they would not apply otherwise; a field that is empty anyway needs no default."""
    if "properties" in node:
        inner = any("default" in field for field in node["properties"].values())
        return {} if inner and raw.get("default") is not None else None
    default = raw.get("default")
    return None if default in ("", [], {}) else default
