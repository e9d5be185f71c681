"""What becomes of a delivery when an attempt has ended, or cannot be made."""

from __future__ import annotations

from http import HTTPStatus

from hookplane import retry
from hookplane.clock import Millis
from hookplane.reporting.operational import OperationalType
from hookplane.retry import Outcome, OutcomeKind
from hookplane.store.delivery_store import Attempt, DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.egress.client import KEPT_ANSWER_BYTES, OutboundResponse
from hookplane_dispatcher.worker.capacity import Capacity
from hookplane_dispatcher.worker.flush_buffer import Settlement
from hookplane_dispatcher.worker.job import RunningAttempt
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery


class OutcomeHandler:
    """Settles in memory; the next flush makes it last."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._tracker = capacity.tracker

    def settle(self, job: RunningAttempt, response: OutboundResponse) -> None:
        """An attempt has ended."""
        capacity = self._capacity
        now = capacity.dependencies.clock.now()
        self._tracker.end(job)
        capacity.probing = capacity.probing and job.number != 0
        self._tracker.progress.state_changed = True
        outcome = retry.classify(response.status_code, response.retry_after, now)
        attempt = _attempt(job, response, outcome)
        capacity.dependencies.metrics.seconds.observe(response.duration / 1000)
        if outcome.verdict is OutcomeKind.SUCCESS:
            self._delivered(job, attempt, now)
        else:
            self._failed(job, attempt, outcome, now)
        capacity.waker.wake()

    def die(self, row: QueuedDelivery, reason: str, attempt: Attempt | None = None) -> None:
        """Kept for replay until retention ends."""
        replay, row.replay = row.replay, ""
        row.error = reason
        dead = row.delivery(DeliveryState.DEAD)
        key = row.key
        self._tracker.finish(Settlement(key, DeliveryState.DEAD, attempt, dead, replay=replay))
        self._capacity.notice(
            OperationalType.DELIVERY_DEAD,
            "DeliveryDead",
            f"event {row.event_id} after {row.attempts} attempts: {reason}",
        )

    def die_untried(self, entry: LogEntry, row: QueuedDelivery | None, reason: str) -> None:
        """No request could be made of it."""
        now = self._capacity.dependencies.clock.now()
        row = row or QueuedDelivery.of(entry, DeliveryState.SENDING, now)
        self._note_failure(entry.event_id, reason, row.attempts + 1, None)
        self.die(row, reason)

    def die_overdue(self, row: QueuedDelivery) -> None:
        """Its schedule ended while it was held back."""
        self._note_failure(row.event_id, row.error, row.attempts, None)
        self.die(row, row.error or "its schedule ended")

    def _delivered(self, job: RunningAttempt, attempt: Attempt, now: Millis) -> None:
        capacity = self._capacity
        self._tracker.health.succeeded(attempt, now)
        replay = job.row.replay if job.row is not None else ""
        self._tracker.finish(
            Settlement(
                job.key,
                DeliveryState.DELIVERED,
                attempt,
                had_row=job.row is not None,
                replay=replay,
            )
        )
        capacity.dependencies.activity.delivered(
            capacity.name, attempt.event_id, attempt.status_code, attempt.duration, attempt.number
        )

    def _failed(self, job: RunningAttempt, attempt: Attempt, outcome: Outcome, now: Millis) -> None:
        capacity, health = self._capacity, self._tracker.health
        at = health.time(now)
        health.failed(attempt, now)
        if outcome.verdict is OutcomeKind.THROTTLED:
            health.block(now + outcome.pause)
        if job.number == 0:
            health.probe_failed(capacity.config.circuit, now)
            self._tracker.probed(job, attempt)
            next_at: Millis | None = health.blocked_until
        else:
            next_at = self._failed_try(job, attempt, outcome, at)
        if outcome.verdict is OutcomeKind.GONE:
            capacity.tell(health.gone(now))
        elif job.number and outcome.verdict is OutcomeKind.FAILED:
            capacity.tell(health.count(capacity.config.circuit, now))
        capacity.tell(health.check_disable(capacity.config.disable_after, now))
        next_in = None if next_at is None else max(next_at - at, 0)
        self._note_failure(attempt.event_id, attempt.error, attempt.number, next_in)

    def _failed_try(
        self, job: RunningAttempt, attempt: Attempt, outcome: Outcome, at: Millis
    ) -> Millis | None:
        """When it is tried again; None: it is dead. A 410 uses up no attempt."""
        row = job.row or QueuedDelivery.of(job.entry, DeliveryState.RETRYING, at)
        row.state, row.entry = DeliveryState.RETRYING, job.entry
        row.status_code, row.error = attempt.status_code, attempt.error
        if outcome.verdict is OutcomeKind.GONE:
            row.due = at
            self._tracker.retry(row, attempt)
            return row.due
        self._count_try(row, job)
        due = retry.due(
            self._capacity.config.retry, row.attempts, at, self._capacity.dependencies.random
        )
        if due is None:
            self.die(row, row.error, attempt)
            return None
        row.due = due + max(outcome.pause - (due - at), 0)
        self._tracker.retry(row, attempt)
        return row.due

    def _count_try(self, row: QueuedDelivery, job: RunningAttempt) -> None:
        if not row.attempts:
            config = self._capacity.config
            timeout = config.target.timeout if config.target is not None else 0
            row.deadline = retry.deadline(job.started, config.retry, timeout)
        row.attempts += 1

    def _note_failure(self, event_id: str, error: str, number: int, next_in: Millis | None) -> None:
        capacity = self._capacity
        allowed = retry.attempts_allowed(capacity.config.retry)
        capacity.dependencies.activity.failed(
            capacity.name, event_id, error, number, allowed, next_in
        )


def _attempt(job: RunningAttempt, response: OutboundResponse, outcome: Outcome) -> Attempt:
    success = outcome.verdict is OutcomeKind.SUCCESS
    entry = job.entry
    return Attempt(
        entry.endpoint,
        entry.sequence,
        entry.event_id,
        job.started,
        job.number,
        response.duration,
        success,
        response.status_code,
        "" if success else _text(response),
        response.body[:KEPT_ANSWER_BYTES],
        job.row.replay if job.row is not None else "",
    )


def _text(response: OutboundResponse) -> str:
    if response.error is not None:
        return f"{response.error}: {response.detail}" if response.detail else str(response.error)
    return _STATUS.get(response.status_code, str(response.status_code))


_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
