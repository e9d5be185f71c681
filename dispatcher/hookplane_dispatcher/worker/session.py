"""One ownership of a subscription, from the claim until it is stopped or lost."""

from __future__ import annotations

import asyncio
from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import StaleOwner, StoreUnavailable
from hookplane.pacing.token_bucket import UNLIMITED, TokenBucket
from hookplane.pacing.waiting import Waker
from hookplane.store.delivery_store import Claimed, Flush
from hookplane_dispatcher.dependencies import Dependencies
from hookplane_dispatcher.metrics import SubscriptionMetrics
from hookplane_dispatcher.request_builder import RequestBuilder
from hookplane_dispatcher.worker.capacity import Capacity
from hookplane_dispatcher.worker.outcomes import OutcomeHandler
from hookplane_dispatcher.worker.scheduler import Scheduler
from hookplane_dispatcher.worker.tracker import DeliveryTracker

QUIET_FLUSH: Final = 5.0
"""Seconds between flushes that say only what was filtered."""
STORE_AWAY: Final = 0.5
"""Seconds until the store is asked again."""
MOST_DEATHS: Final = 500
"""RetryQueue that die in one step."""
NOT_ITS_TURN: Final = 1.0
"""Seconds until a due row that waits for another one is looked at again, though nobody woke us."""
_SHORTEST_WAIT: Final = 0.001
"""Seconds; a wait of nothing would keep the loop busy."""


