"""One evaluation: a value, or the reason why there is none."""

from __future__ import annotations

import pytest

from hookplane.evaluation.evaluate import evaluate
from hookplane.evaluation.protocol import NoValue, Verdict, Wanted
from hookplane.filters.cel import Program
from hookplane.filters.event import EventView

EVENT = EventView("evt_1", "t", "orders", "shop", 1_800_000_000_000, (), b'{"a":1}')


@pytest.mark.parametrize(
    ("text", "wanted", "verdict"),
    [
        ("event.body.a == 1", Wanted.BOOL, True),
        ("event.body.a == 2", Wanted.BOOL, False),
        ("event.body", Wanted.JSON, b'{"a":1}'),
        ("event.body.a", Wanted.BOOL, NoValue("the filter gave INT instead of a bool")),
    ],
)
def test_a_verdict(text: str, wanted: Wanted, verdict: Verdict) -> None:
    assert evaluate(Program(text), wanted, EVENT) == verdict


class Faulty(Program):
    """A program with a fault of our own."""

    def holds(self, event: EventView) -> bool:
        raise KeyError("hush-hush")


def test_a_fault_of_ours_is_told_without_what_is_in_the_event() -> None:
    failure = evaluate(Faulty("true"), Wanted.BOOL, EVENT)
    assert isinstance(failure, NoValue)
    assert "a fault of Hookplane's own (KeyError" in failure.reason
    assert "hush-hush" not in failure.reason
