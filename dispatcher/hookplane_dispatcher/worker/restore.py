"""What an owner starts from: stored times, made to fit the clock of this process. Pure.

Another clock may have written them, and this one may be wrong. So no wait is longer than what the
schedule allows from now on, and nothing ends because of time in which nobody looked after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hookplane import retry
from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.store.delivery_store import Claimed, Delivery, DeliveryState, TargetHealth
from hookplane_dispatcher.transports.transport import LONGEST_PAUSE
from hookplane_dispatcher.worker.health import Health


def restore(
    claimed: Claimed, config: SubscriptionConfig, now: Millis
) -> tuple[Health, list[Delivery]]:
    """The target's health, and the rows, with times that make sense now. What a predecessor was
    sending is due at once."""
    ahead = clock_ahead(claimed.state, now)
    health = _restore_health(Health.of(claimed.state), config, now, ahead)
    at = health.time(now)
    return health, [_restore_delivery(row, config, at, at, ahead) for row in claimed.deliveries]


def restore_later(
    deliveries: Iterable[Delivery], config: SubscriptionConfig, at: Millis, since: Millis
) -> list[Delivery]:
    """The same for rows that were left in the store at first. `since`: when this owner began to
    look after them."""
    return [_restore_delivery(row, config, at, since, 0) for row in deliveries]


def longest_wait(config: SubscriptionConfig) -> Millis:
    """Between two attempts, as far as the schedule, the circuit and the target want it."""
    numbers = range(1, retry.attempts_allowed(config.retry))
    pauses = [retry.longest_pause(config.retry, number) for number in numbers]
    return max(LONGEST_PAUSE, config.circuit.probe_at_most_every, *pauses)


def clock_ahead(state: TargetHealth, now: Millis) -> Millis:
    """By how much at least the clock that wrote this was ahead: what it wrote has happened."""
    happened = (state.last_success, state.last_failure, state.disabled_at, state.paused_at)
    return max(max(happened) - now, 0)


def _restore_health(
    health: Health, config: SubscriptionConfig, now: Millis, ahead: Millis
) -> Health:
    if ahead:
        health.clock_leapt(-ahead, now)
    probe_at_most = config.circuit.probe_at_most_every
    health.probe_pause = min(health.probe_pause, probe_at_most)
    health.blocked_until = min(health.blocked_until, now + max(LONGEST_PAUSE, probe_at_most))
    health.held_until = min(health.held_until, now + LONGEST_PAUSE)
    if health.failing_since:
        unattended = health.time(now) - health.last_failure - longest_wait(config)
        health.failing_since = min(health.failing_since + max(unattended, 0), now)
    return health


def _restore_delivery(
    delivery: Delivery, config: SubscriptionConfig, at: Millis, since: Millis, ahead: Millis
) -> Delivery:
    """`at`: the subscription's own time; before `since` nobody looked after it."""
    timeout = config.target.timeout if config.target is not None else 0
    due, deadline = delivery.due - ahead, delivery.deadline - ahead
    if delivery.state is DeliveryState.SENDING:
        due, deadline = at, max(deadline, at + timeout)
    elif delivery.attempts and deadline < since:  # it gets the rest
        deadline = retry.deadline(at, config.retry, timeout, delivery.attempts)
    longest = max(LONGEST_PAUSE, retry.longest_pause(config.retry, delivery.attempts))
    return replace(
        delivery,
        state=DeliveryState.RETRYING,
        due=min(due, at + longest),
        deadline=min(deadline, retry.deadline(at, config.retry, timeout)),
    )