class OwnershipSession:
    """Looks, starts, flushes, waits."""

    def __init__(
        self,
        dependencies: Dependencies,
        config: SubscriptionConfig,
        builder: RequestBuilder | None,
        claimed: Claimed,
        metrics: SubscriptionMetrics,
        waker: Waker,
    ) -> None:
        tracker = DeliveryTracker(config.uid, claimed, config.strict)
        self._dependencies = dependencies
        self._clock = dependencies.clock
        self._tracker = tracker
        self._waker = waker
        self.capacity = Capacity(dependencies, config, builder, tracker, metrics, waker)
        self._outcomes = OutcomeHandler(self.capacity)
        self._resume = False
        self._rewind = False
        self._requested = claimed.resume_requested
        self._away_until = 0.0
        self._look_at = 0.0
        self._flushed_at = self._clock.monotonic()
        now = self._clock.now()
        timeout = config.target.timeout if config.target is not None else 0
        tracker.restore(claimed.deliveries, now, timeout)
        self._adopt(claimed)

    @property
    def epoch(self) -> int:
        """Of the last claim."""
        return self._tracker.epoch

    # Told from outside --------------------------------------------------------------------------

    def configure(self, config: SubscriptionConfig, builder: RequestBuilder | None) -> None:
        """A new document; it counts for everything that has not started."""
        old, self.capacity.config = self.capacity.config, config
        self.capacity.builder = builder
        self._resume = self._resume or (old.suspended and not config.suspended)
        if (old.types, old.filter_cel) != (config.types, config.filter_cel):
            self._rewind = True
        if old.rate != config.rate:
            self.capacity.bucket = TokenBucket(config.rate or UNLIMITED, self._clock.monotonic())
        self._tracker.set_strict(config.strict)
        self._waker.wake()

    def look_soon(self) -> None:
        """A replay or a resume was asked for."""
        self._look_at = 0.0
        self._waker.wake()

    def stop(self) -> None:
        """Nothing starts any more; ends when everything is written."""
        self.capacity.stopping = True
        self._waker.wake()

    # The loop -----------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Until stopped. Raises StaleOwner when somebody else owns the subscription."""
        try:
            async with asyncio.TaskGroup() as tasks:
                starter = Scheduler(self.capacity, self._outcomes, tasks)
                while not self._over():
                    await self._step(starter)
                    if self._flush_due():
                        tasks.create_task(self._write(self._tracker.flush()))
                    await self._waker.wait(self._pause())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            for endpoint in self._tracker.streams:
                self._dependencies.logs.detach(endpoint, self._waker.wake)

    async def _step(self, starter: Scheduler) -> None:
        self.capacity.tick()
        self._mind_time()
        if self._clock.monotonic() < self._away_until:
            return
        try:
            await self._look()
            await starter.start()
        except StoreUnavailable:
            self._away_until = self._clock.monotonic() + STORE_AWAY

    def _over(self) -> bool:
        tracker = self._tracker
        idle = not (tracker.active or tracker.writing)
        return self.capacity.stopping and idle and tracker.progress.empty

    # Time ---------------------------------------------------------------------------------------

    def _mind_time(self) -> None:
        """Everything that time and config alone bring about."""
        now = self._clock.now()
        self._mind_resume()
        self._mind_clocks(now)
        self._tracker.let_hanging_pass(self._clock.monotonic())
        if self._rewind:
            self._rewind = False
            for stream in self._tracker.streams.values():
                stream.rewind()
        if not self.capacity.paused:
            self._bury(now)
        self._show()

    def _mind_resume(self) -> None:
        health = self._tracker.health
        if self._requested > health.resume_seen:
            health.resume_seen = self._requested
            self._resume = True
        if self._resume:
            self._resume = False
            health.resume()
            self._tracker.progress.state_changed = True

    def _mind_clocks(self, now: Millis) -> None:
        health, progress = self._tracker.health, self._tracker.progress
        if self.capacity.paused and not health.paused_at:
            health.stop_clocks(now)
            progress.state_changed = True
        elif health.paused_at and not self.capacity.paused:
            stood = health.start_clocks(now)
            self._tracker.rows.shift(stood)
            progress.shifted(stood)
            progress.state_changed = True

    def _bury(self, now: Millis) -> None:
        for _ in range(MOST_DEATHS):
            row = self._tracker.rows.take_overdue(now)
            if row is None:
                return
            self._outcomes.die_overdue(row)

    def _show(self) -> None:
        metrics, health = self.capacity.metrics, self._tracker.health
        metrics.circuit_open.set(health.open)
        metrics.disabled.set(health.disabled_at > 0)
        metrics.retrying.set(len(self._tracker.rows))

    def _pause(self) -> float:
        """Seconds to sleep when nobody wakes us."""
        if self._over():
            return 0.0
        mono = self._clock.monotonic()
        passed = mono - self.capacity.mono
        times = [self._look_at - mono, *(x - passed for x in self._start_times())]
        hang = self._tracker.next_hang()
        if hang is not None:
            times.append(hang - mono)
        if not self._tracker.progress.empty and not self._tracker.writing:
            times.append(self._flushed_at + QUIET_FLUSH - mono)
        return max(min(times), _SHORTEST_WAIT)

    def _start_times(self) -> list[float]:
        """Seconds, from the turn's time, until something could start or must die."""
        capacity, rows, now = self.capacity, self._tracker.rows, self.capacity.now
        if capacity.paused or capacity.stopping:
            return []
        deadline = rows.next_deadline()
        times = [] if deadline is None else [(deadline + 1 - now) / 1000]
        if capacity.free() <= 0:
            return times
        wait = max(capacity.wait(), self._away_until - capacity.mono)
        if wait > 0:
            times.append(wait)
        due = rows.next_due()
        if due is not None:
            times.append(max(wait, (due - now) / 1000 if due > now else NOT_ITS_TURN))
        return times

    # The store ----------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Joins and leaves endpoints, asks for replays and resumes. Raises StoreUnavailable."""
        if self._clock.monotonic() < self._look_at:
            return
        if set(self.capacity.config.endpoints) != set(self._tracker.streams):
            if self._tracker.writing:
                return  # it comes again when the flush is written
            await self._regroup()
        self._look_at = self._clock.monotonic() + self._dependencies.settings.look
        self._requested = await self._dependencies.store.resume_requested(self.capacity.config.uid)
        await self.capacity.replays.refresh(self.capacity.config.uid)
        self._mind_time()

    async def _regroup(self) -> None:
        """Claims again for the cursors of endpoints that joined; nothing else is taken over."""
        uid, process = self.capacity.config.uid, self._dependencies.ownership.process
        claimed = await self._dependencies.store.claim(uid, process)
        if claimed.flush_number != self._tracker.number:
            raise StaleOwner("somebody else wrote a flush")
        self._tracker.epoch = claimed.epoch
        self._adopt(claimed)

    def _adopt(self, claimed: Claimed) -> None:
        streams, wanted = self._tracker.streams, set(self.capacity.config.endpoints)
        for endpoint in [endpoint for endpoint in streams if endpoint not in wanted]:
            self._tracker.leave(endpoint)
            self._dependencies.logs.detach(endpoint, self._waker.wake)
        for endpoint in sorted(wanted - set(streams)):
            if endpoint in claimed.cursors:
                self._tracker.join(endpoint, claimed.cursors[endpoint])
                head = claimed.heads.get(endpoint, claimed.cursors[endpoint])
                self._dependencies.logs.attach(endpoint, head, self._waker.wake)

    def _flush_due(self) -> bool:
        progress = self._tracker.progress
        if self._tracker.writing or progress.empty:
            return False
        quiet = self._clock.monotonic() - self._flushed_at < QUIET_FLUSH
        return progress.urgent or self.capacity.stopping or not quiet

    async def _write(self, flush: Flush) -> None:
        """Writes it, however often the store must be asked. Raises StaleOwner."""
        started = self._clock.monotonic()
        pause = STORE_AWAY / 8
        while True:
            try:
                await self._dependencies.store.flush(flush)
                break
            except StoreUnavailable:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 8 * STORE_AWAY)
        self._tracker.flushed(flush)
        self._flushed_at = self._clock.monotonic()
        self.capacity.metrics.add(flush.counters)
        self._dependencies.metrics.flush_seconds.observe(self._flushed_at - started)
        self._waker.wake()
