"""What an API server does with a custom resource, as far as our schemas use it: defaults, rules in
CEL, list-map keys, and the schema itself. It stands for one in tests that need none to run.
"""

from __future__ import annotations

import copy
import functools
import ipaddress
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from cel_expr_python import cel
from cel_expr_python.ext.ext_strings import ExtStrings
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from hookplane.crds.definition import root_schema
from hookplane.kinds.base import API_VERSION
from hookplane.kinds.registry import KIND_BY_NAME, KINDS, Kind
from hookplane.units import parse_size

ROOT = Path(__file__).parents[3]
Schema = dict[str, Any]
Object = dict[str, Any]
VALIDATIONS = "x-kubernetes-validations"


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every node of a schema with its path: `.spec.keys[].name`, `{}` for values of maps."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


@functools.cache
def schema_of(kind: str) -> Schema:
    return root_schema(KIND_BY_NAME[kind])


def all_nodes() -> list[tuple[str, Schema]]:
    """Every node of every kind; paths begin with the kind."""
    return [row for kind in KINDS for row in walk(schema_of(kind.kind), kind.kind)]


def defaulted(schema: Schema, value: Any) -> Any:
    """A copy with defaults, from the outside in; as at an API server they apply only where the
    parent is there."""
    if isinstance(value, list):
        return [defaulted(schema["items"], item) for item in value]
    if not isinstance(value, dict):
        return value
    fields: Schema = schema.get("properties", {})
    missing = {
        name: copy.deepcopy(field["default"])
        for name, field in fields.items()
        if "default" in field and name not in value
    }
    return {name: defaulted(fields.get(name, {}), item) for name, item in (value | missing).items()}


def refusals(schema: Schema, value: Any, old: Any = None) -> list[str]:
    """Messages of all rules that do not hold for `value` and what is inside, `old` being what it
    replaces, and of duplicate keys. An error in a rule counts as one that does not hold, as it does
    at an API server, and shows its own text."""
    found = [
        message for rule in schema.get(VALIDATIONS, []) for message in _broken(rule, value, old)
    ]
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, field in schema.get("properties", {}).items():
            if name in value:
                found += refusals(field, value[name], before.get(name))
    if isinstance(value, list):
        found += _duplicates(schema, value)
        for item in value:
            found += refusals(schema["items"], item)
    return found


def schema_errors(schema: Schema, value: Any) -> list[str]:
    """What the schema alone finds, unknown fields included."""
    return [error.message for error in Draft202012Validator(_closed(schema)).iter_errors(value)]


def _closed(schema: Schema) -> Schema:
    """Unknown fields are errors, as with `kubectl apply`; integers may stand for quantities."""
    closed: Schema = {key: value for key, value in schema.items() if not key.startswith("x-")}
    if "properties" in schema:
        fields = {name: _closed(field) for name, field in schema["properties"].items()}
        closed |= {"properties": fields, "additionalProperties": False}
    if schema == {"type": "object"}:
        return schema
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            closed[key] = _closed(schema[key])
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["string", "integer"]
    return closed


def _duplicates(schema: Schema, value: list[Any]) -> list[str]:
    keys = schema.get("x-kubernetes-list-map-keys", [])
    if not keys:
        return []
    seen = [json.dumps({key: item[key] for key in keys}, separators=(",", ":")) for item in value]
    return [f"Duplicate value: {key}" for key in sorted(set(seen)) if seen.count(key) > 1]


def _broken(rule: dict[str, str], value: Any, old: Any) -> list[str]:
    if "oldSelf" in rule["rule"] and old is None:
        return []
    result = compiled(rule["rule"]).eval(data={"self": value, "oldSelf": old})
    if result.type() == cel.Type.BOOL:
        return [] if result.value() else [rule["message"]]
    return [f"{rule['rule']}: {result.value()}"]


@functools.cache
def compiled(rule: str) -> Any:
    """A rule, compiled with the functions that Kubernetes adds to CEL."""
    return _environment().compile(rule)


@functools.cache
def _environment() -> Any:
    dyn = cel.Type.DYN
    functions = [
        _function("isCIDR", cel.Type.BOOL, [cel.Type.STRING], _is_cidr),
        _function("quantity", cel.Type.INT, [cel.Type.STRING], parse_size),
        _function("compareTo", cel.Type.INT, [cel.Type.INT] * 2, lambda a, b: a - b, member=True),
    ]
    return cel.NewEnv(
        variables={"self": dyn, "oldSelf": dyn},
        extensions=[ExtStrings(), cel.CelExtension("kubernetes", functions)],
    )


def _function(
    name: str, result: Any, parameters: list[Any], call: Callable[..., Any], *, member: bool = False
) -> Any:
    return cel.FunctionDecl(name, [cel.Overload(f"k8s_{name}", result, parameters, member, call)])


def _is_cidr(text: str) -> bool:
    """https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-ip-address-library"""
    address, slash, bits = text.partition("/")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
    return bool(slash) and bits == str(network.prefixlen) and "%" not in address and not mapped


def ours(name: str) -> list[Object]:
    """The objects of our kinds in a file of examples/."""
    documents = yaml.safe_load_all((ROOT / "examples" / name).read_text(encoding="utf-8"))
    return [document for document in documents if document["apiVersion"] == API_VERSION]


def spec_object(kind: str, spec: Any, name: str = "x") -> Object:
    """A whole object around a spec."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def kind_of(document: Object) -> Kind:
    return KIND_BY_NAME[document["kind"]]
