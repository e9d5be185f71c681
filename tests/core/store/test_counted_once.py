"""What a flush still counts after others may have counted it as expired."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookplane.store.counted_once import Seen, numbers_of, without_expired
from hookplane.store.delivery_store import Counters, Delivery, DeliveryState, Ending, Flush, Span
from hookplane.store.event_numbers import SEQUENCE_MASK, event_number
from hookplane.store.id_map import IdMap

UNKNOWN = Seen().touched
"""So many changes no subscription has: whoever flushes has to look."""


def ending(sequence: int, endpoint: str = "e", state: DeliveryState = DeliveryState.DEAD) -> Ending:
    return Ending(endpoint, sequence, state)


def row(sequence: int, endpoint: str = "e", replay: str = "") -> Delivery:
    state = DeliveryState.RETRYING
    return Delivery(endpoint, sequence, f"evt_{sequence}", "t", state, 1, 0, 0, replay=replay)


def flush(*endings: Ending, rows: tuple[Delivery, ...] = (), **counted: int) -> Flush:
    return Flush("s", 1, 1, upserts=rows, endings=endings, counters=Counters(**counted))


@pytest.fixture
def id_map() -> IdMap:
    made = IdMap()
    made.replace({"e": 1, "f": 2}, {"s": 1})
    return made


@pytest.mark.parametrize(
    ("floor", "left", "back", "upto"),
    [
        (event_number(1, 5), None, None, 5),
        (event_number(1, 5), None, event_number(1, 7), 7),
        (event_number(1, 9), None, event_number(1, 7), 9),
        (event_number(1, 5), event_number(1, 6), None, SEQUENCE_MASK),
        (event_number(1, 5), 0, None, SEQUENCE_MASK),
    ],
    ids=["retention", "came back", "retention after that", "left", "left when it was empty"],
)
def test_what_may_be_counted_as_expired_needs_a_look(
    floor: int, left: int | None, back: int | None, upto: int
) -> None:
    seen = Seen.of(3, [("e", floor, left, back)])
    assert seen.upto == {"e": upto}
    for made in (flush(ending(upto)), flush(rows=(row(upto),))):
        assert seen.touched_for(made) == UNKNOWN
    for made in (flush(ending(upto + 1)), flush(rows=(row(upto + 1),)), flush()):
        assert seen.touched_for(made) == 3
    assert seen.touched_for(flush(ending(upto, "f"), rows=(row(upto, "f"),))) == 3
    assert seen.touched_for(flush(ending(upto + 1), rows=(row(upto),))) == UNKNOWN


def test_who_knows_nothing_yet_looks() -> None:
    assert Seen().touched_for(flush()) == UNKNOWN


def test_the_numbers_of_all_deliveries_of_a_flush(id_map: IdMap) -> None:
    replayed = Ending("e", 2, DeliveryState.DEAD, replayed=True)
    rows = (row(3), row(4, "f", replay="again"), row(5, "gone"))
    made = flush(ending(1), replayed, ending(9, "gone"), rows=rows)
    assert list(numbers_of(made, id_map)) == [
        (event_number(1, 1), False),
        (event_number(1, 2), True),
        (event_number(1, 3), False),
        (event_number(2, 4), True),
    ]


@pytest.mark.parametrize(
    ("state", "counter"),
    [
        (DeliveryState.DELIVERED, "delivered"),
        (DeliveryState.FILTERED, "filtered"),
        (DeliveryState.DEAD, "dead"),
    ],
)
def test_what_is_counted_already_is_not_counted_besides(
    id_map: IdMap, state: DeliveryState, counter: str
) -> None:
    ends = (ending(1, state=state), ending(2, state=state), ending(3, "gone", state))
    made = flush(*ends, rows=(row(1), row(4), row(5, "gone")), **{counter: 3}, attempts=3)
    left = without_expired(made, id_map, {event_number(1, 1), event_number(2, 2)}, Seen())
    assert left.counters == Counters(**{counter: 1}, attempts=3)
    assert [x.sequence for x in left.upserts] == [4]


def test_filter_errors_are_counted_once_too(id_map: IdMap) -> None:
    failed = [Ending("e", x, DeliveryState.FILTERED, filter_error=True) for x in (1, 2)]
    made = flush(*failed, filtered=2, filter_errors=2)
    left = without_expired(made, id_map, {event_number(1, 1)}, Seen())
    assert left.counters == Counters(filtered=1, filter_errors=1)
    assert without_expired(made, id_map, set(), Seen()).counters == made.counters


@pytest.mark.parametrize(("upto", "left"), [(0, 4), (3, 4), (5, 2), (7, 0), (SEQUENCE_MASK, 0)])
def test_of_a_gap_counts_what_nobody_took(id_map: IdMap, upto: int, left: int) -> None:
    made = replace(flush(expired=4), gaps=(Span("e", 3, 7),))
    seen = Seen(3, {"e": upto})
    assert without_expired(made, id_map, set(), seen).counters == Counters(expired=left)
    assert (seen.touched_for(made) == UNKNOWN) == (upto > 3)
