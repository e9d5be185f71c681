"""How a target fares: failures in a row, circuit, pauses, disabling. Pure: facts in, state out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from hashlib import sha256
from typing import Final, Self

from hookplane.clock import Millis
from hookplane.config.subscription import CircuitConfig
from hookplane.pacing.backoff import next_longer
from hookplane.store.delivery_store import Attempt, CircuitState, ExpressionKind, TargetHealth
from hookplane.units import format_duration, format_time

DISABLE_LEAST_ATTEMPTS: Final = 10
_MOVE: Final = ("blocked_until", "failing_since", "disabled_at", "paused_at", "held_until")
"""Times that waits and ages are reckoned from; 0 means none."""


class HealthChange(StrEnum):
    """A change that people are told of."""

    CIRCUIT_OPENED = "CircuitOpen"
    DISABLED = "Disabled"


@dataclass(slots=True)
class Health:
    """The fields of TargetHealth, which says what each means."""

    circuit: CircuitState
    consecutive_failures: int
    probe_pause: Millis
    blocked_until: Millis
    failing_since: Millis
    failed_attempts: int
    failed_event: str
    failed_several: bool
    disabled_at: Millis
    disabled_reason: str
    paused_at: Millis
    resume_seen: int
    last_success: Millis
    last_success_event: str
    last_success_code: int
    last_success_duration: Millis
    last_failure: Millis
    last_failure_event: str
    last_failure_code: int
    last_failure_error: str
    last_failure_attempt: int
    held_until: Millis
    held_expression: ExpressionKind | None
    held_digest: str
    held_because: str
    filter_failed: Millis
    filter_failed_event: str
    filter_failed_error: str
    filter_failed_digest: str

    @classmethod
    def of(cls, state: TargetHealth) -> Self:
        """Takes over what the store remembers."""
        return cls(**{f.name: getattr(state, f.name) for f in fields(state)})

    def snapshot(self) -> TargetHealth:
        """What the store is to remember."""
        return TargetHealth(**{f.name: getattr(self, f.name) for f in fields(self)})

    @property
    def open(self) -> bool:
        """Only probes are sent."""
        return self.circuit is CircuitState.OPEN

    def time(self, now: Millis) -> Millis:
        """The time on the subscription's own clock, which stands still while it is paused."""
        return self.paused_at or now

    def succeeded(self, attempt: Attempt, at: Millis) -> None:
        """A 2xx clears everything that failures left behind."""
        self.last_success = at
        self.last_success_event = attempt.event_id
        self.last_success_code = attempt.status_code
        self.last_success_duration = attempt.duration
        if self.failing_since:
            if self.open:
                self.blocked_until = 0
            self._forget_failures()

    def failed(self, attempt: Attempt, at: Millis) -> None:
        """Anything but a 2xx."""
        self.last_failure = at
        self.last_failure_event = attempt.event_id
        self.last_failure_code = attempt.status_code
        self.last_failure_error = attempt.error
        self.last_failure_attempt = attempt.number
        self.failing_since = self.failing_since or at
        self.failed_attempts += 1
        self.failed_several = self.failed_several or (
            self.failed_event not in ("", attempt.event_id)
        )
        self.failed_event = self.failed_event or attempt.event_id

    def count(self, config: CircuitConfig, at: Millis) -> HealthChange | None:
        """Counts a failure; opens the circuit when there were enough in a row."""
        self.consecutive_failures += 1
        if self.open or self.consecutive_failures < config.failures:
            return None
        self.circuit = CircuitState.OPEN
        self.block(at + config.probe_every)
        self.probe_pause = next_longer(config.probe_every, config.probe_at_most_every)
        return HealthChange.CIRCUIT_OPENED

    def answered(self) -> None:
        """The target works, though it did not take this one event: failures in a row end here, and
        an open circuit closes."""
        self.consecutive_failures = 0
        if self.open:
            self.circuit = CircuitState.CLOSED
            self.blocked_until = self.probe_pause = 0

    def probe_failed(self, config: CircuitConfig, at: Millis) -> None:
        """The next probe comes later; if the circuit was closed meanwhile there is none."""
        if self.open:
            self.block(at + self.probe_pause)
            self.probe_pause = next_longer(self.probe_pause, config.probe_at_most_every)

    def block(self, until: Millis) -> None:
        """Nothing starts before this time."""
        self.blocked_until = max(self.blocked_until, until)

    def refused(self, at: Millis, answer: str) -> HealthChange | None:
        """The target wants nothing any more: disabled at once. `answer`: how it said so."""
        return self._disable(at, f"the target answered {answer}")

    def check_disable(self, after: Millis, at: Millis) -> HealthChange | None:
        """Disabled when there was no success for too long; `after` 0: never."""
        if not after or not self.failing_since or at - self.failing_since < after:
            return None
        if self.failed_attempts < DISABLE_LEAST_ATTEMPTS or not self.failed_several:
            return None
        since, answer = format_time(self.failing_since), self.last_failure_error
        return self._disable(
            at, f"no success since {since} ({format_duration(after)}): last answer {answer}"
        )

    def resume(self) -> None:
        """Clears a disabled state, a block and an open circuit."""
        self.disabled_at = 0
        self.disabled_reason = ""
        self.blocked_until = 0
        self._forget_failures()

    def hold(self, expression: ExpressionKind, text: str, until: Millis, why: str) -> bool:
        """One of its expressions may not run before; whether people do not know that yet."""
        told = (self.held_expression, self.held_because)
        self.held_until = until
        self.held_expression = expression
        self.held_digest = _digest(text)
        self.held_because = why
        return told != (expression, why)

    def is_held(self, expression: ExpressionKind, now: Millis) -> bool:
        """It may not run now."""
        return self.held_expression is expression and now < self.held_until

    def release(self) -> bool:
        """What was held has run, or is another one now; whether anything was held."""
        held = self.held_expression is not None
        self.held_until = 0
        self.held_expression = None
        self.held_digest = self.held_because = ""
        return held

    def fail_filter(self, text: str, event: str, error: str, at: Millis) -> None:
        """The filter failed on an event, which is left out."""
        self.filter_failed = at
        self.filter_failed_event = event
        self.filter_failed_error = error
        self.filter_failed_digest = _digest(text)

    def check_expressions(self, texts: Mapping[ExpressionKind, str]) -> bool:
        """Forgets what is known of other texts than these, which begin anew; whether it did."""
        held = self.held_expression
        is_other = held is not None and _digest(texts.get(held, "")) != self.held_digest
        changed = is_other and self.release()
        now = _digest(texts.get(ExpressionKind.FILTER, ""))
        if self.filter_failed and now != self.filter_failed_digest:
            self.filter_failed = 0
            self.filter_failed_event = self.filter_failed_error = self.filter_failed_digest = ""
            changed = True
        return changed

    def stop_clocks(self, now: Millis) -> None:
        """Nothing is sent from now on, and nothing ages."""
        self.paused_at = now

    def start_clocks(self, now: Millis) -> Millis:
        """Things are sent again; returns how long the clocks stood still."""
        stood = max(now - self.paused_at, 0)
        self.paused_at = 0
        if self.failing_since:
            self.failing_since += stood
        return stood

    def clock_leapt(self, by: Millis, now: Millis) -> None:
        """The clock tells another time: what lies ahead stays as far ahead, what is past as far
        back. `now` is told by the new one."""
        for name in _MOVE:
            if at := getattr(self, name):
                setattr(self, name, max(at + by, 1))
        self.last_success = min(self.last_success, now)
        self.last_failure = min(self.last_failure, now)
        self.filter_failed = min(self.filter_failed, now)

    def _disable(self, at: Millis, reason: str) -> HealthChange | None:
        if self.disabled_at:
            return None
        self.disabled_at = at
        self.disabled_reason = reason
        return HealthChange.DISABLED

    def _forget_failures(self) -> None:
        self.circuit = CircuitState.CLOSED
        self.consecutive_failures = 0
        self.probe_pause = 0
        self.failing_since = 0
        self.failed_attempts = 0
        self.failed_event = ""
        self.failed_several = False


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
