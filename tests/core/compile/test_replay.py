"""WebhookReplay → NewReplay."""

from __future__ import annotations

import pytest

from hookplane.compile.model import Absent
from hookplane.store.delivery_store import REPLAYABLE, DeliveryState, NewReplay
from hookplane.units import parse_time
from support.planes.compiled import NOW, compiled_of, endpoint_text, subscription_text

FROM, TO = "2026-11-21T00:00:00Z", "2026-11-23T06:00:00Z"
ONE = "evt_01jdb3q9k2m4n6p8r0s2t4v6w8"
BASE = endpoint_text() + subscription_text()


def replay_text(events: str) -> str:
    return (
        "apiVersion: hookplane.dev/v1alpha1\nkind: WebhookReplay\nmetadata: {name: r}\n"
        f"spec: {{subscriptionRef: {{name: s}}, events: {events}}}\n"
    )


@pytest.mark.parametrize(
    ("events", "ids", "received_from", "received_to", "states"),
    [
        (f"{{ids: [{ONE}, {ONE}]}}", (ONE,), 0, 0, REPLAYABLE),
        (f"{{ids: [{ONE}], states: [Filtered]}}", (ONE,), 0, 0, {DeliveryState.FILTERED}),
        (f"{{from: '{FROM}'}}", (), parse_time(FROM), NOW, {DeliveryState.DEAD}),
        (
            f"{{from: '{FROM}', to: '{TO}', states: [Dead, Delivered]}}",
            (),
            parse_time(FROM),
            parse_time(TO),
            {DeliveryState.DEAD, DeliveryState.DELIVERED},
        ),
        (f"{{from: '{FROM}', states: [All]}}", (), parse_time(FROM), NOW, REPLAYABLE),
        (
            f"{{from: '{FROM}', states: [Retrying]}}",
            (),
            parse_time(FROM),
            NOW,
            {DeliveryState.RETRYING},
        ),
    ],
)
def test_jobs(
    events: str,
    ids: tuple[str, ...],
    received_from: int,
    received_to: int,
    states: frozenset[DeliveryState],
) -> None:
    compiled = compiled_of(BASE + replay_text(events))
    assert compiled.replays == (
        NewReplay(
            uid="webhookreplays/default/r",
            namespace="default",
            name="r",
            subscription="webhooksubscriptions/default/s",
            created=NOW,
            ids=ids,
            received_from=received_from,
            received_to=received_to,
            states=frozenset(states),
        ),
    )


def test_a_job_waits_for_its_subscription() -> None:
    compiled = compiled_of(replay_text(f"{{ids: [{ONE}]}}"))
    assert compiled.replays == ()
    (problem,) = compiled.problems
    assert problem.absent == Absent("WebhookSubscription", "s")
