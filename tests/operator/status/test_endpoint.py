"""Status of an endpoint: from numbers of the store to conditions, words and fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.kinds.endpoint import MAX_REASONS
from hookplane.store.process_registry import Member, Presence, Role
from hookplane.store.queries import EndpointStats
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.endpoint import endpoint_status
from hookplane_operator.status.observation import Observation

NOW = 1_000_000_000
RESULT = ReconcileResult(ObjectKey("WebhookEndpoint", "shop", "orders"), "u", 3)
CONFIG = EndpointConfig(
    uid="u",
    namespace="shop",
    name="orders",
    generation=3,
    path="/shop/orders",
    provider="None",
    event_type=Source(value="order.created"),
)
NUMBERS = EndpointStats("u", 0, 0, 0, 0, 0, {}, 0, "", "")
REJECTED = replace(
    NUMBERS,
    rejected={"Signature": 2},
    last_rejected=NOW - 1000,
    last_rejected_reason="Signature",
    last_rejected_detail="no such key",
)


def status(
    numbers: EndpointStats | None = NUMBERS,
    *,
    config: EndpointConfig | None = CONFIG,
    applied: int = 7,
    base: str = "https://hooks.example/",
    old: dict[str, Any] | None = None,
    now: int = NOW,
) -> dict[str, Any]:
    member = Member(1, Role.RECEIVER, "r", 0, Presence(True, applied))
    rows = {"u": numbers} if numbers is not None else {}
    seen = Observation(now, members=(member,), endpoints=rows)
    made = endpoint_status(RESULT, config, 7, base, seen, old or {}, now)
    return made.model_dump(mode="json", by_alias=True)


def condition(made: dict[str, Any], name: str) -> dict[str, Any]:
    return next(x for x in made["conditions"] if x["type"] == name)


@pytest.mark.parametrize(
    ("numbers", "config", "expected"),
    [
        # never a request
        (NUMBERS, CONFIG, ("Idle", "Unknown", "Idle", "no request so far")),
        # requests once, none of late
        (
            replace(NUMBERS, accepted=4, last_accepted=1000),
            CONFIG,
            ("Idle", "Unknown", "Idle", "no request for five minutes"),
        ),
        # a request just now
        (
            replace(NUMBERS, accepted=4, last_accepted=NOW),
            CONFIG,
            ("Receiving", "True", "Receiving", ""),
        ),
        # nothing but rejected requests
        (REJECTED, CONFIG, ("Rejecting", "False", "Rejecting", "Signature: no such key")),
        # a reason without a detail
        (
            replace(REJECTED, last_rejected_detail=""),
            CONFIG,
            ("Rejecting", "False", "Rejecting", "Signature"),
        ),
        # suspension is stronger than what senders do
        (
            REJECTED,
            CONFIG.model_copy(update={"suspended": True}),
            ("Suspended", "False", "Suspended", ""),
        ),
    ],
)
def test_what_senders_do(
    numbers: EndpointStats, config: EndpointConfig, expected: tuple[str, str, str, str]
) -> None:
    made = status(numbers, config=config)
    said = condition(made, "Receiving")
    assert (made["state"], said["status"], said["reason"], said["message"]) == expected


def test_no_state_before_all_receivers_have_the_document() -> None:
    assert status(applied=6).get("state") is None


def test_an_older_generation_is_not_programmed() -> None:
    made = status(config=CONFIG.model_copy(update={"generation": 2}))
    assert condition(made, "Programmed")["message"] == "generation 3 is not in force"


def test_a_document_that_is_not_ready_says_nothing_of_senders() -> None:
    made = status(config=CONFIG.model_copy(update={"not_ready": "no key"}))
    assert "Receiving" not in {x["type"] for x in made["conditions"]}


@pytest.mark.parametrize(
    ("base", "url"),
    [
        # a slash at the end is not doubled
        ("https://hooks.example/", "https://hooks.example/shop/orders"),
        # a path stays
        ("https://hooks.example/in", "https://hooks.example/in/shop/orders"),
        # the gateway has none
        ("", None),
    ],
)
def test_url(base: str, url: str | None) -> None:
    assert status(base=base).get("url") == url


def test_no_numbers_no_requests() -> None:
    assert status(None).get("requests") is None


def test_rejected_is_the_sum_of_all_reasons() -> None:
    rejected = {f"R{x}": x + 1 for x in range(MAX_REASONS + 1)}
    made = status(replace(NUMBERS, rejected=rejected))["requests"]
    assert made["rejected"] == sum(rejected.values())


def test_the_rarest_reasons_are_left_out() -> None:
    rejected = {f"R{x}": x + 1 for x in range(MAX_REASONS + 1)}
    made = status(replace(NUMBERS, rejected=rejected))["requests"]
    assert set(rejected) - set(made["rejectedByReason"]) == {"R0"}


def test_a_last_rejection_without_a_reason_is_unknown() -> None:
    made = status(replace(REJECTED, last_rejected_reason=""))["requests"]
    assert made["lastRejected"]["reason"] == "Unknown"


def test_never_rejected_no_last_rejection() -> None:
    assert status()["requests"].get("lastRejected") is None


def test_the_same_facts_later_make_the_same_status() -> None:
    before = status()
    assert status(old=before, now=NOW + 60_000) == before


def test_without_a_document_numbers_are_said_and_no_state() -> None:
    made = status(REJECTED, config=None)
    assert "Receiving" not in {x["type"] for x in made["conditions"]}
    assert (made.get("state"), made["requests"]["rejected"]) == (None, 2)


def test_without_numbers_nothing_is_said_of_senders() -> None:
    assert "Receiving" not in {x["type"] for x in status(None)["conditions"]}


def test_a_long_detail_is_cut() -> None:
    made = status(replace(REJECTED, last_rejected_detail="x" * 513))["requests"]
    assert made["lastRejected"]["message"] == "x" * 512
