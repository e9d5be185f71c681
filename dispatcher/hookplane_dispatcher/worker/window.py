"""How far an endpoint's log is settled for one subscription."""

from __future__ import annotations

from hookplane_dispatcher.worker.flush_buffer import Settlement


class Window:
    """A contiguous cursor, and what is settled above it.

    What is finished above the cursor is held back until the cursor passes it, because behind a
    restart everything above the cursor without a row is sent again.
    """

    __slots__ = ("_above", "cursor", "taken")

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        """Everything up to this sequence is settled."""
        self.taken = cursor
        """Everything up to this sequence was read from the log."""
        self._above: dict[int, tuple[int, Settlement | None]] = {}

    def take(self, sequence: int) -> None:
        """The next event of the log; a gap before it is what retention removed."""
        if sequence > self.taken + 1:
            self._bridge(self.taken + 1, sequence)
        self.taken = max(self.taken, sequence)

    def settle(self, sequence: int, finish: Settlement | None) -> bool:
        """Settles one event; False when the cursor has passed it. `finish` None: it has a row."""
        if sequence <= self.cursor:
            return False
        last, _ = self._above.get(sequence, (sequence, None))  # a gap may begin here
        self._above[sequence] = (last, finish)
        return True

    def settled(self, sequence: int) -> bool:
        """Whether the cursor will pass this one."""
        return sequence <= self.cursor or sequence in self._above

    @property
    def held(self) -> int:
        """Attempts that have ended and wait for the cursor."""
        return sum(
            finish is not None and finish.attempt is not None for _, finish in self._above.values()
        )

    def advance(self) -> list[Settlement]:
        """Moves the cursor as far as it goes and gives what it passed."""
        passed: list[Settlement] = []
        while (found := self._above.pop(self.cursor + 1, None)) is not None:
            last, finish = found
            if finish is not None:
                passed.append(finish)
            if last > self.cursor + 1:
                passed += self._inside(last)
            self.cursor = last
        self.taken = max(self.taken, self.cursor)
        return passed

    def rewind(self) -> None:
        """Everything above the cursor is to be read again."""
        self.taken = self.cursor

    def _bridge(self, start: int, end: int) -> None:
        """Settles what is neither there nor settled in [start, end)."""
        for sequence in sorted(key for key in self._above if start <= key < end):
            if sequence > start:
                self._above[start] = (sequence - 1, None)
            start = max(start, self._above[sequence][0] + 1)
        if start < end:
            self._above[start] = (end - 1, None)

    def _inside(self, last: int) -> list[Settlement]:
        """What was finished of events that retention removed meanwhile."""
        found = [self._above.pop(key) for key in sorted(self._above) if key <= last]
        return [finish for _, finish in found if finish is not None]
