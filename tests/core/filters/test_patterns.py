"""Regular expressions are read when an expression is applied, and not on the first event."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane.filters.cel import check_expression
from hookplane.filters.patterns import MAX_CHARACTERS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event.type.matches('(')", "line 1, column 19: invalid regular expression: missing ): ("),
        (f"event.type.matches('{'(' * MAX_CHARACTERS}')", "missing ): ((("),
        ("matches(event.type, '[z-a]')", "invalid character class range: z-a"),
        ("true &&\n event.body.l.exists(x, x.matches('(?=x)'))", "line 2, column 34: invalid"),
    ],
)
def test_one_that_is_none_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        check_expression(text, expect_bool=True)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "event.type.matches('^order[.](paid|sent)$')",
        "event.type.matches(event.body.pattern)",
        "event.type.matches('\\\\d+é')",
        f"event.type.matches('{'(a?){30}' * 300}')",
        f"event.type.matches('{'(' * (MAX_CHARACTERS + 1)}')",
    ],
)
def test_what_is_one_or_comes_with_the_event_is_taken(text: str) -> None:
    check_expression(text, expect_bool=True)
