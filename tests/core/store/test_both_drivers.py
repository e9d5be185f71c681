"""Both drivers do the same things to the same random operations."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hookplane.errors import StoreError
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import (
    Attempt,
    CircuitState,
    Counters,
    Delivery,
    DeliveryState,
    Ending,
    Flush,
    NewReplay,
    ReplayProgress,
    TargetHealth,
)
from hookplane.store.event_log import EndpointReport, LogEntry, NewEvent
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.protocol import Store
from hookplane.store.queries import Listed, Page
from support.clocks.manual import START, ManualClock
from support.planes.store import DAY, DRIVERS, HOUR, EventIds

ENDPOINTS: Final = ("e", "f", "g")
NAMESPACES: Final = {"e": "shop", "f": "shop", "g": ""}
SUBSCRIPTIONS: Final = ("s", "t")
REPLAYS: Final = ("r", "q", "p")
OPEN: Final = [DeliveryState.SENDING, DeliveryState.RETRYING, DeliveryState.DEAD]
REPLAYED: Final = [
    DeliveryState.DEAD,
    DeliveryState.DELIVERED,
    DeliveryState.FILTERED,
    DeliveryState.RETRYING,
]

endpoints = st.sampled_from(ENDPOINTS)
subscriptions = st.sampled_from(SUBSCRIPTIONS)
starts = st.sampled_from(["Latest", "Earliest", START, START + HOUR])
keys = st.sampled_from([None, b"a", b"b", b"c"])
bodies = st.sampled_from([b"", b"one", b"another"])

Call = Callable[[Store], Coroutine[Any, Any, Any]]


class BothDrivers(RuleBasedStateMachine):
    """Every rule is carried out on each store; the answers, errors too, must be equal."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.clock = ManualClock()
        self.ids = EventIds()
        self.stores = self.runner.run(self._open())
        self.epochs: dict[str, tuple[int, int]] = {}
        self.log: list[LogEntry] = []

    async def _open(self) -> dict[str, Store]:
        stores = {}
        for name, driver in DRIVERS.items():
            folder = self.stack.enter_context(tempfile.TemporaryDirectory())
            stores[name] = await self.stack.enter_async_context(driver(Path(folder), self.clock))
        return stores

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()

    def both(self, method: str, *arguments: Any) -> Any:
        """What this method of all stores answers."""
        return self.same(lambda store: getattr(store, method)(*arguments))

    def both_list(self, method: str, *arguments: Any) -> list[Any]:
        """The rows of a page; none of what is not there. How much is looked at for it is the
        driver's affair: PostgreSQL still has what expired until its whole partition goes."""
        page = self.same(lambda store: _page(getattr(store, method)(*arguments)))
        return [] if isinstance(page, str) else list(page[0])

    def same(self, call: Call) -> Any:
        """The answer that all give; an error as the name of its class."""
        answers = {
            name: self.runner.run(_answer(store, call)) for name, store in self.stores.items()
        }
        first, *others = answers.values()
        assert all(other == first for other in others), answers
        return first

    # Config -------------------------------------------------------------------------------------

    @rule(uids=st.sets(endpoints, min_size=1), document=st.sampled_from([b"{}", b"[]"]))
    def configure_endpoints(self, uids: set[str], document: bytes) -> None:
        rows = tuple(
            ConfigRow(ConfigKind.ENDPOINT, uid, document, namespace=NAMESPACES[uid])
            for uid in sorted(uids)
        )
        self.both("apply_config", ConfigChange(upserts=rows))

    @rule(uid=subscriptions, read=st.sets(endpoints), start=starts)
    def configure_subscription(self, uid: str, read: set[str], start: str | int) -> None:
        change = ConfigChange(
            upserts=(ConfigRow(ConfigKind.SUBSCRIPTION, uid, b"{}"),),
            cursors=(CursorPlan(uid, tuple(sorted(read)), start),),
        )
        self.both("apply_config", change)

    @rule(kind=st.sampled_from(list(ConfigKind)), data=st.data())
    def delete(self, kind: ConfigKind, data: st.DataObject) -> None:
        uid = data.draw(endpoints if kind is ConfigKind.ENDPOINT else subscriptions)
        self.both("apply_config", ConfigChange(deletes=((kind, uid),)))

    # Ingest -------------------------------------------------------------------------------------

    @rule(uid=endpoints, key=keys, body=bodies, identical=st.booleans(), count=st.integers(1, 4))
    def append(self, uid: str, key: bytes | None, body: bytes, identical: bool, count: int) -> None:
        for _ in range(count):
            event = NewEvent(
                endpoint=uid,
                event_id=self.ids.next(),
                received=self.clock.now(),
                type="order.created",
                headers=(("content-type", "text/plain"),),
                body=body,
                dedup_key=key,
                dedup_window=2 * HOUR,
                repeats_identical=identical,
            )
            self.both("append", event)

    @rule(uid=endpoints, reasons=st.dictionaries(st.sampled_from(["A", "B"]), st.integers(1, 3)))
    def report(self, uid: str, reasons: dict[str, int]) -> None:
        reports = [EndpointReport(uid, 1, 1, reasons, self.clock.now(), "A", "why")]
        self.both("report_endpoints", reports)

    # Delivery -----------------------------------------------------------------------------------

    @rule(uid=subscriptions)
    def claim(self, uid: str) -> None:
        claimed = self.both("claim", uid)
        if not isinstance(claimed, str):
            self.epochs[uid] = (claimed.epoch, claimed.flush_number)

    @rule(uid=subscriptions, skew=st.sampled_from([0, 0, 0, 0, -1, 1]), data=st.data())
    def flush(self, uid: str, skew: int, data: st.DataObject) -> None:
        """`skew` other than 0: the flush of somebody who is not the owner (any more), or one
        that was written already."""
        epoch, number = self.epochs.get(uid, (0, 0))
        flush = replace(
            self._content(uid, data), epoch=epoch, number=number + 1 + skew, subscription=uid
        )
        answer = self.both("flush", flush)
        if answer is None and skew == 0:
            self.epochs[uid] = (epoch, number + 1)

    def _content(self, uid: str, data: st.DataObject) -> Flush:
        log = self._readable(uid)
        if not log:
            return Flush(uid, 0, 0, counters=Counters(filtered=1))
        some = st.lists(st.sampled_from(log), max_size=4, unique=True)
        held, done, tried = data.draw(some), data.draw(some), data.draw(some)
        states = data.draw(st.lists(st.sampled_from(OPEN), min_size=4, max_size=4))
        return Flush(
            uid,
            0,
            0,
            cursors={x.endpoint: x.sequence for x in data.draw(some)},
            upserts=tuple(self._row(x, y) for x, y in zip(held, states, strict=False)),
            removes=tuple((x.endpoint, x.sequence) for x in done if x not in held),
            attempts=tuple(self._attempt(x, data.draw(st.booleans())) for x in tried),
            counters=Counters(delivered=len(done), attempts=len(tried)),
            endings=tuple(Ending(x.endpoint, x.sequence, DeliveryState.DELIVERED) for x in done),
            state=data.draw(st.sampled_from([None, TargetHealth(CircuitState.OPEN, 3)])),
            shift_due=data.draw(st.sampled_from([0, 0, 1_000])),
        )

    def _readable(self, uid: str) -> list[LogEntry]:
        status = self.both("claim", uid)
        if isinstance(status, str):
            return []
        self.epochs[uid] = (status.epoch, status.flush_number)
        found: list[LogEntry] = []
        for endpoint in sorted(status.cursors):
            found += self.both("read_log", endpoint, 0, 8)
        return found

    def _row(self, entry: LogEntry, state: DeliveryState) -> Delivery:
        now = self.clock.now()
        place = (entry.endpoint, entry.sequence, entry.event_id, entry.type)
        return Delivery(*place, state, 1, now + HOUR, now + DAY, 503, "no")

    def _attempt(self, entry: LogEntry, success: bool) -> Attempt:
        place = (entry.endpoint, entry.sequence, entry.event_id)
        return Attempt(*place, self.clock.now(), 1, 5, success, 200 if success else 500, "", b"x")

    @rule(uid=subscriptions)
    def resume(self, uid: str) -> None:
        self.both("request_resume", uid)
        self.both("resume_requested", uid)

    # Replay -------------------------------------------------------------------------------------

    @rule(
        uid=st.sampled_from(REPLAYS),
        subscription=subscriptions,
        states=st.frozensets(st.sampled_from(REPLAYED), min_size=1),
        by_id=st.booleans(),
    )
    def replay(
        self, uid: str, subscription: str, states: frozenset[DeliveryState], by_id: bool
    ) -> None:
        job = NewReplay(uid, "default", uid, subscription, self.clock.now(), states=states)
        if by_id:
            events = self.both_list("events", Page(3))
            job = replace(job, ids=tuple(row.entry.event_id for row in events))
        self.both("create_replay", job)

    @rule(uid=st.sampled_from(REPLAYS), limit=st.integers(1, 3), subscription=subscriptions)
    def take_page(self, uid: str, limit: int, subscription: str) -> None:
        page = self.both("replay_page", uid, limit)
        if isinstance(page, str) or subscription not in self.epochs:
            return
        taken = len(page.candidates)
        progress = ReplayProgress(uid, page.position, taken, taken, 0, page.exhausted)
        epoch, number = self.epochs[subscription]
        flush = Flush(subscription, epoch, number + 1, replays=(progress,))
        if self.both("flush", flush) is None:
            self.epochs[subscription] = (epoch, number + 1)

    @rule(uid=st.sampled_from(REPLAYS))
    def cancel(self, uid: str) -> None:
        self.both("cancel_replay", uid)

    # Time ---------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 2, 12, 25]))
    def pass_time(self, hours: int) -> None:
        self.clock.advance(hours * HOUR)

    @rule(
        events=st.sampled_from([6 * HOUR, DAY]),
        total=st.sampled_from([0, 10, 1 << 30]),
    )
    def expire(self, events: int, total: int) -> None:
        retention = Retention(events, DAY, total)
        self.same(lambda store: _expire(store, retention, self.clock.now()))

    # Reading ------------------------------------------------------------------------------------

    @invariant()
    def tell_the_same(self) -> None:
        everything = Page(500)
        self.both("endpoint_stats", ENDPOINTS)
        self.both("subscription_stats", SUBSCRIPTIONS)
        self.both_list("events", everything)
        self.both_list("attempts", everything)
        self.both("replays")
        self.both("load_config", 0)
        for uid in SUBSCRIPTIONS:
            self.both_list("deliveries", everything, uid, frozenset())
            self.both_list("deliveries", everything, uid, frozenset(OPEN))
            self.both("running_replays", uid)


async def _answer(store: Store, call: Call) -> Any:
    try:
        return await call(store)
    except StoreError as error:
        return type(error).__name__


async def _page(listing: Awaitable[Listed[Any]]) -> tuple[list[Any], str | None]:
    listed = await listing
    return listed.rows, listed.following


async def _expire(store: Store, retention: Retention, now: int) -> Expired:
    """All steps together; how much is in one is the driver's affair."""
    total = Expired(more=True)
    while total.more:
        step = await store.expire(retention, now)
        total = Expired(
            total.events + step.events,
            total.attempts + step.attempts,
            total.dedup_keys + step.dedup_keys,
            total.skipped_deliveries + step.skipped_deliveries,
            step.more,
        )
    return total


TestBothDrivers = BothDrivers.TestCase
TestBothDrivers.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
