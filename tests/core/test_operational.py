from __future__ import annotations

import json
from dataclasses import replace

from hookplane.operational import (
    MAX_SUBJECTS,
    QUIET_PERIOD,
    Notices,
    OperationalEvent,
    OperationalType,
    operational_endpoint,
)

NOTICE = OperationalEvent(
    OperationalType.CIRCUIT_OPEN, "WebhookSubscription", "chat", "crm", "TargetFailing", "503"
)


def test_an_event_that_can_be_subscribed_to() -> None:
    event = Notices().event(NOTICE, 1_000)
    assert event is not None
    assert event.endpoint == operational_endpoint("chat")
    assert event.type == "hookplane.subscription.circuit_open"
    data = json.loads(event.body)["data"]
    assert data == {
        "kind": "WebhookSubscription",
        "namespace": "chat",
        "name": "crm",
        "reason": "TargetFailing",
        "message": "503",
        "count": 1,
    }


def test_told_once_in_the_quiet_period_then_with_a_count() -> None:
    notices = Notices()
    assert notices.event(NOTICE, 0) is not None
    assert notices.event(NOTICE, 1) is None
    assert notices.event(NOTICE, QUIET_PERIOD - 1) is None
    late = notices.event(NOTICE, QUIET_PERIOD)
    assert late is not None
    assert json.loads(late.body)["data"]["count"] == 3


def test_another_subject_or_type_is_told_at_once() -> None:
    notices = Notices()
    notices.event(NOTICE, 0)
    assert notices.event(replace(NOTICE, name="other"), 1) is not None
    assert notices.event(replace(NOTICE, type=OperationalType.DELIVERY_DEAD), 1) is not None


def test_memory_is_bounded() -> None:
    notices = Notices()
    for number in range(MAX_SUBJECTS + 1):
        notices.event(replace(NOTICE, name=str(number)), 0)
    assert notices.event(replace(NOTICE, name=str(MAX_SUBJECTS)), 1) is None
    assert notices.event(replace(NOTICE, name="0"), 1) is not None
