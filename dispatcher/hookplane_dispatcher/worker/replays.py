"""Replay jobs of one subscription: hands their events to the tracker, a few at a time."""

from __future__ import annotations

from hookplane.clock import Millis
from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import (
    DeliveryState,
    DeliveryStore,
    ReplayCandidate,
    ReplayJob,
    ReplayPage,
    ReplayProgress,
)
from hookplane_dispatcher.worker.flush_buffer import Key
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery
from hookplane_dispatcher.worker.tracker import MOST_ROWS, DeliveryTracker


class Replays:
    """The oldest running job gets up to half of the subscription's slots for events that it has
    not tried yet; what failed once is an ordinary retry."""

    def __init__(self, store: DeliveryStore, tracker: DeliveryTracker) -> None:
        self._store = store
        self._tracker = tracker
        self._jobs: list[ReplayJob] = []
        self._names: dict[str, str] = {}
        self._exhausted: set[str] = set()
        self._untried: set[Key] = set()
        self._flush_number = -1
        """The flush with the last page's position."""

    @property
    def running(self) -> bool:
        """Whether there are jobs, which may want slots."""
        return bool(self._jobs)

    def name(self, uid: str) -> str:
        """`namespace/name` for the header, or the uid of a job that is no longer running."""
        return self._names.get(uid, uid)

    async def refresh(self, subscription: str) -> None:
        """Asks the store which jobs are running. Raises StoreUnavailable."""
        self._jobs = await self._store.running_replays(subscription)
        known = {row.replay for row in map(self._tracker.queue.row, self._tracker.queue) if row}
        names = {job.uid: f"{job.namespace}/{job.name}" for job in self._jobs}
        self._names = {u: n for u, n in self._names.items() if u in known} | names
        self._exhausted &= set(names)

    async def take_in(self, slots: int, now: Millis) -> None:
        """The next events of the oldest job, as far as there is room. Raises StoreUnavailable."""
        job = next(
            (j for j in self._jobs if not j.exhausted and j.uid not in self._exhausted), None
        )
        if job is None or self._tracker.number < self._flush_number:
            return
        room = max(1, slots // 2) - self._count_untried()
        if room <= 0 or len(self._tracker.queue) + room > MOST_ROWS:
            return
        try:
            page = await self._store.replay_page(job.uid, room)
        except UnknownObject:
            self._exhausted.add(job.uid)
            return
        self._enter(job.uid, page, now)

    def _count_untried(self) -> int:
        rows = self._tracker.queue
        self._untried = {k for k in self._untried if (row := rows.row(k)) and not row.attempts}
        return len(self._untried)

    def _enter(self, uid: str, page: ReplayPage, now: Millis) -> None:
        matched = sum([self._enter_one(uid, candidate, now) for candidate in page.candidates])
        self._tracker.replay_advanced(
            ReplayProgress(uid, page.position, matched=matched, exhausted=page.exhausted)
        )
        self._flush_number = self._tracker.next_number
        if page.exhausted:
            self._exhausted.add(uid)

    def _enter_one(self, uid: str, candidate: ReplayCandidate, now: Millis) -> bool:
        """Whether the job gets this one; not one that another job has, or that was just done."""
        key = (candidate.entry.endpoint, candidate.entry.sequence)
        row = self._tracker.queue.row(key)
        if row is None:
            if candidate.state is DeliveryState.RETRYING:
                return False
            row = QueuedDelivery.of(candidate.entry, DeliveryState.RETRYING, now)
        if row.replay:
            return False
        row.replay, row.due = uid, min(row.due, now)
        self._untried.add(key)
        self._tracker.put(row)
        return True
