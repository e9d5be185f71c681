"""The logs that one owner reads: where it is in each, and what passes it by because it does not
concern the subscription."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hookplane.filters.types import Interest
from hookplane.pacing.waiting import Waker
from hookplane.store.delivery_store import Passage
from hookplane.store.event_log import LogEntry, LogId
from hookplane_dispatcher.reading.audience import LogListener
from hookplane_dispatcher.reading.log_reader import LogReader
from hookplane_dispatcher.worker.endpoint_cursor import EndpointCursor
from hookplane_dispatcher.worker.tracker import DeliveryTracker


class FollowedLogs:
    """Joins and leaves logs, reads them, and rests at their ends."""

    def __init__(
        self, logs: LogReader, tracker: DeliveryTracker, interest: Interest, waker: Waker
    ) -> None:
        """`interest`: what concerns the subscription. `waker`: woken when there is something to
        read."""
        self._logs = logs
        self._tracker = tracker
        self._interest = interest
        self._waker = waker
        self._listeners: dict[LogId, LogListener] = {}
        self._removed: dict[LogId, int] = {}

    def join(self, endpoint: LogId, position: int, head: int) -> None:
        """Begins to read a log. `head`: where it ended a moment ago."""
        self._tracker.join(endpoint, position)
        removed = partial(self._note_removed, endpoint)
        self._listeners[endpoint] = self._logs.attach(
            endpoint, head, self._interest, self._waker.wake, removed
        )

    def leave(self, endpoint: LogId) -> None:
        """Ends what `join` began; the store counts what was not settled."""
        self._tracker.leave(endpoint)
        self._logs.detach(endpoint, self._listeners.pop(endpoint))
        self._removed.pop(endpoint, None)

    def close(self) -> None:
        """Listens to no log any more."""
        for endpoint, listener in self._listeners.items():
            self._logs.detach(endpoint, listener)
        self._listeners.clear()

    # Retention ----------------------------------------------------------------------------------

    def take_removed(self) -> dict[LogId, int]:
        """The logs of which retention has removed something since the last call, and up to what."""
        removed, self._removed = self._removed, {}
        return removed

    def _note_removed(self, endpoint: LogId, upto: int) -> None:
        """Whoever has no row has nothing to end."""
        if self._tracker.queue:
            self._removed[endpoint] = upto
            self._waker.wake()

    # Reading ------------------------------------------------------------------------------------

    def rests(self, cursor: EndpointCursor) -> bool:
        """Nothing is to be read: it is at the end, and what has come since is of no concern."""
        return self._listeners[cursor.endpoint].rests

    async def read(self, cursor: EndpointCursor) -> list[LogEntry]:
        """Up to a page of events after the last that was read. Raises StoreUnavailable."""
        listener = self._listeners[cursor.endpoint]
        self._pass_over(cursor, listener)
        listener.reads()
        return await self._logs.after(cursor.endpoint, cursor.read_to)

    def rest(self, cursor: EndpointCursor) -> bool:
        """What was read is settled or waits. Whether that was all there is."""
        return self._listeners[cursor.endpoint].rest(cursor.read_to)

    def want(self, interest: Interest) -> None:
        """Other events concern the subscription from now on: for what no cursor has passed, those
        count. To be told before a cursor goes back to where it was."""
        self._interest = interest
        for listener in self._listeners.values():
            listener.begin_anew(interest)

    # What passes --------------------------------------------------------------------------------

    def pass_over(self) -> None:
        """Settles what is known to be of no concern, so that the next flush writes it."""
        for cursor, listener in self._pairs():
            self._pass_over(cursor, listener)

    @property
    def are_behind(self) -> bool:
        """Whether there is something to lend."""
        return any(_is_behind(cursor, listener) for cursor, listener in self._pairs())

    def lend(self) -> dict[Passage, int]:
        """Moves cursors past what is of no concern, and says past how many events. Somebody else
        writes that, before the next flush; the store has all else that these cursors passed."""
        owner = self._tracker.subscription, self._tracker.epoch
        lent = {}
        for cursor, listener in self._pairs():
            if _is_behind(cursor, listener):
                passage = Passage(*owner, cursor.endpoint, listener.passed)
                lent[passage] = cursor.skip(listener.passed)
        return lent

    def _pass_over(self, cursor: EndpointCursor, listener: LogListener) -> None:
        if listener.passed > cursor.read_to:
            self._tracker.pass_over(cursor, listener.passed)

    def _pairs(self) -> Iterator[tuple[EndpointCursor, LogListener]]:
        for endpoint, listener in self._listeners.items():
            yield self._tracker.cursors[endpoint], listener


def _is_behind(cursor: EndpointCursor, listener: LogListener) -> bool:
    """Nothing is between a cursor and the end of its log but what is of no concern."""
    return listener.rests and cursor.all_settled and listener.passed > cursor.read_to
