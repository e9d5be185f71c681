"""Pydantic models as structural schemas, one feature each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from hookplane.crds.schema import UnsupportedSchema, structural_schema
from hookplane.kinds.base import Rule, Spec


class Inner(Spec):
    """Something inside."""

    count: Annotated[int, Field(ge=1)] = 3
    """How
    many."""


class Bare(Spec):
    """Nothing has a default."""

    text: str | None = None
    """Text."""


class Outer(Spec):
    """The whole."""

    optional: Annotated[str, Field(max_length=5)] | None = None
    """May be absent."""
    only: Literal["One"]
    """A constant."""
    inner: Inner = Inner()
    """Its own words."""
    bare: Bare = Bare()
    """Empty."""
    listed: Annotated[list[Inner], Field(max_length=2)] = []
    """A list."""
    mapped: dict[str, int] = {}
    """A map."""
    named: dict[Literal["a", "b"], int] = {}
    """A map with known keys."""

    RULES = (Rule(rule="has(self.only)", message="only"),)


FIELDS = structural_schema(Outer)["properties"]


def test_a_union_with_none_is_a_field_that_may_be_absent() -> None:
    assert FIELDS["optional"] == {
        "type": "string",
        "maxLength": 5,
        "description": "May be absent.",
    }


def test_a_constant_is_an_enum_of_one() -> None:
    assert FIELDS["only"] == {"type": "string", "enum": ["One"], "description": "A constant."}


def test_what_is_inside_is_inlined_with_the_description_of_the_field() -> None:
    assert FIELDS["inner"] == {
        "type": "object",
        "description": "Its own words.",
        "properties": {
            "count": {"type": "integer", "minimum": 1, "description": "How many.", "default": 3}
        },
        "default": {},
    }


def test_an_object_without_defaults_inside_has_none_itself() -> None:
    assert "default" not in FIELDS["bare"]


def test_lists_are_atomic_and_need_no_empty_default() -> None:
    listed = FIELDS["listed"]
    assert listed["x-kubernetes-list-type"] == "atomic"
    assert listed["items"]["description"] == "Something inside."
    assert "default" not in listed


def test_a_map_keeps_the_schema_of_its_values() -> None:
    assert FIELDS["mapped"] == {
        "type": "object",
        "description": "A map.",
        "additionalProperties": {"type": "integer"},
    }


def test_known_keys_of_a_map_become_fields() -> None:
    assert FIELDS["named"]["properties"] == {"a": {"type": "integer"}, "b": {"type": "integer"}}


def test_rules_and_required_fields_are_taken_over() -> None:
    schema = structural_schema(Outer)
    assert schema["x-kubernetes-validations"] == [{"rule": "has(self.only)", "message": "only"}]
    assert schema["required"] == ["only"]


class Recursive(Spec):
    """Contains itself."""

    child: Recursive | None = None
    """Another one."""


class Union(Spec):
    """Two types in one field."""

    either: str | int
    """A string or a number."""


class Anything(Spec):
    """No type at all."""

    value: Any
    """Whatever."""


class Exclusive(Spec):
    """A keyword that the API server reads differently."""

    above: Annotated[int, Field(gt=0)]
    """More than zero."""


@pytest.mark.parametrize("model", [Recursive, Union, Anything, Exclusive])
def test_what_a_structural_schema_cannot_say_is_an_error(model: type[Spec]) -> None:
    with pytest.raises(UnsupportedSchema):
        structural_schema(model)
