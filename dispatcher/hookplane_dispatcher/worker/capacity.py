"""What the parts of a worker share while one ownership lasts."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.pacing.token_bucket import UNLIMITED, TokenBucket
from hookplane.pacing.waiting import Waker
from hookplane.reporting.operational import OperationalEvent, OperationalType
from hookplane_dispatcher.dependencies import Dependencies
from hookplane_dispatcher.metrics import SubscriptionMetrics
from hookplane_dispatcher.request_builder import RequestBuilder
from hookplane_dispatcher.worker.health import HealthChange
from hookplane_dispatcher.worker.replays import Replays
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery
from hookplane_dispatcher.worker.stream import Stream
from hookplane_dispatcher.worker.tracker import DeliveryTracker

MOST_BYTES: Final = 4 << 20
"""ContentCache of one subscription under way, or one that is larger."""

_NOTICES: Final = {
    HealthChange.CIRCUIT_OPENED: (OperationalType.CIRCUIT_OPEN, "TargetFailing"),
    HealthChange.DISABLED: (OperationalType.SUBSCRIPTION_DISABLED, "Disabled"),
}


class Capacity:
    """Facts and the questions that follow from them: may something start, and if not, when?"""

    def __init__(
        self,
        dependencies: Dependencies,
        config: SubscriptionConfig,
        builder: RequestBuilder | None,
        tracker: DeliveryTracker,
        metrics: SubscriptionMetrics,
        waker: Waker,
    ) -> None:
        self.dependencies = dependencies
        self.config = config
        self.builder = builder
        """None: nothing can be sent with this config."""
        self.tracker = tracker
        self.metrics = metrics
        self.waker = waker
        self.replays = Replays(dependencies.store, tracker)
        self.bucket = TokenBucket(config.rate or UNLIMITED, dependencies.clock.monotonic())
        self.name = f"{config.namespace}/{config.name}"
        self.now: Millis = 0
        self.mono = 0.0
        """When the turn began: everything in it is decided for that time, also how long to wait for
        what could not start. By the clock in ms, monotonic in seconds."""
        self.tick()
        self.stopping = False
        self.probing = False
        """A probe is under way."""
        self.held_bytes = 0
        """ContentCache of attempts under way."""

    def tick(self) -> None:
        """A new turn."""
        self.now = self.dependencies.clock.now()
        self.mono = self.dependencies.clock.monotonic()

    @property
    def paused(self) -> bool:
        """Nothing starts and nothing ages."""
        return self.config.suspended or self.builder is None or self.tracker.health.disabled_at > 0

    @property
    def slots(self) -> int:
        """Attempts that may be under way at once: Strict has one for each endpoint."""
        return len(self.tracker.streams) if self.config.strict else self.config.max_in_flight

    def free(self) -> int:
        """Slots that are free, leaving time out of account. None while another process may own the
        subscription by now; who knows better wakes the worker."""
        if self.stopping or self.paused or self.held_bytes >= MOST_BYTES:
            return 0
        if not self.dependencies.ownership.may_send():
            return 0
        free = self.slots - self.tracker.under_way
        if free <= 0 and self.tracker.all_held:
            free = 1  # nothing ends any more that could make room
        if self.tracker.health.open:
            return min(free, 0 if self.probing else 1)
        return free

    def room(self) -> int:
        """How many attempts may start now."""
        free = self.free()
        if free <= 0 or self.now < self.tracker.health.blocked_until:
            return 0
        return min(free, self.bucket.available(self.mono))

    def in_turn(self, row: QueuedDelivery) -> bool:
        """Whether a row may go. One above the cursor would keep its slot until what comes before it
        is settled, and that may need the slot; with order it has to wait anyway."""
        stream = self.tracker.streams.get(row.endpoint)
        if stream is None:
            return True
        if self.config.strict:
            return self.has_turn(stream) and row.sequence <= stream.window.cursor + 1
        return row.sequence <= stream.window.cursor

    def has_turn(self, stream: Stream) -> bool:
        """With order one attempt for each endpoint."""
        return not (self.config.strict and stream.under_way) or self.tracker.all_held

    def may_go(self, stream: Stream) -> bool:
        """Whether the first waiting event of a stream is not held by one before it."""
        ready = stream.head_ready if self.config.strict else bool(stream.ready)
        return ready and self.has_turn(stream)

    def wait(self) -> float:
        """Seconds until time alone lets something start, from the turn's time."""
        blocked = max(self.tracker.health.blocked_until - self.now, 0) / 1000
        return max(blocked, self.bucket.seconds_to_token(self.mono))

    def tell(self, change: HealthChange | None) -> None:
        """Lets people know of a change."""
        if change is None:
            return
        health = self.tracker.health
        message = health.disabled_reason or f"last answer: {health.last_failure_error}"
        if change is HealthChange.DISABLED:
            message += "; events are kept. Mend the target, then resume the subscription"
        self.dependencies.activity.noted(self.name, change, message)
        self.notice(*_NOTICES[change], message)

    def notice(self, type: OperationalType, reason: str, message: str) -> None:  # noqa: A002
        """An operational event, unless this subscription is for them."""
        config = self.config
        if not config.operational:
            subject = ("WebhookSubscription", config.namespace, config.name)
            self.dependencies.publisher.publish(OperationalEvent(type, *subject, reason, message))
