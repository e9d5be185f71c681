"""A delivery that retention took, or whose endpoint left, is counted as expired. What its owner
made of it, not knowing that, is not counted besides. For every driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hookplane.store.delivery_store import DeliveryState, Flush, Span
from hookplane.store.event_log import LogId
from hookplane.store.event_numbers import SEQUENCE_MASK, event_number, sequence_of
from hookplane.store.id_map import IdMap

_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Seen:
    """What a process knows of what others did to a subscription; nothing yet."""

    touched: int = _UNKNOWN
    """How often they had changed it."""
    upto: Mapping[LogId, int] = field(default_factory=dict)
    """Endpoint → the last sequence that may be counted as expired."""

    @classmethod
    def of(cls, touched: int, rows: Iterable[Iterable[Any]]) -> Seen:
        """`rows`: endpoint, floor, where it left, and where it came back."""
        upto = {
            uid: SEQUENCE_MASK if left is not None else sequence_of(max(floor, back or 0))
            for uid, floor, left, back in rows
        }
        return cls(touched, upto)

    def touched_for(self, flush: Flush) -> int:
        """How often others may have changed the subscription so that this flush can be written
        without looking."""
        upto = self.upto
        late = (
            any(x.sequence <= upto.get(x.endpoint, 0) for x in flush.endings)
            or any(x.sequence <= upto.get(x.endpoint, 0) for x in flush.upserts)
            or any(x.after < upto.get(x.endpoint, 0) for x in (*flush.gaps, *flush.passed))
        )
        return _UNKNOWN if late else self.touched

    def count_left(self, span: Span) -> int:
        """How many of these events are not counted yet: what ended before the cursor passed them
        took them along up to there."""
        return max(span.upto - max(span.after, self.upto.get(span.endpoint, 0)), 0)


def numbers_of(flush: Flush, id_map: IdMap) -> Iterator[tuple[int, bool]]:
    """Numbers of all deliveries that a flush ends or holds in a row, and whether each is replayed.
    Those of an endpoint that is gone are left out."""
    for endpoint, sequence, replayed in _places(flush):
        if (known := id_map.endpoints.get(endpoint)) is not None:
            yield event_number(known, sequence), replayed


def without_expired(flush: Flush, id_map: IdMap, expired: AbstractSet[int], seen: Seen) -> Flush:
    """The flush without what is counted already. Attempts stay: they were made. `seen`: as it is
    now."""

    def is_left(endpoint: str, sequence: int) -> bool:
        known = id_map.endpoints.get(endpoint)
        return known is not None and event_number(known, sequence) not in expired

    late = [x for x in flush.endings if not is_left(x.endpoint, x.sequence)]
    states = [x.state for x in late]
    counters = flush.counters
    return replace(
        flush,
        upserts=tuple(x for x in flush.upserts if is_left(x.endpoint, x.sequence)),
        counters=replace(
            counters,
            delivered=counters.delivered - states.count(DeliveryState.DELIVERED),
            filtered=counters.filtered
            - states.count(DeliveryState.FILTERED)
            - sum(x.upto - x.after - seen.count_left(x) for x in flush.passed),
            filter_errors=counters.filter_errors - sum(x.filter_error for x in late),
            dead=counters.dead - states.count(DeliveryState.DEAD),
            expired=sum(map(seen.count_left, flush.gaps)),
        ),
    )


def _places(flush: Flush) -> Iterator[tuple[str, int, bool]]:
    for ending in flush.endings:
        yield ending.endpoint, ending.sequence, ending.replayed
    for row in flush.upserts:
        yield row.endpoint, row.sequence, bool(row.replay)
