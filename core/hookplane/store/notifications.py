"""Wake-ups: hints that something was committed."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol


class Topic(StrEnum):
    """What a listener can be woken for; the argument of its callback in brackets."""

    CONFIG = "config"
    """A new config version is committed ("")."""
    EVENTS = "events"
    """Events were appended (endpoint uid)."""
    SUBSCRIPTION = "subscription"
    """A replay or a resume was asked for, or it was released (subscription uid)."""
    PROCESSES = "processes"
    """A process registered or left ("")."""


class Notifications(Protocol):
    """A listener that sleeps through a wake-up finds the change by polling."""

    def listen(self, topic: Topic, callback: Callable[[str], None]) -> Callable[[], None]:
        """Calls back in the event loop after a commit; the returned function ends that."""
