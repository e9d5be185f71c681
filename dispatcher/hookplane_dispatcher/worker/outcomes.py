"""What becomes of a delivery when an attempt has ended, or cannot be made."""

from __future__ import annotations

import math
from typing import Final

from hookplane import retry
from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.reporting.operational import OperationalEvent, OperationalType
from hookplane.store.delivery_store import Attempt, DeliveryState, ExpressionKind
from hookplane.store.event_log import LogEntry
from hookplane.units import format_time
from hookplane_dispatcher.dependencies import Dependencies
from hookplane_dispatcher.transports.transport import Outcome, OutcomeKind
from hookplane_dispatcher.worker.flush_buffer import Settlement
from hookplane_dispatcher.worker.health import HealthChange
from hookplane_dispatcher.worker.prepared import expressions_of
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery
from hookplane_dispatcher.worker.tracker import DeliveryTracker, RunningAttempt

_REPORTED: Final = {
    HealthChange.CIRCUIT_OPENED: (OperationalType.CIRCUIT_OPEN, "TargetFailing"),
    HealthChange.DISABLED: (OperationalType.SUBSCRIPTION_DISABLED, "Disabled"),
}

_HELD_BACK: Final = "then held back until the schedule had ended"
_MISSING: Final = (
    "not in the store, though retention did not remove it; counted as expired. Look for what did "
    "(rows or partitions deleted by hand, a damaged database), and let the sender repeat it"
)


