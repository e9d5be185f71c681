"""Writes lines in a thread of its own, so that a slow terminal or pipe delays nothing else."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

CAPACITY: Final = 2000
"""Lines that may wait; further ones are dropped, counted, and the count is told."""
OVERDUE_SECONDS: Final = 0.5
"""How often `write_overdue` is asked while something is pending."""
CLOSE_SECONDS: Final = 2.0
"""How long `close` waits for a stream that takes nothing."""


class LineWriter:
    """`write` never blocks. `write_overdue` writes what becomes due by time alone, and returns
    whether it wants to be asked again."""

    def __init__(
        self,
        stream: TextIO,
        lost: Callable[[int], str],
        write_overdue: Callable[[], bool],
        capacity: int = CAPACITY,
    ) -> None:
        self._stream = stream
        self._lost = lost
        self._write_overdue = write_overdue
        self._capacity = capacity
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._closing = self._woken = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="activity", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        with self._changed:
            if len(self._lines) >= self._capacity:
                self._dropped += 1
                return
            self._lines.append(line)
            self._changed.notify()

    def wake(self) -> None:
        """Something became pending: `write_overdue` is worth asking."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def close(self) -> None:
        """Writes what is waiting, within CLOSE_SECONDS."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        closing = False
        while not closing:
            lines, closing = self._next()
            if lines and not self._put(lines):
                return

    def _next(self) -> tuple[list[str], bool]:
        """Waits for lines; the second value is whether they are the last."""
        pending = self._write_overdue()
        with self._changed:
            if not (self._lines or self._woken or self._closing):
                self._changed.wait(OVERDUE_SECONDS if pending else None)
            self._woken = False
            lines = list(self._lines)
            self._lines.clear()
            if self._dropped:
                lines.append(self._lost(self._dropped))
                self._dropped = 0
            return lines, self._closing

    def _put(self, lines: list[str]) -> bool:
        """False: the other end of the stream is closed."""
        try:
            self._stream.write("".join(line + "\n" for line in lines))
            self._stream.flush()
        except (OSError, ValueError):
            return False
        return True
