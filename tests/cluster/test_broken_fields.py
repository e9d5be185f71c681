"""Every field of every kind broken in turn: the API server refuses it and names the field."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from hookplane.crds.definition import root_schema
from hookplane.kinds.registry import KINDS, Kind
from support.kubernetes.control_plane import namespace, shared_control_plane
from support.kubernetes.crds import Object, Schema, spec_object
from support.kubernetes.kubectl import Kubectl

BASES: dict[str, Object] = {
    "WebhookGateway": {
        "store": {"postgresql": {"dsn": {"secretKeyRef": {"name": "a", "key": "b"}}}}
    },
    "WebhookEndpoint": {},
    "WebhookSubscription": {
        "endpointRefs": [{"name": "a"}],
        "target": {"url": "https://a.example"},
    },
    "WebhookReplay": {
        "subscriptionRef": {"name": "a"},
        "events": {"ids": ["evt_01jdb3q9k2m4n6p8r0s2t4v6w8"]},
    },
}
WRONG: dict[str, Any] = {
    "string": {"not": "text"},
    "integer": "many",
    "boolean": "perhaps",
    "array": "not a list",
    "object": "not an object",
}

Steps = tuple[str | int, ...]


@pytest.fixture
def kubectl() -> Iterator[Kubectl]:
    yield from namespace(shared_control_plane())


def fields(schema: Schema, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Every field below with a value that is of no use there."""
    kind = schema.get("type", "string")
    if steps:
        yield steps, WRONG[kind] if "x-kubernetes-int-or-string" not in schema else {}
    if kind == "string" and "maxLength" in schema:
        yield steps, "x" * (schema["maxLength"] + 1)
    if kind == "integer" and "maximum" in schema:
        yield steps, schema["maximum"] + 1
    for name, below in schema.get("properties", {}).items():
        yield from fields(below, (*steps, name))
    if "items" in schema:
        yield from fields(schema["items"], (*steps, 0))


def broken(kind: Kind, steps: Steps, value: Any) -> Object:
    """A good object, with this one value put in; what leads there is made."""
    document = spec_object(kind.kind, copy.deepcopy(BASES[kind.kind]))
    place: Any = document["spec"]
    for step, following in zip(steps, (*steps[1:], None), strict=True):
        last = following is None
        made: Any = value if last else [] if following == 0 else {}
        if isinstance(place, list):
            if not place:
                place.append(made)
            elif last:
                place[0] = made
            place = place[0]
        else:
            if last or step not in place:
                place[step] = made
            place = place[step]
    return document


@pytest.mark.parametrize("kind", KINDS, ids=lambda x: x.short_name)
def test_a_broken_field_is_refused_by_name(kubectl: Kubectl, kind: Kind) -> None:
    spec = root_schema(kind)["properties"]["spec"]
    rows = list(fields(spec))
    assert len(rows) > 5
    items = []
    for number, (steps, value) in enumerate(rows):
        document = broken(kind, steps, value)
        document["metadata"]["name"] = f"x{number}"
        items.append(document)
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    done = kubectl.attempt("create", "--validate=false", "-f", "-", given=given)
    said = re.split(r"(?=The Webhook|Error from server)", done.stderr)
    words = {name: part for part in said for name in re.findall(r'"(x\d+)"', part)[:1]}
    for number, (steps, _) in enumerate(rows):
        text = words.get(f"x{number}", "")
        assert text, f"taken: {json.dumps(items[number]['spec'])}"
        assert any(str(step) in text for step in steps if step != 0), text
    assert kubectl.list(kind.plural) == []
