"""Which headers are repeated."""

from __future__ import annotations

from hookplane_receiver.credentials import repeated


def test_repetitions_are_found() -> None:
    headers = (("a", "1"), ("b", "1"), ("a", "2"))
    assert repeated(headers, frozenset({"a"})) == "a"
    assert repeated(headers, frozenset({"b", "c"})) == ""
