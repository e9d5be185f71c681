"""Statuses: what users are promised to see fits, and nothing unbounded does."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from hookplane.kinds.registry import KIND_BY_NAME, KINDS, Kind
from support.kubernetes.crds import schema_errors, schema_of

SUBSCRIPTION = """
observedGeneration: 4
state: Failing
target: crm.example.com
delivery:
  delivered: 1820333
  filtered: 90121
  pending: 14
  retrying: 3
  dead: 0
  expired: 0
  nextRetryTime: "2026-11-23T12:08:31Z"
  lastSuccess:
    {time: "2026-11-23T12:00:11Z", eventID: evt_01jdb3q9k2, statusCode: 200, milliseconds: 87}
  lastFailure: {time: "2026-11-23T12:06:02Z", eventID: evt_01jdb3qa11, statusCode: 503,
    message: Service Unavailable, attempt: 2, nextRetryTime: "2026-11-23T12:08:31Z"}
  failingSince: "2026-11-23T12:01:02Z"
  oldestPendingTime: "2026-11-23T12:00:58Z"
  circuit: Closed
recentFailures:
- {eventID: evt_01jdb3qa11, type: conversation.created, state: Retrying, attempts: 2,
   statusCode: 503, nextRetryTime: "2026-11-23T12:08:31Z"}
conditions:
- {type: Delivering, status: "False", reason: TargetFailing, observedGeneration: 4,
   lastTransitionTime: "2026-11-23T12:01:02Z", message: "503 to the last 3 deliveries"}
"""
ENDPOINT = """
observedGeneration: 1
state: Rejecting
url: https://hooks.example.com/chatbot/telegram
requests:
  accepted: 90122
  duplicates: 12
  conflicts: 0
  rejected: 311
  rejectedByReason: {SignatureMismatch: 311}
  stored: 4000
  lastAcceptedTime: "2026-11-23T09:00:00Z"
  lastRejected: {time: "2026-11-23T12:00:00Z", reason: SignatureMismatch, message: from 192.0.2.1}
"""
GATEWAY = """
observedGeneration: 3
url: https://hooks.example.com
receivers: {ready: 2, desired: 2, summary: 2/2}
dispatchers: {ready: 2, desired: 2, summary: 2/2}
store: {state: OK, since: "2026-11-01T00:00:00Z"}
backlog: 921
resources: {endpoints: 31, subscriptions: 58}
"""
REPLAY = """
observedGeneration: 1
state: Complete
matched: 1204
delivered: 1204
failed: 0
startTime: "2026-11-23T12:00:00Z"
completionTime: "2026-11-23T12:09:00Z"
"""
STATUSES = [
    ("WebhookSubscription", SUBSCRIPTION),
    ("WebhookEndpoint", ENDPOINT),
    ("WebhookGateway", GATEWAY),
    ("WebhookReplay", REPLAY),
]


@pytest.mark.parametrize(("name", "text"), STATUSES)
def test_what_users_see_is_valid_and_comes_out_as_it_went_in(name: str, text: str) -> None:
    given = yaml.safe_load(text)
    status = KIND_BY_NAME[name].status.model_validate(given)
    assert status.model_dump(exclude_unset=True) == given
    assert schema_errors(schema_of(name)["properties"]["status"], given) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_status_may_be_empty(kind: Kind) -> None:
    assert kind.status.model_validate({}).model_dump(exclude_unset=True) == {}


FAILURE = {"eventID": "evt_1", "state": "Dead", "attempts": 1}
CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Programmed",
    "lastTransitionTime": "2026-11-23T12:00:00Z",
    "observedGeneration": 1,
}

# kind, a status that must not be written
BAD: list[tuple[str, dict[str, Any]]] = [
    # recent failures are at most 5
    ("WebhookSubscription", {"recentFailures": [FAILURE] * 6}),
    # an unknown word
    ("WebhookSubscription", {"state": "Broken"}),
    # counters do not go below zero
    ("WebhookSubscription", {"delivery": {"dead": -1}}),
    # a message is short
    (
        "WebhookEndpoint",
        {
            "requests": {
                "lastRejected": {
                    "time": "2026-11-23T12:00:00Z",
                    "reason": "SignatureMismatch",
                    "message": "m" * 513,
                }
            }
        },
    ),
    # reasons are words
    ("WebhookReplay", {"conditions": [CONDITION | {"reason": "not a word"}]}),
    # a condition says since when
    ("WebhookReplay", {"conditions": [CONDITION | {"lastTransitionTime": "yesterday"}]}),
    # and is three-valued
    ("WebhookReplay", {"conditions": [CONDITION | {"status": "true"}]}),
    # what a store can be
    ("WebhookGateway", {"store": {"state": "Slow"}}),
]


@pytest.mark.parametrize(("name", "status"), BAD)
def test_what_must_not_be_written(name: str, status: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KIND_BY_NAME[name].status.model_validate(status)
    assert schema_errors(schema_of(name)["properties"]["status"], status) != []
