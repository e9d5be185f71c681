from __future__ import annotations

from fnmatch import translate
from re import fullmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.filters.types import Interest, InterestFilter, PatternFilter


@pytest.mark.parametrize(
    ("patterns", "type_", "wanted"),
    [
        ((), "anything", True),
        (("*",), "", True),
        (("a",), "a", True),
        (("a",), "ab", False),
        (("order.*",), "order.created", True),
        (("order.*",), "order.", True),
        (("order.*",), "order", False),
        (("*.created",), "order.created", True),
        (("a*a",), "a", False),  # the two ends may not overlap
        (("a*b*c",), "a-b-c", True),
        (("a*b*c",), "a-c-b", False),
        (("*aa*aa*",), "aaa", False),  # nor may two pieces
        (("*aa*aa*",), "aaaa", True),
        (("order.+",), "order.x", False),  # only * is special
        (("x", "orders/*"), "orders/paid", True),
        (("",), "", True),
    ],
)
def test_patterns(patterns: tuple[str, ...], type_: str, wanted: bool) -> None:
    assert PatternFilter(patterns).matches(type_) is wanted


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_as_shell_patterns_do(pattern: str, text: str) -> None:
    assert PatternFilter((pattern,)).matches(text) is bool(fullmatch(translate(pattern), text))


def test_a_hostile_pattern_is_no_more_work_than_others() -> None:
    assert not PatternFilter(("*a" * 60 + "b",)).matches("a" * 100_000)


def test_answers_are_kept_only_for_so_many_types() -> None:
    types = PatternFilter(("1*",))
    assert sum(types.matches(str(number)) for number in range(10_000)) == 1_111
    assert types.matches("1") is True


@pytest.mark.parametrize(
    ("interest", "type_", "key", "wanted"),
    [
        (Interest(), "a", "", True),
        (Interest(keys=("cus_1",)), "a", "cus_1", True),
        (Interest(keys=("cus_1",)), "a", "cus_11", False),
        (Interest(keys=("cus_1",)), "a", "", False),
        (Interest(keys=("*",)), "a", "", False),
        (Interest(keys=("eu/*", "cus_1")), "a", "eu/7", True),
        (Interest(("a",), ("cus_1",)), "b", "cus_1", False),
        (Interest(("a", "b"), ("cus_1",)), "b", "cus_1", True),
    ],
)
def test_type_and_key_must_be_wanted(
    interest: Interest, type_: str, key: str, *, wanted: bool
) -> None:
    """An event without a key has none of those that are asked for."""
    assert InterestFilter(interest).matches(type_, key) is wanted
