"""What is said of an object whose gateway is not there, or does not work."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.compile.model import ObjectKey
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane_operator.state.facts import Blocker, GatewayFacts
from hookplane_operator.status.gateway_missing import MissingGateway, gateway_missing

KEY = ObjectKey("WebhookEndpoint", "shop", "orders")
BODY: dict[str, Any] = {"metadata": {"uid": "u", "generation": 4}}
BLOCKER = Blocker(ConditionType.STORE_AVAILABLE, Reason.STORE_UNAVAILABLE, "no answer")


def missing(there: bool, facts: GatewayFacts | None = None) -> MissingGateway | None:
    return gateway_missing(KEY, BODY, ("infra", "main"), there, facts, 5)


def test_no_such_gateway_is_a_problem_of_the_reference() -> None:
    found = missing(False)
    assert found is not None
    assert [(x.path, x.reason, x.message) for x in found.result.problems] == [
        (
            "spec.gatewayRef",
            Reason.GATEWAY_NOT_FOUND,
            'there is no WebhookGateway "main" in namespace "infra"',
        )
    ]


def test_no_such_gateway_has_no_store() -> None:
    found = missing(False)
    assert found is not None
    assert found.seen is None


def test_a_gateway_that_is_being_opened_says_nothing() -> None:
    assert missing(True) is None


def test_a_gateway_without_blockers_says_nothing() -> None:
    assert missing(True, GatewayFacts("g", 1)) is None


def test_a_gateway_that_does_not_work_is_said_with_its_first_blocker() -> None:
    found = missing(True, GatewayFacts("g", 1, blockers=(BLOCKER,)))
    assert found is not None
    assert found.seen is not None
    assert found.seen.away == 'WebhookGateway "infra/main" does not work: no answer'


def test_a_gateway_that_does_not_work_is_no_problem_of_the_object() -> None:
    found = missing(True, GatewayFacts("g", 1, blockers=(BLOCKER,)))
    assert found is not None
    assert found.result.problems == ()


def test_the_result_is_of_the_objects_generation() -> None:
    found = missing(False)
    assert found is not None
    assert (found.result.uid, found.result.generation) == ("u", 4)


@pytest.mark.parametrize(("metadata", "expected"), [({"generation": 4}, 4), ({}, 1)])
def test_the_generation_is_that_of_the_object(metadata: dict[str, Any], expected: int) -> None:
    body = {"metadata": {"uid": "u", **metadata}}
    found = gateway_missing(KEY, body, ("infra", "main"), False, None, 5)
    assert found is not None
    assert (found.result.uid, found.result.generation) == ("u", expected)
