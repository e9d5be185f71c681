"""Whom an event concerns is found without asking all."""

from __future__ import annotations

import random
from typing import Any

from hookplane.filters.types import Interest, InterestFilter
from hookplane_dispatcher.reading.concern_index import ConcernIndex


def test_by_chance_it_finds_the_same_as_filters() -> None:
    chance = random.Random(1)
    index: ConcernIndex[int] = ConcernIndex()
    there: dict[int, Interest] = {}
    for listener in range(400):
        if there and chance.random() < 0.4:
            gone = chance.choice(list(there))
            index.remove(gone, there.pop(gone))
        there[listener] = Interest(_patterns(chance), _patterns(chance))
        index.add(listener, there[listener])
        type_, key = (_pattern(chance).replace("*", "a") for _ in range(2))
        wanted = {x for x, its in there.items() if InterestFilter(its).matches(type_, key)}
        found = index.concerned(type_, key)
        assert (set(found), len(found)) == (wanted, len(wanted))
    for listener, interest in there.items():
        index.remove(listener, interest)
    assert index.concerned("a", "a") == ()


def _patterns(chance: random.Random) -> tuple[str, ...]:
    return tuple(_pattern(chance) for _ in range(chance.randrange(3)))


def _pattern(chance: random.Random) -> str:
    return "".join(chance.choice("ab.*") for _ in range(chance.randrange(1, 4)))


class ComparedType(str):
    """A type that tells how often a pattern was held against it."""

    times = 0

    def startswith(self, *arguments: Any) -> bool:
        self.times += 1
        return super().startswith(*arguments)


def test_whoever_wants_another_key_is_not_asked_for_the_type() -> None:
    """Ten thousand customers on one endpoint, each with patterns of types of its own."""
    index: ConcernIndex[int] = ConcernIndex()
    for number in range(10_000):
        index.add(number, Interest((f"order.{number}.*", "message.*"), (f"cus_{number}",)))
    type_ = ComparedType("message.created")
    assert index.concerned(type_, "cus_4711") == (4711,)
    assert type_.times == 1


def test_whoever_wants_a_key_that_begins_otherwise_is_not_compared() -> None:
    """Each customer with the branches below it."""
    index: ConcernIndex[int] = ConcernIndex()
    for number in range(10_000):
        index.add(number, Interest((), (f"cus_{number:05}", f"cus_{number:05}/*")))
    key = ComparedType("cus_04711/berlin")
    assert index.concerned("message.created", key) == (4711,)
    assert key.times == 1


def test_what_nobody_wants_any_more_is_not_kept() -> None:
    index: ConcernIndex[int] = ConcernIndex()
    for number in range(3):
        index.add(number, Interest(("a.*",), (f"cus_{number}", "cus_*", "cus_*")))
    for number in range(3):
        index.remove(number, Interest(("a.*",), (f"cus_{number}", "cus_*", "cus_*")))
    assert index.concerned("a.b", "cus_1") == ()
    index.add(7, Interest((), ("cus_*",)))
    assert index.concerned("a.b", "cus_1") == (7,)
