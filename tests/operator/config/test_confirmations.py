"""Whoever confirms deletions says of which namespace, how many, and on which day."""

from __future__ import annotations

import pytest

from hookplane.clock import Millis
from hookplane.units import parse_time
from hookplane_operator.config.confirmations import Confirmations

NOW: Millis = parse_time("2026-11-30T23:59:00Z")


def test_each_namespace_has_its_own_number_and_a_few_more_are_no_matter() -> None:
    said = Confirmations.parse("shop=37@2026-11-30, blog=2@2026-11-29,", NOW)
    assert said.objection == ""
    allowed = [said.allow("shop", x) for x in (1, 37, 47, 48)]
    assert allowed == [True, True, True, False]
    assert [said.allow(x, 12) for x in ("blog", "other", "ALL")] == [True, False, False]


@pytest.mark.parametrize(
    ("day", "holds"),
    [
        ("2026-11-28", False),
        ("2026-11-29", True),
        ("2026-12-01", True),
        ("2026-12-02", False),
        ("2025-11-30", False),
    ],
)
def test_a_word_holds_for_its_day_and_one_more(day: str, holds: bool) -> None:
    said = Confirmations.parse(f"shop=37@{day}", NOW)
    assert said.allow("shop", 37) is holds
    assert (said.objection == "") is holds
    assert holds or said.objection == (f'"shop=37@{day}" is of another day; today is 2026-11-30')


@pytest.mark.parametrize(
    "text",
    [
        "37",
        "shop=37",
        "shop=@2026-11-30",
        "shop=-1@2026-11-30",
        "shop=1234567890@2026-11-30",
        "shop=37@2026-13-30",
        "Shop=37@2026-11-30",
        "shop=\u0663@2026-11-30",
        "\x1b[2J" * 40,
    ],
)
def test_what_cannot_be_understood_is_said_and_holds_nothing_up(text: str) -> None:
    said = Confirmations.parse(f"{text},blog=3@2026-11-30", NOW)
    assert said.counts == {"blog": 3}
    assert said.objection.startswith('"')
    assert len(said.objection) < 200
    assert said.objection.isprintable()


def test_without_an_annotation_nothing_is_confirmed_and_nothing_is_wrong() -> None:
    assert Confirmations.parse("", NOW) == Confirmations()
