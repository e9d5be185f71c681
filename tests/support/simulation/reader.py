"""What is known of one subscription, beside the product."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from hookplane.store.delivery_store import DeliveryState
from support.simulation.targets import EventClass

POISONED = "p"
"""So begin keys of events that are not good, and of some that are and come behind them."""


def key_of(number: int, event_class: EventClass) -> str:
    """Few keys that many events have, and many that one or two have that are not good."""
    if event_class is not EventClass.GOOD:
        return f"{POISONED}{number}"
    if number % 10 < 2:
        return ""
    return f"{POISONED}{number - 1 - number % 3}" if number % 10 < 4 else f"k{number % 3}"


@dataclass(frozen=True)
class AcceptedEvent:
    """An event that somebody was told is safe."""

    endpoint: str
    type: str
    event_class: EventClass
    key: str
    at: float


@dataclass(frozen=True)
class Log:
    """An endpoint's log at the moment of a change of the configuration."""

    age: int
    """Endpoints are numbered in the order in which they were made."""
    floor: int
    head: int


@dataclass
class Reading:
    """From which number a subscription reads a log, and up to which if it has left it."""

    start: int
    end: int | None = None

    def length(self, head: int) -> int:
        """How many events were its own until now."""
        return (head if self.end is None else self.end) - self.start


@dataclass
class Reader:
    """One subscription, whatever its uid is now."""

    target: str
    """The name of its target."""
    types: tuple[str, ...] | None = None
    """What it wants; None: not known yet."""
    keys: tuple[str, ...] = ()
    """About whom; empty: everybody."""
    readings: dict[str, list[Reading]] = field(default_factory=lambda: defaultdict(list))
    newest_known: int | None = None
    """The newest endpoint when it was made; None: it is not made yet."""
    deleted: bool = False
    """It may come back, and goes on where it was."""
    claims: int = 0
    owner: str = ""
    stale_sends: Counter[str] = field(default_factory=Counter)
    hindered_until: float = 0.0
    """Until then something other than poison and clocks may hold up its events."""
    replayed: set[DeliveryState] = field(default_factory=set)
    """In which states events were that somebody asked for once more."""
    filter_changed: bool = False
    strict: bool = False
    was_strict: bool = True
    """It was strict all the time."""
    by_key: bool = False
    waiting: dict[str, AcceptedEvent] = field(default_factory=dict)
    """Good events that no attempt was made for."""
    first_success: dict[tuple[str, int], float] = field(default_factory=dict)
    latest_sent: dict[tuple[str, str], int] = field(default_factory=dict)
    """Endpoint and key → the latest number that was sent."""

    def note_document(self, document: Mapping[str, Any]) -> None:
        """The document that is in force."""
        types, keys = (tuple(document.get(x) or ()) for x in ("types", "keys"))
        if self.types is not None and (self.types, self.keys) != (types, keys):
            self.filter_changed = True
            self.waiting.clear()  # what it was filtered by is not known of each
        self.types, self.keys = types, keys
        self.strict = bool(document.get("strict"))
        self.was_strict = self.was_strict and self.strict
        self.by_key = bool(document.get("by_key"))

    def read(self, wanted: set[str], start_from: str, logs: Mapping[str, Log]) -> None:
        """From here on it reads these endpoints and no others."""
        for endpoint in wanted:
            spans = self.readings[endpoint]
            if not spans or spans[-1].end is not None:
                spans.append(Reading(self._start(bool(spans), start_from, logs[endpoint])))
        for endpoint, spans in self.readings.items():
            if endpoint not in wanted and spans and spans[-1].end is None:
                spans[-1].end = logs[endpoint].head
        if self.newest_known is None:
            self.newest_known = max(log.age for log in logs.values())

    def _start(self, was_here: bool, start_from: str, log: Log) -> int:
        if was_here:
            return log.head
        if self.newest_known is None:
            return log.floor if start_from == "Earliest" else log.head
        return log.floor if log.age > self.newest_known else log.head

    def reads(self, endpoint: str, number: int) -> bool:
        """It is one of its own events, as long as it does not leave."""
        spans = self.readings.get(endpoint, [])
        return any(span.start < number and span.end is None for span in spans)

    def follow(self, former: str, now: str) -> None:
        """An endpoint was made again, and has its log."""
        if former in self.readings:
            self.readings[now] = self.readings.pop(former)
        self.first_success = {
            (now if endpoint == former else endpoint, number): at
            for (endpoint, number), at in self.first_success.items()
        }
        self.latest_sent = {
            (now if endpoint == former else endpoint, key): number
            for (endpoint, key), number in self.latest_sent.items()
        }

    def may_hold(self, event: AcceptedEvent) -> bool:
        """Whether it waits for poison by design."""
        return self.by_key and event.key.startswith(POISONED)

    def wants(self, event: AcceptedEvent) -> bool:
        """By its filter now."""
        by_type = not self.types or any(fnmatchcase(event.type, x) for x in self.types)
        return by_type and (not self.keys or event.key in self.keys)

    def count(self, heads: Mapping[str, int]) -> int:
        """How many events were its own until now."""
        return sum(
            span.length(heads[endpoint])
            for endpoint, spans in self.readings.items()
            for span in spans
        )
