"""In which partitions a log's events are."""

from __future__ import annotations

from hookplane.store.event_numbers import event_number
from hookplane.store.postgres.partition_index import MOST, UNKNOWN, EraStart, PartitionIndex

FIRST = event_number(1, 1)


def test_what_was_seen_of_an_era_holds_for_what_comes_behind_it() -> None:
    index = PartitionIndex()
    index.saw(FIRST + 4, 7)
    index.saw(FIRST + 2, 7)
    index.saw(FIRST + 8, 9)
    assert index.last(FIRST + 1) == UNKNOWN
    assert index.last(FIRST + 3) == EraStart(FIRST + 2, 7)
    assert index.last(FIRST + 99) == EraStart(FIRST + 8, 9)
    assert index.last(event_number(2, 3)) == UNKNOWN


def test_the_last_one_counts_also_where_a_log_went_back() -> None:
    index = PartitionIndex()
    index.saw(FIRST, 900)
    index.saw(FIRST + 1, 7)
    assert index.last(FIRST + 1) == EraStart(FIRST + 1, 7)


def test_the_first_events_are_forgotten_first() -> None:
    index = PartitionIndex()
    for step in range(MOST + 1):
        index.saw(FIRST + step, 900 - step)
    assert index.last(FIRST) == UNKNOWN
    assert index.last(FIRST + 1) == EraStart(FIRST + 1, 899)
