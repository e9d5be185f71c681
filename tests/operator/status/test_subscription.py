"""Status of a subscription: from numbers of the store to conditions, words and fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookplane.compile.model import ObjectKey
from hookplane.config.subscription import RetryConfig, SubscriptionConfig
from hookplane.store.delivery_store import CircuitState, Counters, DeliveryState, TargetHealth
from hookplane.store.process_registry import Member, Presence, Role
from hookplane.store.queries import FailingDelivery, SubscriptionStats
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.observation import Observation
from hookplane_operator.status.subscription import subscription_status

NOW = 1_000_000_000
RESULT = ReconcileResult(ObjectKey("WebhookSubscription", "shop", "orders"), "u", 3)
CONFIG = SubscriptionConfig(
    uid="u",
    namespace="shop",
    name="orders",
    generation=3,
    endpoints=("e1", "e2"),
    retry=RetryConfig(schedule=(1000,)),
)
NUMBERS = SubscriptionStats("u", Counters(), 0, 0, 0, 0, 0, 0, TargetHealth(), ())
FAILED = TargetHealth(
    failing_since=60_000,
    last_failure=120_000,
    last_failure_event="evt_1",
    last_failure_code=500,
    last_failure_attempt=2,
)
ROW = FailingDelivery("evt_1", "order.created", 2, 500, "", 180_000, DeliveryState.RETRYING)


def status(
    numbers: SubscriptionStats | None = NUMBERS,
    *,
    config: SubscriptionConfig | None = CONFIG,
    applied: int = 7,
    old: dict[str, Any] | None = None,
    now: int = NOW,
) -> dict[str, Any]:
    member = Member(1, Role.DISPATCHER, "d", 0, Presence(True, applied))
    rows = {"u": numbers} if numbers is not None else {}
    seen = Observation(now, members=(member,), subscriptions=rows)
    living = frozenset({"e1"})
    made = subscription_status(RESULT, config, 7, living, seen, old or {}, now)
    return made.model_dump(mode="json", by_alias=True)


def condition(made: dict[str, Any], name: str) -> dict[str, Any]:
    return next(x for x in made["conditions"] if x["type"] == name)


def health(**fields: Any) -> SubscriptionStats:
    return replace(NUMBERS, state=replace(FAILED, **fields))


@pytest.mark.parametrize(
    ("numbers", "config", "expected"),
    [
        # nothing to do and nothing done
        (NUMBERS, CONFIG, ("Idle", "Unknown", "Idle", "nothing to deliver for five minutes")),
        # something waits, and no attempt failed
        (
            replace(NUMBERS, pending=1),
            CONFIG,
            ("Delivering", "True", "Delivering", " takes what it is sent"),
        ),
        # an answer, and no other try is planned
        (
            health(),
            CONFIG,
            ("Failing", "False", "TargetFailing", " fails since 1970-01-01T00:01:00Z: answer 500"),
        ),
        # an error is told in place of the code, with the next try
        (
            replace(health(last_failure_error="refused"), next_due=180_000),
            CONFIG,
            (
                "Failing",
                "False",
                "TargetFailing",
                " fails since 1970-01-01T00:01:00Z: refused; next try 1970-01-01T00:03:00Z",
            ),
        ),
        # an open circuit with a probe to come
        (
            health(circuit=CircuitState.OPEN, consecutive_failures=10, blocked_until=240_000),
            CONFIG,
            (
                "CircuitOpen",
                "False",
                "CircuitOpen",
                "10 attempts in a row failed, last: answer 500;  gets one probe at a time; "
                "next probe 1970-01-01T00:04:00Z",
            ),
        ),
        # an open circuit whose probe is not planned
        (
            health(circuit=CircuitState.OPEN, consecutive_failures=10),
            CONFIG,
            (
                "CircuitOpen",
                "False",
                "CircuitOpen",
                "10 attempts in a row failed, last: answer 500;  gets one probe at a time",
            ),
        ),
        # disabled for a reason of its own
        (
            health(disabled_at=300_000, disabled_reason="the target is gone"),
            CONFIG,
            (
                "Disabled",
                "False",
                "Disabled",
                "the target is gone, last: answer 500; nothing is sent to  since "
                "1970-01-01T00:05:00Z and events are kept. Mend it, then set spec.suspend to true "
                "and back to false",
            ),
        ),
        # suspension is stronger than failures
        (
            health(),
            CONFIG.model_copy(update={"suspended": True}),
            ("Suspended", "False", "Suspended", "spec.suspend is true; events are kept"),
        ),
    ],
)
def test_what_the_target_does(
    numbers: SubscriptionStats, config: SubscriptionConfig, expected: tuple[str, str, str, str]
) -> None:
    made = status(numbers, config=config)
    said = condition(made, "Delivering")
    assert (made["state"], said["status"], said["reason"], said["message"]) == expected


def test_disabled_without_a_reason_names_the_usual_one() -> None:
    said = condition(status(health(disabled_at=1)), "Delivering")
    assert said["message"].startswith("no success for too long, last: answer 500")


def test_no_state_before_all_dispatchers_have_the_document() -> None:
    assert status(applied=6).get("state") is None


def test_what_an_older_generation_delivers_is_said_without_a_state() -> None:
    made = status(config=CONFIG.model_copy(update={"generation": 2}))
    assert (made.get("state"), condition(made, "Delivering")["reason"]) == (None, "Idle")


def test_no_numbers_no_delivery() -> None:
    assert status(None).get("delivery") is None


def test_only_living_endpoints_are_counted() -> None:
    assert condition(status(), "EndpointsResolved")["message"] == "1 endpoint"


def test_pending_counts_what_is_being_sent() -> None:
    made = status(replace(NUMBERS, pending=2, sending=3, retrying=4, dead=5))["delivery"]
    assert (made["pending"], made["retrying"], made["dead"]) == (5, 4, 5)


@pytest.mark.parametrize(
    ("due", "blocked", "expected"),
    [
        # nothing holds it up
        (180_000, 0, "1970-01-01T00:03:00Z"),
        # a pause that ends later holds it up
        (180_000, 240_000, "1970-01-01T00:04:00Z"),
        # a pause that ends sooner does not
        (180_000, 60_000, "1970-01-01T00:03:00Z"),
        # not planned, so a pause says nothing
        (0, 240_000, None),
    ],
)
def test_next_retry_of_a_failure(due: int, blocked: int, expected: str | None) -> None:
    numbers = replace(health(blocked_until=blocked), recent_failures=(replace(ROW, due=due),))
    assert status(numbers)["recentFailures"][0].get("nextRetryTime") == expected


def test_last_failure_takes_the_retry_of_its_own_event() -> None:
    other = replace(ROW, event_id="evt_2", due=60_000)
    made = status(replace(health(), recent_failures=(other, ROW)))["delivery"]
    assert made["lastFailure"]["nextRetryTime"] == "1970-01-01T00:03:00Z"


def test_a_dead_delivery_has_no_next_retry() -> None:
    dead = replace(ROW, state=DeliveryState.DEAD)
    made = status(replace(health(), recent_failures=(dead,)))["recentFailures"][0]
    assert (made["state"], made.get("nextRetryTime")) == ("Dead", None)


def test_a_last_success_has_all_its_numbers() -> None:
    state = TargetHealth(
        last_success=60_000,
        last_success_event="evt_1",
        last_success_code=204,
        last_success_duration=12,
    )
    assert status(replace(NUMBERS, state=state))["delivery"]["lastSuccess"] == {
        "time": "1970-01-01T00:01:00Z",
        "eventID": "evt_1",
        "statusCode": 204,
        "milliseconds": 12,
    }


def test_the_same_facts_later_make_the_same_status() -> None:
    before = status()
    assert status(old=before, now=NOW + 60_000) == before


def test_a_flip_moves_the_time_of_its_own_condition_alone() -> None:
    before = status()
    after = status(health(), old=before, now=NOW + 60_000)
    moved = {
        x["type"]
        for x in after["conditions"]
        if x["lastTransitionTime"] != condition(before, x["type"])["lastTransitionTime"]
    }
    assert moved == {"Delivering"}
