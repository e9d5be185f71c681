"""One ownership of a subscription, from the claim until it is stopped or lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import islice
from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import StaleOwner, StoreUnavailable
from hookplane.pacing.backoff import Backoff
from hookplane.pacing.waiting import Waker
from hookplane.steady_clock import SteadyClock
from hookplane.store.delivery_store import Asked, Claimed, Counters, Flush, Passage
from hookplane_dispatcher.dependencies import Dependencies
from hookplane_dispatcher.metrics import SubscriptionMetrics
from hookplane_dispatcher.worker.capacity import STORE_AWAY_SECONDS, Capacity
from hookplane_dispatcher.worker.followed_logs import FollowedLogs
from hookplane_dispatcher.worker.key_order import MOST_KEYS
from hookplane_dispatcher.worker.outcomes import OutcomeHandler
from hookplane_dispatcher.worker.prepared import PreparedSubscription, expressions_of, interest_of
from hookplane_dispatcher.worker.replays import Replays
from hookplane_dispatcher.worker.scheduler import Scheduler
from hookplane_dispatcher.worker.tracker import DeliveryTracker

QUIET_FLUSH_SECONDS: Final = 5.0
"""Between flushes that say only what was filtered."""
SILENT_LOOKS: Final = 60
"""So many looks of the dispatcher without news of a subscription, and it looks by itself."""
MOST_DEATHS: Final = 500
"""Rows that die in one step."""
HAND_OVER_SECONDS: Final = 1.0
"""How long a subscription that goes to another process waits for its requests under way."""
_SHORTEST_WAIT_SECONDS: Final = 0.001
"""A wait of nothing would keep the event loop busy."""


class OwnershipSession:
    """The loop of an owner: looks at the store, starts attempts, flushes, waits."""

    def __init__(
        self,
        dependencies: Dependencies,
        config: SubscriptionConfig,
        prepared: PreparedSubscription | None,
        claimed: Claimed,
        metrics: SubscriptionMetrics,
        waker: Waker,
    ) -> None:
        """`prepared` None: nothing can be sent with this config."""
        self._clock = SteadyClock(dependencies.clock)
        self._dependencies = dependencies = replace(dependencies, clock=self._clock)
        self._config = config
        self._prepared = prepared
        self._metrics = metrics
        self._waker = waker
        self._tracker = tracker = DeliveryTracker(
            config, claimed, self._clock.now(), dependencies.settings.rows
        )
        self._capacity = Capacity(
            config,
            tracker,
            self._clock,
            dependencies.ownership,
            can_send=prepared is not None,
        )
        self._logs = FollowedLogs(dependencies.logs, tracker, interest_of(config), waker)
        self._replays = Replays(dependencies.store, tracker)
        self._outcomes = OutcomeHandler(dependencies, config, tracker)
        self._scheduler: Scheduler | None = None
        self._resume = False
        self._rewind = False
        self._lent: dict[Passage, int] = {}
        """What is being written together with others, and how many events that passes."""
        self._awaits_lent = False
        self._claims = False
        """A claim is under way, which raises the epoch."""
        self._is_lost = False
        self._requested = claimed.resume_requested
        self._look_at = 0.0
        self._cut_off_at: float | None = None
        """When requests under way are given up, in monotonic seconds."""
        self._flushed_at = self._clock.monotonic()
        self._adopt(claimed)
        self._check_expressions()

    @property
    def epoch(self) -> int:
        """Of the last claim."""
        return self._tracker.epoch

    def _check_expressions(self) -> None:
        """One that was mended may run at once, and what it did before counts no more."""
        if self._tracker.health.check_expressions(expressions_of(self._config)):
            self._tracker.health_changed()

    # Told from outside --------------------------------------------------------------------------

    def configure(self, config: SubscriptionConfig, prepared: PreparedSubscription | None) -> None:
        """A new document; it counts for everything that has not started."""
        old, self._config, self._prepared = self._config, config, prepared
        self._capacity.configure(config, can_send=prepared is not None)
        self._outcomes.configure(config)
        if self._scheduler is not None:
            self._scheduler.configure(prepared)
        self._check_expressions()
        self._resume = self._resume or (old.suspended and not config.suspended)
        if (interest_of(old), old.filter_cel) != (interest_of(config), config.filter_cel):
            self._rewind = True
        self._tracker.set_order(strict=config.strict, by_key=config.by_key)
        self._waker.wake()

    def look_soon(self) -> None:
        """A replay or a resume was asked for."""
        self._look_at = 0.0
        self._waker.wake()

    def note_asked(self, asked: Asked) -> None:
        """The store has this of what people asked; looks for it if it is news."""
        if asked != Asked(self._requested, self._replays.jobs):
            self.look_soon()

    def stop(self, *, leaving: bool = False) -> None:
        """Nothing starts any more; `serve` returns when everything is written. Requests that hang
        are cut off, because another process is to go on, unless the process is `leaving`: then its
        own grace counts."""
        self._pass_over()
        self._capacity.stop()
        self._cut_off_at = None if leaving else self._clock.monotonic() + HAND_OVER_SECONDS
        self._waker.wake()

    def let_finish(self) -> None:
        """Stopped all the same, but nobody waits for it: nothing is cut off."""
        self._cut_off_at = None
        self._waker.wake()

    # Cursors that move together with others' ----------------------------------------------------

    def lend(self) -> list[Passage]:
        """Cursors that somebody else moves, if this owner has nothing to write itself."""
        if self._logs.are_behind and self._may_lend:
            self._lent = self._logs.lend()
            return list(self._lent)
        return []

    def returned(self, *, lost: bool) -> None:
        """They are moved, and flushes may follow; `lost`: somebody else owns the subscription."""
        passed, self._lent = sum(self._lent.values()), {}
        self._is_lost = self._is_lost or lost
        if not lost:
            self._metrics.count(Counters(filtered=passed))
        if lost or self._awaits_lent:
            self._waker.wake()

    @property
    def _may_lend(self) -> bool:
        tracker, capacity = self._tracker, self._capacity
        clean = tracker.buffer.empty and not (self._is_writing or self._rewind or self._claims)
        return clean and not (capacity.paused or capacity.stopping)

    @property
    def _is_writing(self) -> bool:
        """Something of the subscription is on its way to the store."""
        return self._tracker.writing or bool(self._lent)

    def _pass_over(self) -> None:
        """What is of no concern goes with the next flush. While nothing may be sent it is kept: it
        may be of concern by then."""
        if not (self._capacity.paused or self._rewind):
            self._logs.pass_over()

    # The loop -----------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Until stopped. Raises StaleOwner when somebody else owns the subscription."""
        self._dependencies.bystanders.add(self)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._scheduler = scheduler = self._make_scheduler(tasks)
                while not self._over():
                    await self._turn(scheduler, tasks)
                scheduler.give_up_page()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._dependencies.bystanders.remove(self)
            self._logs.close()

    async def _turn(self, scheduler: Scheduler, tasks: asyncio.TaskGroup) -> None:
        if self._is_lost:
            raise StaleOwner("somebody else owns it")
        await self._step(scheduler)
        if self._flush_due():
            self._pass_over()
            tasks.create_task(self._write(self._tracker.flush()))
        self._awaits_lent = bool(self._lent)
        await self._waker.wait_until_woken(self._pause_seconds())

    def _make_scheduler(self, tasks: asyncio.TaskGroup) -> Scheduler:
        return Scheduler(
            self._dependencies,
            f"{self._config.namespace}/{self._config.name}",
            self._prepared,
            self._tracker,
            self._capacity,
            self._logs,
            self._replays,
            self._outcomes,
            self._waker.wake,
            tasks,
        )

    async def _step(self, scheduler: Scheduler) -> None:
        self._capacity.begin_turn()
        self._apply_time()
        if self._capacity.stopping:
            self._cut_off(scheduler)
            return
        if self._capacity.store_is_away:
            return
        try:
            await self._look()
            await self._read_rest()
            await self._enter_page(scheduler)
            await self._take_next()
            await scheduler.start()
        except StoreUnavailable:
            self._capacity.store_failed()

    def _cut_off(self, scheduler: Scheduler) -> None:
        """Ends what hangs, once its time is over: the next owner tries it again at once."""
        if self._cut_off_at is not None and self._clock.monotonic() >= self._cut_off_at:
            self._cut_off_at = None
            scheduler.give_up_attempts()

    def _over(self) -> bool:
        tracker = self._tracker
        idle = not (tracker.active or self._is_writing)
        return self._capacity.stopping and idle and tracker.buffer.empty

    def _pause_seconds(self) -> float:
        """How long to sleep when nobody wakes the worker."""
        if self._over():
            return 0.0
        now = self._clock.monotonic()
        times = [self._next_look() - now]
        if self._cut_off_at is not None:
            times.append(self._cut_off_at - now)
        if self._asks_for_keys and not self._capacity.stopping:
            times.append(self._capacity.store_away_until - now)
        start = self._capacity.next_start(now)
        if start is not None:
            times.append(start)
        hang = self._tracker.next_hang()
        if hang is not None:
            times.append(hang - now)
        if not self._tracker.buffer.empty and not self._is_writing:
            times.append(self._flushed_at + QUIET_FLUSH_SECONDS - now)
        return max(min(times), _SHORTEST_WAIT_SECONDS)

    def _next_look(self) -> float:
        """When the store may be asked for news. Not in the past while something else must happen
        first: whoever makes that happen wakes the worker."""
        if self._capacity.stopping or self._awaits_flush:
            return self._clock.monotonic() + self._longest_silence
        return max(self._look_at, self._capacity.store_away_until)

    # Time ---------------------------------------------------------------------------------------

    def _apply_time(self) -> None:
        """Everything that time and config alone bring about."""
        leapt, now = self._clock.follow(), self._clock.now()
        if leapt:
            self._tracker.clock_leapt(leapt, now)
            self._capacity.begin_turn()
        self._apply_resume()
        self._apply_pause(now)
        self._tracker.let_hanging_pass(self._clock.monotonic())
        if self._rewind:
            self._rewind = False
            self._logs.want(interest_of(self._config))
            for cursor in self._tracker.cursors.values():
                cursor.rewind()
        for endpoint, upto in self._logs.take_removed().items():
            self._tracker.expire(endpoint, upto)
        self._end_overdue()
        self._show()

    def _apply_resume(self) -> None:
        health = self._tracker.health
        if self._requested > health.resume_seen:
            health.resume_seen = self._requested
            self._resume = True
            self._tracker.retry_now(self._clock.now())
        if self._resume:
            self._resume = False
            health.resume()
            self._tracker.health_changed()

    def _apply_pause(self, now: Millis) -> None:
        """Clocks stand still while nothing may be sent."""
        health, paused = self._tracker.health, self._capacity.paused
        if paused and not health.paused_at:
            health.stop_clocks(now)
            self._tracker.health_changed()
        elif health.paused_at and not paused:
            self._tracker.clocks_stood(health.start_clocks(now))

    def _end_overdue(self) -> None:
        for _ in range(MOST_DEATHS):
            row = self._capacity.overdue()
            if row is None:
                return
            self._outcomes.die_overdue(row)

    def _show(self) -> None:
        health = self._tracker.health
        self._metrics.show(
            circuit_open=health.open,
            disabled=health.disabled_at > 0,
            held=health.held_until > self._clock.now(),
            retrying=self._tracker.unfinished,
        )
        self._metrics.hold(len(self._tracker.queue))

    # The store ----------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Joins and leaves endpoints, and asks the store for replays and resumes when somebody said
        so, or nobody has for very long. Raises StoreUnavailable."""
        if self._clock.monotonic() < self._look_at or self._awaits_flush:
            return
        if self._regrouping:
            await self._regroup()
        self._look_at = self._clock.monotonic() + self._longest_silence
        self._tracker.keys.walk_again()
        self._requested = await self._dependencies.store.resume_requested(self._config.uid)
        await self._replays.refresh(self._config.uid)
        self._apply_time()

    @property
    def _longest_silence(self) -> float:
        """Seconds after which it looks though it heard of nothing: the dispatcher looks for all its
        subscriptions together, and tells those of which it finds something."""
        looks = 1 if self._regrouping else SILENT_LOOKS
        return looks * self._dependencies.settings.look_seconds

    async def _read_rest(self) -> None:
        """Takes in rows that the store has alone, when they are due. No flush is made meanwhile.
        Raises StoreUnavailable."""
        tracker, now = self._tracker, self._capacity.now
        if self._capacity.paused or not tracker.make_room(now) or tracker.rest is None:
            return
        rows, rest = await self._dependencies.store.waiting(
            self._config.uid, tracker.rest, tracker.room
        )
        tracker.take_in(rows, rest, self._config, now)

    async def _take_next(self) -> None:
        """Takes in events whose turn has come by their key. Raises StoreUnavailable."""
        tracker, store, uid = self._tracker, self._dependencies.store, self._config.uid
        keys = tracker.keys
        if self._prepared is None or not self._asks_for_keys:
            return
        if keys.may_walk:
            keys.walked(await store.stranded_keys(uid, keys.walked_to, MOST_KEYS))
        if asked := list(islice(keys.next, MOST_KEYS)):
            rows = await store.first_rows(uid, asked)
            now, wanted = self._capacity.now, self._prepared.concerns
            tracker.take_next(asked, rows, now, wanted, self._replays.jobs)

    @property
    def _asks_for_keys(self) -> bool:
        """There are keys whose next event is to be read, or to be searched for."""
        keys = self._tracker.keys
        wanted = bool(keys.next) or keys.may_walk
        return wanted and not self._capacity.paused and self._prepared is not None

    async def _enter_page(self, scheduler: Scheduler) -> None:
        """Enters a page of a replay, with rows that only the store has. Raises StoreUnavailable."""
        self._replays.leave_out_others(self._config)
        unknown, now = self._replays.unknown, self._capacity.now
        if unknown and not self._tracker.is_as_stored:
            return
        if unknown:
            rows = await self._dependencies.store.open_rows(self._config.uid, unknown)
            self._tracker.take_in_some(rows, self._config, now)
        stored = await scheduler.ask_keys(self._replays.entries)
        self._replays.enter_page(now, stored)

    @property
    def _regrouping(self) -> bool:
        """Endpoints have joined or left."""
        return set(self._config.endpoints) != set(self._tracker.cursors)

    @property
    def _awaits_flush(self) -> bool:
        """The claim for other endpoints waits until what is under way is written, which wakes the
        worker."""
        return self._is_writing and self._regrouping

    async def _regroup(self) -> None:
        """Claims again for the cursors of endpoints that joined; nothing else is taken over."""
        uid, process = self._config.uid, self._dependencies.ownership.process
        self._claims = True
        try:
            claimed = await self._dependencies.store.claim(uid, process, 0)
        finally:
            self._claims = False
        if claimed.flush_number != self._tracker.number:
            raise StaleOwner("somebody else wrote a flush")
        self._tracker.epoch = claimed.epoch
        self._adopt(claimed)

    def _adopt(self, claimed: Claimed) -> None:
        cursors, wanted = self._tracker.cursors, set(self._config.endpoints)
        for endpoint in [endpoint for endpoint in cursors if endpoint not in wanted]:
            self._logs.leave(endpoint)
        for endpoint in sorted(wanted - set(cursors)):
            if endpoint in claimed.cursors:
                position = claimed.cursors[endpoint]
                self._logs.join(endpoint, position, claimed.heads.get(endpoint, position))

    def _flush_due(self) -> bool:
        buffer = self._tracker.buffer
        if self._is_writing or buffer.empty:
            return False
        quiet = self._clock.monotonic() - self._flushed_at < QUIET_FLUSH_SECONDS
        return buffer.urgent or self._capacity.stopping or not quiet

    async def _write(self, flush: Flush) -> None:
        """Writes a flush, however often the store must be asked. Raises StaleOwner."""
        started = self._clock.monotonic()
        backoff = Backoff(STORE_AWAY_SECONDS / 8, 8 * STORE_AWAY_SECONDS)
        while True:
            try:
                await self._dependencies.store.flush(flush)
                break
            except StoreUnavailable:
                await asyncio.sleep(backoff.next_pause())
        self._tracker.flushed(flush)
        self._flushed_at = self._clock.monotonic()
        self._metrics.count(flush.counters)
        self._dependencies.metrics.flush_seconds.observe(self._flushed_at - started)
        self._waker.wake()
