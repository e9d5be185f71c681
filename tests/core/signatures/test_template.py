"""What is signed can be cut in one way only: in every template that is taken, and for every request
that is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hookplane.errors import InvalidValue
from hookplane.kinds.base import SIGNED_PARTS
from hookplane.providers.registry import PRESETS
from hookplane.signatures.scheme import SignatureScheme
from hookplane.signatures.template import (
    check_template,
    refused_id,
    refused_url,
    signed_content,
)

PUBLIC: Final = "u://h"
SCHEMES: Final = [
    (name, variant.signature)
    for name, preset in PRESETS.items()
    for variant in preset.variants
    if variant.signature is not None
]


@pytest.mark.parametrize(
    "template",
    [
        "{body}",
        "{timestamp}{body}",
        "{id}.{timestamp}.{body}",
        "{id}.{timestamp}{body}",
        "{url}{body}",
        "{body}{url}",
        "{method}{url}{body}{timestamp}",
        "{body}.{id}",
        "{timestamp}{id}:{body}",
    ],
)
def test_parts_that_end_at_one_place_may_stand_together(template: str) -> None:
    check_template(template)


@pytest.mark.parametrize(
    ("template", "pair", "part"),
    [
        ("{id}{body}", "{id}{body}", "{id}"),
        ("v1:{timestamp}.{id}{body}", "{id}{body}", "{id}"),
        ("{id}{timestamp}{body}", "{id}{timestamp}", "{id}"),
        ("{body}{id}", "{body}{id}", "{id}"),
        ("{body}.{timestamp}{id}", "{timestamp}{id}", "{id}"),
        ("{url}{timestamp}{body}", "{url}{timestamp}", "{url}"),
        ("{url}{id}.{body}", "{url}{id}", "{url}"),
        ("{id}{url}{body}", "{id}{url}", "{id}"),
    ],
)
def test_parts_that_run_into_each_other_are_refused_with_what_would_be_right(
    template: str, pair: str, part: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        check_template(template)
    right = pair.replace("}{", "}.{")
    assert str(refused.value) == (
        f'"{pair}" can be read in two ways: nothing tells where {part} ends, so that bytes could '
        f"be moved between the two; a text must stand between them that {part} never has, as in "
        f'"{right}"'
    )


def test_a_body_that_is_there_twice_is_refused() -> None:
    with pytest.raises(InvalidValue, match="more than once; it can be there once"):
        check_template("{body}.{body}")


@pytest.mark.parametrize(("name", "scheme"), SCHEMES)
def test_no_preset_signs_what_can_be_read_in_two_ways(name: str, scheme: SignatureScheme) -> None:
    check_template(scheme.content)
    assert scheme.timestamp is None or scheme.timestamp.tolerance is not None, name


@pytest.mark.parametrize(
    ("template", "value", "refused"),
    [
        ("{id}.{body}", "msg.1", 'must not contain "."'),
        ("{body}.{id}", "msg.1", 'must not contain "."'),
        ("{id}:-{body}", "a:b", 'must not contain ":"'),
        ("{body}:-{id}", "a-b", 'must not contain "-"'),
        ("{id}:-{body}", "a-b", ""),
        ("{body}:-{id}", "a:b", ""),
        ("{timestamp}.{id}::{body}", "a.b", ""),
        ("{timestamp}.{body}", "a.b", ""),
    ],
)
def test_an_id_ends_at_the_text_towards_the_body(template: str, value: str, refused: str) -> None:
    assert refused_id(template, value) == refused


GOES_ON: Final = "has a query that could go on in the body, or the body begins like one"
TIME_IN_IT: Final = "has something in its query that could be the signed time"


@pytest.mark.parametrize(
    ("template", "query", "body", "refused"),
    [
        ("{url}{body}", "", b'{"a":1}', ""),
        ("{url}{body}", "?a=1", b'{"a":1}', ""),
        ("{url}{body}", "?a=1", b"", ""),
        ("{url}{body}", "", b"a=1", ""),
        ("{url}{body}", "?a=1", b"a=1", GOES_ON),
        ("{url}{body}", "?a=1{", b'"a":1}', GOES_ON),
        ("{url}{body}", "", b"?a=1", GOES_ON),
        ("{body}{url}", "?a=1", b"a=1", ""),
        ("{body}{url}", f"?a={PUBLIC}", b"a=1", "has itself in its query"),
        ("{url}.{body}", "?a=1", b"a=1", ""),
        ("{url}.{body}", "?a=1.0", b"{}", 'has a query that must not contain "."'),
        ("{timestamp}.{body}", "?a=1.0", b"?", ""),
        ("{url}.{timestamp}.{body}", "?v=1.0&b=a.b", b"{}", ""),
        ("{url}.{timestamp}", "?v=1.0", b"", ""),
        ("{url}.{timestamp}{body}", "?v=2026.11.21", b"1.1700000001", ""),
        ("{url}.{timestamp}.{body}", "?v=.1700000001", b"", TIME_IN_IT),
        ("{url}.{timestamp}.{body}", "?v=.1700000001x", b"", ""),
        ("{url}.{timestamp}.{body}", "?v=.1700000001.", b"", TIME_IN_IT),
        ("{url}.{timestamp}.{body}", "?v=.1700000001000.", b"", TIME_IN_IT),
        ("{url}.{timestamp}.{body}", "?v=.17000000012.", b"", ""),
        ("{url}.{timestamp}.{body}", "?v=.170000000123.", b"", ""),
        ("{url}.{timestamp}.{body}", "?v=.17000000012345.", b"", ""),
        ("{url}.{timestamp}{body}", "?v=.1700000001", b"", TIME_IN_IT),
        ("{url}.{timestamp}{body}", "?v=.17000000012", b"", TIME_IN_IT),
        ("{url}.{timestamp}{body}", "?v=.2026-11-21T00:00:00Z", b"", TIME_IN_IT),
        ("{url}0{timestamp}{body}", "?v=1", b"1", ""),
        ("{url}1{timestamp}{body}", "?v=1", b"1", TIME_IN_IT),
    ],
)
def test_a_url_ends_where_its_query_does(
    template: str, query: str, body: bytes, refused: str
) -> None:
    values = {"{url}": PUBLIC + query, "{timestamp}": "1700000000"}
    assert refused_url(template, values, body) == refused


def test_what_users_may_write_in_braces_is_what_is_filled_in() -> None:
    values = {f"{{{name}}}": f"<{name}>" for name in SIGNED_PARTS}
    for placeholder, value in values.items():
        body = value.encode()
        assert signed_content(f"({placeholder})", body, values) == b"(" + body + b")"


@st.composite
def templates(draw: st.DrawFn) -> str:
    """Any order of the parts, with texts between some of them."""
    order = draw(st.permutations([f"{{{name}}}" for name in SIGNED_PARTS]))
    between = [draw(st.sampled_from(["", ".", "?", "a.", "1"])) for _ in order]
    left_out = draw(st.sets(st.sampled_from(["{id}", "{timestamp}", "{method}", "{url}"])))
    kept = [part + text for part, text in zip(order, between, strict=True) if part not in left_out]
    return "".join(kept)


values_of_parts = st.fixed_dictionaries(
    {
        "{id}": st.text("a.1", min_size=1, max_size=3),
        "{timestamp}": st.sampled_from(["1700000000", "1111111111"]),
        "{method}": st.just("POST"),
        "{url}": st.sampled_from(
            ["", "?", "?a", "?.", "?1{", f"?{PUBLIC}", "??", "?.1111111111", "?a.1111111111."]
        ).map(lambda query: PUBLIC + query),
        "{body}": st.text("a.1?{", max_size=3)
        | st.sampled_from([PUBLIC, f"{PUBLIC}?", "1111111111", "POST", "a.1700000000"]),
    }
)


@given(template=templates(), values=values_of_parts)
def test_whatever_is_taken_could_have_been_signed_as_nothing_else(
    template: str, values: Mapping[str, str]
) -> None:
    try:
        check_template(template)
    except InvalidValue:
        assume(False)
    assume(taken(template, values))
    named = {part: value for part, value in values.items() if part in template}
    signed = signed_content(template, values["{body}"].encode(), values).decode()
    parts = [part for part in re.split(r"(\{[a-z]+\})", template) if part]
    found = [cut for cut in readings(parts, signed) if taken(template, cut)]
    assert found == [named]


def taken(template: str, values: Mapping[str, str]) -> bool:
    """Whether a request with these parts passes, as far as it depends on them."""
    id_, url = values.get("{id}", "x"), values.get("{url}", PUBLIC)
    return (
        bool(id_)
        and re.fullmatch("[0-9]{10}", values.get("{timestamp}", "1700000000")) is not None
        and values.get("{method}", "POST") == "POST"
        and url.partition("?")[0] == PUBLIC
        and not refused_id(template, id_)
        and not refused_url(template, {**values, "{url}": url}, values["{body}"].encode())
    )


def readings(parts: Sequence[str], signed: str) -> Iterator[dict[str, str]]:
    """Every way to cut `signed` into the parts."""
    if not parts:
        if not signed:
            yield {}
        return
    first, rest = parts[0], parts[1:]
    if not first.startswith("{"):
        if signed.startswith(first):
            yield from readings(rest, signed[len(first) :])
        return
    for end in range(len(signed) + 1):
        for others in readings(rest, signed[end:]):
            yield {first: signed[:end], **others}
