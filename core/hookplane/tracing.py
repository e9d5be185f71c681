"""Where tracing hooks in: spans on the way of an event, from the request to the answer of a target.

Receiver and dispatcher open a span for each step and know nothing of what becomes of it. An
implementation joins the spans of one event by its id, which is the same in every process.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Final, Protocol


class Step(StrEnum):
    """What happens to an event."""

    APPEND = "append"
    """The receiver stores it; ends when its commit is on the disk. Subject: the endpoint."""
    ATTEMPT = "attempt"
    """The dispatcher sends it; ends with the outcome. Subject: the subscription."""


class Tracer(Protocol):
    """Opens spans. Calls are made in the event loop, for every event, and must return at once."""

    def span(self, step: Step, event_id: str, subject: str) -> AbstractContextManager[object]:
        """A span that lasts as long as the context; an exception that leaves it is the span's.
        `subject` is `namespace/name`. No argument ever carries a secret or a payload."""


class NoTracer:
    """Traces nothing."""

    def span(self, step: Step, event_id: str, subject: str) -> AbstractContextManager[object]:
        return _NO_SPAN


_NO_SPAN: Final = nullcontext()
