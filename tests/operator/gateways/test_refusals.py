"""What stands in the way of an object of a gateway, and how it is told."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.gateways.refusals import (
    ChildRefusal,
    blockers,
    is_left_over,
    of_live,
    of_pods,
    refused,
)
from hookplane_operator.kube.kinds import Object
from hookplane_operator.kube.names import Names

GATEWAY = WebhookGateway.model_validate(
    {
        "metadata": {"name": "g", "namespace": "system", "uid": "u"},
        "spec": {"store": {"postgresql": {"dsn": {"secretKeyRef": {"name": "db", "key": "dsn"}}}}},
    }
)
CHILD: Object = {"kind": "Service", "metadata": Names(GATEWAY).metadata("receiver")}
OURS = CHILD["metadata"]["ownerReferences"]
LABELS = CHILD["metadata"]["labels"]


def live(**metadata: Any) -> Object:
    return {"metadata": {"name": "g-receiver", "uid": "x"} | metadata}


def owner(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "uid": "another", "controller": True}


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": OURS, "labels": LABELS},
        {"ownerReferences": OURS},  # somebody took the labels away
        {"labels": LABELS},  # left behind by `--cascade=orphan`
        {"labels": LABELS, "ownerReferences": []},
    ],
)
def test_what_is_ours_or_was_is_brought_in_order(metadata: dict[str, Any]) -> None:
    assert of_live(GATEWAY, CHILD, live(**metadata)) is None


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"labels": {"app": "theirs"}},
        {"labels": LABELS | {"hookplane.dev/gateway": "another"}},
        {"labels": LABELS, "ownerReferences": [owner("WebhookGateway", "another")]},
        {"ownerReferences": [owner("Deployment", "g")]},
    ],
)
def test_what_is_somebody_elses_is_left_alone(metadata: dict[str, Any]) -> None:
    found = of_live(GATEWAY, CHILD, live(**metadata))
    assert found is not None
    assert found.reason is Reason.CHILD_NAME_TAKEN
    assert found.message.startswith('Service "g-receiver" ')


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            {
                "ownerReferences": OURS,
                "deletionTimestamp": "2026-01-01T00:00:00Z",
                "finalizers": ["foregroundDeletion"],
            },
            "kept by the finalizers foregroundDeletion",
        ),
        ({"ownerReferences": [owner("WebhookGateway", "g")]}, "a former gateway of this name"),
    ],
)
def test_what_goes_by_itself_is_waited_for(metadata: dict[str, Any], words: str) -> None:
    found = of_live(GATEWAY, CHILD, live(**metadata))
    assert found is not None
    assert found.reason is Reason.PENDING
    assert words in found.message


def test_the_worst_decides_and_further_ones_are_counted() -> None:
    pending = ChildRefusal(Reason.PENDING, "waits")
    taken = ChildRefusal(Reason.CHILD_NAME_TAKEN, "taken")
    words = refused(CHILD, "exceeded quota")
    (found,) = blockers([pending, words, words, taken])
    assert (found.type, found.reason) == (ConditionType.PROGRAMMED, Reason.CHILD_NAME_TAKEN)
    one = 'Service "g-receiver": exceeded quota'
    assert found.message == f"taken; {one}; {one}; and 1 more"
    assert blockers([]) == ()


def test_pods_that_cannot_be_made_are_told() -> None:
    def deployment(truth: str, owners: list[Any]) -> Object:
        condition = {"type": "ReplicaFailure", "status": truth, "message": "exceeded quota"}
        return live(ownerReferences=owners) | {"status": {"conditions": [condition]}}

    assert of_pods(GATEWAY, [deployment("False", OURS), deployment("True", []), live()]) == []
    (found,) = of_pods(GATEWAY, [deployment("True", OURS)])
    assert found.message == 'Deployment "g-receiver": exceeded quota'


def test_only_what_was_made_for_this_gateway_and_is_not_going_is_left_over() -> None:
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert is_left_over(GATEWAY, live(ownerReferences=OURS, labels=LABELS))
    assert not is_left_over(GATEWAY, live(ownerReferences=OURS, labels=LABELS, **gone))
    assert not is_left_over(GATEWAY, live(ownerReferences=OURS))
    assert not is_left_over(GATEWAY, live(labels=LABELS))
