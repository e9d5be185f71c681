"""The one place that says what of a subscription may start, what is due, and when to look again.

All answers of one turn hold for the moment at which the turn began, so that "it may not start now"
and "it may start in so many seconds" never contradict each other: a worker that was told to wait
is woken at a time at which it may start, or by somebody who knows that it may.
"""

from __future__ import annotations

from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.pacing.token_bucket import TokenBucket
from hookplane.process.membership import OwnershipGuard
from hookplane.store.delivery_store import ExpressionKind
from hookplane_dispatcher.worker.endpoint_cursor import EndpointCursor
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery
from hookplane_dispatcher.worker.tracker import DeliveryTracker

MOST_BYTES: Final = 4 << 20
"""Contents of one subscription's attempts under way; one event alone may be larger."""
STORE_AWAY_SECONDS: Final = 0.5
"""Until a store that did not answer is asked again."""
NOT_ITS_TURN_SECONDS: Final = 1.0
"""Until a due row that waits for another one is looked at again, though nobody woke the worker."""


class Capacity:
    """Slots, bytes, rate, circuit, order and pauses of one subscription.

    It is told what happened, and changes nothing but its own numbers and the `active` mark of rows
    that it hands out.
    """

    def __init__(
        self,
        config: SubscriptionConfig,
        tracker: DeliveryTracker,
        clock: Clock,
        ownership: OwnershipGuard,
        *,
        can_send: bool,
    ) -> None:
        """`can_send` False: nothing can be sent as the document says."""
        self._config = config
        self._tracker = tracker
        self._clock = clock
        self._ownership = ownership
        self._can_send = can_send
        self._bucket = _bucket(config, clock.monotonic())
        self._stopping = False
        self._probing = False
        self._bytes_under_way = 0
        self._store_away_until = 0.0
        self.begin_turn()

    # What happened ------------------------------------------------------------------------------

    def begin_turn(self) -> None:
        """From now on answers hold for this moment."""
        self._now = self._clock.now()
        self._turn = self._clock.monotonic()

    def configure(self, config: SubscriptionConfig, *, can_send: bool) -> None:
        """A new document is in force. Another rate begins with a full bucket."""
        if config.rate != self._config.rate:
            self._bucket = _bucket(config, self._clock.monotonic())
        self._config = config
        self._can_send = can_send

    def stop(self) -> None:
        """Nothing starts any more."""
        self._stopping = True

    def attempt_started(self, size: int, *, probe: bool) -> None:
        """An attempt goes out; `size` in bytes."""
        self._probing = self._probing or probe
        if self._bucket is not None:
            self._bucket.spend()
        self._bytes_under_way += size

    def attempt_ended(self, size: int, *, probe: bool) -> None:
        """The same attempt has ended, however it ended."""
        self._probing = self._probing and not probe
        self._bytes_under_way -= size

    def store_failed(self) -> None:
        """The store did not answer: nothing is read from it, and nothing starts, for a moment."""
        self._store_away_until = self._clock.monotonic() + STORE_AWAY_SECONDS

    # What holds now -----------------------------------------------------------------------------

    @property
    def now(self) -> Millis:
        """When the turn began."""
        return self._now

    @property
    def stopping(self) -> bool:
        """Nothing starts any more."""
        return self._stopping

    @property
    def paused(self) -> bool:
        """Nothing starts and nothing ages: suspended, disabled, or nothing can be sent."""
        return self._config.suspended or not self._can_send or self._tracker.health.disabled_at > 0

    @property
    def store_away_until(self) -> float:
        """Before this moment, in monotonic seconds, the store is not asked."""
        return self._store_away_until

    @property
    def store_is_away(self) -> bool:
        """The store did not answer a moment ago."""
        return self._turn < self._store_away_until

    @property
    def slots(self) -> int:
        """Attempts that may be under way at once: with strict order one for each endpoint."""
        return len(self._tracker.cursors) if self._config.strict else self._config.max_in_flight

    @property
    def free_bytes(self) -> int:
        """How many bytes of contents may be added to those under way."""
        return MOST_BYTES - self._bytes_under_way

    # What may start -----------------------------------------------------------------------------

    def room(self) -> int:
        """How many attempts may start now."""
        free = self._free_slots()
        if free <= 0 or self._now < self._may_send_from:
            return 0
        return free if self._bucket is None else min(free, self._bucket.available(self._turn))

    def room_at_once(self) -> int:
        """How many attempts may be chosen together: with strict order the next depends on how the
        one before it ends."""
        room = self.room()
        return min(room, 1) if self._config.strict else room

    def take_due(self, *, last: bool = False) -> list[QueuedDelivery]:
        """Rows whose next attempt may start now, the oldest first, marked active. `last`: one of
        those that wait until there is nothing else to do."""
        queue = self._tracker.queue
        if not queue or (most := self.room_at_once()) <= 0:
            return []
        return queue.take_due(
            self._now,
            1 if last else most,
            lambda row: row.goes_last is last and self._is_in_turn(row),
        )

    @property
    def probes_any(self) -> bool:
        """The circuit is open, and no order binds what the next probe is."""
        return self._tracker.health.open and not self._config.strict

    @property
    def may_filter(self) -> bool:
        """The filter is not held back."""
        return not self._tracker.health.is_held(ExpressionKind.FILTER, self._now)

    def may_start_new(self, cursor: EndpointCursor) -> bool:
        """Whether the first waiting event of an endpoint is not held by one before it."""
        ready = cursor.head_is_next if self._config.strict else bool(cursor.waiting)
        return ready and self.has_turn(cursor)

    def has_turn(self, cursor: EndpointCursor) -> bool:
        """With strict order an endpoint has one attempt under way. More may start when all that
        counts as under way has ended and waits for the cursor."""
        return not (self._config.strict and cursor.under_way) or self._tracker.all_held

    def overdue(self) -> QueuedDelivery | None:
        """A row whose schedule has ended, unless the clocks stand still."""
        return None if self.paused else self._tracker.queue.overdue(self._now)

    # When to look again -------------------------------------------------------------------------

    def next_start(self, now: float) -> float | None:
        """Seconds from `now` (monotonic) until something could start or must die, if nobody wakes
        the worker; None: only somebody else can make it possible."""
        if self.paused or self._stopping:
            return None
        times = self._times()
        return min(times) - (now - self._turn) if times else None

    def _times(self) -> list[float]:
        """Seconds from the beginning of the turn."""
        queue = self._tracker.queue
        deadline = queue.next_deadline()
        times = [] if deadline is None else [(deadline + 1 - self._now) / 1000]
        if self._free_slots() <= 0:
            return times
        wait = self._seconds_blocked()
        if wait > 0:
            times.append(wait)
        if not self.may_filter:
            times.append(max(wait, (self._tracker.health.held_until - self._now) / 1000))
        due = self._next_due()
        if due is not None:
            until_due = (due - self._now) / 1000 if due > self._now else NOT_ITS_TURN_SECONDS
            times.append(max(wait, until_due))
        return times

    def _next_due(self) -> Millis | None:
        """Of all rows, also those that the store has alone."""
        due, rest = self._tracker.queue.next_due(), self._tracker.rest
        if rest is None:
            return due
        return rest.due if due is None else min(due, rest.due)

    def _seconds_blocked(self) -> float:
        """How long time alone keeps everything from starting."""
        blocked = max(self._may_send_from - self._now, 0) / 1000
        away = self._store_away_until - self._turn
        rate = 0.0 if self._bucket is None else self._bucket.seconds_to_token(self._turn)
        return max(blocked, rate, away)

    @property
    def _may_send_from(self) -> Millis:
        """When neither the target nor a transform that is held keeps everything from starting."""
        health = self._tracker.health
        held = health.held_until if health.held_expression is ExpressionKind.TRANSFORM else 0
        return max(health.blocked_until, held)

    def _free_slots(self) -> int:
        """Free slots, time left out of account. None while another process may own the subscription
        by now: whoever knows better wakes the worker."""
        if self._stopping or self.paused or self._bytes_under_way >= MOST_BYTES:
            return 0
        if not self._ownership.may_send():
            return 0
        free = self.slots - self._tracker.under_way
        if free <= 0 and self._tracker.all_held:
            free = 1  # nothing is left that could end and make room
        if self._tracker.health.open:
            return min(free, 0 if self._probing else 1)
        return free

    def _is_in_turn(self, row: QueuedDelivery) -> bool:
        """A row above the cursor would keep its slot until what comes before it is settled, and
        that may need the slot. With strict order it has to wait anyway."""
        cursor = self._tracker.cursors.get(row.endpoint)
        if not self._tracker.keys.has_turn(row) or (row.to_filter and not self.may_filter):
            return False
        if cursor is None:
            return True
        if self._config.strict:
            return self.has_turn(cursor) and row.sequence <= cursor.position + 1
        return row.sequence <= cursor.position


def _bucket(config: SubscriptionConfig, now: float) -> TokenBucket | None:
    """None: the rate is not limited."""
    return None if config.rate is None else TokenBucket(config.rate, now)
