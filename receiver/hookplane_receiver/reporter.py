"""Tells the store what happened at the front door, every few seconds and only when it changed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.config.endpoint import EndpointConfig
from hookplane.errors import StoreUnavailable
from hookplane.rejections import RejectReason
from hookplane.reporting.operational import (
    OperationalEvent,
    OperationalEventPublisher,
    OperationalType,
)
from hookplane.store.event_log import Appended, EndpointReport, EventLog

INTERVAL_SECONDS: Final = 3.0
OUR_SIDE: Final = frozenset(
    {RejectReason.SUSPENDED, RejectReason.STORE, RejectReason.METHOD, RejectReason.NO_ROOM}
)
"""Rejections for these reasons say nothing about who sends."""
QUOTAS: Final = {
    RejectReason.EVENTS_QUOTA: OperationalType.EVENTS_QUOTA_EXCEEDED,
    RejectReason.STORAGE_QUOTA: OperationalType.STORAGE_QUOTA_EXCEEDED,
}
"""News of their own, one for all endpoints of a namespace: bad requests that go on must not hide
that good ones are refused."""

Subject = tuple[OperationalType, str]
"""What is told, and the uid or the namespace that it is told about."""


@dataclass(slots=True)
class _Tally:
    """What happened at one endpoint since the last report."""

    config: EndpointConfig
    duplicates: int = 0
    conflicts: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    latest: dict[str, tuple[Millis, str]] = field(default_factory=dict)
    """Time and detail of the last rejection for each reason."""

    def last(self, reasons: Collection[str]) -> tuple[Millis, str, str]:
        """Time, reason and detail of the last rejection for one of these reasons."""
        found = [(self.latest[x][0], x, self.latest[x][1]) for x in reasons]
        return max(found, default=(0, "", ""))

    def report(self) -> EndpointReport:
        at, reason, detail = self.last(self.latest)
        return EndpointReport(
            endpoint=self.config.uid,
            duplicates=self.duplicates,
            conflicts=self.conflicts,
            rejected=dict(self.rejected),
            last_rejected=at,
            last_rejected_reason=reason,
            last_rejected_detail=detail,
        )

    def add_earlier(self, earlier: _Tally) -> None:
        self.duplicates += earlier.duplicates
        self.conflicts += earlier.conflicts
        self.rejected.update(earlier.rejected)
        self.latest = earlier.latest | self.latest


class Reporter:
    """Collects, and reports by itself while `run` runs."""

    def __init__(self, store: EventLog, clock: Clock, publisher: OperationalEventPublisher) -> None:
        self._store = store
        self._clock = clock
        self._publisher = publisher
        self._tallies: dict[str, _Tally] = {}

    def repeated(self, config: EndpointConfig, appended: Appended) -> None:
        """A key came again."""
        tally = self._tally(config)
        tally.duplicates += appended.duplicate
        tally.conflicts += appended.conflict

    def rejected(
        self, config: EndpointConfig, reason: RejectReason, detail: str, source: str
    ) -> None:
        """A request from the address `source` was not accepted."""
        tally = self._tally(config)
        tally.rejected[reason.value] += 1
        is_sender = bool(source) and reason not in OUR_SIDE and reason not in QUOTAS
        told = f"{detail}, from {source}" if is_sender else detail
        tally.latest[reason.value] = (self._clock.now(), _shown(told))

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
            for subject, reasons in _news(tally).items():
                event = _operational_event(subject[0], tally, reasons)
                self._publisher.publish(event, only_onset=True)

    def _tally(self, config: EndpointConfig) -> _Tally:
        tally = self._tallies.get(config.uid)
        if tally is None:
            tally = self._tallies[config.uid] = _Tally(config)
        return tally

    def _keep(self, tallies: dict[str, _Tally]) -> None:
        for tally in tallies.values():
            self._tally(tally.config).add_earlier(tally)


def _shown(text: str) -> str:
    """Strangers' words may be in it, such as a certificate's name: what would move a terminal's
    cursor, or cannot be encoded, is replaced."""
    if text.isprintable():
        return text
    return "".join([x if x.isprintable() else "�" for x in text])


def _news(tally: _Tally) -> dict[Subject, list[str]]:
    """What is worth telling, with the reasons that belong to it."""
    news: dict[Subject, list[str]] = {}
    for reason in map(RejectReason, tally.rejected):
        if reason not in OUR_SIDE:
            news.setdefault(_subject(reason, tally.config), []).append(reason.value)
    return news


def _subject(reason: RejectReason, config: EndpointConfig) -> Subject:
    if reason in QUOTAS:
        return QUOTAS[reason], config.namespace
    return OperationalType.ENDPOINT_REJECTING, config.uid


def _operational_event(
    type: OperationalType,  # noqa: A002
    tally: _Tally,
    reasons: Collection[str],
) -> OperationalEvent:
    config = tally.config
    of_endpoint = type is OperationalType.ENDPOINT_REJECTING
    count = sum(tally.rejected[reason] for reason in reasons)
    requests = "1 request" if count == 1 else f"{count} requests"
    _, reason, detail = tally.last(reasons)
    return OperationalEvent(
        type=type,
        kind="WebhookEndpoint" if of_endpoint else "Namespace",
        namespace=config.namespace,
        name=config.name if of_endpoint else config.namespace,
        reason=reason,
        message=f"{requests} rejected; the last one: {detail}",
    )
