"""What becomes of a delivery when an attempt has ended, or cannot be made."""

from __future__ import annotations

from http import HTTPStatus

from hookplane import retry
from hookplane.clock import Millis
from hookplane.operational import OperationalType
from hookplane.retry import Outcome, OutcomeKind
from hookplane.store.delivery_store import Attempt, DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.egress.client import KEPT_ANSWER_BYTES, OutboundResponse
from hookplane_dispatcher.lane.desk import Desk
from hookplane_dispatcher.lane.job import Job
from hookplane_dispatcher.lane.progress import Finish
from hookplane_dispatcher.lane.rows import Row


class Answers:
    """Settles in memory; the next flush makes it last."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ledger = desk.ledger

    def settle(self, job: Job, response: OutboundResponse) -> None:
        """An attempt has ended."""
        desk = self._desk
        now = desk.shared.clock.now()
        self._ledger.end(job)
        desk.probing = desk.probing and job.number != 0
        self._ledger.progress.state_changed = True
        outcome = retry.classify(response.status_code, response.retry_after, now)
        attempt = _attempt(job, response, outcome)
        desk.shared.meters.seconds.observe(response.duration / 1000)
        if outcome.verdict is OutcomeKind.SUCCESS:
            self._delivered(job, attempt, now)
        else:
            self._failed(job, attempt, outcome, now)
        desk.waker.wake()

    def die(self, row: Row, reason: str, attempt: Attempt | None = None) -> None:
        """Kept for replay until retention ends."""
        replay, row.replay = row.replay, ""
        row.error = reason
        dead = row.delivery(DeliveryState.DEAD)
        key = row.key
        self._ledger.finish(Finish(key, DeliveryState.DEAD, attempt, dead, replay=replay))
        self._desk.notice(
            OperationalType.DELIVERY_DEAD,
            "DeliveryDead",
            f"event {row.event_id} after {row.attempts} attempts: {reason}",
        )

    def die_untried(self, entry: LogEntry, row: Row | None, reason: str) -> None:
        """No request could be made of it."""
        now = self._desk.shared.clock.now()
        row = row or Row.of(entry, DeliveryState.SENDING, now)
        self._note_failure(entry.event_id, reason, row.attempts + 1, None)
        self.die(row, reason)

    def die_overdue(self, row: Row) -> None:
        """Its schedule ended while it was held back."""
        self._note_failure(row.event_id, row.error, row.attempts, None)
        self.die(row, row.error or "its schedule ended")

    def _delivered(self, job: Job, attempt: Attempt, now: Millis) -> None:
        desk = self._desk
        self._ledger.health.succeeded(attempt, now)
        replay = job.row.replay if job.row is not None else ""
        self._ledger.finish(
            Finish(
                job.key,
                DeliveryState.DELIVERED,
                attempt,
                had_row=job.row is not None,
                replay=replay,
            )
        )
        desk.shared.activity.delivered(
            desk.name, attempt.event_id, attempt.status_code, attempt.duration, attempt.number
        )

    def _failed(self, job: Job, attempt: Attempt, outcome: Outcome, now: Millis) -> None:
        desk, health = self._desk, self._ledger.health
        at = health.time(now)
        health.failed(attempt, now)
        if outcome.verdict is OutcomeKind.THROTTLED:
            health.block(now + outcome.pause)
        if job.number == 0:
            health.probe_failed(desk.config.circuit, now)
            self._ledger.probed(job, attempt)
            next_at: Millis | None = health.blocked_until
        else:
            next_at = self._failed_try(job, attempt, outcome, at)
        if outcome.verdict is OutcomeKind.GONE:
            desk.tell(health.gone(now))
        elif job.number and outcome.verdict is OutcomeKind.FAILED:
            desk.tell(health.count(desk.config.circuit, now))
        desk.tell(health.check_disable(desk.config.disable_after, now))
        next_in = None if next_at is None else max(next_at - at, 0)
        self._note_failure(attempt.event_id, attempt.error, attempt.number, next_in)

    def _failed_try(
        self, job: Job, attempt: Attempt, outcome: Outcome, at: Millis
    ) -> Millis | None:
        """When it is tried again; None: it is dead. A 410 uses up no attempt."""
        row = job.row or Row.of(job.entry, DeliveryState.RETRYING, at)
        row.state, row.entry = DeliveryState.RETRYING, job.entry
        row.status_code, row.error = attempt.status_code, attempt.error
        if outcome.verdict is OutcomeKind.GONE:
            row.due = at
            self._ledger.retry(row, attempt)
            return row.due
        self._count_try(row, job)
        due = retry.due(self._desk.config.retry, row.attempts, at, self._desk.shared.random)
        if due is None:
            self.die(row, row.error, attempt)
            return None
        row.due = due + max(outcome.pause - (due - at), 0)
        self._ledger.retry(row, attempt)
        return row.due

    def _count_try(self, row: Row, job: Job) -> None:
        if not row.attempts:
            config = self._desk.config
            timeout = config.target.timeout if config.target is not None else 0
            row.deadline = retry.deadline(job.started, config.retry, timeout)
        row.attempts += 1

    def _note_failure(self, event_id: str, error: str, number: int, next_in: Millis | None) -> None:
        desk = self._desk
        allowed = retry.attempts_allowed(desk.config.retry)
        desk.shared.activity.failed(desk.name, event_id, error, number, allowed, next_in)


def _attempt(job: Job, response: OutboundResponse, outcome: Outcome) -> Attempt:
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
