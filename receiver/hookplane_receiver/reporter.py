"""Tells the store what happened at the front door, every few seconds and only when it changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.config.endpoint import EndpointConfig
from hookplane.errors import StoreError, StoreUnavailable
from hookplane.operational import QUIET_PERIOD, Notice, Notices, OperationalType
from hookplane.store.model import EndpointReport, RejectReason
from hookplane.store.protocol import Store

INTERVAL_SECONDS: Final = 3.0
OUR_SIDE: Final = frozenset({RejectReason.SUSPENDED, RejectReason.STORE, RejectReason.METHOD})
"""Rejections for these reasons say nothing about who sends."""


@dataclass(slots=True)
class _Tally:
    """What happened at one endpoint since the last report."""

    config: EndpointConfig
    duplicates: int = 0
    conflicts: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    last: tuple[Millis, str, str] = (0, "", "")
    """Time, reason and detail of the last rejection."""

    def report(self) -> EndpointReport:
        at, reason, detail = self.last
        return EndpointReport(
            endpoint=self.config.uid,
            duplicates=self.duplicates,
            conflicts=self.conflicts,
            rejected=dict(self.rejected),
            last_rejected=at,
            last_rejected_reason=reason,
            last_rejected_detail=detail,
        )

    def add(self, earlier: _Tally) -> None:
        self.duplicates += earlier.duplicates
        self.conflicts += earlier.conflicts
        self.rejected.update(earlier.rejected)
        self.last = max(self.last, earlier.last)


class Reporter:
    """Collects, and reports by itself while `run` runs."""

    def __init__(self, store: Store, clock: Clock, notices: Notices) -> None:
        self._store = store
        self._clock = clock
        self._notices = notices
        self._tallies: dict[str, _Tally] = {}
        self._rejecting: dict[str, Millis] = {}
        """Uid → last rejection by the sender's fault."""

    def duplicate(self, config: EndpointConfig, *, conflict: bool) -> None:
        """An event came again, with another body if `conflict`."""
        tally = self._tally(config)
        tally.duplicates += 1
        tally.conflicts += conflict

    def rejected(self, config: EndpointConfig, reason: RejectReason, detail: str) -> None:
        """A request was not accepted."""
        tally = self._tally(config)
        tally.rejected[reason.value] += 1
        tally.last = (self._clock.now(), reason.value, detail)

    async def run(self) -> None:
        """Reports until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Reports now; what the store does not take is kept for the next time."""
        tallies, self._tallies = self._tallies, {}
        if not tallies:
            return
        try:
            await self._store.report_endpoints([tally.report() for tally in tallies.values()])
        except StoreUnavailable:
            self._keep(tallies)
            return
        for tally in tallies.values():
            await self._tell(tally)

    def _tally(self, config: EndpointConfig) -> _Tally:
        tally = self._tallies.get(config.uid)
        if tally is None:
            tally = self._tallies[config.uid] = _Tally(config)
        return tally

    def _keep(self, tallies: dict[str, _Tally]) -> None:
        for tally in tallies.values():
            self._tally(tally.config).add(tally)

    async def _tell(self, tally: _Tally) -> None:
        """An operational event when rejections start: none came for the quiet period before."""
        count = sum(n for reason, n in tally.rejected.items() if reason not in OUR_SIDE)
        if not count:
            return
        now = self._clock.now()
        before = self._rejecting.pop(tally.config.uid, -QUIET_PERIOD)
        self._rejecting[tally.config.uid] = now
        self._forget_old(now)
        event = self._notices.event(_notice(tally, count), now)
        if now - before < QUIET_PERIOD or event is None:
            return
        # A namespace without its built-in endpoint has nobody to tell.
        with contextlib.suppress(StoreError):
            await self._store.append(event)

    def _forget_old(self, now: Millis) -> None:
        """The oldest stand first."""
        while now - self._rejecting[oldest := next(iter(self._rejecting))] >= QUIET_PERIOD:
            del self._rejecting[oldest]


def _notice(tally: _Tally, count: int) -> Notice:
    _, reason, detail = tally.last
    requests = "1 request" if count == 1 else f"{count} requests"
    return Notice(
        type=OperationalType.ENDPOINT_REJECTING,
        kind="WebhookEndpoint",
        namespace=tally.config.namespace,
        name=tally.config.name,
        reason=reason,
        message=f"{requests} rejected; the last one: {detail}",
    )
