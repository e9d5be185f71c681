"""The one word of a subscription and of an endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.config.subscription import RetryConfig, SubscriptionConfig
from hookplane.reporting.states import (
    ACTIVE_FOR,
    FILTER_FAILS_FOR,
    REJECTING_AFTER,
    REJECTING_FOR,
    SubscriptionState,
    endpoint_state,
    filter_fails,
    next_try,
    subscription_state,
)
from hookplane.store.delivery_store import CircuitState, Counters, ExpressionKind, TargetHealth
from hookplane.store.queries import EndpointStats, SubscriptionStats

NOW = 1_800_000_000_000


def subscription(**facts: Any) -> SubscriptionConfig:
    return SubscriptionConfig(
        uid="s",
        namespace="default",
        name="s",
        endpoints=(),
        retry=RetryConfig(schedule=()),
        **facts,
    )


def numbers(
    pending: int = 0, sending: int = 0, dead: int = 0, next_due: int = 0, **state: Any
) -> SubscriptionStats:
    return SubscriptionStats(
        subscription="s",
        counters=Counters(),
        pending=pending,
        sending=sending,
        retrying=0,
        dead=dead,
        next_due=next_due,
        oldest_pending=0,
        state=TargetHealth(**state),
        recent_failures=(),
    )


@pytest.mark.parametrize(
    ("config", "status", "word"),
    [
        # nothing ever happened
        ({}, numbers(), "Idle"),
        # dead ones lie there; nothing goes on
        ({}, numbers(dead=3), "Idle"),
        ({}, numbers(pending=1), "Delivering"),
        ({}, numbers(sending=1), "Delivering"),
        ({}, numbers(last_success=NOW - ACTIVE_FOR), "Delivering"),
        ({}, numbers(last_success=NOW - ACTIVE_FOR - 1), "Idle"),
        # a success ends failing, so a failure in between is over
        ({}, numbers(last_success=NOW - 1, last_failure=NOW - 2), "Delivering"),
        ({}, numbers(pending=5, failing_since=NOW - 1, last_success=NOW - 2), "Failing"),
        ({}, numbers(failing_since=NOW - 1, circuit=CircuitState.OPEN), "CircuitOpen"),
        (
            {},
            numbers(failing_since=1, circuit=CircuitState.OPEN, disabled_at=NOW),
            "Disabled",
        ),
        # what the user did last counts most
        ({"suspended": True}, numbers(disabled_at=NOW), "Suspended"),
        ({"suspended": True}, numbers(pending=9), "Suspended"),
        # not ready: there is no word for it
        ({"not_ready": "no Secret", "suspended": True}, numbers(pending=9), None),
    ],
)
def test_word_of_a_subscription(
    config: dict[str, Any], status: SubscriptionStats, word: str | None
) -> None:
    assert subscription_state(subscription(**config), status, NOW) == word


def endpoint(**facts: Any) -> EndpointConfig:
    return EndpointConfig(
        uid="e",
        namespace="default",
        name="e",
        path="/default/e",
        provider="GitHub",
        event_type=Source(value="x"),
        **facts,
    )


def requests(accepted: int = 0, rejected: int = 0, reason: str = "") -> EndpointStats:
    return EndpointStats(
        endpoint="e",
        accepted=1,
        stored=1,
        last_accepted=accepted,
        duplicates=0,
        conflicts=0,
        rejected={},
        last_rejected=rejected,
        last_rejected_reason=reason,
        last_rejected_detail="",
    )


WRONG = "SignatureMismatch"


@pytest.mark.parametrize(
    ("config", "status", "word"),
    [
        ({}, requests(), "Idle"),
        ({}, requests(accepted=NOW - ACTIVE_FOR), "Receiving"),
        ({}, requests(accepted=NOW - ACTIVE_FOR - 1), "Idle"),
        # the first request ever was refused: that is worth knowing at once
        ({}, requests(rejected=NOW, reason=WRONG), "Rejecting"),
        # one bad request in a good stream changes no word
        ({}, requests(accepted=NOW - REJECTING_AFTER, rejected=NOW, reason=WRONG), "Receiving"),
        ({}, requests(accepted=NOW - REJECTING_AFTER - 1, rejected=NOW, reason=WRONG), "Rejecting"),
        # a sender that gave up hours ago still was refused last
        ({}, requests(rejected=NOW - REJECTING_FOR, reason=WRONG), "Rejecting"),
        ({}, requests(rejected=NOW - REJECTING_FOR - 1, reason=WRONG), "Idle"),
        # a namespace without room accepts nothing more: that is no single bad request
        ({}, requests(accepted=NOW - 1, rejected=NOW, reason="StorageQuotaExceeded"), "Rejecting"),
        ({}, requests(accepted=NOW, rejected=NOW - 1, reason="StorageQuotaExceeded"), "Receiving"),
        ({}, requests(accepted=NOW - 1, rejected=NOW, reason="EventsQuotaExceeded"), "Receiving"),
        # our own doing is not the sender's fault
        ({}, requests(rejected=NOW, reason="Suspended"), "Idle"),
        ({}, requests(rejected=NOW, reason="NotReady"), "Idle"),
        ({}, requests(rejected=NOW, reason="StoreUnavailable"), "Idle"),
        ({"suspended": True}, requests(accepted=NOW), "Suspended"),
        ({"not_ready": "no key", "suspended": True}, requests(accepted=NOW), None),
    ],
)
def test_word_of_an_endpoint(
    config: dict[str, Any], status: EndpointStats, word: str | None
) -> None:
    assert endpoint_state(endpoint(**config), status, NOW) == word


@pytest.mark.parametrize(
    ("word", "status", "expected"),
    [
        # nothing waits
        ("Delivering", numbers(), 0),
        # a retry by the schedule
        ("Failing", numbers(next_due=5), 5),
        # the target asked for a pause that ends later
        ("Failing", numbers(next_due=5, blocked_until=9), 9),
        # a pause that is over
        ("Failing", numbers(next_due=9, blocked_until=5), 9),
        # what is due waits for the probe
        ("CircuitOpen", numbers(next_due=5, blocked_until=9), 9),
        ("Held", numbers(next_due=5, held_until=9, held_expression=ExpressionKind.TRANSFORM), 9),
        ("Held", numbers(next_due=5, held_until=9, held_expression=ExpressionKind.FILTER), 5),
        # nothing was tried but the probe will be
        ("CircuitOpen", numbers(pending=1, blocked_until=9), 9),
        # nothing waits for the probe, or for the end of a pause
        ("CircuitOpen", numbers(blocked_until=9), 0),
        ("Idle", numbers(blocked_until=9), 0),
        # nothing is sent
        ("Disabled", numbers(next_due=5), 0),
        ("Suspended", numbers(next_due=5), 0),
    ],
)
def test_when_the_next_try_is(word: str, status: SubscriptionStats, expected: int) -> None:
    assert next_try(SubscriptionState(word), status) == expected


def test_a_filter_that_failed_counts_for_a_day() -> None:
    failed = numbers(filter_failed=NOW)
    assert filter_fails(failed, NOW + FILTER_FAILS_FOR)
    assert not filter_fails(failed, NOW + FILTER_FAILS_FOR + 1)
    assert not filter_fails(numbers(), 0)
