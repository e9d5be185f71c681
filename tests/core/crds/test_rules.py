"""Every rule, once kept and once broken: CEL at the API server and Python say the same, with the
same message.
"""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hookplane.kinds.base import NAME_RULE, OWN_NAME_PATTERN
from hookplane.kinds.registry import KIND_BY_NAME
from support.kubernetes.crds import (
    VALIDATIONS,
    Object,
    all_nodes,
    defaulted,
    refusals,
    schema_errors,
    schema_of,
)
from support.kubernetes.rules import (
    OUT_OF_SCHEMA,
    ROWS,
    UNIQUE_HEADERS,
    UPDATES,
    endpoint,
    headers,
    subscription,
)


def cel_says(document: Object, old: Object | None = None) -> list[str]:
    schema = schema_of(document["kind"])
    before = None if old is None else defaulted(schema, old)
    return refusals(schema, defaulted(schema, document), before)


def python_says(document: Object) -> list[str]:
    """Messages as `hookplane check` can show them."""
    try:
        KIND_BY_NAME[document["kind"]].model.model_validate(document)
    except ValidationError as error:
        return [found["msg"].removeprefix("Value error, ") for found in error.errors()]
    return []


@pytest.mark.parametrize(("message", "kept", "broken"), ROWS)
def test_a_rule_that_is_kept(message: str, kept: Object, broken: Object) -> None:
    assert schema_errors(schema_of(kept["kind"]), kept) == []
    assert cel_says(kept) == []
    assert python_says(kept) == []


@pytest.mark.parametrize(("message", "kept", "broken"), ROWS)
def test_a_rule_that_is_broken(message: str, kept: Object, broken: Object) -> None:
    assert set(cel_says(broken)) == {message}
    assert message in python_says(broken)


@pytest.mark.parametrize(("message", "before", "allowed", "refused"), UPDATES)
def test_updates(message: str, before: Object, allowed: Object, refused: Object) -> None:
    assert cel_says(allowed, before) == []
    assert cel_says(refused, before) == [message]
    assert cel_says(refused) == python_says(refused) == []


def test_every_rule_is_broken_by_some_row() -> None:
    rules = {rule["message"] for _, node in all_nodes() for rule in node.get(VALIDATIONS, [])}
    shown = {message for message, *_ in ROWS} | {message for message, *_ in UPDATES}
    assert rules - shown == {NAME_RULE.message}
    assert shown <= rules


# name, whether it may be one of ours
NAMES = [
    # the longest
    ("a" * 52, True),
    # one too many
    ("a" * 53, False),
    # dots would split the path of a Secret's owner
    ("a.b", False),
    # hyphens inside
    ("orders-to-shop", True),
    # one letter, one digit
    ("7", True),
]


@pytest.mark.parametrize(("name", "good"), NAMES)
def test_names_of_our_objects(name: str, good: bool) -> None:
    document = endpoint() | {"metadata": {"name": name}}
    assert cel_says(document) == ([] if good else [NAME_RULE.message])
    assert bool(OWN_NAME_PATTERN.fullmatch(name)) is good


# names that the API server refuses by itself for every object
@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "a\n"])
def test_names_that_no_object_can_have(name: str) -> None:
    assert OWN_NAME_PATTERN.fullmatch(name) is None


def test_duplicate_endpoints_are_refused_in_the_words_of_the_api_server() -> None:
    document = subscription(endpointRefs=[{"name": "a"}, {"name": "b"}, {"name": "a"}])
    assert cel_says(document) == python_says(document) == ['Duplicate value: {"name":"a"}']


def test_duplicate_headers_are_refused_twice_by_the_api_server() -> None:
    document = headers("X-A", "X-A")
    assert set(cel_says(document)) == {UNIQUE_HEADERS, 'Duplicate value: {"name":"X-A"}'}
    assert python_says(document) == [UNIQUE_HEADERS]


@pytest.mark.parametrize("document", OUT_OF_SCHEMA)
def test_what_the_schema_refuses_python_refuses(document: Object) -> None:
    assert schema_errors(schema_of(document["kind"]), document) != []
    assert python_says(document) != []
