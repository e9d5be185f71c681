"""What must hold at any moment, by a record that is kept beside the product."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson

from hookplane.store.config_store import ConfigChange, ConfigKind
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_numbers import sequence_of
from hookplane.store.queries import SubscriptionStats
from hookplane.store.sqlite import status
from support.simulation.connection import AT_COMMIT, StoreConnection, Weather
from support.simulation.processes import SimulatedProcess, SimulationLoop
from support.simulation.targets import Arrival, EventClass, Targets

MOST_IN_FLIGHT: Final = 16
LIVELY_SECONDS: Final = 900.0
"""A target that is well gets its next event within this time, whatever happened before."""


class Violated(AssertionError):
    """A promise was broken."""


@dataclass
class Reading:
    """From which number a subscription reads a log, and up to which if it has left it."""

    start: int
    end: int | None = None


@dataclass(frozen=True)
class AcceptedEvent:
    """An event that somebody was told is safe."""

    endpoint: str
    type: str
    event_class: EventClass
    at: float


@dataclass
class Reader:
    """What is known of one subscription."""

    types: tuple[str, ...] | None = None
    """What it wants; None: not known yet."""
    readings: dict[str, list[Reading]] = field(default_factory=lambda: defaultdict(list))
    claims: int = 0
    owner: str = ""
    stale_sends: Counter[str] = field(default_factory=Counter)
    hindered_until: float = 0.0
    """Until then something other than poison and clocks may hold up its events."""
    filter_changed: bool = False
    strict: bool = False
    was_strict: bool = True
    """It was strict all the time."""
    waiting: dict[str, AcceptedEvent] = field(default_factory=dict)
    """Good events that no attempt was made for."""
    first_success: dict[tuple[str, int], float] = field(default_factory=dict)


class Account:
    """Compares the store, the targets and this record."""

    def __init__(
        self, db: sqlite3.Connection, loop: SimulationLoop, targets: Targets, weather: Weather
    ) -> None:
        self._db = db
        self._loop = loop
        self._targets = targets
        self._weather = weather
        self.events: dict[str, AcceptedEvent] = {}
        self.readers: dict[str, Reader] = {}
        self._numbers: dict[str, tuple[str, int]] = {}
        self._processes: dict[int, str] = {}
        self._failed: Violated | None = None

    def close(self) -> None:
        self._db.close()

    # What happened ------------------------------------------------------------------------------

    def accepted(self, endpoint: str, event: str, kind: str, event_class: EventClass) -> None:
        """A receiver answered 2xx."""
        if event in self.events:
            return
        known = AcceptedEvent(endpoint, kind, event_class, self._loop.time())
        self.events[event] = known
        for uid, reader in self.readers.items():
            if event_class is EventClass.GOOD and event not in self._targets.tried[uid]:
                reader.waiting[event] = known

    def configured(self, db: sqlite3.Connection, change: ConfigChange) -> None:
        """Seen at the commit of a change: who reads what from here on."""
        heads = {
            uid: sequence_of(head) for uid, head in db.execute("select uid, head from endpoint")
        }
        for kind, uid in change.deletes:
            if kind is ConfigKind.SUBSCRIPTION:
                self.readers.pop(uid, None)
        documents = {x.uid: orjson.loads(x.document or b"{}") for x in change.upserts}
        for plan in change.cursors:
            reader = self.readers.setdefault(plan.subscription, Reader())
            self._read(reader, set(plan.endpoints), heads)
            self._note_document(reader, documents[plan.subscription])

    def _note_document(self, reader: Reader, document: dict[str, Any]) -> None:
        types = tuple(document.get("types") or ())
        reader.filter_changed |= reader.types not in (None, types)
        reader.types = types
        reader.strict = bool(document.get("strict"))
        reader.was_strict = reader.was_strict and reader.strict

    def _read(self, reader: Reader, wanted: set[str], heads: dict[str, int]) -> None:
        for endpoint in wanted:
            spans = reader.readings[endpoint]
            if not spans or spans[-1].end is not None:
                spans.append(Reading(heads[endpoint]))
        for endpoint, spans in reader.readings.items():
            if endpoint not in wanted and spans and spans[-1].end is None:
                spans[-1].end = heads[endpoint]

    def hinder(self, *uids: str, seconds: float = 0.0) -> None:
        """Something goes on, for so long from now, that may hold up events of these
        subscriptions; none named: of all."""
        until = self._loop.time() + seconds
        for uid in uids or list(self.readers):
            if uid in self.readers:
                reader = self.readers[uid]
                reader.hindered_until = max(reader.hindered_until, until)

    def watch(self, store: StoreConnection, process: SimulatedProcess) -> WatchedConnection:
        """The store for a dispatcher, with its claims noted."""
        return WatchedConnection(self, store, process)

    def registered(self, number: int, process: str) -> None:
        self._processes[number] = process

    def claimed(self, uid: str, number: int | None) -> None:
        """The store made a process the owner."""
        if (reader := self.readers.get(uid)) is not None and number is not None:
            owner = self._processes.get(number, "")
            reader.claims += 1
            if owner != reader.owner:
                reader.owner = owner
                reader.stale_sends.clear()

    def arrived(self, uid: str, arrival: Arrival) -> None:
        """A target got a request."""
        reader = self.readers.get(uid)
        if reader is None:
            return
        reader.waiting.pop(arrival.event, None)
        if reader.owner and arrival.process != reader.owner:
            reader.stale_sends[arrival.process] += 1
            if reader.stale_sends[arrival.process] > MOST_IN_FLIGHT:
                self.fail(
                    f"{uid}: {arrival.process} goes on sending, though {reader.owner} owns it"
                )
        if arrival.success and not arrival.replay and (at := self._find(arrival.event)):
            reader.first_success.setdefault(at, self._loop.time())

    def fail(self, message: str) -> None:
        """For where an exception would end in the wrong place: the next `check` raises it."""
        self._failed = self._failed or Violated(message)

    def _find(self, event: str) -> tuple[str, int] | None:
        if event not in self._numbers:
            row = self._db.execute(
                "select p.uid, e.number from event e join endpoint p on p.endpoint = e.number >> 40"
                " where e.event_id = ?",
                (event,),
            ).fetchone()
            if row is None:
                return None
            self._numbers[event] = row[0], sequence_of(row[1])
        return self._numbers[event]

    # What must hold at any moment ---------------------------------------------------------------

    def check(self) -> None:
        """Raises Violated."""
        if self._failed is not None:
            raise self._failed
        if self._loop.stuck:
            raise Violated("a process is busy without an end")
        heads = self._heads()
        for stats in status.subscription_stats(self._db, list(self.readers)):
            reader = self.readers[stats.subscription]
            self._check_sum(reader, stats, heads)
            self._check_twice(reader, stats)
            self._check_lively(reader, stats)

    def _heads(self) -> dict[str, int]:
        found = self._db.execute("select uid, head from endpoint")
        return {uid: sequence_of(head) for uid, head in found}

    def _check_sum(self, reader: Reader, stats: SubscriptionStats, heads: dict[str, int]) -> None:
        total = sum(
            (heads[endpoint] if span.end is None else span.end) - span.start
            for endpoint, spans in reader.readings.items()
            for span in spans
        )
        counted = stats.counters
        settled = counted.delivered + counted.filtered + counted.expired + stats.dead
        found = settled + stats.pending + stats.sending + stats.retrying
        if found != total:
            raise Violated(f"{stats.subscription}: {total} events are its own, {found} in {stats}")

    def _check_twice(self, reader: Reader, stats: SubscriptionStats) -> None:
        again = sum(x - 1 for x in self._targets.successes[stats.subscription].values())
        if again > MOST_IN_FLIGHT * max(reader.claims - 1, 0):
            raise Violated(f"{stats.subscription}: {again} sent twice in {reader.claims} claims")

    def _check_lively(self, reader: Reader, stats: SubscriptionStats) -> None:
        now = self._loop.time()
        if stats.state.disabled_at or reader.strict:
            return
        since = self.waits_since(stats.subscription)
        if since is not None and now - max(since, reader.hindered_until) > LIVELY_SECONDS:
            raise Violated(
                f"{stats.subscription}: a good event waits since {since:.0f}, nothing was in its"
                f" way since {reader.hindered_until:.0f}; now {now:.0f}; {stats}"
            )

    def waits_since(self, uid: str) -> float | None:
        """When the oldest good event came that no attempt was made for."""
        reader = self.readers[uid]
        for event, accepted in list(reader.waiting.items()):
            if self._is_read(reader, event) and _matches(reader.types, accepted.type):
                return accepted.at
            del reader.waiting[event]
        return None

    def _is_read(self, reader: Reader, event: str) -> bool:
        found = self._find(event)
        if found is None:
            return False
        endpoint, number = found
        return any(
            span.start < number and span.end is None for span in reader.readings.get(endpoint, [])
        )

    # What must hold in the end ------------------------------------------------------------------

    def check_end(self, uid: str, rows: dict[str, DeliveryState]) -> None:
        """`rows`: what a listing says of each event. Raises Violated."""
        reader = self.readers[uid]
        for event, accepted in self.events.items():
            if self._is_read(reader, event):
                self._check_event(uid, reader, event, accepted, rows.get(event))
        self._check_order(uid, reader, rows)

    def _check_event(
        self,
        uid: str,
        reader: Reader,
        event: str,
        accepted: AcceptedEvent,
        state: DeliveryState | None,
    ) -> None:
        seen = event in self._targets.delivered[uid]
        wanted = _matches(reader.types, accepted.type)
        if reader.filter_changed:
            wanted = state is not DeliveryState.FILTERED
        expected = {DeliveryState.FILTERED}
        if wanted:
            expected = {DeliveryState.DELIVERED} if seen else {DeliveryState.DEAD}
        if seen and state is DeliveryState.DEAD:
            expected.add(
                state
            )  # the answer was lost with a process, and every later attempt failed
        if state not in expected:
            raise Violated(f"{uid}: {event} ({accepted.event_class}) is {state}, not {expected}")

    def _check_order(self, uid: str, reader: Reader, rows: dict[str, DeliveryState]) -> None:
        if not reader.was_strict:
            return
        latest: dict[str, tuple[float, int]] = {}
        for (endpoint, number), at in sorted(reader.first_success.items()):
            before = latest.get(endpoint)
            if before is not None and at < before[0]:
                raise Violated(f"{uid}: {number} of {endpoint} arrived before {before[1]}")
            latest[endpoint] = at, number
        del rows


class WatchedConnection:
    """A connection that tells the account who owns what."""

    def __init__(self, account: Account, store: StoreConnection, process: SimulatedProcess) -> None:
        self._account = account
        self._store = store
        self._process = process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def register(self, *arguments: Any) -> int:
        number: int = await self._store.register(*arguments)
        self._account.registered(number, self._process.name)
        return number

    async def claim(self, uid: str, number: int | None = None) -> Any:
        token = AT_COMMIT.set(lambda _db: self._account.claimed(uid, number))
        try:
            return await self._store.claim(uid, number)
        finally:
            AT_COMMIT.reset(token)


def _matches(types: tuple[str, ...] | None, kind: str) -> bool:
    return not types or any(fnmatchcase(kind, pattern) for pattern in types)
