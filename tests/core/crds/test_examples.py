"""The examples are valid by every measure: schema, rules and models."""

from __future__ import annotations

import pytest

from hookplane.kinds.registry import KIND_BY_NAME
from support.kubernetes.crds import (
    ROOT,
    Object,
    defaulted,
    ours,
    refusals,
    schema_errors,
    schema_of,
)

FILES = sorted(path.name for path in (ROOT / "examples").glob("*.yaml"))
OBJECTS = [
    pytest.param(document, id=f"{name}:{document['metadata']['name']}")
    for name in FILES
    for document in ours(name)
]


def test_there_are_examples_of_every_kind() -> None:
    assert {document["kind"] for name in FILES for document in ours(name)} == set(KIND_BY_NAME)


@pytest.mark.parametrize("document", OBJECTS)
def test_valid_at_an_api_server(document: Object) -> None:
    schema = schema_of(document["kind"])
    stored = defaulted(schema, document)
    assert schema_errors(schema, document) == []
    assert schema_errors(schema, stored) == []
    assert refusals(schema, stored) == []
    assert refusals(schema, stored, stored) == []


@pytest.mark.parametrize("document", OBJECTS)
def test_valid_in_python_with_and_without_defaults_filled_in(document: Object) -> None:
    """What an API server stored is the same to us as what the user wrote."""
    model = KIND_BY_NAME[document["kind"]].model
    stored = defaulted(schema_of(document["kind"]), document)
    assert model.model_validate(stored) == model.model_validate(document)
