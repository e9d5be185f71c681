"""Where logs begin after their oldest events went."""

from __future__ import annotations

from hookplane.store.event_numbers import event_number
from hookplane.store.retention import floors


def test_a_floor_is_the_highest_number_of_each_log_whatever_the_order() -> None:
    numbers = [event_number(1, 3), event_number(2, 1), event_number(1, 2), event_number(2, 5)]
    assert floors(numbers) == {1: event_number(1, 3), 2: event_number(2, 5)}
