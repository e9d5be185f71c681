"""A counter that changes in place on a terminal, and writes nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self


class LiveCounter:
    """Counts on standard error, so that standard output stays what the command prints."""

    def __init__(self, verb: str, total: int) -> None:
        """`total` 0: it is not known."""
        self._verb = verb
        self._total = total
        self._stream = sys.stderr
        self._live = total != 1 and self._stream.isatty()
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def at(self, count: int, detail: str = "") -> None:
        if self._live:
            of = f" of {self._total:,}" if self._total else ""
            self._stream.write(f"\r\x1b[K{self._verb} {count:,}{of}{detail}")
            self._stream.flush()
            self._shown = True

    def say(self, line: str) -> None:
        """A line of its own, on a terminal and elsewhere."""
        self._clear()
        self._stream.write(line + "\n")
        self._stream.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
