"""Status of a subscription: from numbers of the store to conditions, words and fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookplane.compile.model import ObjectKey, Problem, Severity
from hookplane.config.subscription import RetryConfig, SubscriptionConfig
from hookplane.kinds.conditions import Reason
from hookplane.kinds.subscription import HIDDEN_HOST, WebhookSubscription
from hookplane.store.delivery_store import (
    CircuitState,
    Counters,
    DeliveryState,
    ExpressionKind,
    TargetHealth,
)
from hookplane.store.process_registry import Member, Presence, Role
from hookplane.store.queries import FailingDelivery, SubscriptionStats
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.observation import Observation
from hookplane_operator.status.subscription import subscription_status, target_of

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
    result: ReconcileResult = RESULT,
    config: SubscriptionConfig | None = CONFIG,
    applied: int = 7,
    old: dict[str, Any] | None = None,
    now: int = NOW,
) -> dict[str, Any]:
    member = Member(1, Role.DISPATCHER, "d", 0, Presence(True, applied))
    rows = {"u": numbers} if numbers is not None else {}
    seen = Observation(now, members=(member,), subscriptions=rows)
    living = frozenset({"e1"})
    made = subscription_status(result, config, 7, living, seen, old or {}, now)
    return made.model_dump(mode="json", by_alias=True)


def of(**spec: Any) -> ReconcileResult:
    """The result for a subscription that its owner wrote like this."""
    body = {
        "apiVersion": "hookplane.dev/v1",
        "kind": "WebhookSubscription",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"target": {"url": "https://shop.example:8443/in?key=1"}, **spec},
    }
    return replace(RESULT, resource=WebhookSubscription.model_validate(body))


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
        # an expression is held back, whatever the target did
        (
            health(
                held_until=NOW + 60_000,
                held_expression=ExpressionKind.FILTER,
                held_because="it took too much",
            ),
            CONFIG,
            (
                "Held",
                "False",
                "ExpressionHeld",
                "spec.filter.cel may not run before 1970-01-12T13:47:40Z, and what needs it "
                "waits: it took too much",
            ),
        ),
        # the hold is over, and says nothing any more
        (
            health(held_until=NOW, held_expression=ExpressionKind.FILTER),
            CONFIG,
            ("Failing", "False", "TargetFailing", " fails since 1970-01-01T00:01:00Z: answer 500"),
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
                "1970-01-01T00:05:00Z and events are kept. Mend it, then annotate it with "
                "hookplane.dev/resume=$(date -u +%FT%TZ)",
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


def test_an_annotation_that_resumes_nothing_says_why() -> None:
    resource = of(endpointSelector={}).resource
    assert isinstance(resource, WebhookSubscription)
    noted = resource.metadata.model_copy(update={"annotations": {"hookplane.dev/resume": "yes"}})
    result = replace(RESULT, resource=resource.model_copy(update={"metadata": noted}))
    made = status(health(disabled_at=1), result=result)
    assert condition(made, "Delivering")["message"].endswith(
        'annotation hookplane.dev/resume: "yes" is not a time; write it like 2026-11-21T00:00:00Z'
    )


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


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # host and port, without path and query
        ({"url": "https://shop.example:8443/in?key=1"}, "shop.example:8443"),
        # the whole URL is a secret
        ({"urlFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, HIDDEN_HOST),
        # a Service, with its namespace and port
        ({"serviceRef": {"name": "erp", "port": 81, "path": "/in"}}, "erp.shop:81"),
    ],
)
def test_target(target: dict[str, Any], expected: str) -> None:
    result = of(operationalEvents=True, target=target)
    assert (target_of(result), status(result=result)["target"]) == (expected, expected)


def test_the_target_of_what_cannot_be_read_is_not_said() -> None:
    assert (target_of(RESULT), status().get("target")) == ("", None)


@pytest.mark.parametrize(
    ("result", "endpoints", "expected"),
    [
        # a selector that finds one, none, and two
        (of(endpointSelector={}), ("e1",), ("Resolved", "1 endpoint")),
        (of(endpointSelector={}), ("e1", "e3"), ("Resolved", "2 endpoints")),
        (
            of(endpointSelector={}),
            (),
            ("NoEndpoints", "the selector matches no endpoint so far"),
        ),
        # found once, and not in force any more
        (
            of(endpointSelector={}),
            ("e2",),
            ("NoEndpoints", "the selector matches no endpoint so far"),
        ),
        # by name, with those that are missing
        (
            of(endpointRefs=[{"name": "a"}, {"name": "b"}, {"name": "c"}]),
            ("e1", "e2"),
            ("Resolved", "1 of 3 endpoints"),
        ),
        (of(endpointRefs=[{"name": "a"}]), (), ("Resolved", "0 of 1 endpoints")),
        # operational events need no endpoint
        (of(operationalEvents=True), (), ("Resolved", "this namespace's operational events")),
        # what cannot be read is told by what is in force
        (RESULT, (), ("Resolved", "0 endpoints")),
    ],
)
def test_endpoints_resolved(
    result: ReconcileResult, endpoints: tuple[str, ...], expected: tuple[str, str]
) -> None:
    config = CONFIG.model_copy(update={"endpoints": endpoints})
    seen = Observation(NOW)
    living = frozenset({"e1", "e3"})
    made = subscription_status(result, config, 7, living, seen, {}, NOW)
    said = condition(made.model_dump(mode="json", by_alias=True), "EndpointsResolved")
    assert said["status"] == "True"
    assert (said["reason"], said["message"]) == expected


def test_without_a_document_no_endpoint_is_counted() -> None:
    assert condition(status(config=None), "EndpointsResolved")["message"] == "0 endpoints"


def test_no_state_of_what_is_not_ready_though_it_is_programmed() -> None:
    result = replace(RESULT, problems=(Problem(*RESULT.key, "spec.x", "no"),))
    made = status(result=result)
    told = [condition(made, x)["status"] for x in ("Ready", "Programmed")]
    assert (told, made.get("state")) == (["False", "True"], None)


def test_a_store_that_was_not_asked_yet_says_nothing_of_deliveries() -> None:
    made = subscription_status(RESULT, CONFIG, 7, frozenset(), None, {}, NOW)
    assert (made.delivery, made.state, made.recent_failures) == (None, None, [])


def test_a_document_that_is_not_ready_says_nothing_of_the_target() -> None:
    made = status(config=CONFIG.model_copy(update={"not_ready": "no key"}))
    assert "Delivering" not in {x["type"] for x in made["conditions"]}
    assert made.get("state") is None


def test_without_a_document_nothing_is_said_of_the_target() -> None:
    made = status(health(), config=None)
    assert "Delivering" not in {x["type"] for x in made["conditions"]}
    assert made["delivery"]["failingSince"] == "1970-01-01T00:01:00Z"


def test_never_delivered_no_last_success() -> None:
    assert status(health())["delivery"].get("lastSuccess") is None


def test_never_failed_no_last_failure() -> None:
    assert status()["delivery"].get("lastFailure") is None


def test_a_last_failure_has_all_its_numbers() -> None:
    state = health(last_failure_error="x" * 513)
    assert status(state)["delivery"]["lastFailure"] == {
        "time": "1970-01-01T00:02:00Z",
        "eventID": "evt_1",
        "statusCode": 500,
        "message": "x" * 512,
        "attempt": 2,
        "nextRetryTime": None,
    }


def test_a_failure_without_an_answer_has_no_code() -> None:
    numbers = health(last_failure_code=0, last_failure_error="refused")
    numbers = replace(numbers, recent_failures=(replace(ROW, status_code=0),))
    made = status(numbers)
    assert made["delivery"]["lastFailure"].get("statusCode") is None
    assert made["recentFailures"][0].get("statusCode") is None


def test_a_pause_plans_no_retry_of_an_event_that_is_not_among_the_recent_ones() -> None:
    numbers = replace(health(blocked_until=240_000), recent_failures=())
    assert status(numbers)["delivery"]["lastFailure"].get("nextRetryTime") is None


def test_a_recent_failure_has_all_its_numbers() -> None:
    row = replace(ROW, type="t" * 129, error="x" * 513)
    assert status(replace(health(), recent_failures=(row,)))["recentFailures"] == [
        {
            "eventID": "evt_1",
            "type": "t" * 128,
            "state": "Retrying",
            "attempts": 2,
            "statusCode": 500,
            "message": "x" * 512,
            "nextRetryTime": "1970-01-01T00:03:00Z",
        }
    ]


@pytest.mark.parametrize(("errors", "expected"), [(0, None), (3, 3)])
def test_filter_errors_are_said_when_there_are_any(errors: int, expected: int | None) -> None:
    counters = Counters(delivered=1, filtered=5, filter_errors=errors, expired=2)
    made = status(replace(NUMBERS, counters=counters))["delivery"]
    told = (made["delivered"], made["filtered"], made.get("filterErrors"), made["expired"])
    assert told == (1, 5, expected, 2)


FILTERED = CONFIG.model_copy(update={"filter_cel": "event.body.a == 1"})


def test_a_filter_that_failed_is_told_with_an_event_to_look_at() -> None:
    failed = replace(
        health(
            filter_failed=NOW - 1000,
            filter_failed_event="evt_9",
            filter_failed_error="no such key: a",
        ),
        counters=Counters(filtered=5, filter_errors=3),
    )
    made = status(failed, config=FILTERED)
    told = condition(made, "Filtering")
    assert (told["status"], told["reason"]) == ("False", "FilterFailed")
    assert "on event evt_9 at 1970-01-12T13:46:39Z" in told["message"]
    assert "no such key: a; 3 such events" in told["message"]
    assert made["delivery"]["lastFilterError"]["eventID"] == "evt_9"
    assert condition(made, "Ready")["status"] == condition(status(), "Ready")["status"]


def test_a_filter_that_judges_all_says_so_and_without_one_nothing_is_said() -> None:
    told = condition(status(config=FILTERED), "Filtering")
    assert (told["status"], told["reason"]) == ("True", "Filtering")
    assert "Filtering" not in {x["type"] for x in status()["conditions"]}


def test_headers_that_are_not_stored_are_told_and_leave_all_else_as_it_is() -> None:
    key, reason = RESULT.key, Reason.HEADER_NOT_STORED
    told = [
        Problem(*key, f"spec.{field}", "not stored", Severity.NOTE, reason=reason)
        for field in ("filter.cel", "transform.cel")
    ]
    made = status(result=replace(RESULT, problems=tuple(told)))
    missing = condition(made, "HeadersMissing")
    assert (missing["status"], missing["reason"]) == ("True", "HeaderNotStored")
    assert missing["message"] == "spec.filter.cel: not stored (and 1 more)"
    assert condition(made, "Ready")["status"] == "True"
    assert all(x["type"] != "HeadersMissing" for x in status()["conditions"])
