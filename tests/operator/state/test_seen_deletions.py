"""Who was seen to be deleted, and for how long that counts."""

from __future__ import annotations

from hookplane_operator.state.seen_deletions import SeenDeletions


def test_who_was_seen_is_known_until_it_is_there_again() -> None:
    deletions = SeenDeletions()
    deletions.saw("a")
    assert (deletions.has("a"), deletions.has("b")) == (True, False)
    deletions.lives("a")
    assert not deletions.has("a")


def test_the_first_are_forgotten_first() -> None:
    deletions = SeenDeletions(most=2)
    for uid in "abc":
        deletions.saw(uid)
    assert [deletions.has(x) for x in "abc"] == [False, True, True]


def test_while_a_kind_is_missing_nothing_counts() -> None:
    deletions = SeenDeletions()
    deletions.saw("before")
    deletions.doubt()
    deletions.saw("meanwhile")
    deletions.trust()
    deletions.saw("after")
    assert [deletions.has(x) for x in ("before", "meanwhile", "after")] == [False, False, True]
