"""What the next flush will write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hookplane.clock import Millis
from hookplane.store.delivery_store import (
    Attempt,
    Counters,
    Delivery,
    DeliveryState,
    Ending,
    Flush,
    ReplayProgress,
    Span,
    TargetHealth,
)

Key = tuple[str, int]
"""Endpoint and sequence."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a delivery came to its end."""

    key: Key
    state: DeliveryState
    """DELIVERED, FILTERED, DEAD or EXPIRED."""
    attempt: Attempt | None = None
    dead: Delivery | None = None
    """The row that stays, with DEAD."""
    had_row: bool = False
    replay: str = ""
    filter_error: bool = False
    missing: int = 0
    """EXPIRED: so many events up to this one are not in the store, though retention did not remove
    them, so that nobody else counts them."""
    passed: int = 0
    """FILTERED: so many events up to this one do not concern the subscription."""
    withdrawn: bool = False
    """It was to be sent again and was not: it counts as what it was before."""


class FlushBuffer:
    """Collects what happened since the last flush was made."""

    def __init__(self) -> None:
        self._changed_rows: set[Key] = set()
        """Keys of rows to be written as they are in memory by then."""
        self._health_changed = False
        self._cursors: dict[str, int] = {}
        self._attempts: list[Attempt] = []
        self._removes: set[Key] = set()
        self._dead: dict[Key, Delivery] = {}
        self._behind: dict[Key, Delivery] = {}
        self._replays: dict[str, ReplayProgress] = {}
        self._shift: Millis = 0
        self._endings: list[Ending] = []
        self._gaps: list[Span] = []
        self._passed: list[Span] = []
        self._delivered = self._filtered = self._filter_errors = self._died = self._failed = 0

    @property
    def urgent(self) -> bool:
        """There is more than events that were filtered."""
        return bool(
            self._attempts
            or self._changed_rows
            or self._removes
            or self._dead
            or self._behind
            or self._replays
            or self._shift
            or self._health_changed
        )

    @property
    def empty(self) -> bool:
        """There is nothing to write."""
        return not (self._cursors or self.urgent)

    @property
    def shifting(self) -> bool:
        """What the store has of times is about to move."""
        return bool(self._shift)

    def has_changed(self, key: Key) -> bool:
        """Whether a row is not as the store has it."""
        return key in self._changed_rows

    def row_changed(self, key: Key) -> None:
        """A row is written as it will be in memory when the flush is made."""
        self._changed_rows.add(key)

    def put_behind(self, delivery: Delivery) -> None:
        """An event comes behind another one with its key."""
        self._behind[delivery.endpoint, delivery.sequence] = delivery

    @property
    def behind(self) -> int:
        """How many of those will be written."""
        return len(self._behind)

    def health_changed(self) -> None:
        """The target's health is written as it will be when the flush is made."""
        self._health_changed = True

    def moved(self, endpoint: str, cursor: int) -> None:
        """The cursor of an endpoint passed something."""
        self._cursors[endpoint] = cursor

    def left(self, endpoint: str) -> None:
        """An endpoint is no longer the subscription's."""
        self._cursors.pop(endpoint, None)

    def attempted(self, attempt: Attempt) -> None:
        """One try, successful or not."""
        self._attempts.append(attempt)
        self._failed += not attempt.success

    def finished(self, settlement: Settlement) -> None:
        """A delivery came to its end."""
        self._changed_rows.discard(settlement.key)
        if settlement.withdrawn:
            self._put_back(settlement)
            return
        if settlement.attempt is not None:
            self.attempted(settlement.attempt)
        if not settlement.passed:
            self._endings.append(_ending(settlement))
        _COUNT[settlement.state](self, settlement)
        if settlement.replay:
            success = settlement.state is DeliveryState.DELIVERED
            self.replayed(ReplayProgress(settlement.replay, delivered=success, failed=not success))

    def replayed(self, more: ReplayProgress) -> None:
        """Adds to a replay job."""
        so_far = self._replays.get(more.uid)
        self._replays[more.uid] = more if so_far is None else _added(so_far, more)

    def shifted(self, by: Millis) -> None:
        """Clocks stood still for so long."""
        self._shift += by

    def flush(
        self,
        subscription: str,
        epoch: int,
        number: int,
        rows: Mapping[Key, Delivery],
        state: TargetHealth,
    ) -> Flush:
        """Everything so far."""
        return Flush(
            subscription,
            epoch,
            number,
            cursors=self._cursors,
            upserts=(
                *[rows[key] for key in self._changed_rows if key in rows],
                *self._dead.values(),
                *self._behind.values(),
            ),
            removes=tuple(self._removes),
            attempts=tuple(self._attempts),
            counters=self._counters(),
            endings=tuple(self._endings),
            gaps=tuple(self._gaps),
            passed=tuple(self._passed),
            state=state if self._health_changed else None,
            shift_due=self._shift,
            replays=tuple(self._replays.values()),
        )

    def _counters(self) -> Counters:
        return Counters(
            delivered=self._delivered,
            filtered=self._filtered,
            filter_errors=self._filter_errors,
            dead=self._died,
            expired=sum(gap.upto - gap.after for gap in self._gaps),
            attempts=len(self._attempts),
            failed_attempts=self._failed,
        )

    def _put_back(self, settlement: Settlement) -> None:
        if settlement.dead is not None:
            self._dead[settlement.key] = settlement.dead
        else:
            self._add_removed(settlement)

    def _add_delivered(self, settlement: Settlement) -> None:
        self._delivered += 1
        self._add_removed(settlement)

    def _add_filtered(self, settlement: Settlement) -> None:
        self._filtered += settlement.passed or 1
        self._filter_errors += settlement.filter_error
        if settlement.passed:
            self._passed.append(_span(settlement.key, settlement.passed))
        self._add_removed(settlement)

    def _add_dead(self, settlement: Settlement) -> None:
        self._died += 1
        if settlement.dead is not None:
            self._dead[settlement.key] = settlement.dead

    def _add_expired(self, settlement: Settlement) -> None:
        if settlement.missing:
            self._gaps.append(_span(settlement.key, settlement.missing))
        self._add_removed(settlement)

    def _add_removed(self, settlement: Settlement) -> None:
        if settlement.had_row:
            self._dead.pop(settlement.key, None)
            self._removes.add(settlement.key)


_COUNT: dict[DeliveryState, Callable[[FlushBuffer, Settlement], None]] = {
    DeliveryState.DELIVERED: FlushBuffer._add_delivered,
    DeliveryState.FILTERED: FlushBuffer._add_filtered,
    DeliveryState.DEAD: FlushBuffer._add_dead,
    DeliveryState.EXPIRED: FlushBuffer._add_expired,
}


def _ending(settlement: Settlement) -> Ending:
    return Ending(
        *settlement.key, settlement.state, settlement.filter_error, bool(settlement.replay)
    )


def _span(key: Key, count: int) -> Span:
    endpoint, last = key
    return Span(endpoint, last - count, last)


def _added(so_far: ReplayProgress, more: ReplayProgress) -> ReplayProgress:
    return replace(
        so_far,
        position=more.position or so_far.position,
        matched=so_far.matched + more.matched,
        delivered=so_far.delivered + more.delivered,
        failed=so_far.failed + more.failed,
        exhausted=so_far.exhausted or more.exhausted,
    )
