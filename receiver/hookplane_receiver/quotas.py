"""What one namespace may use of a gateway: events a second and stored bytes. Asked only for what is
about to be stored, so that only verified senders use up the quota of a namespace."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from hookplane.clock import Clock
from hookplane.config.base import RateLimit
from hookplane.errors import StoreError
from hookplane.pacing.token_bucket import TokenBucket
from hookplane.rejections import RejectReason
from hookplane.store.queries import Queries
from hookplane.units import format_size
from hookplane_receiver.metrics import ReceiverMetrics
from hookplane_receiver.responses import Rejected
from hookplane_receiver.settings import QuotaSettings

ASK_SECONDS: Final = 5.0
"""How often the store is asked what is stored. What other receivers store meanwhile is not known
here: by so much a quota of bytes can be overrun."""


def share(events_per_second: int, receivers: int) -> RateLimit:
    """One receiver's part of a quota, with a second's worth kept; at least one event a second, so
    that no receiver refuses everything."""
    receivers = min(receivers, events_per_second)
    burst = -(-events_per_second // receivers)
    return RateLimit(tokens=events_per_second, per=1000 * receivers, burst=burst)


class NamespaceUsage:
    """What one namespace uses, in bytes of bodies and in events."""

    __slots__ = ("_in_flight", "_since", "_stored", "bucket")

    def __init__(self, bucket: TokenBucket | None) -> None:
        self.bucket = bucket
        self._stored = 0
        self._since = 0
        self._in_flight = 0

    @property
    def used(self) -> int:
        """What the store last said, what was stored here since then, and what is on its way."""
        return self._stored + self._since + self._in_flight

    @property
    def since(self) -> int:
        """Stored here since the store was asked; to be noted when it is asked again."""
        return self._since

    def begin(self, size: int) -> None:
        """A body is on its way to the store."""
        self._in_flight += size

    def end(self, size: int, stored: int) -> None:
        """It has arrived: `stored` of its bytes are new."""
        self._in_flight -= size
        self._since += stored

    def learn(self, stored: int, included: int) -> None:
        """The store's answer, which has in it what `since` was when it was asked."""
        self._stored = stored
        self._since -= included

    def is_idle(self, now: float) -> bool:
        """It tells nothing that a new one would not."""
        return not self.used and (self.bucket is None or self.bucket.is_full(now))


class Quotas:
    """The use of all namespaces that send."""

    def __init__(
        self, settings: QuotaSettings, store: Queries, clock: Clock, metrics: ReceiverMetrics
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._usages: dict[str, NamespaceUsage] = {}
        self._receivers = 1

    def admit(self, namespace: str, size: int) -> NamespaceUsage:
        """The namespace's usage, in which a body of this size is now on its way. Raises
        Rejected."""
        usage = self._usage_of(namespace)
        limit = self._settings.stored_bytes
        if limit is not None and usage.used + size > limit:
            raise Rejected(RejectReason.STORAGE_QUOTA, self._full(namespace, limit))
        bucket = usage.bucket
        wait = 0.0 if bucket is None else bucket.try_spend(self._clock.monotonic())
        if wait:
            detail = self._too_fast(namespace)
            raise Rejected(RejectReason.EVENTS_QUOTA, detail, retry_seconds=wait)
        usage.begin(size)
        return usage

    def share_among(self, receivers: int) -> None:
        """So many receivers, this one included, share the quota of events from now on."""
        events = self._settings.events_per_second
        if events is None or receivers == self._receivers:
            return
        self._receivers = receivers
        rate, now = share(events, receivers), self._clock.monotonic()
        for usage in self._usages.values():
            if usage.bucket is not None:
                usage.bucket.change_rate(rate, now)

    async def ask(self) -> None:
        """Brings all usages up to date with the store. Raises StoreUnavailable, StoreReplaced."""
        included = {name: usage.since for name, usage in self._usages.items()}
        stored = await self._store.stored_bytes()
        self._metrics.set_stored_bytes(stored)
        for namespace in stored.keys() | included.keys():
            usage = self._usage_of(namespace)
            usage.learn(stored.get(namespace, 0), included.get(namespace, 0))
        self._forget_idle()

    async def run(self) -> None:
        """Asks until cancelled; while the store is away, what was known goes on counting."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            with contextlib.suppress(StoreError):
                await self.ask()

    def _usage_of(self, namespace: str) -> NamespaceUsage:
        usage = self._usages.get(namespace)
        if usage is None:
            usage = self._usages[namespace] = NamespaceUsage(self._bucket())
        return usage

    def _bucket(self) -> TokenBucket | None:
        events = self._settings.events_per_second
        if events is None:
            return None
        return TokenBucket(share(events, self._receivers), self._clock.monotonic())

    def _forget_idle(self) -> None:
        now = self._clock.monotonic()
        for namespace in [x for x, usage in self._usages.items() if usage.is_idle(now)]:
            del self._usages[namespace]

    # These words go into statuses: they must not change with every request.

    def _full(self, namespace: str, limit: int) -> str:
        return (
            f"namespace {namespace} has no room left in its quota of {format_size(limit)} of "
            f"stored bodies; {self._raise('storedBytes')}, or shorten the retention of events"
        )

    def _too_fast(self, namespace: str) -> str:
        return (
            f"namespace {namespace} sends more than its quota of "
            f"{self._settings.events_per_second} events a second; {self._raise('eventsPerSecond')}"
        )

    def _raise(self, field: str) -> str:
        gateway = self._settings.gateway
        if not gateway:
            return f"raise {_VARIABLES[field]}"
        return f"raise spec.quotas.perNamespace.{field} of gateway {gateway}"


_VARIABLES: Final = {
    "storedBytes": "HOOKPLANE_QUOTA_STORED_BYTES",
    "eventsPerSecond": "HOOKPLANE_QUOTA_EVENTS_PER_SECOND",
}
"""What says the same without a gateway."""