class OutcomeHandler:
    """Settles in memory, and reports; the next flush makes it last."""

    def __init__(
        self, dependencies: Dependencies, config: SubscriptionConfig, tracker: DeliveryTracker
    ) -> None:
        self._dependencies = dependencies
        self._config = config
        self._tracker = tracker
        self._name = f"{config.namespace}/{config.name}"

    def configure(self, config: SubscriptionConfig) -> None:
        """A new document; what ends from now on is judged by it."""
        self._config = config

    def settle(self, running: RunningAttempt, outcome: Outcome) -> None:
        """An attempt has ended."""
        now = self._dependencies.clock.now()
        self._tracker.end(running)
        attempt = _attempt(running, outcome)
        self._dependencies.metrics.seconds.observe(outcome.duration / 1000)
        if attempt.success:
            self._delivered(running, attempt, now)
        else:
            self._failed(running, attempt, outcome, now)

    def die(self, row: QueuedDelivery, reason: str, attempt: Attempt | None = None) -> None:
        """Ends a delivery as dead: it is kept for replay until retention ends."""
        replay, row.replay = row.replay, ""
        row.error = reason
        dead = row.delivery(DeliveryState.DEAD)
        self._tracker.finish(Settlement(row.key, DeliveryState.DEAD, attempt, dead, replay=replay))
        message = f"event {row.event_id} after {row.attempts} attempts: {reason}"
        self._publish(OperationalType.DELIVERY_DEAD, "DeliveryDead", message)

    def die_untried(self, entry: LogEntry, row: QueuedDelivery | None, reason: str) -> None:
        """Nothing can be sent of this event."""
        now = self._dependencies.clock.now()
        row = row or QueuedDelivery.of(entry, DeliveryState.SENDING, now)
        self._log_failure(entry.event_id, reason, row.attempts + 1, None)
        self.die(row, reason)

    def die_overdue(self, row: QueuedDelivery) -> None:
        """The schedule ended while the delivery was held back, by the circuit, Retry-After or the
        rate."""
        reason = "; ".join(filter(None, (row.error, _HELD_BACK)))
        self._log_failure(row.event_id, reason, row.attempts, None)
        self.die(row, reason)

    def report_missing(self, endpoint: str, gap: range) -> None:
        """Events of an endpoint are not in the store, and retention did not remove them."""
        name = self._dependencies.contents.name_of(endpoint)
        which = f"events {gap.start} to {gap[-1]}" if len(gap) > 1 else f"event {gap.start}"
        message = f"{which} of endpoint {name}: {_MISSING}"
        self._dependencies.activity.noted(self._name, "EventsMissing", message)
        self._publish(OperationalType.EVENTS_MISSING, "EventsMissing", message)

    def hold(self, expression: ExpressionKind, seconds: float, why: str) -> None:
        """An expression may not run for a while; told when that begins, or for another reason."""
        until = self._dependencies.clock.now() + math.ceil(seconds * 1000)
        text = expressions_of(self._config).get(expression, "")
        news = self._tracker.health.hold(expression, text, until, why)
        self._tracker.health_changed()
        if news:
            message = f"spec.{expression}.cel may not run before {format_time(until)}: {why}"
            self._dependencies.activity.noted(self._name, "ExpressionHeld", message)
            self._publish(OperationalType.EXPRESSION_HELD, "ExpressionHeld", message)

    def report_filter_error(self, entry: LogEntry, error: str) -> None:
        """The filter failed on an event, which is left out."""
        text = expressions_of(self._config).get(ExpressionKind.FILTER, "")
        now = self._dependencies.clock.now()
        self._tracker.health.fail_filter(text, entry.event_id, error, now)
        self._tracker.health_changed()
        message = f"event {entry.event_id} was left out: {error}"
        self._dependencies.activity.noted(self._name, "FilterError", message)

    def release(self, expression: ExpressionKind) -> None:
        """It ran and took no more than it may."""
        health = self._tracker.health
        if health.held_expression is expression and health.release():
            self._tracker.health_changed()

    def _delivered(self, running: RunningAttempt, attempt: Attempt, now: Millis) -> None:
        self._tracker.health.succeeded(attempt, now)
        row = running.row
        replay = row.replay if row is not None else ""
        self._tracker.finish(
            Settlement(
                running.key,
                DeliveryState.DELIVERED,
                attempt,
                had_row=row is not None,
                replay=replay,
            )
        )
        self._dependencies.activity.delivered(
            self._name, attempt.event_id, attempt.status_code, attempt.duration, attempt.number
        )

    def _failed(
        self, running: RunningAttempt, attempt: Attempt, outcome: Outcome, now: Millis
    ) -> None:
        config, health = self._config, self._tracker.health
        at = health.time(now)
        health.failed(attempt, now)
        if outcome.kind is OutcomeKind.REJECTED:
            health.answered()
        if outcome.kind is OutcomeKind.THROTTLED:
            health.block(now + outcome.pause)
        if running.is_probe:
            health.probe_failed(config.circuit, now)
            self._tracker.probed(running, attempt, at)
            next_at: Millis | None = health.blocked_until
        else:
            next_at = self._failed_try(running, attempt, outcome, at)
        if outcome.kind is OutcomeKind.REFUSED:
            self._report(health.refused(now, outcome.error))
        elif outcome.kind is OutcomeKind.FAILED and not running.is_probe:
            self._report(health.count(config.circuit, now))
        self._report(health.check_disable(config.disable_after, now))
        next_in = None if next_at is None else max(next_at - at, 0)
        self._log_failure(attempt.event_id, attempt.error, attempt.number, next_in)

    def _failed_try(
        self, running: RunningAttempt, attempt: Attempt, outcome: Outcome, at: Millis
    ) -> Millis | None:
        """When it is tried again; None: it is dead. A refusal for good uses up no attempt."""
        row = running.row or QueuedDelivery.of(running.entry, DeliveryState.RETRYING, at)
        row.state, row.entry = DeliveryState.RETRYING, running.entry
        row.status_code, row.error = attempt.status_code, attempt.error
        if outcome.kind is OutcomeKind.REFUSED:
            row.due, row.goes_last = at, True
            self._tracker.retry(row, attempt)
            return row.due
        row.goes_last = False
        self._count_try(row, running.started)
        due = retry.due(self._config.retry, row.attempts, at, self._dependencies.random)
        if due is None:
            self.die(row, row.error, attempt)
            return None
        row.due = due + max(outcome.pause - (due - at), 0)
        self._tracker.retry(row, attempt)
        return row.due

    def _count_try(self, row: QueuedDelivery, started: Millis) -> None:
        if not row.attempts:
            config = self._config
            timeout = config.target.timeout if config.target is not None else 0
            row.deadline = retry.deadline(started, config.retry, timeout)
        row.attempts += 1

    # Reporting ----------------------------------------------------------------------------------

    def _log_failure(self, event_id: str, error: str, number: int, next_in: Millis | None) -> None:
        allowed = retry.attempts_allowed(self._config.retry)
        stopped = self._tracker.health.disabled_at > 0
        self._dependencies.activity.failed(
            self._name, event_id, error, number, allowed, next_in, stopped=stopped
        )

    def _report(self, change: HealthChange | None) -> None:
        if change is None:
            return
        health = self._tracker.health
        message = health.disabled_reason or f"last answer: {health.last_failure_error}"
        if change is HealthChange.DISABLED:
            message += "; events are kept. Mend the target, then resume the subscription"
        self._dependencies.activity.noted(self._name, change, message)
        self._publish(*_REPORTED[change], message)

    def _publish(self, type: OperationalType, reason: str, message: str) -> None:  # noqa: A002
        """An operational event, unless this subscription is for them."""
        config = self._config
        if not config.operational:
            subject = ("WebhookSubscription", config.namespace, config.name)
            self._dependencies.publisher.publish(OperationalEvent(type, *subject, reason, message))


def _attempt(running: RunningAttempt, outcome: Outcome) -> Attempt:
    """No attempt is older than its event, whatever the clock here says: retention of attempts takes
    none before its event, and by them a listing tells what was delivered."""
    entry = running.entry
    return Attempt(
        entry.endpoint,
        entry.sequence,
        entry.event_id,
        max(running.started, entry.received),
        running.number,
        outcome.duration,
        outcome.kind is OutcomeKind.DELIVERED,
        outcome.status_code,
        outcome.error,
        outcome.answer,
        running.row.replay if running.row is not None else "",
    )
