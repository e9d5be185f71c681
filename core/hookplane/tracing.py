"""Where tracing hooks in: spans on the way of an event, from the request to the answer of a target.

Receiver and dispatcher have each step traced and know nothing of what becomes of it. An
implementation joins the spans of one event by its id, which is the same in every process.
"""

from __future__ import annotations

from collections.abc import Awaitable
from enum import StrEnum
from typing import Protocol, TypeVar

T = TypeVar("T")


class Step(StrEnum):
    """What happens to an event."""

    APPEND = "append"
    """The receiver stores it; ends when its commit is on the disk. Subject: the endpoint."""
    ATTEMPT = "attempt"
    """The dispatcher sends it; ends with the outcome. Subject: the subscription."""


class Tracer(Protocol):
    """Opens spans. Calls are made in the event loop, for every event, and must return at once."""

    def trace(self, step: Step, event_id: str, subject: str, work: Awaitable[T]) -> Awaitable[T]:
        """What is awaited instead of `work`: it awaits `work` within a span, and returns or raises
        the same. An exception that `work` raises is the span's. `subject` is `namespace/name`. No
        argument but `work` ever carries a secret or a payload."""


class NoTracer:
    """Traces nothing, and costs one call."""

    def trace(self, step: Step, event_id: str, subject: str, work: Awaitable[T]) -> Awaitable[T]:
        return work
