"""Who listens to the log of one endpoint, and whom an event calls: those alone whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto

from hookplane.filters.types import Interest
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.reading.concern_index import ConcernIndex

Wake = Callable[[], None]
Removed = Callable[[int], None]
"""Told that retention has removed everything up to this sequence."""


class _Listening(Enum):
    READS = auto()
    """There is more to read, or may be: whatever comes next calls it."""
    CALLED = auto()
    """It was called and has not read since: something of its own keeps it from reading."""
    RESTS = auto()
    """It has read to the end: only what concerns it calls it."""


class LogListener:
    """A subscription at the log of one endpoint, as the log sees it."""

    def __init__(
        self, audience: Audience, interest: Interest, wake: Wake, removed: Removed
    ) -> None:
        """`interest`: what concerns it. `wake`: called when there is something to read for it."""
        self.removed = removed
        self.interest = interest
        self._audience = audience
        self._wake = wake
        self._state = _Listening.READS
        self._passed = 0
        audience.admit(self)

    @property
    def rests(self) -> bool:
        """Nothing that concerns it has come since it read to the end."""
        return self._state is _Listening.RESTS

    @property
    def passed(self) -> int:
        """Of what came since it read to the end, nothing up to here concerns it. 0: unknown."""
        return self._audience.end if self.rests else self._passed

    def reads(self) -> None:
        """It begins to read, and has taken into account what passed."""
        self._state, self._passed = _Listening.READS, 0
        self._audience.expect(self)

    def rest(self, read_to: int) -> bool:
        """It has read everything up to here. Whether that is the end of the log, where it rests."""
        if read_to >= self._audience.end:
            self._state = _Listening.RESTS
            self._audience.let_rest(self)
        return self.rests

    def begin_anew(self, interest: Interest) -> None:
        """It wants other events from now on, and will read again what its cursor has not passed."""
        self._audience.dismiss(self)
        self.interest = interest
        self._audience.admit(self)
        self.reads()

    def leave(self) -> None:
        """It is called no more."""
        self._audience.dismiss(self)

    def call(self, passed: int) -> None:
        """Something has come that it must read; nothing up to `passed` concerns it."""
        if self.rests:
            self._passed = passed
        self._state = _Listening.CALLED
        self._wake()


class Audience:
    """All that listen to one log."""

    def __init__(self, end: int) -> None:
        self.end = end
        """The last sequence that was told of."""
        self._floor = 0
        self._all: set[LogListener] = set()
        self._expecting: dict[LogListener, None] = {}
        """Those that whatever comes next calls."""
        self._resting: set[LogListener] = set()
        self._index: ConcernIndex[LogListener] = ConcernIndex()

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def is_at_end(self) -> bool:
        """Somebody has read everything, and waits for what concerns him."""
        return bool(self._resting)

    def admit(self, listener: LogListener) -> None:
        """One more."""
        self._all.add(listener)
        self._expecting[listener] = None
        self._index.add(listener, listener.interest)

    def dismiss(self, listener: LogListener) -> None:
        """One less."""
        self._all.discard(listener)
        self._expecting.pop(listener, None)
        self._resting.discard(listener)
        self._index.remove(listener, listener.interest)

    def expect(self, listener: LogListener) -> None:
        """Whatever comes next is to call it."""
        self._resting.discard(listener)
        if listener in self._all:
            self._expecting[listener] = None

    def let_rest(self, listener: LogListener) -> None:
        """Only what concerns it is to call it."""
        self._expecting.pop(listener, None)
        self._resting.add(listener)

    def raise_floor(self, floor: int) -> None:
        """Retention has removed everything up to here."""
        if floor > self._floor:
            self._floor = floor
            for listener in list(self._all):
                listener.removed(floor)

    def tell(self, entries: Sequence[LogEntry]) -> None:
        """These have come. What is missing before or between them concerns everybody."""
        before, self.end = self.end, entries[-1].sequence
        is_whole = self.end == before + len(entries)
        self._call(list(self._expecting if is_whole else self._all), before)
        first_of = {(entry.type, entry.key): entry.sequence for entry in reversed(entries)}
        for sequence, of in sorted((first, of) for of, first in first_of.items()):
            resting = (x for x in self._index.concerned(*of) if x.rests)
            self._call(resting, sequence - 1)

    def _call(self, listeners: Iterable[LogListener], passed: int) -> None:
        for listener in listeners:
            self._expecting.pop(listener, None)
            self._resting.discard(listener)
            listener.call(passed)
