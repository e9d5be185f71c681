"""What must hold at any moment, by a record that is kept beside the product."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

from hookplane.clock import Millis
from hookplane.store.believed_time import SKEW
from hookplane.store.config_store import ConfigChange, ConfigKind
from hookplane.store.delivery_store import ROWS_AT_ONCE, DeliveryState
from hookplane.store.queries import SubscriptionStats
from support.simulation.connection import AT_COMMIT, StoreConnection, Weather
from support.simulation.processes import SimulatedProcess, SimulationLoop
from support.simulation.reader import AcceptedEvent, Log, Reader, key_of
from support.simulation.stores import StoreView
from support.simulation.targets import Arrival, EventClass, Targets

MOST_IN_FLIGHT: Final = 16
MOVED_ONCE: Final = {DeliveryState.DEAD, DeliveryState.RETRYING}
"""What a replay moves to another state instead of counting it once more."""
UNBOUNDED: Final = 1 << 40
"""Bytes that no run stores."""
LIVELY_SECONDS: Final = 900.0
"""A target that is well gets its next event within this time, whatever happened before."""


class Violated(AssertionError):
    """A promise was broken."""


class Account:
    """Compares the store, the targets and this record."""

    def __init__(
        self, view: StoreView, loop: SimulationLoop, targets: Targets, weather: Weather
    ) -> None:
        self._view = view
        self._loop = loop
        self._targets = targets
        self._weather = weather
        self.events: dict[str, AcceptedEvent] = {}
        self.readers: dict[str, Reader] = {}
        self._ids: dict[int, str] = {}
        """Event, as its body says → its id, which never changes."""
        self._places: dict[str, tuple[str, int]] = {}
        """Event → endpoint and number, of those that were there when they were answered."""
        self._logs: dict[str, Log] = {}
        """As of the last check."""
        self._removable_until = 0.0
        """What came later is not removed by any retention yet."""
        self._processes: dict[int, str] = {}
        self._by_target: dict[str, Reader] = {}
        self._successors: dict[str, str] = {}
        """Uid of an object that was made again → that of the one that came after it."""
        self.most_retrying = 0
        """Deliveries of one subscription at once."""
        self._failed: Violated | None = None

    # What happened ------------------------------------------------------------------------------

    def accepted(
        self, number: int, endpoint: str, event: str, kind: str, event_class: EventClass
    ) -> None:
        """A receiver answered 2xx, with this id."""
        self._check_id(number, event)
        if event in self.events:
            return
        key = key_of(number, event_class)
        known = AcceptedEvent(endpoint, kind, event_class, key, self._loop.time())
        self.events[event] = known
        if place := self._view.place(event):
            self._places[event] = place
        for reader in self.readers.values():
            if event_class is EventClass.GOOD and event not in self._targets.tried[reader.target]:
                reader.waiting[event] = known

    def configured(self, change: ConfigChange) -> None:
        """Seen at the commit of a change: who reads what from here on."""
        for row in change.upserts:
            if row.predecessor and row.predecessor not in self._successors:
                self._made_again(row.kind, row.predecessor, row.uid)
        logs = self._logs = self._view.logs()
        for kind, uid in change.deletes:
            if kind is ConfigKind.SUBSCRIPTION:
                self.readers[uid].deleted = True
        documents = {x.uid: orjson.loads(x.document or b"{}") for x in change.upserts}
        for plan in change.cursors:
            reader = self._reader(plan.subscription)
            reader.deleted = False
            reader.read(set(plan.endpoints), str(plan.start_from), logs)
            reader.note_document(documents[plan.subscription])

    def _reader(self, uid: str) -> Reader:
        """One that is new has a target of its name."""
        if uid not in self.readers:
            self.readers[uid] = self._by_target[uid] = Reader(uid)
        return self.readers[uid]

    def _made_again(self, kind: ConfigKind, former: str, uid: str) -> None:
        """It goes on where its predecessor was."""
        self._successors[former] = uid
        if kind is ConfigKind.SUBSCRIPTION:
            reader = self.readers[uid] = self.readers.pop(former)
            reader.owner = ""
            reader.stale_sends.clear()
            return
        for reader in self.readers.values():
            reader.follow(former, uid)
        self._places = {
            event: (uid if endpoint == former else endpoint, number)
            for event, (endpoint, number) in self._places.items()
        }

    def called_now(self, uid: str) -> str:
        """The uid of an object after it was made again, however often."""
        while uid in self._successors:
            uid = self._successors[uid]
        return uid

    def replayed(self, uid: str, states: AbstractSet[DeliveryState]) -> None:
        """Somebody asks for events in these states once more."""
        self.readers[uid].replayed |= states

    def retained(self, age: Millis, most_bytes: int) -> None:
        """Retention ran: what is younger has to be there still, unless there was too much."""
        now = self._loop.time()
        until = now - age / 1000 + SKEW / 1000 if most_bytes >= UNBOUNDED else now
        self._removable_until = max(self._removable_until, until)

    def hinder(self, *uids: str, seconds: float = 0.0) -> None:
        """Something goes on, for so long from now, that may hold up events of these
        subscriptions; none named: of all."""
        until = self._loop.time() + seconds
        for uid in map(self.called_now, uids or list(self.readers)):
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

    def arrived(self, target: str, arrival: Arrival) -> None:
        """A target got a request."""
        self._check_id(arrival.number, arrival.event)
        reader = self._by_target.get(target)
        if reader is None:
            return
        reader.waiting.pop(arrival.event, None)
        if reader.owner and arrival.process != reader.owner:
            reader.stale_sends[arrival.process] += 1
            if reader.stale_sends[arrival.process] > MOST_IN_FLIGHT:
                self.fail(
                    f"{target}: {arrival.process} goes on sending, though {reader.owner} owns it"
                )
        if not arrival.replay and (place := self._view.place(arrival.event)):
            self._note_order(reader, arrival, place)
            if arrival.success:
                reader.first_success.setdefault(place, self._loop.time())

    def _note_order(self, reader: Reader, arrival: Arrival, place: tuple[str, int]) -> None:
        """By key none is sent behind a later one, not even once more, by the owner of the day."""
        key = key_of(arrival.number, arrival.event_class)
        if not (reader.by_key and key and arrival.process == reader.owner):
            return
        endpoint, number = place
        latest = reader.latest_sent.get((endpoint, key), 0)
        if number < latest:
            self.fail(f"{reader.target}: {number} of {endpoint} was sent behind {latest} ({key})")
        reader.latest_sent[endpoint, key] = max(number, latest)

    def _check_id(self, number: int, event: str) -> None:
        known = self._ids.setdefault(number, event)
        if event != known:
            self.fail(f"event {number} is {event} now and was {known} before")

    def fail(self, message: str) -> None:
        """For where an exception would end in the wrong place: the next `check` raises it."""
        self._failed = self._failed or Violated(message)

    # What must hold at any moment ---------------------------------------------------------------

    def check(self) -> None:
        """Raises Violated."""
        if self._failed is not None:
            raise self._failed
        if self._loop.stuck:
            raise Violated("a process is busy without an end")
        self._logs = self._view.logs()
        heads = {uid: log.head for uid, log in self._logs.items()}
        present = [uid for uid, reader in self.readers.items() if not reader.deleted]
        for stats in self._view.stats(present):
            reader = self.readers[stats.subscription]
            self._check_sum(reader, stats, heads)
            self._check_twice(reader, stats)
            self._check_lively(reader, stats)
            self.most_retrying = max(self.most_retrying, stats.retrying)

    def _check_sum(self, reader: Reader, stats: SubscriptionStats, heads: dict[str, int]) -> None:
        """Counters grow only, so what a replay brings from one end to another counts as both; rows
        of what is dead say how many are dead now, until retention takes them."""
        counted, total = stats.counters, reader.count(heads)
        rows = stats.pending + stats.sending + stats.retrying
        others = counted.delivered + counted.filtered + counted.expired + rows
        least = most = others + counted.dead
        if reader.replayed:
            is_exact = reader.replayed <= MOVED_ONCE and not self._removable_until
            least, most = (others + stats.dead,) * 2 if is_exact else (0, most)
        if not least <= total <= most:
            raise Violated(f"{stats.subscription}: {total} events are its own, not as in {stats}")

    def _check_twice(self, reader: Reader, stats: SubscriptionStats) -> None:
        again = sum(x - 1 for x in self._targets.successes[reader.target].values())
        if again > MOST_IN_FLIGHT * max(reader.claims - 1, 0):
            raise Violated(f"{stats.subscription}: {again} sent twice in {reader.claims} claims")

    def _check_lively(self, reader: Reader, stats: SubscriptionStats) -> None:
        now = self._loop.time()
        if stats.state.disabled_at:  # until somebody resumes it
            reader.hindered_until = max(reader.hindered_until, now)
        if reader.strict:
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
            if reader.may_hold(accepted):
                continue
            if self._is_owed(reader, event) and reader.wants(accepted):
                return accepted.at
            del reader.waiting[event]
        return None

    def _is_owed(self, reader: Reader, event: str) -> bool:
        place = self._places.get(event)
        return place is not None and reader.reads(*place) and not self._is_removed(place)

    def _is_removed(self, place: tuple[str, int]) -> bool:
        endpoint, number = place
        return number <= self._logs[endpoint].floor

    # What must hold in the end ------------------------------------------------------------------

    def check_end(self, uid: str, rows: dict[str, DeliveryState]) -> None:
        """`rows`: what a listing says of each event. Raises Violated."""
        reader = self.readers[uid]
        for event, place in self._places.items():
            if reader.reads(*place):
                self._check_event(uid, reader, event, rows.get(event))
        self._check_order(uid, reader)

    def _check_event(
        self, uid: str, reader: Reader, event: str, state: DeliveryState | None
    ) -> None:
        accepted = self.events[event]
        if state is None and self._is_removed(self._places[event]):
            if accepted.at > self._removable_until:
                raise Violated(f"{event} was removed, which came at {accepted.at:.0f}")
            return
        expected = self._expected(reader, event, state)
        if state not in expected:
            raise Violated(f"{uid}: {event} ({accepted.event_class}) is {state}, not {expected}")

    def _expected(
        self, reader: Reader, event: str, state: DeliveryState | None
    ) -> set[DeliveryState]:
        if event in self._targets.delivered[reader.target]:
            # the answer may be lost with a process, and every later attempt fail
            sent = {DeliveryState.DELIVERED, DeliveryState.DEAD}
        else:
            sent = {DeliveryState.DEAD}
        if reader.filter_changed or DeliveryState.FILTERED in reader.replayed:
            return {DeliveryState.FILTERED} if state is DeliveryState.FILTERED else sent
        return sent if reader.wants(self.events[event]) else {DeliveryState.FILTERED}

    def _check_order(self, uid: str, reader: Reader) -> None:
        if not reader.was_strict:
            return
        latest: dict[str, tuple[float, int]] = {}
        for (endpoint, number), at in sorted(reader.first_success.items()):
            before = latest.get(endpoint)
            if before is not None and at < before[0]:
                raise Violated(f"{uid}: {number} of {endpoint} arrived before {before[1]}")
            latest[endpoint] = at, number


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

    async def claim(self, uid: str, number: int | None = None, most: int = ROWS_AT_ONCE) -> Any:
        token = AT_COMMIT.set(lambda: self._account.claimed(uid, number))
        try:
            return await self._store.claim(uid, number, most)
        finally:
            AT_COMMIT.reset(token)
