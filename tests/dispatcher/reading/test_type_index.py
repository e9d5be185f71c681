"""Who wants a type is found without asking all."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hookplane.filters.types import PatternFilter
from hookplane_dispatcher.reading.type_index import TypeIndex

PATTERNS: dict[str, tuple[str, ...]] = {
    "all": (),
    "exact": ("order.created",),
    "two": ("order.created", "order.*"),
    "glob": ("*.created",),
    "other": ("user.*", "invoice.paid"),
}
TYPES = ("order.created", "order.", "user.created", "invoice.paid", "", "*")


@pytest.fixture
def index() -> TypeIndex[str]:
    made: TypeIndex[str] = TypeIndex()
    for key, patterns in PATTERNS.items():
        made.add(key, patterns)
    return made


@pytest.mark.parametrize("type_", TYPES)
def test_it_finds_those_whose_filters_match(index: TypeIndex[str], type_: str) -> None:
    wanted = {key for key, patterns in PATTERNS.items() if PatternFilter(patterns).matches(type_)}
    found = index.concerned(type_)
    assert (set(found), len(found)) == (wanted, len(wanted))


@pytest.mark.parametrize("type_", TYPES)
def test_those_that_are_removed_are_not_found(index: TypeIndex[str], type_: str) -> None:
    assert index.concerned(type_)
    for key, patterns in PATTERNS.items():
        index.remove(key, patterns)
    assert index.concerned(type_) == ()


def test_what_is_remembered_follows_changes(index: TypeIndex[str]) -> None:
    assert "late" not in index.concerned("user.created")
    index.add("late", ("user.*",))
    assert "late" in index.concerned("user.created")
    index.remove("late", ("user.*",))
    assert "late" not in index.concerned("user.created")


def test_by_chance_it_finds_the_same_as_filters() -> None:
    chance = random.Random(1)
    index: TypeIndex[int] = TypeIndex()
    there: dict[int, tuple[str, ...]] = {}
    for key in range(300):
        if there and chance.random() < 0.4:
            gone = chance.choice(list(there))
            index.remove(gone, there.pop(gone))
        there[key] = tuple(_pattern(chance) for _ in range(chance.randrange(3)))
        index.add(key, there[key])
        type_ = _pattern(chance).replace("*", "a")
        wanted = {k for k, patterns in there.items() if PatternFilter(patterns).matches(type_)}
        assert set(index.concerned(type_)) == wanted


def _pattern(chance: random.Random) -> str:
    return "".join(chance.choice("ab.*") for _ in range(chance.randrange(4)))


class Compared(str):
    """A type that tells how often a pattern was held against it."""

    times = 0

    def startswith(self, *arguments: Any) -> bool:
        self.times += 1
        return super().startswith(*arguments)


def test_a_pattern_is_compared_once_however_many_have_it() -> None:
    index: TypeIndex[int] = TypeIndex()
    for key in range(1_000):
        index.add(key, ("order.*.failed", "user.*", f"order.{key}"))
    type_ = Compared("order.7")
    for _ in range(50):
        assert index.concerned(type_) == (7,)
    assert type_.times == 1
