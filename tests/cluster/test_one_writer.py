"""How the audit log is read when several operators run: the reading itself."""

from __future__ import annotations

import pytest

from support.kubernetes.audit import Entry, about, out_of_turn, requested


def wrote(user: str, resource: str, received: int, answered: int, code: int = 200) -> Entry:
    return {
        "user": {"username": user},
        "userAgent": "hookplane-operator",
        "verb": "patch",
        "objectRef": {"resource": resource, "namespace": "here", "name": str(received)},
        "requestReceivedTimestamp": f"2026-01-01T00:00:{received:02}Z",
        "stageTimestamp": f"2026-01-01T00:00:{answered:02}Z",
        "responseStatus": {"code": code},
    }


TAKEN = wrote("second", "leases", 10, 12)


@pytest.mark.parametrize(
    "entry",
    [
        wrote("first", "webhookendpoints", 5, 6),
        wrote("first", "webhookendpoints", 11, 13),  # under way while the Lease changed hands
        wrote("second", "webhookendpoints", 13, 14),
        wrote("first", "webhookendpoints", 13, 14, code=409),  # refused
        wrote("first", "leases", 5, 6),
    ],
)
def test_in_turn(entry: Entry) -> None:
    assert out_of_turn([TAKEN, entry], "first") == []


@pytest.mark.parametrize(
    "entry",
    [
        wrote("second", "webhookendpoints", 5, 6),
        wrote("first", "webhookendpoints", 13, 14),
        wrote("third", "deployments", 13, 14),
    ],
)
def test_out_of_turn(entry: Entry) -> None:
    assert out_of_turn([TAKEN, entry], "first") == [entry]


def test_a_lease_that_was_refused_gives_no_lead() -> None:
    refused = wrote("second", "leases", 10, 12, code=409)
    late = wrote("second", "webhookendpoints", 13, 14)
    assert out_of_turn([refused, late], "first") == [late]


def test_only_operators_that_write_here_count() -> None:
    ours = wrote("first", "webhookendpoints", 5, 6)
    reads = ours | {"verb": "get"}
    people = ours | {"userAgent": "kubectl"}
    elsewhere = ours | {"objectRef": {"resource": "webhookendpoints", "namespace": "there"}}
    assert [about(x) for x in requested([ours, reads, people, elsewhere], "here")] == [
        ("webhookendpoints", "5")
    ]
