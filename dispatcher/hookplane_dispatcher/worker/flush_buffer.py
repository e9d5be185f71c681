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
    Flush,
    ReplayProgress,
    TargetHealth,
)

Key = tuple[str, int]
"""Endpoint and sequence."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The last thing that happens to a delivery."""

    key: Key
    state: DeliveryState
    """DELIVERED, FILTERED, DEAD or EXPIRED."""
    attempt: Attempt | None = None
    dead: Delivery | None = None
    """The row that stays, with DEAD."""
    had_row: bool = False
    replay: str = ""
    filter_error: bool = False


class FlushBuffer:
    """Adds up what happened since the last flush was made."""

    def __init__(self) -> None:
        self.dirty: set[Key] = set()
        """RetryQueue to be written as they are in memory by then."""
        self.state_changed = False
        self._cursors: dict[str, int] = {}
        self._attempts: list[Attempt] = []
        self._removes: set[Key] = set()
        self._dead: dict[Key, Delivery] = {}
        self._replays: dict[str, ReplayProgress] = {}
        self._shift: Millis = 0
        self._delivered = self._filtered = self._filter_errors = self._died = self._failed = 0

    @property
    def urgent(self) -> bool:
        """There is more than events that were filtered."""
        return bool(
            self._attempts
            or self.dirty
            or self._removes
            or self._dead
            or self._replays
            or self._shift
            or self.state_changed
        )

    @property
    def empty(self) -> bool:
        """There is nothing to write."""
        return not (self._cursors or self.urgent)

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

    def finished(self, finish: Settlement) -> None:
        """A delivery came to its end."""
        if finish.attempt is not None:
            self.attempted(finish.attempt)
        self.dirty.discard(finish.key)
        _COUNT[finish.state](self, finish)
        if finish.replay:
            success = finish.state is DeliveryState.DELIVERED
            self.replayed(ReplayProgress(finish.replay, delivered=success, failed=not success))

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
            upserts=(*[rows[key] for key in self.dirty if key in rows], *self._dead.values()),
            removes=tuple(self._removes),
            attempts=tuple(self._attempts),
            counters=self._counters(),
            state=state if self.state_changed else None,
            shift_due=self._shift,
            replays=tuple(self._replays.values()),
        )

    def _counters(self) -> Counters:
        return Counters(
            delivered=self._delivered,
            filtered=self._filtered,
            filter_errors=self._filter_errors,
            dead=self._died,
            attempts=len(self._attempts),
            failed_attempts=self._failed,
        )

    def _add_delivered(self, finish: Settlement) -> None:
        self._delivered += 1
        self._add_removed(finish)

    def _add_filtered(self, finish: Settlement) -> None:
        self._filtered += 1
        self._filter_errors += finish.filter_error

    def _add_dead(self, finish: Settlement) -> None:
        self._died += 1
        if finish.dead is not None:
            self._dead[finish.key] = finish.dead

    def _add_removed(self, finish: Settlement) -> None:
        if finish.had_row:
            self._dead.pop(finish.key, None)
            self._removes.add(finish.key)


_COUNT: dict[DeliveryState, Callable[[FlushBuffer, Settlement], None]] = {
    DeliveryState.DELIVERED: FlushBuffer._add_delivered,
    DeliveryState.FILTERED: FlushBuffer._add_filtered,
    DeliveryState.DEAD: FlushBuffer._add_dead,
    DeliveryState.EXPIRED: FlushBuffer._add_removed,
}


def _added(so_far: ReplayProgress, more: ReplayProgress) -> ReplayProgress:
    return replace(
        so_far,
        position=more.position or so_far.position,
        matched=so_far.matched + more.matched,
        delivered=so_far.delivered + more.delivered,
        failed=so_far.failed + more.failed,
        exhausted=so_far.exhausted or more.exhausted,
    )
