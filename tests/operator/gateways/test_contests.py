"""When a database that refuses its leader is told of, and how often it is tried."""

from __future__ import annotations

import pytest

from hookplane_operator.gateways.contests import FIRST_PAUSE, FORGOTTEN_SECONDS, Contests

SHOP, TILL = ("system", "shop"), ("system", "till")


class Scene:
    """Contests, and a time of their own."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.contests = Contests(lambda: self.now)


def test_the_first_refusal_is_not_told_but_counts_for_readiness() -> None:
    contests = Scene().contests
    contests.win(SHOP, 1)
    contests.lose(SHOP, 1, "b has written in term 7")
    assert (contests.lost, contests.rival(SHOP), contests.wait(SHOP)) == ({SHOP}, "", 0.0)
    contests.win(SHOP, 8)
    assert contests.lost == set()


def test_tries_before_the_lease_was_asked_count_once() -> None:
    contests = Scene().contests
    for _ in range(5):
        contests.lose(SHOP, 1, "b has written in term 7")
    assert contests.rival(SHOP) == ""
    contests.lose(SHOP, 8, "b has written in term 9")
    assert contests.rival(SHOP) == "b has written in term 9"


def test_who_has_a_rival_tries_less_and_less_often() -> None:
    scene = Scene()
    pauses = []
    for term in range(1, 9):
        scene.contests.lose(SHOP, term, "b")
        pauses.append(scene.contests.wait(SHOP))
        scene.now += pauses[-1]
        assert scene.contests.wait(SHOP) == 0.0
        scene.contests.win(SHOP, term + 1)
    assert pauses == pytest.approx([0, FIRST_PAUSE, 4, 8, 16, 32, 60, 60])


def test_a_refusal_of_long_ago_is_forgotten() -> None:
    scene = Scene()
    scene.contests.lose(SHOP, 1, "b")
    scene.contests.win(SHOP, 3)
    scene.now += FORGOTTEN_SECONDS + 1
    scene.contests.lose(SHOP, 3, "b")
    assert scene.contests.rival(SHOP) == ""


def test_one_database_says_nothing_of_another() -> None:
    contests = Scene().contests
    for term in (1, 2):
        contests.lose(SHOP, term, "b")
    assert contests.rival(TILL) == ""
    contests.forget(SHOP)
    assert contests.lost == set()


def test_who_does_not_lead_has_no_rival() -> None:
    contests = Scene().contests
    for term in (1, 2):
        contests.lose(SHOP, term, "b")
    contests.clear()
    assert (contests.lost, contests.rival(SHOP)) == (set(), "")
