"""What is said about fields that are wrong, for models of every shape."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hookplane.manifests.explain import explain, field_path, nearest

CANARY = "canary"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Header(Strict):
    name: Annotated[str, Field(pattern=r"^[a-z]+$")] = "x"
    value: Annotated[str, Field(pattern=r"^[a-z]+$")] | None = None
    data: dict[str, Annotated[str, Field(pattern=r"^[a-z]+$")]] = {}
    size: Annotated[int, Field(ge=1, le=10)] = 1
    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.5
    kind: Literal["One", "Other"] = "One"
    tags: Annotated[list[str], Field(min_length=1, max_length=2)] = ["a"]
    short: Annotated[str, Field(min_length=2, max_length=3)] = "ab"


class Spec(Strict):
    timeout: str = ""
    header: Header | None = None
    headers: Annotated[list[Header], Field(max_length=8)] | None = None
    labels: dict[str, int] = {}


def said(spec: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate(spec)
    return explain(Spec, caught.value)


@pytest.mark.parametrize(
    ("header", "path", "sentence"),
    [
        ({"name": "X"}, "name", '"X" is not of the form ^[a-z]+$'),
        ({"name": "X" * 61}, "name", f'"{"X" * 60}…" is not of the form ^[a-z]+$'),
        ({"name": "X" * 60}, "name", f'"{"X" * 60}" is not of the form ^[a-z]+$'),
        ({"size": 0}, "size", "0 is out of bounds; must be at least 1"),
        ({"size": 11}, "size", "11 is out of bounds; must be at most 10"),
        ({"ratio": 0.0}, "ratio", "0.0 is out of bounds; must be more than 0.0"),
        ({"ratio": 1.0}, "ratio", "1.0 is out of bounds; must be less than 1.0"),
        ({"size": "3"}, "size", "must be a whole number, not text"),
        (
            {"size": True},
            "size",
            "must be a whole number, not true or false (in quotes it is text)",
        ),
        ({"name": 3}, "name", "must be text, not a number (in quotes it is text)"),
        ({"name": None}, "name", "must be text, not nothing"),
        ({"name": []}, "name", "must be text, not a list"),
        ({"tags": {}}, "tags", "must be a list, not a mapping"),
        ({"tags": []}, "tags", "must have at least 1 entry"),
        ({"tags": ["a", "b", "c"]}, "tags", "must have at most 2 entries"),
        ({"short": "a"}, "short", "must have at least 2 characters"),
        ({"kind": "Both"}, "kind", '"Both" is not one of One, Other'),
        ({"kind": []}, "kind", "this is not one of One, Other"),
    ],
)
def test_sentences(header: dict[str, Any], path: str, sentence: str) -> None:
    assert said({"header": header}) == [(f"header.{path}", sentence)]
    assert said({"headers": [{}, header]}) == [(f"headers[1].{path}", sentence)]


@pytest.mark.parametrize(
    ("header", "path"),
    [({"value": f"{CANARY}!"}, "value"), ({"data": {"key": f"{CANARY}!"}}, "data.key")],
)
def test_what_may_be_secret_is_never_repeated(header: dict[str, Any], path: str) -> None:
    assert said({"header": header}) == [(f"header.{path}", "this is not of the form ^[a-z]+$")]


@pytest.mark.parametrize(
    ("spec", "path", "sentence"),
    [
        ({"timeuot": ""}, "timeuot", 'unknown field; did you mean "timeout"?'),
        ({"TimeOut": ""}, "TimeOut", 'unknown field; did you mean "timeout"?'),
        (
            {"zzzzzz": ""},
            "zzzzzz",
            "unknown field; there is: header, headers, labels, timeout",
        ),
        ({"header": {"nmae": ""}}, "header.nmae", 'unknown field; did you mean "name"?'),
        ({"headers": [{"siez": ""}]}, "headers[0].siez", 'unknown field; did you mean "size"?'),
        ({"labels": {"a": "b"}}, "labels.a", "must be a whole number, not text"),
    ],
)
def test_unknown_fields_and_mappings(spec: dict[str, Any], path: str, sentence: str) -> None:
    assert said(spec) == [(path, sentence)]


class Union(Strict):
    either: int | Header = 1


def test_what_is_below_something_that_is_no_model_has_no_field_to_propose() -> None:
    with pytest.raises(ValidationError) as caught:
        Union.model_validate({"either": {"nmae": 1}})
    assert ("either.Header.nmae", "unknown field; there is: ") in explain(Union, caught.value)


def test_field_paths() -> None:
    assert field_path(("spec", "keys", 0, "name")) == "spec.keys[0].name"
    assert field_path(()) == ""


def test_the_nearest_word_as_it_is_written() -> None:
    assert nearest("STRIPE", ["GitHub", "Stripe"]) == 'did you mean "Stripe"?'
    assert nearest("zzz", ["b", "a"]) == "there is: a, b"
