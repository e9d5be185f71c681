"""The log of activity: a line for everything that happens to an event."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Collection
from typing import Any, Final, TextIO

from hookplane.clock import Clock, Millis, SystemClock
from hookplane.errors import InvalidValue
from hookplane.reporting.activity import ActivityLog
from hookplane_cli.activity.lines import JsonLines, Lines, TextLines
from hookplane_cli.activity.note import Note, Summary, Verb
from hookplane_cli.activity.strangers import SHOWN_CHARACTERS, Strangers, hint
from hookplane_cli.activity.throttle import Throttle
from hookplane_cli.activity.writer import LineWriter

STYLES: Final = ("text", "json", "quiet")


class LineActivityLog(ActivityLog):
    """Writes a line for each note.

    Bounded under load (see `throttle`), and never held up by the stream (see `writer`).
    """

    def __init__(
        self, lines: Lines, stream: TextIO, clock: Clock, strangers: Strangers | None = None
    ) -> None:
        """`strangers`: None where requests to unknown paths get no line."""
        self._lines = lines
        self._strangers = strangers
        self._clock = clock
        self._throttle = Throttle()
        self._lock = threading.Lock()
        self._writer = LineWriter(stream, lines.lost, self._write_overdue)

    def received(
        self,
        endpoint: str,
        event_id: str,
        type: str,  # noqa: A002
        size: int,
        duration: Millis,
        *,
        duplicate: bool,
        conflict: bool = False,
    ) -> None:
        self._record(
            Verb.RECEIVED,
            endpoint=endpoint,
            event_id=event_id,
            type=type,
            size=size,
            duration=duration,
            duplicate=duplicate,
            conflict=conflict,
        )

    def rejected(self, endpoint: str, reason: str, detail: str, source: str) -> None:
        self._record(Verb.REJECTED, endpoint=endpoint, reason=reason, detail=detail, source=source)

    def unrouted(self, path: str, source: str, paths: Collection[str]) -> None:
        if self._strangers is None:
            return
        left_out = self._strangers.admit(self._second())
        if left_out is not None:
            self._record(
                Verb.UNROUTED,
                path=path[:SHOWN_CHARACTERS],
                source=source,
                hint=hint(path, paths),
                left_out=left_out,
            )

    def delivered(
        self, subscription: str, event_id: str, status_code: int, duration: Millis, attempt: int
    ) -> None:
        self._record(
            Verb.DELIVERED,
            subscription=subscription,
            event_id=event_id,
            status_code=status_code,
            duration=duration,
            attempt=attempt,
        )

    def failed(
        self,
        subscription: str,
        event_id: str,
        outcome: str,
        attempt: int,
        attempts: int,
        next_in: Millis | None,
        *,
        stopped: bool = False,
    ) -> None:
        self._record(
            Verb.FAILED,
            subscription=subscription,
            event_id=event_id,
            outcome=outcome,
            attempt=attempt,
            attempts=attempts,
            next_in=next_in,
            stopped=stopped,
        )

    def noted(self, subject: str, reason: str, message: str) -> None:
        self._record(Verb.NOTED, subject=subject, reason=reason, message=message)

    def close(self) -> None:
        """Writes what is left, including the numbers of the last second."""
        with self._lock:
            self._end_second(self._second() + 1)
        self._writer.close()

    def _record(self, verb: Verb, **facts: Any) -> None:
        with self._lock:
            second = self._second()
            self._end_second(second)
            was_pending = self._throttle.pending
            if self._throttle.admit(verb, second):
                self._writer.write(self._lines.note(Note(self._clock.now(), verb, facts)))
            elif not was_pending:
                self._writer.wake()

    def _write_overdue(self) -> bool:
        """Called in the writer's thread: a second can end without anything new happening."""
        with self._lock:
            self._end_second(self._second())
            return self._throttle.pending

    def _end_second(self, second: int) -> None:
        if left_out := self._throttle.end_second(second):
            self._writer.write(self._lines.summary(Summary(self._clock.now(), left_out)))

    def _second(self) -> int:
        return int(self._clock.monotonic())


class QuietActivityLog(ActivityLog):
    """Writes nothing; has `close` like the other one."""

    def close(self) -> None:
        """Nothing."""


def open_activity_log(
    style: str,
    stream: TextIO,
    colour: bool | None = None,
    clock: Clock | None = None,
    strangers: Strangers | None = None,
) -> LineActivityLog | QuietActivityLog:
    """`style` is one of STYLES; `colour` None: when the stream is a terminal and NO_COLOR
    (https://no-color.org) is not set; `strangers`: None for no line on requests to unknown paths.
    `close` it at the end. Raises InvalidValue."""
    if style == "quiet":
        return QuietActivityLog()
    if style not in STYLES:
        raise InvalidValue(f'"{style}" is not a style of activity; there is: {", ".join(STYLES)}')
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    painted = wants_colour(stream) if colour is None else colour
    lines: Lines = TextLines(painted) if style == "text" else JsonLines()
    return LineActivityLog(lines, stream, clock or SystemClock(), strangers)


def wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")
