"""How far one subscription has come in the log of one endpoint."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.flush_buffer import Settlement

FEW_WAITING: Final = 64
"""More is read from the log when fewer events than this are waiting."""
MOST_AHEAD: Final = 10_000
"""The log is read at most so many events past the cursor."""


class EndpointCursor:
    """The cursor, what is settled above it, and the events that wait to be started.

    What is settled above the cursor is held back until the cursor passes it, because after a crash
    everything above the cursor that has no row is sent again.
    """

    __slots__ = (
        "_above",
        "endpoint",
        "passed_filter",
        "position",
        "probed",
        "read_to",
        "under_way",
        "waiting",
    )

    def __init__(self, endpoint: str, position: int) -> None:
        self.endpoint = endpoint
        self.position = position
        """Everything up to this sequence is settled."""
        self.read_to = position
        """Everything up to this sequence was read from the log."""
        self.waiting: deque[LogEntry] = deque()
        """Events that passed the type filter and have not started, in the order of the log."""
        self.passed_filter: set[int] = set()
        """Those of `waiting` that passed the CEL filter as well."""
        self.probed = 0
        """The sequence of the last probe that failed."""
        self.under_way = 0
        """Attempts that have started and whose end is not flushed."""
        self._above: dict[int, tuple[int, Settlement | None]] = {}
        """First sequence → last sequence that is settled with it, and how."""

    # Reading and starting -----------------------------------------------------------------------

    @property
    def wants_more(self) -> bool:
        """Whether to read on."""
        return len(self.waiting) < FEW_WAITING and self.read_to - self.position < MOST_AHEAD

    @property
    def next_sequence(self) -> int:
        """The first sequence that has not started, as far as is known."""
        return self.waiting[0].sequence if self.waiting else self.read_to + 1

    @property
    def head_is_next(self) -> bool:
        """Whether everything before the first waiting event is settled."""
        return bool(self.waiting) and self.waiting[0].sequence == self.position + 1

    def has_gap(self, entries: Sequence[LogEntry]) -> bool:
        """Whether something before the last of these was not read."""
        return bool(entries) and entries[-1].sequence > self.read_to + len(entries)

    def note_read(
        self, sequence: int, floor: int, held: AbstractSet[int] = frozenset()
    ) -> list[range]:
        """Records the next event of the log, and returns what is missing before it: above the
        floor retention removed nothing. `held`: what has a row or is under way, and ends by
        itself."""
        missing: list[range] = []
        if sequence > self.read_to + 1:
            self._settle_gap(self.read_to + 1, min(sequence, floor + 1))
            missing = self._gaps(max(self.read_to, floor) + 1, sequence, held)
            for gap in missing:
                lost = Settlement((self.endpoint, gap[-1]), DeliveryState.EXPIRED, missing=len(gap))
                self._above[gap.start] = (gap[-1], lost)
        self.read_to = max(self.read_to, sequence)
        return missing

    def take_waiting(self, most: int, most_bytes: int) -> list[LogEntry]:
        """Removes the next events from `waiting`. The first is taken however large it is."""
        taken: list[LogEntry] = []
        while self.waiting and len(taken) < most:
            most_bytes -= self.waiting[0].size
            if taken and most_bytes < 0:
                break
            taken.append(self.waiting.popleft())
        return taken

    def take_probe(self, *, by_key: bool) -> list[LogEntry]:
        """Removes one event from `waiting`: the next after the last probe, so that no single event
        decides whether the target counts as working. `by_key`: none that comes behind another one
        with its key."""
        places = _first_of_keys(self.waiting) if by_key else range(len(self.waiting))
        place = next((n for n in places if self.waiting[n].sequence > self.probed), 0)
        entry = self.waiting[place]
        del self.waiting[place]
        return [entry]

    def put_back(self, entries: Iterable[LogEntry]) -> None:
        """Returns events that could not start to `waiting`. Those that will be read again anyway
        are left out."""
        back = [entry for entry in entries if entry.sequence <= self.read_to]
        in_order = not (back and self.waiting) or back[-1].sequence < self.waiting[0].sequence
        self.waiting.extendleft(reversed(back))
        if not in_order:
            self.waiting = deque(sorted(self.waiting, key=_sequence))

    def rewind(self) -> None:
        """The filter changed: everything above the cursor that has not started is read again."""
        self.waiting.clear()
        self.passed_filter.clear()
        self.read_to = self.position
        for first in [first for first, (_, x) in self._above.items() if x and x.passed]:
            del self._above[first]

    def skip(self, upto: int) -> int:
        """Moves the cursor past events that were not read, when all others are settled; how many
        they are."""
        skipped = upto - self.position
        self.position = self.read_to = upto
        return skipped

    def pass_over(self, upto: int) -> None:
        """Settles events that were not read, because they do not concern the subscription."""
        passed = Settlement(
            (self.endpoint, upto), DeliveryState.FILTERED, passed=upto - self.read_to
        )
        self._above[self.read_to + 1] = (upto, passed)
        self.read_to = upto

    # Settling -----------------------------------------------------------------------------------

    def settle(self, sequence: int, settlement: Settlement | None) -> bool:
        """Settles one event; False: the cursor has passed it. `settlement` None: it has a row."""
        if sequence <= self.position:
            return False
        last, _ = self._above.get(sequence, (sequence, None))  # a gap may begin here
        self._above[sequence] = (last, settlement)
        return True

    def is_settled(self, sequence: int) -> bool:
        """Whether the cursor has passed this event or will pass it."""
        return sequence <= self.position or sequence in self._above

    def has_passed(self, sequence: int, event_key: str) -> bool:
        """Whether this event is settled, and none with the key waits before it."""
        before = (x for x in self.waiting if x.key == event_key and x.sequence < sequence)
        return self.is_settled(sequence) and sequence <= self.read_to and not any(before)

    @property
    def all_settled(self) -> bool:
        """The cursor has passed everything that was read."""
        return self.position == self.read_to

    @property
    def held_attempts(self) -> int:
        """Attempts that have ended and wait for the cursor."""
        return sum(
            settlement is not None and settlement.attempt is not None
            for _, settlement in self._above.values()
        )

    def advance(self) -> list[Settlement]:
        """Moves the cursor as far as it goes and returns what it passed."""
        passed: list[Settlement] = []
        while (found := self._above.pop(self.position + 1, None)) is not None:
            last, settlement = found
            if settlement is not None:
                passed.append(settlement)
            if last > self.position + 1:
                passed += self._take_inside(last)
            self.position = last
        self.read_to = max(self.read_to, self.position)
        return passed

    def _settle_gap(self, start: int, end: int) -> None:
        """Settles what retention removed of [start, end)."""
        for gap in self._gaps(start, end):
            self._above[gap.start] = (gap[-1], None)

    def _gaps(self, start: int, end: int, held: AbstractSet[int] = frozenset()) -> list[range]:
        """What is neither settled nor held of [start, end)."""
        gaps: list[range] = []
        for sequence in sorted(key for key in self._above.keys() | held if start <= key < end):
            if sequence > start:
                gaps.append(range(start, sequence))
            start = max(start, self._above.get(sequence, (sequence, None))[0] + 1)
        if start < end:
            gaps.append(range(start, end))
        return gaps

    def _take_inside(self, last: int) -> list[Settlement]:
        """Settlements of events that retention removed meanwhile."""
        found = [self._above.pop(key) for key in sorted(self._above) if key <= last]
        return [settlement for _, settlement in found if settlement is not None]


def _first_of_keys(entries: Iterable[LogEntry]) -> Iterator[int]:
    """Places of those that have no key, or a key that none before them has."""
    seen = {""}
    for place, entry in enumerate(entries):
        if not entry.key or entry.key not in seen:
            seen.add(entry.key)
            yield place


def _sequence(entry: LogEntry) -> int:
    return entry.sequence
