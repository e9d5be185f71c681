"""What events and flushes weigh in a group, and which logs have something new afterwards."""

from __future__ import annotations

from hookplane.errors import RejectedEvent, StoreError
from hookplane.store.event_log import Appended, NewEvent
from hookplane.store.write_groups import event_weight, logs_that_grew


def event(log: str, body: bytes = b"") -> NewEvent:
    return NewEvent(log, "evt_1", 1, "t", (), body)


def test_an_event_weighs_its_body_and_something_even_without_one() -> None:
    empty = event_weight(event("a"))
    assert empty > 0
    assert event_weight(event("a", b"x" * 10_000)) == empty + 10_000


def test_logs_grow_by_what_is_new_alone() -> None:
    events = [event(log) for log in ("new", "twice", "refused", "both", "both")]
    outcomes: list[Appended | StoreError] = [
        Appended("evt_1", duplicate=False),
        Appended("evt_1", duplicate=True),
        RejectedEvent("no"),
        Appended("evt_1", duplicate=True),
        Appended("evt_1", duplicate=False),
    ]
    assert logs_that_grew(events, outcomes) == {"new", "both"}
