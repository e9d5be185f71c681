"""Replay jobs of one subscription: hands their events to the tracker, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import StoreUnavailable, UnknownObject
from hookplane.filters.types import InterestFilter
from hookplane.pacing.backoff import Backoff
from hookplane.store.delivery_store import (
    DeliveryState,
    DeliveryStore,
    EventKey,
    ReplayCandidate,
    ReplayJob,
    ReplayPage,
    ReplayProgress,
)
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.flush_buffer import Key
from hookplane_dispatcher.worker.key_order import KeyTurn
from hookplane_dispatcher.worker.prepared import interest_of
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery
from hookplane_dispatcher.worker.tracker import DeliveryTracker

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
"""Until a page that could not be had is asked for again."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What is asked of the store."""

    replay: str
    limit: int


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
        self._fetching = False
        self._page: ReplayPage | None = None
        """It was fetched and is not entered yet."""
        self._page_of = ""
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        self._flush_number = -1
        """The flush with the last page's position."""

    @property
    def running(self) -> bool:
        """Whether there are jobs, which may want slots."""
        return bool(self._jobs)

    @property
    def jobs(self) -> frozenset[str]:
        """Uids of jobs that are running, as far as is known."""
        return frozenset(job.uid for job in self._jobs)

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

    def next_page(self, slots: int) -> PageRequest | None:
        """What to ask of the oldest job, as far as there is room; it must be taken in then, and
        until it is nothing else is asked."""
        job = next(
            (j for j in self._jobs if not j.exhausted and j.uid not in self._exhausted), None
        )
        if job is None or self._fetching or self._tracker.number < self._flush_number:
            return None
        room = max(1, slots // 2) - self._count_untried()
        if room <= 0:
            return None
        self._fetching = True
        return PageRequest(job.uid, room)

    async def fetch(self, request: PageRequest) -> None:
        """Fetches a page, however long that takes. A store that fails delays this replay alone."""
        try:
            page = await self._store.replay_page(request.replay, request.limit)
        except UnknownObject:
            self._exhausted.add(request.replay)
        except StoreUnavailable:
            await asyncio.sleep(self._backoff.next_pause())
        else:
            self._backoff.reset()
            self._page = page
            self._page_of = request.replay
            return
        self._fetching = False

    @property
    def unknown(self) -> list[Key]:
        """Events of the page that was fetched whose rows may be in the store alone."""
        if self._page is None or self._tracker.rest is None:
            return []
        retrying = (x.entry for x in self._page.candidates if x.state is DeliveryState.RETRYING)
        keys = [(entry.endpoint, entry.sequence) for entry in retrying]
        return [key for key in keys if key not in self._tracker.queue]

    def leave_out_others(self, config: SubscriptionConfig) -> None:
        """A key says whose an event is, so no replay sends it to others; types and expressions it
        goes past."""
        if self._page is not None:
            wants_key = InterestFilter(interest_of(config)).wants_key
            theirs = tuple(x for x in self._page.candidates if wants_key(x.entry.key))
            self._page = replace(self._page, candidates=theirs)

    @property
    def entries(self) -> list[LogEntry]:
        """Events of the page that was fetched and is not entered yet."""
        return [] if self._page is None else [x.entry for x in self._page.candidates]

    def enter_page(self, now: Millis, stored: Mapping[EventKey, int]) -> None:
        """Enters the events of the page that was fetched, if there is one. `stored`: as for
        `KeyOrder.turn`."""
        if self._page is not None:
            page, self._page = self._page, None
            self._fetching = False
            self._enter(self._page_of, page, now, stored)

    def _count_untried(self) -> int:
        rows = self._tracker.queue
        self._untried = {k for k in self._untried if (row := rows.row(k)) and not row.attempts}
        return len(self._untried)

    def _enter(
        self, uid: str, page: ReplayPage, now: Millis, stored: Mapping[EventKey, int]
    ) -> None:
        matched = sum([self._enter_one(uid, x, now, stored) for x in page.candidates])
        self._tracker.replay_advanced(
            ReplayProgress(uid, page.position, matched=matched, exhausted=page.exhausted)
        )
        self._flush_number = self._tracker.next_number
        if page.exhausted:
            self._exhausted.add(uid)

    def _enter_one(
        self, uid: str, candidate: ReplayCandidate, now: Millis, stored: Mapping[EventKey, int]
    ) -> bool:
        """Whether the job gets this one; not one that another job has, or that was just done."""
        entry, keys = candidate.entry, self._tracker.keys
        row = self._tracker.queue.row((entry.endpoint, entry.sequence))
        if row is None and candidate.state is DeliveryState.RETRYING:
            return False
        if row is None and keys.turn(entry, stored, written=0) is KeyTurn.BEHIND:
            was_dead = candidate.state is DeliveryState.DEAD
            self._tracker.put_behind(entry, now, uid, was_dead=was_dead)
            return True
        if row is None:
            event_key = keys.key_for(entry)
            row = QueuedDelivery.of(entry, DeliveryState.RETRYING, now, event_key=event_key)
        if row.replay:
            return False
        row.replay, row.due = uid, min(row.due, now)
        self._untried.add(row.key)
        self._tracker.put(row)
        return True
