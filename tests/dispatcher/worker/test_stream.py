from __future__ import annotations

from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.stream import Stream

FOUR, FIVE, SIX = (LogEntry("orders", n, f"evt_{n}", 0, "order.created", 10) for n in (4, 5, 6))


def test_what_is_put_back_waits_in_the_order_of_the_log() -> None:
    stream = Stream("orders", 3)
    for sequence in (4, 5, 6):
        stream.window.take(sequence)
    stream.put_back([FIVE, SIX])
    stream.put_back([FOUR])
    assert list(stream.ready) == [FOUR, FIVE, SIX]
    assert stream.pop(1, 100) == [FOUR]
    assert stream.pop(1, 100) == [FIVE]
    stream.put_back([FOUR])
    stream.put_back([FIVE])
    assert list(stream.ready) == [FOUR, FIVE, SIX]


def test_what_is_read_again_anyway_is_not_put_back() -> None:
    stream = Stream("orders", 3)
    for sequence in (4, 5, 6):
        stream.window.take(sequence)
    stream.rewind()
    stream.put_back([FOUR])
    assert list(stream.ready) == []
    assert stream.next == 4
