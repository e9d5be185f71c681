"""Values of a flush in the order in which both drivers write them."""

from __future__ import annotations

from typing import Any

from hookplane.store.delivery_store import Attempt, Counters, Delivery
from hookplane.store.event_numbers import event_number
from hookplane.store.storable_text import storable


def counter_columns(added: Counters) -> tuple[int, ...]:
    """What is added to the counters of a subscription."""
    return (
        added.delivered,
        added.filtered,
        added.filter_errors,
        added.dead,
        added.expired,
        added.attempts,
        added.failed_attempts,
    )


def delivery_columns(endpoint: int, delivery: Delivery) -> tuple[Any, ...]:
    """A row of the table `delivery`, without its subscription and the time of the change."""
    return (
        event_number(endpoint, delivery.sequence),
        delivery.event_id,
        storable(delivery.type),
        delivery.state,
        delivery.attempts,
        delivery.due,
        delivery.deadline,
        delivery.status_code,
        storable(delivery.error),
        delivery.replay,
        delivery.event_key,
    )


def attempt_columns(endpoint: int, attempt: Attempt) -> tuple[Any, ...]:
    """A row of the table `attempt`, without its subscription."""
    return (
        event_number(endpoint, attempt.sequence),
        attempt.event_id,
        attempt.at,
        attempt.number,
        attempt.duration,
        attempt.success,
        attempt.status_code,
        storable(attempt.error),
        attempt.answer,
        attempt.replay,
    )
