"""Who owns what."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hookplane.process.rendezvous import owner_of

members = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=8)


def test_nobody_owns_nothing() -> None:
    assert owner_of("s", []) is None


@given(members, st.text())
def test_everybody_comes_to_the_same_answer(names: set[str], subject: str) -> None:
    assert owner_of(subject, sorted(names)) == owner_of(subject, sorted(names, reverse=True))
    assert owner_of(subject, names) in names


@given(members, st.text(), st.text(min_size=9, max_size=9))
def test_who_joins_takes_and_nothing_else_moves(
    names: set[str], subject: str, newcomer: str
) -> None:
    before, after = owner_of(subject, names), owner_of(subject, names | {newcomer})
    assert after in (before, newcomer)


def test_shares_are_even() -> None:
    shares = Counter(owner_of(f"subscription-{i}", ["a", "b", "c"]) for i in range(3_000))
    assert all(850 < share < 1_150 for share in shares.values())
